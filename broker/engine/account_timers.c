/* SPDX-License-Identifier: MIT */
/*
 * When the tasks of an account are due. Separate from account_tasks.c because the files that
 * request a task are used by it.
 */
#include "engine/internal.h"

/* The first sweep, if the account is not proven earlier. The later ones count from the last. */
#define FIRST_MS (5 * 60 * 1000)
/* How soon after a sweep another process begins with one. */
#define LIST_AGAIN_MS (60 * 1000)

static int is_offered(const struct lessor_provider *table, enum account_task task)
{
	switch (task) {
	case TASK_PROBE:
		return table->probe != NULL;
	case TASK_CATALOG:
		return table->catalog != NULL;
	case TASK_RELOAD:
		return table->reload != NULL;
	case TASK_OBSERVE:
		return table->observe != NULL;
	default:
		return 1;
	}
}

/* The key of an account's task in the heap; never 0. */
static int64_t task_key(const struct core *core, const struct core_account *a,
			enum account_task task)
{
	return (int64_t)((size_t)(a - core->accounts) * TASK_COUNT + task) + 1;
}

void account_task_at(struct core *core, struct core_account *a, enum account_task task,
		     int64_t due_ms)
{
	if (is_offered(a->account->table, task))
		heap_set(core->tasks, task_key(core, a, task), due_ms);
}

void account_task_soon(struct core *core, struct core_account *a, enum account_task task)
{
	account_task_at(core, a, task, 1);
}

void core_generation_raise(struct core *core, const char *account)
{
	struct core_account *a = core_account_find(core, account);

	if (!a || !core_account_has_generation(a))
		return;
	a->gen.is_wanted = 1;
	account_task_soon(core, a, TASK_PROBE);
}

/* ---- the sweep ---------------------------------------------------------------------- */

void sweep_schedule(struct core *core, struct core_account *a, int64_t due_ms)
{
	a->sweep_due_ms = due_ms;
	account_task_at(core, a, TASK_SWEEP, due_ms);
}

void sweep_schedule_by(struct core *core, struct core_account *a, int64_t due_ms,
		       const struct sweep *sweep)
{
	int64_t soon = core_now(core) + SWEEP_SOON_MS;

	/* soon_ms is too far away if the clock was set back since it was stored. */
	if (sweep->soon_ms && sweep->soon_ms < soon)
		soon = sweep->soon_ms;
	sweep_schedule(core, a, sweep->soon_ms && soon < due_ms ? soon : due_ms);
}

static int is_recent(const struct core *core, int64_t at_ms)
{
	int64_t now = core_now(core);

	return at_ms <= now && now - at_ms < LIST_AGAIN_MS;
}

/* Now, but not again and again in a crash loop. */
static int64_t list_due_ms(const struct core *core, const struct sweep *sweep)
{
	return is_recent(core, sweep->begun_ms) ? sweep->begun_ms + LIST_AGAIN_MS : core_now(core);
}

static void sweep_init(struct core *core, struct core_account *a)
{
	struct sweep sweep;
	int64_t due = core_now(core) +
		      (core->config.sweep_ms < FIRST_MS ? core->config.sweep_ms : FIRST_MS);

	if (store_sweep_get(core->store, a->account->config.name, &sweep, NULL))
		return;
	if (sweep.begun_ms && sweep.begun_ms <= core_now(core))
		due = sweep.begun_ms + core->config.sweep_ms;
	/* It was fenced just now. */
	if (a->sweep_due_ms && a->sweep_due_ms < due)
		due = a->sweep_due_ms;
	/* This database is known to be the newest, or as good as that. */
	if (is_recent(core, sweep.done_ms))
		a->is_unlisted = 0;
	/* If the account has a proof, that makes it due. */
	if (a->is_unlisted && !a->account->table->probe)
		due = list_due_ms(core, &sweep);
	if (core->config.sweep_ms)
		sweep_schedule_by(core, a, due > 0 ? due : 1, &sweep);
	else if (sweep.soon_ms)
		sweep_schedule_by(core, a, INT64_MAX, &sweep);
}

void sweep_after_proof(struct core *core, struct core_account *a)
{
	int64_t now = core_now(core);
	struct sweep sweep;
	int is_due = a->is_sweep_put_off;

	if (a->is_sweeping || !a->sweep_due_ms ||
	    store_sweep_get(core->store, a->account->config.name, &sweep, NULL))
		return;
	if (a->is_unlisted) {
		sweep_schedule(core, a, list_due_ms(core, &sweep));
		return;
	}
	/* Without regular sweeps only the one that is required, when it is due. */
	is_due |= core->config.sweep_ms && !sweep.begun_ms;
	if (is_due && now < a->sweep_due_ms)
		sweep_schedule(core, a, now);
}

void sweep_after_fence(struct core *core, struct core_account *a)
{
	if (!a->is_sweeping && core->config.sweep_ms)
		sweep_schedule(core, a, core_now(core));
}

int core_sweep_soon(struct core *core, struct core_account *a, struct err *err)
{
	int64_t soon = core_now(core) + SWEEP_SOON_MS;
	struct sweep sweep;

	if (store_sweep_get(core->store, a->account->config.name, &sweep, err))
		return -1;
	if (!sweep.soon_ms || sweep.soon_ms > soon)
		sweep.soon_ms = soon;
	/* If a sweep is running, its end schedules the next one. */
	if (!a->is_sweeping && (!a->sweep_due_ms || a->sweep_due_ms > sweep.soon_ms))
		sweep_schedule(core, a, sweep.soon_ms);
	return store_sweep_put(core->store, &sweep, err);
}

/* ---- start ---------------------------------------------------------------------------- */

/* Counts from the last read in the store, so that a crash loop does not read prices each time. */
static int64_t catalog_due_ms(struct core *core, const struct core_account *a)
{
	int64_t at, now = core_now(core);

	if (store_prices_age(core->store, a->account->config.name, &at, NULL) || !at || at > now)
		return 1;
	return at + CATALOG_MS;
}

void account_tasks_init(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		account_task_soon(core, a, TASK_PROBE);
		account_task_at(core, a, TASK_CATALOG, catalog_due_ms(core, a));
		account_task_soon(core, a, TASK_MONTH);
		sweep_init(core, a);
	}
}
