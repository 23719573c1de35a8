/* SPDX-License-Identifier: MIT */
#include "engine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/moving.h"
#include "engine/timings.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

/* How often a start tries to take the store's write lock. */
#define RESTART_TRIES 15
/* Leases that become due in one batch; while the store lives on its reserve. */
#define DUE_MOST 256
#define DUE_MOST_RESERVE 16
/* Retry interval of a lease that is past its deadline and must not end yet. */
#define POSTPONED_MS 60000
/* The same until the core sees again. */
#define UNSEEN_MS 1000
/* Shorter pauses, and smaller changes of a pause, are not stored. */
#define PAUSE_KEPT_MS 2000

/*
 * Stores the pauses that providers asked for with a 429, so that they also bind the next
 * process. The stored time is wall clock, so a jump of the clock causes a new write.
 */
static void keep_pauses(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];
		int64_t left = account_paused(a->account);
		int64_t until = core_now(core) + left;

		if (left < PAUSE_KEPT_MS || llabs(until - a->paused_until_ms) < PAUSE_KEPT_MS)
			continue;
		/* A failed write marks the store broken; the commit then fails. */
		if (store_pause_put(core->store, a->account->config.name, until, NULL) == 0)
			a->paused_until_ms = until;
	}
}

static int load_pauses(struct core *core, struct err *err)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		if (store_pause_get(core->store, a->account->config.name, &a->paused_until_ms, err))
			return -1;
		if (a->paused_until_ms > core_now(core))
			account_pause(a->account, a->paused_until_ms - core_now(core));
	}
	return 0;
}

static int ledger_restart(struct core *core, int64_t lease_n, const char *account, struct err *err)
{
	static const struct lease_event event = { .kind = LEASE_EVENT_RESTART };
	struct core_account *own = lease_n ? NULL : core_account_find(core, account);
	struct lease_aggregate *a = own ? &own->own : core_lease(core, lease_n, err);

	if (core_only_account(core) && !core_account_find(core, account))
		return 0;
	/* The sentinel of an account that is no longer configured waits until it is again. */
	if (!lease_n && !own)
		return 0;
	return a ? core_apply(core, a, &event, NULL, err) : -1;
}

/* Operations that the previous process left in progress have an unknown outcome. */
static int ledgers_restart(struct core *core, struct err *err)
{
	struct store_pending *pending;
	size_t count;
	int rc;

	for (size_t i = 0; i < core->account_count; i++) {
		struct lease_aggregate *own = &core->accounts[i].own;

		TEXT_SET(own->lease.account, core->accounts[i].account->config.name);
		if (store_account_ledger(core->store, own->lease.account, &own->ledger, err))
			return -1;
	}
	if (store_pending(core->store, &pending, &count, err))
		return -1;
	rc = 0;
	for (size_t i = 0; i < count && !rc; i++)
		rc = ledger_restart(core, pending[i].lease, pending[i].account, err);
	free(pending);
	return rc;
}

/*
 * The first transaction of a process: marks interrupted operations as unknown, checks whether
 * the database has moved, and blocks or unblocks leases as the configuration requires.
 */
static int core_restart(struct core *core, struct err *err)
{
	int rc = -1;

	/* Each attempt waits for a second if another process holds the lock. */
	for (int i = 0; rc && i < RESTART_TRIES; i++) {
		rc = store_begin(core->store, err);
		if (rc && store_state(core->store) != STORE_LOCKED &&
		    store_state(core->store) != STORE_AWAY)
			return -1;
	}
	if (rc)
		return -1;
	core->in_transaction = 1;
	rc = ledgers_restart(core, err);
	for (size_t i = 0; i < core->account_count && !rc; i++)
		rc = core_generation_init(core, &core->accounts[i], err);
	if (!rc && core->config.place[0])
		rc = store_place_put(core->store, core->config.place, err);
	if (!rc)
		rc = core_missing_init(core, err);
	if (!rc && !core_clock_is_suspect(core))
		rc = core_times_mend(core, err);
	/*
	 * Leases that waited for their account to be configured continue: at once if it has no
	 * probe, otherwise when the probe succeeds.
	 */
	for (size_t i = 0; i < core->account_count && !rc; i++) {
		if (!core->accounts[i].account->table->probe)
			core_account_unblocked(core, &core->accounts[i], 1);
	}
	if (!rc)
		rc = core_crashes_init(core, err);
	if (rc) {
		store_rollback(core->store);
		core->in_transaction = 0;
		return -1;
	}
	core_clock_store(core);
	return core_flush(core, err);
}

int core_new(const struct engine_config *config, const struct core_hooks *hooks,
	     struct core **ret, struct err *err)
{
	struct core *core = xcalloc(1, sizeof(*core));

