/* SPDX-License-Identifier: MIT */
/*
 * What the files of the core share; included by them and by tests of the core only. The
 * sections are in the order of dependency, bottom first: a file uses only what is declared
 * above its own section.
 *
 * Functions that take a `struct err` and return int return 0, or -1 on an error, unless they say
 * otherwise. A failed write marks the store broken and core_flush then fails, so a caller may
 * ignore that error.
 */
#pragma once

#include "engine/aggregates.h"
#include "engine/core.h"
#include "engine/timings.h"
#include "lease/aggregate.h"
#include "schedule/clock.h"
#include "schedule/heap.h"
#include "store/history.h"
#include "util/log.h"

#define WAITER_BUCKETS 256
#define IN_FLIGHT_BUCKETS 256

struct in_flight {
	int64_t n; /* lease row; 0: a step of an account task */
	struct step *step;
	int64_t begun_ms;	 /* wall clock */
	int is_begin;		 /* it begins something: the account counts it in `begins` */
	int not_now;		 /* a permit was refused, for a reason that is temporary */
	uint32_t refusal_class;	 /* a permit was refused, for a reason that needs an operator:
				 * LESSOR_CLASS_; 0: none was */
	char refusal[160];	 /* the reason that belongs to refusal_class, or else to not_now */
	int64_t absence_ms;	 /* when the next absence observation counts; 0: none needed */
	int64_t overdue_mono_ms; /* when it should have returned */
	int is_overdue;		 /* it has not, and that was reported */
	struct in_flight *next;	 /* in its hash bucket */
};

/* A lease that waits for a free place among the account's max_steps. */
struct queued_lease {
	int64_t n;
	TAILQ_ENTRY(queued_lease) link;
};

/* The leases of one owner in a queue, first come first served. */
struct queued_owner {
	char owner[128];
	TAILQ_HEAD(queued_leases, queued_lease) leases;
	STAILQ_ENTRY(queued_owner) link;
};

/*
 * The queues of an account. Cleanups are served first, then observations; look-ups and what
 * begins something take turns, the latter only while the account has calls for it. In each
 * queue owners take turns, so that none waits for all that another has asked for. The queues
 * are in memory only: after a start they fill again from the due times.
 */
enum step_queue { QUEUE_CLEANUP, QUEUE_OTHER, QUEUE_BEGIN, QUEUE_OBSERVE, QUEUE_COUNT };

STAILQ_HEAD(owner_queue, queued_owner);

/* The work of an account that belongs to no lease; account_tasks.c has the table. */
enum account_task {
	TASK_PROBE,    /* read the sentinel: right account? store not behind? */
	TASK_CATALOG,  /* read prices and availability */
	TASK_SWEEP,    /* compare the inventory with the ledger (sweep.c) */
	TASK_RELOAD,   /* let the provider reload its files */
	TASK_OBSERVE,  /* start or continue a shared observation (observe.c) */
	TASK_DISPATCH, /* start what has waited for the account's budget (dispatch.c) */
	TASK_MONTH,    /* charge again what goes on, by month and by hour (charges.c) */
	TASK_COUNT
};

/* A lease that the last shared observations covered, and when it is due again, wall clock. */
struct observed_lease {
	int64_t n, due_ms;
};

/* The shared observation of an account whose provider can observe many leases at once. */
struct shared_observation {
	int is_running;	      /* from its start until the results of all its leases are applied */
	struct step *ended;   /* the step, once it has run; owned; NULL: still running, or none */
	size_t results;	      /* how many results of `ended` are applied */
	int64_t next_mono_ms; /* earliest start of the next one, monotonic clock */
	int64_t interval_ms;  /* minimum pause between two; a lease due within it may be included */
	struct observed_lease *observed;
	size_t observed_count, observed_size;
};

/* Leases that are looked at, and perhaps charged, in one batch. */
#define CHARGE_BATCH 64

/*
 * Which leases of an account are charged although nothing has happened to them (charges.c). They are
 * read before a batch begins, and written in it.
 */
struct core_charging {
	int64_t hour_ms, after_n; /* the hour, and the row that it has come to */
	int is_complete;	  /* the last row in this hour */
	int is_due, is_read, is_failed;
	int64_t n[CHARGE_BATCH]; /* what was read */
	int count;
	int64_t *again; /* rows whose prices have changed */
	size_t again_count;
};

