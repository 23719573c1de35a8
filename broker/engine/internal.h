/* SPDX-License-Identifier: MIT */
/*
 * What the files of the core share; nobody else includes this. The files are listed from the
 * bottom to the top: each uses only those above it in this header.
 */
#pragma once

#include "engine/aggregates.h"
#include "engine/core.h"
#include "lease/aggregate.h"
#include "schedule/clock.h"
#include "schedule/heap.h"
#include "util/log.h"

#define WAITER_BUCKETS 256
#define IN_FLIGHT_BUCKETS 256

struct in_flight {
	int64_t n;		/* lease row, 0 for account work */
	struct step *step;
	int not_now;		/* a permit was refused for a reason that passes by itself ... */
	uint32_t refusal_class;	/* ... or for one that an operator must look at: LESSOR_CLASS_ and why */
	char refusal[160];
	int64_t absence_ms;	/* when the next observation of what it did not find counts, 0: none */
	struct in_flight *next; /* in its bucket */
};

/* A lease that waits for a free place in its account. */
struct queued_lease {
	int64_t n;
	STAILQ_ENTRY(queued_lease) link;
};

/* The queues of an account: first come those that take something away. */
enum step_queue { QUEUE_CLEANUP, QUEUE_OTHER, QUEUE_OBSERVE, QUEUE_COUNT };

/* What an account does beside its leases; account_tasks.c has the table. */
enum account_task {
	TASK_PROBE,   /* is it the account we know, and is the store the newest? */
	TASK_CATALOG, /* what its machines cost */
	TASK_SWEEP,   /* its inventory is compared with the ledger (sweep.c) */
	TASK_RELOAD,  /* the provider reads its files again */
	TASK_LOOK,    /* a look at all that wait for their servers may begin (observe.c) */
	TASK_COUNT
};

/* A lease that a look has seen, and that is to be looked at again then. */
struct look_seen {
	int64_t n, due_ms;
};

/* Of an account whose provider looks for many leases at once; for observe.c. */
struct core_look {
	int is_running;			/* from its start until all have their results */
	struct step *ended;		/* it has run; NULL: not yet */
	size_t results;			/* of so many of its leases they are applied */
	int64_t next_mono_ms;	/* no look begins before */
	int64_t apart_ms;	/* between two of them, and so early may one join */
	struct look_seen *seen;
	size_t seen_count, seen_room;
};

struct core_account {
	struct account *account;
	struct lease_aggregate own;	/* its own ledger: the sentinel */
	int running;
	STAILQ_HEAD(, queued_lease) queues[QUEUE_COUNT];
	struct core_look look;
	int64_t probe_due_ms, catalog_due_ms;
	int probe_running;
	int probe_wanted;	/* when the last one began, the counter was to be raised */
	int probe_tries, catalog_tries, reload_tries;
	int was_blocked;
	int was_verified; /* since the start */
	struct generation gen;
	int probe_again;	/* what the last probe found out asks for another one */
	int64_t surprised_ms;	/* when another generation was last found, 0: never */
	int denials;		/* of steps in an account that the probe found well, in a row */
	int64_t denied_ms;
	int64_t paused_until_ms;	/* wall clock, as written down; 0: never */
	int is_sweeping;
	int64_t sweep_due_ms;	/* as it was set last, 0: none */
	int sweep_tries;
	int is_listing;		/* for pool.c */
	int64_t listed_ms;	/* when the inventory was last asked for, 0: never */
	struct pool_machine *listed;
	size_t listed_count;
	size_t sweep_at;	/* the kind that is being listed */
	int64_t sweep_objects, sweep_unverified;
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
	struct heap *due;		/* leases, by their rows */
	struct heap *tasks;		/* account_tasks.c */
	struct in_flight *in_flight[IN_FLIGHT_BUCKETS]; /* by lease row */
	size_t in_flight_count;
	struct request_list waiters[WAITER_BUCKETS]; /* by lease row */
	int64_t next_waiter_ms;		/* earliest wait_until_ms, 0: none */
	struct request_list pool_waiters;
	struct request_list answers; /* done after the commit */
	struct step_list starts;     /* started after the commit */
	struct clock_watch clock;
	STAILQ_HEAD(, log_line) log_lines; /* written after the commit */
	uint32_t random[32];		/* drawn at once; so many are left */
	size_t random_left;
	int in_transaction;
	int draining;
};