	core->config = *config;
	core->config.is_shared |= store_is_shared(config->store);
	core->hooks = *hooks;
	core->env = config->env;
	core->store = config->store;
	core->sees_until_mono_ms = INT64_MAX;
	if (core->config.is_shared || config->store_ahead_ms)
		core_store_clock(core, config->store_ahead_ms);
	outbox_init(core);
	waiters_init(core);
	STAILQ_INIT(&core->pool_waiters);
	STAILQ_INIT(&core->forget_waiters);
	core->due = heap_new();
	core->tasks = heap_new();
	core->account_count = config->account_count;
	core->accounts = xcalloc(config->account_count, sizeof(*core->accounts));
	for (size_t i = 0; i < config->account_count; i++) {
		core->accounts[i].account = config->accounts[i];
		core->accounts[i].is_unlisted = config->is_fresh && config->sweep_ms;
		for (int q = 0; q < QUEUE_COUNT; q++)
			STAILQ_INIT(&core->accounts[i].queues[q]);
		core_observe_init(&core->accounts[i]);
	}
	core->aggregates = aggregates_new(core->store, core_only_account(core), AGGREGATES_MOST);
	if (store_signer(core->store, &core->signer, err) ||
	    store_account_key(core->store, core->account_key, sizeof(core->account_key), err) ||
	    load_pauses(core, err) || capacity_init(core, err) || core_clock_start(core, err) ||
	    core_restart(core, err) || core_schedule_all(core, err)) {
		core_free(core);
		return -1;
	}
	account_tasks_init(core);
	core_history_init(core);
	*ret = core;
	return 0;
}

void core_free(struct core *core)
{
	if (!core)
		return;
	core_clock_end(core);
	for (size_t i = 0; i < core->account_count; i++) {
		for (int q = 0; q < QUEUE_COUNT; q++)
			while (queue_pop(&core->accounts[i], (enum step_queue)q))
				;
		free(core->accounts[i].listed);
		free(core->accounts[i].charging.again);
		lease_aggregate_fini(&core->accounts[i].own);
		free(core->accounts[i].observation.observed);
		step_free(core->accounts[i].observation.ended);
	}
	outbox_fini(core);
	waiters_fini(core);
	heap_free(core->due);
	heap_free(core->tasks);
	aggregates_free(core->aggregates);
	capacity_fini(core);
	core_prices_fini(core);
	timings_batch_fini(&core->timed);
	free(core->touches);
	free(core->crashes);
	free(core->accounts);
	in_flight_fini(core);
	free(core);
}

int core_check(const struct core *core, struct err *err)
{
	return aggregates_check(core->aggregates, err);
}

struct store *core_store(const struct core *core)
{
	return core->store;
}

void core_set_limits(struct core *core, const struct engine_limits *limits)
{
	core->config.limits = *limits;
	capacity_changed(core);
}

/* ---- batches ------------------------------------------------------------------ */

/*
 * Reads the leases that are due, before the transaction: in a shared store, one that cannot be read
 * would undo it, again and again.
 */
static void due_read(struct core *core)
{
	struct {
		int64_t n, due_ms;
	} due[DUE_MOST];
	int64_t now = core_now(core);
	int count = 0;

	if (!core->config.is_shared)
		return;
	while (count < DUE_MOST) {
		due[count].due_ms = heap_next(core->due);
		due[count].n = heap_pop(core->due, now);
		if (!due[count].n)
			break;
		count++;
	}
	for (int i = 0; i < count; i++) {
		struct err err = { 0 };

		if (core_lease(core, due[i].n, &err) || core_lease_unread(core, due[i].n, &err))
			heap_set(core->due, due[i].n, due[i].due_ms);
	}
}

static int batch_begin(struct core *core, int (*begin)(struct store *, struct err *),
		       struct err *err)
{
	if (core->in_transaction)
		return 0;
	if (!core_gap_pause_ms(core))
		core_gap_read(core);
	due_read(core);
	core_charges_read(core);
	if (begin(core->store, err))
		return -1;
	core->in_transaction = 1;
	core_clock_watch(core);
	return 0;
}

int core_begin(struct core *core, struct err *err)
{
	return batch_begin(core, store_begin_at_write, err);
}

int core_begin_locked(struct core *core, struct err *err)
{
	return batch_begin(core, store_begin, err);
}

static int is_pinned(void *arg, int64_t n)
{
	struct core *core = arg;

	return in_flight_find(core, n) || core_is_awaited(core, n);
}

int core_must_flush(const struct core *core)
{
	return !outbox_is_empty(core) || store_broken(core->store);
}

int core_history_is_open(const struct core *core)
{
	return core->in_transaction && core->history.is_begun && !core_must_flush(core);
}

/* Commits the transaction. */
static int store_commit_timed(struct core *core, int is_written, struct err *err)
{
	struct engine_timings *timings = core->config.timings;
	int64_t begun_ms = env_mono_ms(core->env);
	int rc = store_commit(core->store, err);

	if (timings && is_written && !rc)
		histogram_set_add(timings->commits, "", "", "",
				  (env_mono_ms(core->env) - begun_ms) * 1000);
	return rc;
}