struct core_account {
	struct account *account;
	struct lease_aggregate own; /* the account's own ledger, which holds the sentinel */
	int running;		    /* steps that count towards max_steps ... */
	int begins;		    /* ... and of these, how many begin something */
	struct owner_queue queues[QUEUE_COUNT];
	int is_others_turn; /* the next place is for a look-up, if one waits; else for a begin */
	struct shared_observation observation;
	int64_t probe_due_ms, catalog_due_ms;
	int probe_running; /* or the list of sentinels before the first one */
	int is_alone;	   /* no other instance uses the account, unless an operator agreed */
	int probe_wanted;  /* gen.is_wanted when the running probe started */
	int probe_tries, catalog_tries, reload_tries;
	int is_held; /* one of its operations crashed lessord too often: none is run (crashes.c) */
	int token_number;   /* of the token that was_verified is about */
	char frozen[128];   /* why, core_freeze; "": it is not */
	int is_thawed;	    /* no longer, and its leases are not due yet (core_thaw) */
	int is_reconciling; /* the sweep that runs began after that */
	int is_reconciled;  /* and one has completed since */
	int64_t ahead;	    /* how many resources that sweep found to be newer than the store */
	int64_t presumed_until_ms; /* core_presume; on the store's clock */
	int was_blocked;
	int was_verified; /* verified at least once since the start */
	struct generation gen;
	int probe_again;      /* repeat the probe soon after the one that runs */
	int64_t surprised_ms; /* when a generation of another process was last found; 0: never */
	int denials;	      /* consecutive steps that were denied although the probe succeeds */
	int64_t denied_ms;    /* when the last of them ended */
	int64_t paused_until_ms; /* wall clock, as stored; 0: never paused */
	struct core_charging charging;
	int is_sweeping;
	int64_t sweep_due_ms; /* as set last; 0: none */
	int is_unlisted; /* nothing is deleted before the first sweep: the store may be an old one */
	int is_sweep_put_off; /* it was due while the account was not verified */
	int sweep_tries;
	int is_forgetting; /* forget.c: a list is being read */
	int is_listing;	   /* pool.c: an inventory is being read */
	int64_t listed_ms; /* when the last read of the inventory started; 0: never, or failed */
	struct pool_machine *listed;
	size_t listed_count;
	size_t sweep_kind; /* sweep.c: index of the resource kind that is being listed */
	int64_t sweep_objects,
		sweep_unverified; /* objects with a valid, with an invalid signature */
};

/* Credited in one go, of each of two states: each takes some round trips to the store. */
#define GAP_LEASES 64

/* A gap with which leases are being credited: core_gap. */
struct core_gap {
	int64_t ms;	 /* 0: none is */
	int64_t next_ms; /* more, which was told meanwhile */
	struct store_list lists[2];
	int left[2];		      /* are there leases in the list that are not read yet? */
	int64_t page[2 * GAP_LEASES]; /* those that are credited in the next batch */
	int page_count;
	int64_t again_mono_ms; /* not read before; 0: at once */
};

/* A round of pruning: history.c. */
struct core_history {
	int64_t due_ms;			  /* the next step; 0: never */
	size_t account;			  /* whose turn it is */
	struct store_history_place place; /* and how far it is */
	int64_t pruned;			  /* leases, in this round */
	int is_partial;			  /* an account was left out */
	int is_begun;			  /* a step is part of the open transaction */
};