/* ---- state.c: what is known ------------------------------------------------------------------ */

int64_t core_now(const struct core *core);
uint32_t core_random32(struct core *core);
/* While it is, nothing ends by itself. */
int core_clock_is_suspect(const struct core *core);
struct core_account *core_account_find(struct core *core, const char *name);
/* Can what is kept there be protected at the provider, and is it meant to be? */
int core_account_protects(const struct core_account *a);
/* Was its sentinel verified recently? One missed probe is tolerated. */
int core_account_is_identified(const struct core *core, const struct core_account *a);
/* Is it verified and not blocked, so that absence and inventories mean something? */
int core_account_is_verified(const struct core *core, const struct core_account *a);
/* May its inventory be read? That is so of a fenced one, too. */
int core_account_is_readable(const struct core *core, const struct core_account *a);
/* Does its sentinel bear a generation? */
int core_account_is_counted(const struct core_account *a);
/* Is any of its leases not over? */
int core_account_has_open(struct core *core, const struct core_account *a);
/* How late the account's provider may show what it made, ms. */
int64_t core_settle_ms(const struct core *core, const struct core_account *a);
/* NULL: none, or it cannot be read. */
struct lease_aggregate *core_lease(struct core *core, int64_t n, struct err *err);
/* By its id, whoever asks. 0, 1 none, -1. */
int core_lease_by_id(struct core *core, const char *id, struct lease_aggregate **ret,
		     struct err *err);
/* Each lease of that list, oldest last, in pages: events may happen to them. -1 of `fn` stops. */
typedef int (*core_lease_fn)(void *arg, struct core *core, struct lease_aggregate *a,
			     struct err *err);
int core_lease_each(struct core *core, struct store_list list, core_lease_fn fn, void *arg,
		    struct err *err);

/* ---- outbox.c: what waits for the commit ----------------------------------------------------- */

void outbox_init(struct core *core);
void outbox_fini(struct core *core);
int outbox_is_empty(const struct core *core);
void core_answer(struct core *core, struct engine_request *request);
/*
 * A line of the log about something that was decided: it is written once that is committed,
 * and never if the batch fails. `lease`, `account` and `event` may be NULL.
 */
