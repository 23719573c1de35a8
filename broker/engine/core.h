/* SPDX-License-Identifier: MIT */
/*
 * The core of the engine: everything but the thread. The caller passes requests, claims and
 * finished steps to it between core_begin and core_flush. In the daemon the caller is the
 * engine thread (turns.c); in tests it is the test itself, under a virtual clock.
 *
 * Not thread-safe: one thread at a time may use a core.
 */
#pragma once

#include <stdint.h>

#include "engine/engine.h"
#include "provider/step.h"

struct core;

struct core_hooks {
	/* Runs a step. Called by core_flush, after the commit. The callee owns the step until it
	 * returns it with core_step_done. */
	void (*start)(void *arg, struct step *step);
	/* A commit has changed who waits in the queue for capacity. NULL: nobody is told. */
	void (*queue_changed)(void *arg);
	/* There was a commit; nothing of it was answered yet. NULL: nobody is told. */
	void (*committed)(void *arg);
	void *arg;
	/* Does something wait for the batch to end that could be part of it? NULL: never. */
	int (*is_wanted)(void *arg);
};

/* The configuration is copied; the caller closes config->store after core_free. -1: error. */
int core_new(const struct engine_config *config, const struct core_hooks *hooks,
	     struct core **ret, struct err *err);
/* NULL is fine. Steps that were started and not returned must not be used afterwards. */
void core_free(struct core *core);

/*
 * Loads the lease that the request names, unless it is in memory. Call it before core_begin:
 * a read inside a batch delays everything in that batch. A read error is not reported here;
 * core_request repeats the read and reports it.
 */
void core_prefetch(struct core *core, const struct engine_request *request);
/*
 * Opens the transaction of a batch, if none is open. -1: the store is broken, or, with
 * ERR_BUSY, has no room for a transaction now.
 */
int core_begin(struct core *core, struct err *err);
/*
 * The same, but takes the store's write lock at once, so that no decision is made that cannot
 * be written because another process has it. ERR_BUSY: nothing has changed; try again later.
 */
int core_begin_locked(struct core *core, struct err *err);
/*
 * Applies a request. The core owns it until it calls request->done, which happens in
 * core_flush: in that of this batch or, for a request that waits, of a later one.
 */
void core_request(struct core *core, struct engine_request *request);
/*
 * Decides a claim: fills in claim->result and the answers. The step may use them at once, but
 * must not cause any effect outside the process before core_flush.
 */
void core_claim(struct core *core, struct step *step, struct lease_claim *claim);
/* Applies the result of a step that has run, and frees the step. */
void core_step_done(struct core *core, struct step *step);
/* Answers up to `count` requests that wait: see engine_hurry. */
void core_hurry(struct core *core, unsigned count);
/* Processes what is due at the current time of config->env. */
void core_due(struct core *core);
/*
 * Does a part of what has no hurry, if one is due: only in a batch in which nothing had arrived
 * (history.c).
 */
void core_history_due(struct core *core);
/* Has it changed something in the open transaction, which may be left open for what has arrived? */
int core_history_is_open(const struct core *core);
/*
 * For gap_ms until now these leases were unattended: no daemon ran, or none that saw the store.
 * Their clients may have reached nobody, so this time does not count: it is added to idle timeouts
 * and, up to LEASE_CREDIT_MOST_MS, to TTLs. The next batches do so, by core_gap_credit, or else by
 * core_due, each for some of them, since a long batch would be a gap itself; until then no lease
 * ends by time. One that cannot be read is left out.
 */
void core_gap(struct core *core, int64_t gap_ms);
/* In a batch that has begun after that: does its part now. */
void core_gap_credit(struct core *core);
/* Are there leases that are still to be credited? */
int core_gap_left(const struct core *core);
/* Those that are next could not be read, and are tried again after some seconds. */
int core_gap_is_stuck(const struct core *core);
/*
 * No lease ends by time from this moment of the monotonic clock on: somebody else may own the
 * store's rows by then. A new core sees without end (INT64_MAX). What is put off is looked at again
 * a second later.
 */
void core_see_until(struct core *core, int64_t mono_ms);
/*
 * The store's clock is so much ahead of env's, at most: all times of leases and the ends of permits
 * are read and written by it.
 */
void core_store_clock(struct core *core, int64_t ahead_ms);
/*
 * Commits of the account may have been lost. While it is frozen, nothing in it is deleted,
 * expires or is concluded to be absent; creates, heartbeats and releases go on. `why` NULL or "":
 * it is not, or no longer. No effect if there is no such account.
 */
void core_freeze(struct core *core, const char *account, const char *why);
/* For the configuration of the core that follows this one. */
struct engine_clock core_clock_known(const struct core *core);
/* Why the account is frozen, "" if it is not. The fence of an older store is a reason, too. */
const char *core_frozen(struct core *core, const char *account);
/*
 * Lost commits may have permitted deletes that take effect until then, on the store's clock: no
 * no-delete release is accepted before. 0: none were lost.
 */
void core_presume(struct core *core, const char *account, int64_t until_ms);
/*
 * Commits the batch; then writes the log, answers requests and starts steps.
 * -1: the store is broken. Nothing of the batch was acknowledged; the process must exit.
 */
int core_flush(struct core *core, struct err *err);

/*
 * After core_begin_locked has failed with ERR_BUSY: answers the requests that wait for their
 * lease and whose time is over, with the lease as committed.
 */
void core_answer_overdue(struct core *core);

/* Is anything waiting for the commit: an answer, a step, a log line? Also 1 if the store broke. */
int core_must_flush(const struct core *core);

/* When core_due must be called next, wall clock in ms; 0: nothing is due. */
int64_t core_next_ms(const struct core *core);
/* The leases that something is due of, now or later. */
size_t core_due_count(const struct core *core);
/* Steps in flight: started or waiting for core_flush, with each lease of a shared observation. */
int core_steps_running(const struct core *core);
/* For tests, after core_flush. -1: an aggregate in memory differs from the store. */
int core_check(const struct core *core, struct err *err);
/* The store of the configuration. */
struct store *core_store(const struct core *core);
void core_set_limits(struct core *core, const struct engine_limits *limits);
/* Schedules a reload of the provider files of every account; the results are logged. */
void core_reload(struct core *core);
/* Starts no more steps, rejects new requests, and answers those that wait. */
void core_drain(struct core *core);
/* Sets the cancel flag of every running step. */
void core_cancel_steps(struct core *core);
/* Starts no more steps, but serves requests; `on` 0: continues. Before the accounts are yielded. */
void core_rest(struct core *core, int on);
/*
 * The accounts are no longer this process's: answers every request that the core holds, also those
 * whose batch was not committed, with `account_moving`, and cancels the steps. Only core_free may
 * follow.
 */
void core_abandon(struct core *core);