static int batch_commit(struct core *core, struct err *err)
{
	int is_written;

	core->history.is_begun = 0;
	keep_pauses(core);
	/* A failed write marks the store broken; the commit then fails. */
	core_touches_write(core, NULL);
	is_written = store_is_written(core->store);
	if (is_written)
		env_point(core->env, "before-commit");
	core->in_transaction = 0;
	if (store_commit_timed(core, is_written, err)) {
		timings_batch_forget(&core->timed);
		return -1;
	}
	timings_batch_count(&core->timed);
	if (is_written)
		env_point(core->env, "after-commit");
	if (is_written && core->hooks.committed)
		core->hooks.committed(core->hooks.arg);
	return 0;
}

int core_flush(struct core *core, struct err *err)
{
	if (core->in_transaction && batch_commit(core, err))
		return -1;
	capacity_publish(core);
	outbox_release(core);
	aggregates_trim(core->aggregates, is_pinned, core);
	return store_broken(core->store) ? err_set(err, ERR_IO, "the store is broken") : 0;
}

/* ---- due times --------------------------------------------------------------------- */

/* Postpones a lease that is past its deadline but must not end yet, to avoid a busy loop. */
static void schedule_postponed(struct core *core, const struct lease *l, int is_stepping,
			       int64_t now_ms)
{
	int64_t due_ms = is_stepping ? lease_deadline_ms(l) : lease_due_ms(l, now_ms);

	if (due_ms && due_ms <= now_ms) {
		due_ms = now_ms + (core_has_lost_sight(core) ? UNSEEN_MS : POSTPONED_MS);
		if (!is_stepping && l->due_ms > now_ms && l->due_ms < due_ms)
			due_ms = l->due_ms;
	}
	heap_set(core->due, l->n, due_ms);
}

static void lease_due(struct core *core, int64_t n)
{
	static const struct lease_event tick = { .kind = LEASE_EVENT_TICK };
	struct err err = { 0 };
	struct lease_aggregate *a = core_lease(core, n, &err);
	struct lease_facts facts;
	int is_running, is_ready;

	if (!a) {
		core_lease_unread(core, n, &err);
		return;
	}
	facts = core_facts(core, a);
	if (core_apply_facts(core, a, &tick, &facts, NULL, &err))
		return;
	is_running = in_flight_find(core, n) != NULL;
	/* If it is ready, it is queued and may wait long for a free place in its account. */
	is_ready = !is_running && lease_next_op(a, &facts) != LEASE_OP_NONE &&
		   lease_step_is_due(&a->lease, facts.now_ms);
	schedule_postponed(core, &a->lease, is_running || is_ready, facts.now_ms);
	if (is_ready)
		queue_lease(core, a);
}

void core_due(struct core *core)
{
	int64_t now = core_now(core);
	int most = store_state(core->store) == STORE_RESERVE ? DUE_MOST_RESERVE : DUE_MOST;
	int64_t n;

	core_gap_credit(core);
	core_overdue_check(core);
	account_tasks_due(core, now);
	capacity_look(core);
	capacity_admit(core);
	/* Bounded, so that a backlog does not delay the answers of this batch. */
	for (int i = 0; i < most && (n = heap_pop(core->due, now)) != 0; i++)
		lease_due(core, n);
	core_wait_timeouts(core, now, 0);
	dispatch_all(core);
}

void core_answer_overdue(struct core *core)
{
	core_wait_timeouts(core, core_now(core), 0);
	outbox_release(core);
}

static int64_t earlier_ms(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

int64_t core_next_ms(const struct core *core)
{
	int64_t next = earlier_ms(earlier_ms(heap_next(core->due), heap_next(core->tasks)),
				  core->next_waiter_ms);

	next = earlier_ms(next, core->history.due_ms);
	if (capacity_is_due(core))
		next = earlier_ms(next, core_now(core));
	if (core_gap_left(core))
		next = earlier_ms(next, core_now(core) + core_gap_pause_ms(core));
	return next ? next - core_clock_by_ms(core) : 0;
}

size_t core_due_count(const struct core *core)
{
	return heap_count(core->due);
}

void core_rest(struct core *core, int on)
{
	if (core->resting == on)
		return;
	core->resting = on;
	/* Leases may have waited for their turn meanwhile. */
	if (!on)
		capacity_changed(core);
}

/* ---- the end ----------------------------------------------------------------------- */

void core_abandon(struct core *core)
{
	struct request_list list = STAILQ_HEAD_INITIALIZER(list);
	struct engine_request *request;

	if (core->in_transaction)
		store_rollback(core->store);
	core->in_transaction = 0;
	core_overdue_abandon(core);
	core_cancel_steps(core);
	STAILQ_CONCAT(&list, &core->answers);
	waiters_take(core, &list);
	STAILQ_CONCAT(&list, &core->pool_waiters);
	STAILQ_CONCAT(&list, &core->forget_waiters);
	while ((request = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, link);
		moving_answer(request);
	}
}

void core_drain(struct core *core)
{
	core->draining = 1;
	core_wait_timeouts(core, core_now(core), 1);
	core_pool_drain(core);
	core_forget_drain(core);
}
