/* SPDX-License-Identifier: MIT */
/*
 * Pruning of ended leases, a few at a time, when nothing else is to be done. Which lease may go is
 * the store's decision (store/history.h); here is when: in an account that is ours, verified, neither
 * fenced nor frozen and listed since the start, so that a store that is older than the account
 * forgets nothing; on a clock that is trusted, as ages are read from it; and only what was changed
 * last long before a complete sweep of the account ended. An account that is not configured is not
 * swept, so its leases stay.
 *
 * A step is part of a batch in which nothing had arrived, ends after STEP_MS or when something
 * arrives, and is small enough for the room that the store secures for a transaction
 * (store/sqlite/reserve.h). What arrives meanwhile joins its transaction. A round goes through the
 * leases of all accounts that are old enough, once each, whether they may go or not; then the file
 * is shrunk.
 */
#include "engine/internal.h"

#include "lease/cost.h"
#include "store/history.h"

#define MINUTE_MS (INT64_C(60) * 1000)
#define DAY_MS (24 * 60 * MINUTE_MS)
/* The first round after a start; between two; and after one that left an account out. */
#define FIRST_MS (10 * INT64_C(1000))
#define ROUND_MS (60 * MINUTE_MS)
#define AGAIN_MS (5 * MINUTE_MS)
/* Between two steps; and until the next look while the store has no room, or the core ends. */
#define PAUSE_MS 20
#define WAIT_MS 1000
#define STEP_MS 2
#define STEP_LEASES 25
#define STEP_PAGES 32
/* A resource that a create brought late is in a list that was complete so long after it. */
#define LATE_MS (2 * DAY_MS)

_Static_assert(STEP_LEASES <= STORE_HISTORY_MOST, "that is the most in a transaction");

void core_history_init(struct core *core)
{
	core->history = (struct core_history){ .due_ms = 0 };
	if (core->config.history_keep_ms && core->account_count)
		core->history.due_ms = core_now(core) + FIRST_MS;
}

static int is_trusted(struct core *core, const struct core_account *a)
{
	return core_account_is_verified(core, a) && !account_is_fenced(a->account) &&
	       !a->frozen[0] && !a->is_unlisted && !core_clock_is_suspect(core);
}

/* Leases of the account that were changed last before *ret_ms may go; 0: none. */
static int find_age(struct core *core, const struct core_account *a, int64_t *ret_ms,
		    struct err *err)
{
	int64_t before_ms = core_now(core) - core->config.history_keep_ms;
	struct sweep sweep;

	*ret_ms = 0;
	if (store_sweep_get(core->store, a->account->config.name, &sweep, err))
		return -1;
	if (!sweep.done_ms)
		return 0;
	*ret_ms = sweep.done_ms - LATE_MS < before_ms ? sweep.done_ms - LATE_MS : before_ms;
	return 0;
}

/* Has something arrived that should not wait? */
static int is_wanted(const struct core *core)
{
	return core->hooks.is_wanted && core->hooks.is_wanted(core->hooks.arg);
}

static int drop(struct core *core, struct core_account *a, const struct store_history_lease *l,
		struct err *err)
{
	if (!l->may_go || in_flight_find(core, l->place.n) || core_is_awaited(core, l->place.n))
		return 0;
	if (store_history_drop(core->store, a->account->config.name, l->place.n, err))
		return -1;
	aggregates_drop(core->aggregates, l->place.n);
	core->history.pruned++;
	account_count_pruned(a->account, 1);
	return 0;
}

/* 1: there may be more in the account; 0: it is done; -1. */
static int prune(struct core *core, struct core_account *a, int64_t before_ms, struct err *err)
{
	struct store_history_age age = { before_ms, cost_month_ms(core_now(core)) };
	int64_t until_ms = env_mono_ms(core->env) + STEP_MS;
	struct store_history_lease leases[STEP_LEASES];
	int count = store_history_next(core->store, a->account->config.name, &age,
				       &core->history.place, leases, STEP_LEASES, err);
	int i = 0;

	if (count < 0)
		return -1;
	while (i < count) {
		if (drop(core, a, &leases[i], err))
			return -1;
		core->history.place = leases[i++].place;
		if (is_wanted(core) || env_mono_ms(core->env) > until_ms)
			break;
	}
	return i < count || count == STEP_LEASES;
}

static void account_end(struct core *core)
{
	core->history.account++;
	core->history.place = (struct store_history_place){ 0 };
}

/* In the account whose turn it is. */
static int account_step(struct core *core, struct err *err)
{
	struct core_account *a = &core->accounts[core->history.account];
	int64_t before_ms = 0;
	int rc;

	if (!is_trusted(core, a))
		core->history.is_partial = 1;
	else if (find_age(core, a, &before_ms, err))
		return -1;
	rc = before_ms > 0 ? prune(core, a, before_ms, err) : 0;
	if (rc == 0)
		account_end(core);
	return rc < 0 ? -1 : 0;
}

static void round_end(struct core *core)
{
	struct core_history *h = &core->history;

	if (h->pruned)
		core_log_later(core,
			       &(struct log_origin){ .level = LOG_LEVEL_INFO,
						     .event = "history.pruned" },
			       "pruned %lld leases that ended long ago", (long long)h->pruned);
	*h = (struct core_history){
		.due_ms = core_now(core) + (h->is_partial ? AGAIN_MS : ROUND_MS),
	};
}

static int history_step(struct core *core, struct err *err)
{
	int left;

	core->history.is_begun = 1;
	if (core->history.account < core->account_count)
		return account_step(core, err);
	if (store_shrink(core->store, STEP_PAGES, &left, err))
		return -1;
	if (!left)
		round_end(core);
	return 0;
}

void core_history_due(struct core *core)
{
	struct core_history *h = &core->history;
	int64_t now = core_now(core);
	struct err err = { 0 };

	/* The clock was ahead. */
	if (h->due_ms > now + ROUND_MS)
		h->due_ms = now + FIRST_MS;
	if (!h->due_ms || h->due_ms > now)
		return;
	if (core->draining || core->resting || store_state(core->store) != STORE_WRITABLE) {
		h->due_ms = now + WAIT_MS;
		return;
	}
	h->due_ms = now + PAUSE_MS;
	if (history_step(core, &err) == 0)
		return;
	log_warning(LOG_FIELDS({ "error", err.text }),
		    "cannot prune ended leases; trying again later");
	*h = (struct core_history){ .due_ms = now + AGAIN_MS };
}