struct core {
	struct engine_config config;
	struct core_hooks hooks;
	const struct env *env;
	struct store *store;
	struct signer signer;
	char account_key[512];
	struct core_account *accounts;
	size_t account_count;
	struct aggregates *aggregates;
	struct heap *due;   /* due times of leases, by row number */
	struct heap *tasks; /* due times of account tasks (account_timers.c) */
	struct in_flight *in_flight[IN_FLIGHT_BUCKETS]; /* hash by lease row */
	size_t in_flight_count;
	struct request_list waiters[WAITER_BUCKETS]; /* hash by lease row */
	int64_t next_waiter_ms;			     /* earliest wait_until_ms; 0: none */
	LIST_HEAD(, waiting_owner) waiting_owners[WAITER_BUCKETS]; /* hash by owner and org */
	size_t waiting;						   /* requests */
	struct request_list pool_waiters;
	struct request_list forget_waiters; /* at most one per account */
	struct request_list answers;	    /* to be answered after the commit */
	struct step_list starts;	    /* to be started after the commit */
	int64_t sees_until_mono_ms;	    /* core_see_until */
	struct core_gap gap;
	struct core_history history;
	int is_by_store;	  /* core_now is, as core_store_clock has measured it */
	int64_t store_by_mono_ms; /* the store's clock, ahead of the monotonic one */
	int64_t now_by_mono_ms;	  /* core_now, ahead of the monotonic clock; not above it */
	int is_clock_apart;	  /* that is so much that it was logged */
	struct clock_watch clock;
	enum env_clock_word clock_word; /* what was said to the other threads (util/env.h) */
	int64_t clock_ahead_ms; /* by how much the clock seems to be ahead; for the log and the API */
	int64_t clock_judged_mono_ms;
	int64_t clock_stored_ms; /* the newest time in the store, as this process wrote it */
	int64_t overdue_checked_mono_ms;
	struct crash_count *crashes; /* operations that crashed earlier processes (crashes.c) */
	size_t crash_count;
	int clock_logged; /* 1: that it is in doubt; 2: also who disagrees; 0: nothing */
	STAILQ_HEAD(, log_line) log_lines; /* to be written after the commit */
	uint32_t random[32]; /* a reserve, drawn in one call; random_left are unused */
	size_t random_left;
	struct capacity_queue *capacity; /* capacity_queue.c */
	struct known_price *prices;	 /* prices.c; NULL: none yet */
	int64_t *touches;		 /* touches.c: leases whose heartbeat is not written yet */
	size_t touch_count, touch_room;
	int in_transaction;
	struct timings_batch timed; /* of this transaction */
	int draining;
	int resting; /* core_rest */
};

/* ---- state.c: the clock, the accounts, the leases -------------------------------------------- */

int64_t core_now(const struct core *core);
/* core_now, ahead of the wall clock. */
int64_t core_clock_by_ms(const struct core *core);
/* The store's clock, ahead of core_now, at most. */
int64_t core_store_ahead_ms(const struct core *core);
uint32_t core_random32(struct core *core);
/* Is the wall clock suspect? Then no lease ends because of time. */
int core_has_lost_sight(const struct core *core);
int core_clock_is_suspect(const struct core *core);
/* The only account whose leases it may read and change; NULL: all of the store. */
const char *core_only_account(const struct core *core);
struct core_account *core_account_find(struct core *core, const char *name);
/* Are its retained machines protected at the provider: supported and configured? */
int core_account_protects(const struct core_account *a);
/* Was it verified recently? A single missed probe does not matter. */
int core_account_is_identified(const struct core *core, const struct core_account *a);
/* Verified recently and not blocked: can absence and inventories be relied on? */
int core_account_is_verified(const struct core *core, const struct core_account *a);
/* May its inventory be read? A fenced account's may, too. */
int core_account_is_readable(const struct core *core, const struct core_account *a);
/* Does its sentinel carry a generation? */
int core_account_has_generation(const struct core_account *a);
/* Has it any open lease? */
int core_account_has_open(struct core *core, const struct core_account *a);
/* How long the account's provider may take to show what it created, in ms. */
int64_t core_settle_ms(const struct core *core, const struct core_account *a);
/* NULL: there is none (ERR_NOT_FOUND), or it cannot be read. Valid until core_flush. */
struct lease_aggregate *core_lease(struct core *core, int64_t n, struct err *err);
/* By id, regardless of the caller. 0: found; 1: there is none; -1: error. */
int core_lease_by_id(struct core *core, const char *id, struct lease_aggregate **ret,
		     struct err *err);
/*
 * The lease of that row, which the store has, cannot be read, and `err` says why. 0: that is logged,
 * it is tried again later, and the caller goes on without it; -1: no other can be read either.
 */
int core_lease_unread(struct core *core, int64_t n, struct err *err);
/*
 * Calls `fn` for each lease of the list that can be read, newest first. `fn` may change the lease; -1
 * stops.
 */
