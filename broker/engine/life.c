/* SPDX-License-Identifier: MIT */
#include "engine/life.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "provider/account.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/text.h"

/* ---- on a worker's thread ------------------------------------------------------------------ */

static int step_claim(void *arg, struct step *step, struct lease_claim *claim)
{
	struct engine_life *life = arg;
	struct pending_claim pending = { .life = life, .step = step, .claim = claim };

	inbox_ask(life->parts->inbox, &pending);
	return claim->result;
}

static int step_barrier(void *arg, struct step *step)
{
	struct engine_life *life = arg;
	struct pending_claim pending = { .life = life, .step = step };

	inbox_ask(life->parts->inbox, &pending);
	return pending.is_refused ? -1 : 0;
}

/* ---- hooks of the core --------------------------------------------------------------------- */

static void start_step(void *arg, struct step *step)
{
	struct engine_life *life = arg;
	const struct engine_config *config = &life->parts->config;

	step->claim = step_claim;
	step->barrier = step_barrier;
	step->claim_arg = life;
	for (size_t i = 0; i < config->account_count; i++) {
		if (config->accounts[i] == step->account) {
			life->out++;
			life->parts->out++;
			workers_submit(life->parts->workers[i], step);
			return;
		}
	}
	/* Every step belongs to a configured account. */
	BUG_ON(1);
}

static void queue_changed(void *arg)
{
	struct engine_life *life = arg;

	atomic_fetch_add(life->parts->queue_version, 1);
}

/* ---- what is owned ------------------------------------------------------------------------- */

static struct engine_owned owned_now(const struct engine_life *life)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;
	struct engine_owned owned = { 0 };

	ownership->look(ownership->arg, life->store, &owned);
	return owned;
}

/* To look tells who must know of each commit before it is answered. */
static void committed(void *arg)
{
	struct engine_life *life = arg;

	if (life->parts->config.ownership)
		owned_now(life);
}

static int is_wanted(void *arg)
{
	struct engine_life *life = arg;

	return inbox_has_work(life->parts->inbox);
}

/* ---- begin and end ------------------------------------------------------------------------- */

static void store_end(struct engine_life *life, int yield)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;

	if (ownership)
		ownership->end(ownership->arg, life->store, yield);
	else
		store_close(life->store);
	life->store = NULL;
}

int life_begin(struct life_parts *parts, struct store *store, struct engine_life **ret,
	       struct err *err)
{
	struct engine_life *life = xcalloc(1, sizeof(*life));
	struct core_hooks hooks = { start_step, queue_changed, committed, life, is_wanted };

	life->parts = parts;
	life->store = parts->config.store = store;
	if (parts->config.ownership) {
		struct engine_owned owned = owned_now(life);

		parts->config.store_ahead_ms = owned.store_ahead_ms;
		parts->config.is_fresh = owned.is_fresh;
	}
	if (core_new(&parts->config, &hooks, &life->core, err)) {
		store_end(life, 1);
		free(life);
		return -1;
	}
	/* What waits for capacity may be another than before. */
	queue_changed(life);
	*ret = life;
	return 0;
}

void life_free(struct engine_life *life)
{
	if (!life)
		return;
	core_free(life->core);
	life->core = NULL;
	store_end(life, 1);
	free(life);
}

void life_end(struct engine_life *life, int yield)
{
	life->parts->config.clock = core_clock_known(life->core);
	core_abandon(life->core);
	core_free(life->core);
	life->core = NULL;
	store_end(life, yield);
	if (!life->out)
		free(life);
}

struct engine_life *life_of(const struct step *step)
{
	return step->claim_arg;
}

int life_step_back(struct step *step)
{
	struct engine_life *life = life_of(step);

	life->out--;
	life->parts->out--;
	if (life->core)
		return 0;
	step_free(step);
	if (!life->out)
		free(life);
	return 1;
}

/* ---- ownership ----------------------------------------------------------------------------- */

int64_t life_epoch(const struct engine_life *life)
{
	return life->parts->config.ownership ? owned_now(life).epoch : 0;
}

int64_t life_renew_in(const struct engine_life *life)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;
	struct engine_owned owned;
	int64_t left;

	if (!ownership)
		return INT64_MAX;
	owned = owned_now(life);
	if (owned.must_renew)
		return 0;
	/* Renewed that long ago, it would last for the rest of the TTL. */
	left = owned.until_mono_ms - (ownership->ttl_ms - ownership->renew_ms) -
	       env_mono_ms(life->parts->config.env);
	return left > 0 ? left : 0;
}

int life_renew(struct engine_life *life, struct err *err)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;

	if (life_renew_in(life) > 0)
		return 0;
	return ownership->renew(ownership->arg, life->store, err) ? -1 : 0;
}

void life_gap(struct engine_life *life)
{
	struct engine_owned owned;

	if (!life->parts->config.ownership)
		return;
	owned = owned_now(life);
	core_gap(life->core, owned.gaps_ms - life->gaps_ms);
	life->gaps_ms = owned.gaps_ms;
}

void life_credit(struct engine_life *life)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;
	struct engine_owned owned;

	if (!ownership)
		return;
	owned = owned_now(life);
	core_see_until(life->core, owned.until_mono_ms - ownership->margin_ms);
	core_store_clock(life->core, owned.store_ahead_ms);
	for (size_t i = 0; i < life->parts->config.account_count; i++) {
		const char *account = life->parts->config.accounts[i]->config.name;

		core_freeze(life->core, account, owned.frozen);
		core_presume(life->core, account, owned.presumed_until_ms);
	}
	core_gap_credit(life->core);
	/* A failed write makes the commit fail. */
	if (owned.is_owed && ownership->credited && !core_gap_left(life->core))
		ownership->credited(ownership->arg, life->store, NULL);
}

static struct shard_standing standing_now(const struct engine_life *life)
{
	struct account_figures figures;
	struct shard_standing now;

	account_figures(life->parts->config.accounts[0], &figures);
	/* With its padding, since it is compared. */
	memset(&now, 0, sizeof(now));
	now.is_fenced = figures.fenced != 0;
	now.blocked_class = figures.blocked ? figures.blocked_class : 0;
	now.verified_ms = figures.verified_ms;
	if (figures.fenced)
		TEXT_SET(now.why, figures.fence);
	else if (figures.blocked)
		TEXT_SET(now.why, figures.reason);
	return now;
}

void life_tell(struct engine_life *life)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;
	struct shard_standing now;
	struct engine_owned owned;

	if (!ownership || !ownership->tell)
		return;
	now = standing_now(life);
	if (!memcmp(&now, &life->told, sizeof(now)))
		return;
	life->told = now;
	owned = owned_now(life);
	if (now.verified_ms)
		now.verified_ms += owned.store_ahead_ms;
	/* A failed write makes the commit fail. */
	ownership->tell(ownership->arg, life->store, &now, NULL);
}

int life_is_lost(const struct engine_life *life)
{
	const struct engine_ownership *ownership = life->parts->config.ownership;

	return ownership && ownership->is_lost(ownership->arg, life->store);
}