struct log_origin {
	enum log_level level;
	const char *lease, *account, *event;
};
void core_log_later(struct core *core, const struct log_origin *origin, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* After the commit: writes the log, answers, starts the steps. */
void outbox_release(struct core *core);

/* ---- in_flight.c: the steps under way -------------------------------------------------------- */

void in_flight_add(struct core *core, int64_t n, struct step *step);
/* The step of a lease; NULL: none is under way. */
struct in_flight *in_flight_find(struct core *core, int64_t n);
/* It is not under way any more. */
struct in_flight in_flight_take(struct core *core, const struct step *step);
/* Its goal has changed: it ends soon; an observation for many does when nobody wants it any more. */
void in_flight_cancel(struct in_flight *running);
void in_flight_fini(struct core *core);

/* ---- queues.c: when a lease has its turn ----------------------------------------------------- */

/* Sets the lease's due time in the heap from its row. */
void core_schedule(struct core *core, const struct lease *l);
/* The same of every lease that is due some time. */
int core_schedule_all(struct core *core, struct err *err);
void queue_push(struct core_account *a, enum step_queue which, int64_t n);
/* The next lease of a queue; 0: it is empty. */
int64_t queue_pop(struct core_account *a, enum step_queue which);
/* Its next step is one of its own, though others are looked for together. */
void queue_lease_alone(struct core *core, struct core_account *a, const struct lease *l);

/* ---- steps.c --------------------------------------------------------------------------------- */

/* A step that core_flush starts; it takes a place of the account's. */
struct step *core_step_begin(struct core *core, struct core_account *a, enum step_op op, int64_t n);
/* The same in two parts. */
struct step *core_step_new(const struct core *core, struct core_account *a, enum step_op op);
void core_step_start(struct core *core, struct core_account *a, struct step *step, int64_t n);

/* ---- answer.c -------------------------------------------------------------------------------- */

void request_fail(struct engine_request *r, enum request_result result, const char *code,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* It could not be stored; logs why. */
void request_fail_store(struct engine_request *r, const struct err *err);
/* Says why the event was refused, in the API's words. */
void request_refuse(struct engine_request *r, enum lease_refusal refusal);
void core_fill_answer(struct engine_request *request, const struct lease_aggregate *a);

/* ---- request_lease.c ------------------------------------------------------------------------- */

/* Is it the caller's own, or is the caller an admin? */
int request_is_callers(const struct engine_request *r, const struct lease *l);
/* The lease of r->ref, if the caller may change it; NULL: answered. */
struct lease_aggregate *request_find_lease(struct core *core, struct engine_request *r);

/* ---- account_timers.c ------------------------------------------------------------------------ */

/* A start: all that its provider offers are due, each when it last was. */
void account_tasks_init(struct core *core);
/* Due then, wall clock; 0: not at all. Nothing if the account's provider does not offer it. */
void account_task_at(struct core *core, struct core_account *a, enum account_task task,
		     int64_t due_ms);
/* Prices are read again so often. */
#define CATALOG_MS (60 * 60 * 1000)
/* As soon as there is a turn. */
void account_task_soon(struct core *core, struct core_account *a, enum account_task task);
void sweep_at(struct core *core, struct core_account *a, int64_t due_ms);
/* Then, or earlier if one was promised. */
void sweep_by(struct core *core, struct core_account *a, int64_t due_ms, const struct sweep *sweep);
/* Within so long after something was concluded from absence alone the inventory is read. */
#define SWEEP_SOON_MS (10 * 60 * 1000)
/* Something was: after a restart the sweep is due as well. */
int core_sweep_soon(struct core *core, struct core_account *a, struct err *err);
/* From now on older copies of the store must be told apart. */
void core_generation_raise(struct core *core, const char *account);

/* ---- waiters.c: requests that wait for their lease ------------------------------------------- */

void waiters_init(struct core *core);
void core_wait(struct core *core, struct engine_request *request);
void core_wake(struct core *core, const struct lease_aggregate *a);
void core_wait_timeouts(struct core *core, int64_t now_ms, int all);
/* Does somebody wait for it? */
int core_is_awaited(const struct core *core, int64_t n);

/* ---- apply.c: an event happens --------------------------------------------------------------- */

/* What is known beside an aggregate; but for what only the event's sender knows. */
struct lease_facts core_facts(struct core *core, const struct lease_aggregate *a);
/*
 * The event happens: the aggregate changes, and what changed is written, with its timeline;
 * what follows is done or waits for the commit. A refusal is in `out` (NULL: of no interest)
 * and changes nothing. -1: it could not be written, and the store is broken.
 */
int core_apply(struct core *core, struct lease_aggregate *a, const struct lease_event *event,
	       struct lease_effects *out, struct err *err);
/* The same, of facts that the caller has made more precise. */
int core_apply_facts(struct core *core, struct lease_aggregate *a, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out, struct err *err);

/* ---- account_block.c ------------------------------------------------------------------------- */

void core_lease_blocked(struct core *core, int64_t n);
/* Leases of accounts that the configuration does not have: attention, at a start. */
int core_missing_init(struct core *core, struct err *err);
void core_account_blocked(struct core *core, struct core_account *a);
/* `is_start`: it is proven for the first time since the start. */
void core_account_unblocked(struct core *core, struct core_account *a, int is_start);

/* ---- handover.c: what an ended lease need not delete itself, since another one uses it ------- */

int core_handover(struct core *core, struct lease_aggregate *a, struct err *err);

/* ---- retained.c: machines that are kept ------------------------------------------------------ */

/* One was listed: without its label or its protection it gets them anew. */
int core_retained_check(struct core *core, int64_t row, const struct lessor_observed *seen,
			struct err *err);
/* This store may be an old one: what it says is protected is read again, and protected anew. */
int core_retained_prove(struct core *core, char *account, struct err *err);

/* ---- sentinel.c: the generation -------------------------------------------------------------- */

int core_generation_init(struct core *core, struct core_account *a, struct err *err);
/* The sentinel was read and bears that. -1: this store is behind; the account is fenced. */
int core_generation_found(struct core *core, struct core_account *a, int64_t number,
			  const char *holder, struct err *err);
int core_generation_seen(struct core *core, struct core_account *a,
			 const struct lessor_observed *sentinel, struct err *err);
/* The labels with which a new sentinel begins. */
int core_generation_begin(struct core *core, struct core_account *a, struct labels *labels,
			  struct err *err);
/* What a step says of the sentinel's labels: CLAIM_CHANGE and CLAIM_CHANGED. 0 or -1. */
int core_generation_claim(struct core *core, struct core_account *a, struct lease_claim *claim);
/* Before a probe: is it time to raise it? */
void core_generation_due(struct core *core, struct core_account *a);
int core_request_account(struct core *core, struct engine_request *r, struct err *err);

/* ---- verdicts.c: what a step's end leads to -------------------------------------------------- */

/* Was it refused with class AUTH or ACCOUNT? */
int step_is_denied(const struct step *step);
/* It was: the account is blocked until a probe is well. */
void core_step_denied(struct core *core, struct core_account *a, const struct step *step);
void core_step_log(const struct step *step);
/* What it led to could not be written: the store is broken. */
void core_step_unrecorded(struct core *core, const struct step *step, const struct err *err);
/* What the verdict of a lease's step leads to, whoever ran it. */
void core_step_result(struct core *core, struct core_account *a, struct step *step,
		      const struct in_flight *ran);

/* ---- observe.c: one observation for many leases ---------------------------------------------- */

void core_observe_init(struct core_account *a);
/* Starts a look for all that wait and are due: 1. 0: there is nothing to look for, or not now. */
int core_observe_start(struct core *core, struct core_account *a);
/* It is over: each of its leases has its result, or a step of its own next. Takes it over. */
void core_observe_done(struct core *core, struct core_account *a, struct step *look);
/* Applies some more of the results, if there are any. */
void core_observe_go_on(struct core *core, struct core_account *a);

/* ---- sweep.c, pool.c: inventories ------------------------------------------------------------ */

void core_sweep_due(struct core *core, struct core_account *a);
int core_sweep_done(struct core *core, struct core_account *a, struct step *step, struct err *err);
int core_request_sweep(struct core *core, struct engine_request *r, struct err *err);

int core_request_pool(struct core *core, struct engine_request *r, struct err *err);
/* Is this list of servers the pool's, and not the sweep's? */
int core_is_pool(const struct step *step);
void core_pool_done(struct core *core, struct core_account *a, struct step *step);
void core_pool_drain(struct core *core);

/* ---- resolve.c, shares.c: other requests; requests.c has the table --------------------------- */

int core_request_resolve(struct core *core, struct engine_request *r, struct err *err);
int core_request_share(struct core *core, struct engine_request *r, struct err *err);

/* ---- account_tasks.c ------------------------------------------------------------------------- */

/* All that are due begin. */
void account_tasks_due(struct core *core, int64_t now_ms);
/* A step of a task is over. -1: what it leads to could not be written. */
int account_task_done(struct core *core, struct core_account *a, struct step *step, struct err *err);

/* ---- wall_clock.c ---------------------------------------------------------------------------- */

void core_clock_watch(struct core *core);

/* ---- dispatch.c; above it are only core.c and claims.c --------------------------------------- */

void queue_lease(struct core *core, const struct lease_aggregate *lease);
void dispatch_ready(struct core *core, struct core_account *a);
void dispatch_all(struct core *core);