typedef int (*core_lease_fn)(void *arg, struct core *core, struct lease_aggregate *a,
			     struct err *err);
int core_lease_each(struct core *core, struct store_list list, core_lease_fn fn, void *arg,
		    struct err *err);

/* ---- sight.c: gaps --------------------------------------------------------------------------- */

/* Before a batch: reads the leases that it credits with a gap. */
void core_gap_read(struct core *core);
/* They could not be read: how long until the next try; 0: none is put off. */
int64_t core_gap_pause_ms(const struct core *core);

/* ---- outbox.c: answers, log lines and steps that wait for the commit ------------------------- */

void outbox_init(struct core *core);
void outbox_fini(struct core *core);
int outbox_is_empty(const struct core *core);
void core_answer(struct core *core, struct engine_request *request);
/*
 * Logs a decision: the line is written after the commit, and never if the batch fails.
 * `lease`, `account` and `event` may be NULL.
 */
struct log_origin {
	enum log_level level;
	const char *lease, *account, *event;
};
void core_log_later(struct core *core, const struct log_origin *origin, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* After the commit: writes the log lines, sends the answers, starts the steps. */
void outbox_release(struct core *core);

/* ---- in_flight.c: the steps in flight -------------------------------------------------------- */

void in_flight_add(struct core *core, int64_t n, struct step *step);
/* The step of a lease; NULL: none is in flight. */
struct in_flight *in_flight_find(struct core *core, int64_t n);
/* Removes the entry of a step that has ended, and returns a copy of it. */
struct in_flight in_flight_take(struct core *core, const struct step *step);
/* Cancels a step that is stale. A shared observation is cancelled with the last of its leases. */
void in_flight_cancel(struct in_flight *running);
void in_flight_fini(struct core *core);

/* ---- queues.c: due times, and the queues of an account --------------------------------------- */

/* Sets the lease's due time in the heap from its row. */
void core_schedule(struct core *core, const struct lease *l);
/* The same for every lease of the store that has a due time. */
int core_schedule_all(struct core *core, struct err *err);
void queue_push(struct core_account *a, enum step_queue which, const struct lease *l);
/*
 * Removes the first lease of the owner whose turn it is and returns its row; 0: the queue is
 * empty.
 */
int64_t queue_pop(struct core_account *a, enum step_queue which);
/* Queues the lease for a step of its own instead of the shared observation. */
void queue_lease_alone(struct core *core, struct core_account *a, const struct lease *l);

/* ---- steps.c --------------------------------------------------------------------------------- */

/* Makes a step that core_flush starts. It occupies one of the account's places. */
struct step *core_step_begin(struct core *core, struct core_account *a, enum step_op op, int64_t n);
/* The same in two calls, for a caller that fills in the step in between. */
struct step *core_step_new(const struct core *core, struct core_account *a, enum step_op op);
void core_step_start(struct core *core, struct core_account *a, struct step *step, int64_t n);

/* ---- answer.c -------------------------------------------------------------------------------- */

void request_fail(struct engine_request *r, enum request_result result, const char *code,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The request failed because of the store; logs the error. */
void request_fail_store(struct engine_request *r, const struct err *err);
/* Sets the API's code and message for a refused event. */
void request_refuse(struct engine_request *r, enum lease_refusal refusal);
/* The account is blocked or fenced: for operators with the reason and what to do. */
void request_fail_blocked(struct engine_request *r, const struct account *account);
void request_fail_paused(struct engine_request *r, const struct limits_pause *pause);
void core_fill_answer(struct engine_request *request, const struct lease_aggregate *a);

/* ---- request_lease.c ------------------------------------------------------------------------- */

/* Does the lease belong to the caller, or is the caller an admin? */
int request_is_callers(const struct engine_request *r, const struct lease *l);
/*
 * Is the request answered by the lease as it is? It was carried out before, or is of an epoch that
 * has ended.
 */
int request_is_over(struct engine_request *r, const struct lease_aggregate *a);
/* The lease of r->ref, if the caller may change it; NULL: the request is answered. */
struct lease_aggregate *request_find_lease(struct core *core, struct engine_request *r);

/* ---- account_timers.c ------------------------------------------------------------------------ */

/* Schedules the tasks of all accounts, from when they last ran. */
void account_tasks_init(struct core *core);
/* Sets the task's due time, wall clock; 0: never. Ignored if the provider has no such operation. */
void account_task_at(struct core *core, struct core_account *a, enum account_task task,
		     int64_t due_ms);
/* The interval between two reads of the prices. */
#define CATALOG_MS (60 * 60 * 1000)
/* In the next batch. */
void account_task_soon(struct core *core, struct core_account *a, enum account_task task);
void sweep_schedule(struct core *core, struct core_account *a, int64_t due_ms);
/* Sets the next sweep to `due_ms`, or earlier if `sweep` requires one earlier (soon_ms). */
void sweep_schedule_by(struct core *core, struct core_account *a, int64_t due_ms,
		       const struct sweep *sweep);
/*
 * The account is verified for the first time since the start, or again: starts the sweep at once
 * that was put off until then, or the first one ever.
 */
void sweep_after_proof(struct core *core, struct core_account *a);
/*
 * The account has just been fenced: the operator needs to know what it holds. A fence stays, so a
 * crash loop does not repeat this.
 */
void sweep_after_fence(struct core *core, struct core_account *a);
/* A sweep runs at most this long after something was concluded from absence alone. */
#define SWEEP_SOON_MS (10 * 60 * 1000)
/* Schedules that sweep. It is stored, so that it also runs after a restart. */
int core_sweep_soon(struct core *core, struct core_account *a, struct err *err);
/* Raises the account's generation soon, so that older copies of the store can be recognised. */
void core_generation_raise(struct core *core, const char *account);

/* ---- waiters.c: requests that wait for their lease ------------------------------------------- */

void waiters_init(struct core *core);
void waiters_fini(struct core *core); /* the requests stay with their callers */
/* Answers a create or release once its lease is ready or cleaned up, or after its wait_ms. */
void core_wait(struct core *core, struct engine_request *request);
/* The lease has changed: answers the requests that waited for this. */
void core_wake(struct core *core, const struct lease_aggregate *a);
/* Answers the requests whose time is over; `all`: every one. */
void core_wait_timeouts(struct core *core, int64_t now_ms, int all);
/* Moves all that wait to the list. */
void waiters_take(struct core *core, struct request_list *list);
/* Does a request wait for this lease? */
int core_is_awaited(const struct core *core, int64_t n);

/* ---- capacity_queue.c: the queue for capacity ------------------------------------------------ */

/* Reads the queue and its turns from the store. */
int capacity_init(struct core *core, struct err *err);
void capacity_fini(struct core *core);
/* What a lease takes of the limits, to compare before and after an event. */
struct capacity_use {
	int is_queued, counts;
	int64_t price;
};
struct capacity_use capacity_use(const struct lease *l);
/* The lease has changed: it joined the queue or left it, or there is more capacity now. */
int capacity_follow(struct core *core, const struct lease *l, const struct capacity_use *before,
		    struct err *err);
/* There may be capacity for leases in the queue: for a reason other than a lease's change. */
void capacity_changed(struct core *core);
/* Where other engines share the limits: now and then there may be capacity. */
void capacity_look(struct core *core);
/* Is there anything to admit in the next batch? */
int capacity_is_due(const struct core *core);
/* The batch is committed. */
void capacity_publish(struct core *core);

/* ---- prices.c: prices in memory -------------------------------------------------------------- */

/* As store_price_get, which it asks only once while the prices stay the same. */
int core_price_get(struct core *core, const char *account, const char *type, const char *location,
		   struct store_price *ret, struct err *err);
void core_prices_fini(struct core *core);

/* ---- touches.c: the heartbeats of a batch ---------------------------------------------------- */

/* The lease was touched: that is written before the commit. */
void core_touch(struct core *core, int64_t n);
/* Writes what core_touch noted. */
int core_touches_write(struct core *core, struct err *err);

/* ---- costs.c: the bill of a resource --------------------------------------------------------- */

/* Writes the bill of a row that was just written, if it has one that changed. */
int core_cost_write(struct core *core, const struct lease_aggregate *a, struct resource *r,
		    struct err *err);
/* Prices that were not known when the bills began, in memory. */
int core_terms_complete(struct core *core, struct lease_aggregate *a, struct err *err);

/* ---- charges.c: the money of a month ------------------------------------------------------- */

/* What the charges of a lease depend on. */
struct charge_mark {
	int counts, cleanup;
	int64_t end_ms, price;
	uint64_t bills;
};
struct charge_mark core_charge_mark(const struct lease_aggregate *a);
/* Writes the charges of a lease that was just written, if they have changed since `before`. */
int core_charges_follow(struct core *core, struct lease_aggregate *a,
			const struct charge_mark *before, int is_first, struct err *err);
int core_charges_write(struct core *core, struct lease_aggregate *a, int is_first, struct err *err);
/* Does one of the limits stop such a lease now? 1: *ret, 0: none, -1: error. */
int core_limits_check(struct core *core, const struct lease *l, const struct store_counts *have,
		      struct limit_hit *ret, struct err *err);
/* The same for a lease that is to have a longer TTL. */
int core_extension_check(struct core *core, const struct lease_aggregate *a, int64_t ttl_ms,
			 struct limit_hit *ret, struct err *err);
int core_has_month_limit(const struct core *core, const struct lease *l);
/* The lease is charged once more, by TASK_MONTH. */
void core_charge_again(struct core *core, struct core_account *a, int64_t n);
/* Before a batch: reads what TASK_MONTH charges in it. */
void core_charges_read(struct core *core);
/* TASK_MONTH */
void core_month_due(struct core *core, struct core_account *a);

/* ---- price_list.c ---------------------------------------------------------------------------- */

/* The prices of an account are these from now on, also of what was created without one. */
int core_prices_replace(struct core *core, const char *account, const struct store_price *prices,
			size_t count, struct err *err);

/* ---- apply.c: events ------------------------------------------------------------------------- */

/* The facts that lease_apply needs, except those that only the sender of the event has (users). */
struct lease_facts core_facts(struct core *core, const struct lease_aggregate *a);
/*
 * Applies the event to the aggregate, writes what changed and its timeline, and carries out the
 * effects, at once or after the commit. A refused event changes nothing; the refusal is in `out`
 * (may be NULL). -1: writing failed, and the store is now broken.
 */
int core_apply(struct core *core, struct lease_aggregate *a, const struct lease_event *event,
	       struct lease_effects *out, struct err *err);
/* The same for what a request asks for: the lease remembers its name, if it changes something. */
int core_apply_request(struct core *core, struct lease_aggregate *a,
		       const struct lease_event *event, const struct engine_request *r,
		       struct lease_effects *out, struct err *err);
/* The same, with facts that the caller has completed. */
int core_apply_facts(struct core *core, struct lease_aggregate *a, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out, struct err *err);

/* ---- capacity_admission.c -------------------------------------------------------------------- */

/* The price of the lease's first choice as it is known now, in `l`; unchanged if unknown. */
void capacity_price(struct core *core, struct lease *l);
/* Admits the leases whose turn it is and for which there is capacity. */
void capacity_admit(struct core *core);
enum capacity_answer { CAPACITY_FREE, CAPACITY_WAIT, CAPACITY_REFUSED, CAPACITY_ERROR };
/*
 * Is there capacity for this new lease, which overtakes none that waits? WAIT: there is not, and
 * it may wait for it (queue_ms). REFUSED: the request is filled in. `totals`: what counts now.
 */
enum capacity_answer capacity_ask(struct core *core, struct engine_request *r,
				  const struct lease *l, const struct store_counts *totals,
				  struct err *err);

/* ---- account_block.c: leases of an account that cannot be used ------------------------------- */

/* Marks one lease as blocked. */
void core_lease_blocked(struct core *core, int64_t n);
/* At a start: raises attention for the leases of accounts that are not configured. */
int core_missing_init(struct core *core, struct err *err);
/* Marks the leases that are queued in the account as blocked. */
void core_account_blocked(struct core *core, struct core_account *a);
/* Lets the account's blocked leases continue. `is_start`: first verification since the start. */
void core_account_unblocked(struct core *core, struct core_account *a, int is_start);

/* ---- overdue.c: steps that do not return ----------------------------------------------------- */

/* Reports the steps that are past their deadline, once each: log, metric, attention. */
void core_overdue_check(struct core *core);
/* A step has returned after all. */
void core_overdue_over(struct core *core, const struct in_flight *ran);
/* The core is about to be freed: nobody waits for its steps any more. */
void core_overdue_abandon(struct core *core);

/* ---- crashes.c: operations that crashed the daemon ------------------------------------------- */

/* At a start: counts the crashes of config.crashes, and holds what has crashed too often. */
int core_crashes_init(struct core *core, struct err *err);
/* Has this step's operation crashed too often to be run? */
int core_crash_is_held(const struct core *core, const struct step *step);
/* The lease's next step is held: looks at the lease again later. */
void core_crash_postpone(struct core *core, const struct lease *l);
/* The operation has returned. */
void core_crash_over(struct core *core, const struct step *step);
/* An operator wants to try once more what is held of the lease; "": of the account itself. */
int core_crash_retry(struct core *core, const char *account, const char *lease, struct err *err);

/* ---- handover.c: keys that another lease uses ------------------------------------------------ */

/* Hands over each key of the lease that another lease uses, instead of deleting it. */
int core_handover(struct core *core, struct lease_aggregate *a, struct err *err);

/* ---- retained.c: retained machines ----------------------------------------------------------- */

/* The resource of that row was listed. If its label or protection is missing, has it restored. */
int core_retained_check(struct core *core, int64_t row, const struct lessor_observed *seen,
			struct err *err);
/*
 * The account is frozen, and the resource of that row was listed. If it shows to be kept by a release
 * that the store has lost, it is retained again. 1: it does; 0; -1.
 */
int core_retained_ahead(struct core *core, int64_t row, const struct lessor_observed *seen,
			struct err *err);
/* The store may have been behind: has the protection of all retained machines checked again. */
int core_retained_recheck(struct core *core, char *account, struct err *err);

/* ---- reconcile.c: how a frozen account goes on ------------------------------------------------ */

/* It is frozen as of now. */
void core_reconcile_soon(struct core *core, struct core_account *a);
/* A sweep begins, or has completed: does it count? `has_orphans`: that are newer than the store. */
void core_reconcile_begin(struct core_account *a);
int core_reconcile_end(struct core *core, struct core_account *a, const struct sweep *sweep,
		       int has_orphans, struct err *err);
/* When a sweep of the frozen account shows all that was under way, wall clock; 0: at any time. */
int64_t core_reconcile_lands_ms(const struct core *core, const struct core_account *a);
/* An operator has looked. 0: it goes on, or was not frozen; 1: too early, `r` has failed; -1. */
int core_reconcile_looked(struct core *core, struct core_account *a, struct engine_request *r,
			  struct err *err);
/* It is not frozen any longer: what the freeze has put off is due now. Once. */
void core_thaw(struct core *core, struct core_account *a);

/* ---- sentinel.c: the generation -------------------------------------------------------------- */

int core_generation_init(struct core *core, struct core_account *a, struct err *err);
/* The sentinel was read and carries this. -1: the store is behind, and the account fenced. */
int core_generation_found(struct core *core, struct core_account *a, int64_t number,
			  const char *holder, struct err *err);
int core_generation_seen(struct core *core, struct core_account *a,
			 const struct lessor_observed *sentinel, struct err *err);
/* Raises the generation for a new sentinel and adds its labels. */
int core_generation_begin(struct core *core, struct core_account *a, struct labels *labels,
			  struct err *err);
/* Decides CLAIM_CHANGE and CLAIM_CHANGED for the sentinel's labels. 0, or -1: refused. */
int core_generation_claim(struct core *core, struct core_account *a, struct lease_claim *claim);
/* Before a probe: requests a raise if the last one is too long ago. */
void core_generation_due(struct core *core, struct core_account *a);
/*
 * Must the account's sentinels be listed before the probe may create one? Another instance's
 * shows that this store may not be the one whose machines the account holds.
 */
int core_neighbours_unknown(const struct core_account *a);
/*
 * Such a list has been read. Another instance that an operator does not know of yet is recorded
 * and fences the account. Sets a->is_alone.
 */
int core_neighbours_listed(struct core *core, struct core_account *a, const struct step *step,
			   struct err *err);
int core_request_account(struct core *core, struct engine_request *r, struct err *err);

/* ---- verdicts.c: results of steps ------------------------------------------------------------ */

/* Was it refused with class AUTH or ACCOUNT? */
int step_is_denied(const struct step *step);
/* Blocks the account of such a step until a probe succeeds. */
void core_step_denied(struct core *core, struct core_account *a, const struct step *step);
void core_step_log(const struct step *step);
/* The step's result could not be written: breaks the store and logs it. */
void core_step_unrecorded(struct core *core, const struct step *step, const struct err *err);
/* Applies the result of a lease's step, whether it ran alone or in a shared observation. */
void core_step_result(struct core *core, struct core_account *a, struct step *step,
		      const struct in_flight *ran);

/* ---- observe.c: shared observations ---------------------------------------------------------- */

void core_observe_init(struct core_account *a);
/* Starts an observation of the leases that wait for one. 0: none waits, or it is too early. */
int core_observe_start(struct core *core, struct core_account *a);
/* The observation has run. Each lease gets its result, or a step of its own. Owns the step. */
void core_observe_done(struct core *core, struct core_account *a, struct step *observation);
/* Applies the next results of an observation that has run, if there are any. */
void core_observe_continue(struct core *core, struct core_account *a);

/* ---- sweep.c, pool.c: inventories ------------------------------------------------------------ */

/* Starts the sweep that is due, or puts it off. */
void core_sweep_due(struct core *core, struct core_account *a);
/* One list of the sweep has been read: stores what it shows and starts the next one. */
int core_sweep_done(struct core *core, struct core_account *a, struct step *step, struct err *err);
int core_request_sweep(struct core *core, struct engine_request *r, struct err *err);

int core_request_pool(struct core *core, struct engine_request *r, struct err *err);
/* Was this list started by pool.c, and not by the sweep? */
int core_is_pool(const struct step *step);
void core_pool_done(struct core *core, struct core_account *a, struct step *step);
void core_pool_drain(struct core *core);

/* ---- forget.c: an operator forgets resources -------------------------------------------------- */

/* Answers the request, or looks first for what it would forget (RESULT_PENDING). */
int core_request_forget(struct core *core, struct lease_aggregate *a, struct engine_request *r,
			struct err *err);
/* Was this list started by forget.c? */
int core_is_forget(const struct step *step);
int core_forget_done(struct core *core, struct core_account *account, const struct step *step,
		     struct err *err);
void core_forget_drain(struct core *core);

/* ---- resolve.c, shares.c: other requests; requests.c has the table ----------------- */

int core_request_resolve(struct core *core, struct engine_request *r, struct err *err);
int core_request_share(struct core *core, struct engine_request *r, struct err *err);

/* ---- history.c: pruning of ended leases ------------------------------------------------------- */

/* At a start. */
void core_history_init(struct core *core);

/* ---- account_tasks.c ------------------------------------------------------------------------- */

/* Starts the tasks that are due. */
void account_tasks_due(struct core *core, int64_t now_ms);
/* Applies the result of a task's step. -1: it could not be written. */
int account_task_done(struct core *core, struct core_account *a, struct step *step, struct err *err);

/* ---- wall_clock.c ---------------------------------------------------------------------------- */

/* At a start: compares the clock with the newest stored time. */
int core_clock_start(struct core *core, struct err *err);
/* The core ends, and what it said of the clock with it. */
void core_clock_end(struct core *core);
/* Compares the clocks, hears the witnesses, and handles a jump of the wall clock. */
void core_clock_watch(struct core *core);
/* In a transaction: stores the time now and then, while the clock is trusted. */
void core_clock_store(struct core *core);
/* The clock is trusted: corrects stored times that lie in the future (lease/times.h). */
int core_times_mend(struct core *core, struct err *err);

/* ---- dispatch.c; only core.c, claims.c and sight.c, which implement core.h, come after it ------------- */

/* Queues a lease that is due in its account. */
void queue_lease(struct core *core, const struct lease_aggregate *lease);
/* Starts steps for queued leases while their accounts have free places. */
void dispatch_all(struct core *core);
