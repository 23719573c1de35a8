/* SPDX-License-Identifier: MIT */
/*
 * The turns of the engine thread. Each takes everything that has queued up, applies it in one
 * transaction, commits, and only then answers. Claims are the exception: they are answered as
 * soon as they are decided. A step requests the commit itself (the barrier) before its next
 * request to the provider; until then, further claims can join the transaction.
 *
 * Where accounts can be lost, a turn without a life tries to begin one, and refuses what has come.
 */
#include "engine/turns.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/timings.h"
#include "util/log.h"
#include "util/text.h"

/* The longest sleep, even if nothing is due: the wall clock may jump meanwhile. */
#define SLEEP_MOST_MS 1000
_Static_assert(SLEEP_MOST_MS * 2 < ENGINE_ROUND_MS, "an idle engine would count as stuck");
/* A transaction that holds only claims is committed after this long if no barrier requests it. */
#define CLAIMS_WAIT_MS 5
/* While the store cannot be written: the pause before the next attempt. */
#define STORE_RETRY_MS 200
/* A life that was lost sooner is a short one; after so many the pause grows no more. */
#define LIFE_SHORT_MS 2000
#define SHORT_LIVES_MOST 5

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- waiting, with the lock of the inbox ------------------------------------------------- */

/* Whatever arrives meanwhile cannot be written either. */
static void pause_locked(struct inbox *inbox)
{
	struct timespec until = env_after_ms(CLOCK_MONOTONIC, STORE_RETRY_MS);

	while (!inbox->orders.cancel &&
	       pthread_cond_timedwait(&inbox->arrived, &inbox->lock, &until) == 0)
		;
}

/* How long until there is something to do by itself, at most. */
static int64_t sleep_ms(const struct engine *engine)
{
	const struct env *env = engine->parts.config.env;
	int64_t wait, next;

	/* A claim may be due, but not at a shutdown. */
	if (!engine->life && engine->is_draining)
		return SLEEP_MOST_MS;
	if (!engine->life)
		return least(engine->claim_mono_ms - env_mono_ms(env), SLEEP_MOST_MS);
	wait = least(engine->is_open ? CLAIMS_WAIT_MS : SLEEP_MOST_MS, life_renew_in(engine->life));
	next = core_next_ms(engine->life->core);
	return next ? least(wait, next - env_wall_ms(env)) : wait;
}

static void wait_locked(struct engine *engine)
{
	int64_t wait = sleep_ms(engine);
	struct timespec until;

	if (wait <= 0)
		return;
	until = env_after_ms(CLOCK_MONOTONIC, wait);
	pthread_cond_timedwait(&engine->inbox.arrived, &engine->inbox.lock, &until);
}

/* ---- what other threads ordered ------------------------------------------------------------ */

/* The caller holds the lock. */
static void orders_take(struct engine *engine)
{
	struct inbox_orders *orders = &engine->inbox.orders;
	struct core *core = engine->life ? engine->life->core : NULL;

	if (orders->limits_changed) {
		engine->parts.config.limits = orders->limits;
		if (core)
			core_set_limits(core, &orders->limits);
		orders->limits_changed = 0;
	}
	if (orders->reload && core) {
		core_reload(core);
		orders->reload = 0;
	}
	if (orders->seek && !engine->life)
		engine->claim_mono_ms = least(engine->claim_mono_ms, engine->seek_mono_ms);
	orders->seek = 0;
	if (orders->stopping && !engine->is_draining) {
		engine->is_draining = 1;
		if (core)
			core_drain(core);
	}
	if (orders->cancel && core)
		core_cancel_steps(core);
}

/* Takes what has queued up. The caller holds the lock. */
static void batch_take(struct engine *engine, struct batch *batch)
{
	struct inbox *inbox = &engine->inbox;

	*batch = (struct batch){
		.env = engine->parts.config.env,
		.inbox = inbox,
		.watch = &engine->watch,
		.life = engine->life,
		.hurry = inbox->orders.hurry,
		.is_stopping = inbox->orders.stopping,
	};
	inbox->orders.hurry = 0;
	inbox_work_take(&inbox->work, &batch->work);
}

/* ---- a life begins and ends ---------------------------------------------------------------- */

int engine_begin(struct engine *engine, struct store *store, struct err *err)
{
	struct engine_config *config = &engine->parts.config;

	if (life_begin(&engine->parts, store, &engine->life, err))
		return -1;
	if (config->on_crashes_counted)
		config->on_crashes_counted();
	/* Those of an earlier process are counted once. */
	config->on_crashes_counted = NULL;
	config->crash_count = 0;
	engine->begun_mono_ms = env_mono_ms(config->env);
	atomic_store(&engine->epoch, life_epoch(engine->life));
	atomic_store(&engine->since_ms, env_wall_ms(config->env));
	atomic_store(&engine->is_owner, 1);
	return 0;
}

/* Says why the accounts cannot be claimed, once for each reason. */
static void claim_failed(struct engine *engine, const struct err *err)
{
	if (!strcmp(engine->claim_error, err->text))
		return;
	TEXT_SET(engine->claim_error, err->text);
	log_error(LOG_FIELDS({ "account", engine->parts.config.accounts[0]->config.name },
			     { "error", err->text }, { "event", "account.unclaimed" }),
		  "cannot claim account %s; trying again",
		  engine->parts.config.accounts[0]->config.name);
}

/* Lives that end as soon as they begin are begun more and more slowly: the pause before the next. */
static int64_t short_life_ms(struct engine *engine)
{
	if (engine->short_lives < SHORT_LIVES_MOST)
		engine->short_lives++;
	return engine->parts.config.ownership->retry_ms << (engine->short_lives - 1);
}

static void claimed(struct engine *engine, int64_t load_ms)
{
	const char *name = engine->parts.config.accounts[0]->config.name;
	char leases[24], load[24];

	engine->claim_error[0] = '\0';
	snprintf(leases, sizeof(leases), "%zu", core_due_count(engine->life->core));
	snprintf(load, sizeof(load), "%" PRId64, load_ms);
	log_notice(LOG_FIELDS({ "account", name }, { "leases", leases }, { "load_ms", load },
			      { "event", "account.claimed" }),
		   "claimed account %s", name);
}

/* Tries to become the owner, if it is time. */
static void claim(struct engine *engine)
{
	const struct engine_config *config = &engine->parts.config;
	const struct engine_ownership *ownership = config->ownership;
	struct store *store = NULL;
	struct err err = { 0 };
	int64_t begun, now;
	int rc;

	if (engine->is_draining || engine->claim_mono_ms > env_mono_ms(config->env))
		return;
	for (size_t i = 0; i < config->account_count; i++)
		account_doubt(config->accounts[i]);
	rc = ownership->claim(ownership->arg, &store, &err);
	begun = env_mono_ms(config->env);
	if (!rc && engine_begin(engine, store, &err) == 0) {
		claimed(engine, env_mono_ms(config->env) - begun);
		return;
	}
	now = env_mono_ms(config->env);
	engine->claim_mono_ms = engine->seek_mono_ms = now + ownership->retry_ms;
	/* One that was claimed and cannot be loaded is a short life, too. */
	if (!rc)
		engine->claim_mono_ms = engine->seek_mono_ms = now + short_life_ms(engine);
	/* Whose it is may change at any time; what failed is left alone for a while. */
	if (rc > 0)
		engine->seek_mono_ms = now + ownership->seek_ms;
	else
		claim_failed(engine, &err);
}

static int64_t claim_pause_ms(struct engine *engine)
{
	int64_t now = env_mono_ms(engine->parts.config.env);

	if (now - engine->begun_mono_ms < LIFE_SHORT_MS)
		return short_life_ms(engine);
	engine->short_lives = 0;
	return 0;
}

static void end(struct engine *engine, int yield)
{
	struct engine_life *life = engine->life;

	/* Before the answers: whoever tries again at once is told the truth. */
	atomic_store(&engine->is_owner, 0);
	engine->life = NULL;
	engine->is_open = engine->is_postponed = 0;
	engine->claim_mono_ms = env_mono_ms(engine->parts.config.env) +
				(yield ? engine->parts.config.ownership->retry_ms :
					 claim_pause_ms(engine));
	engine->seek_mono_ms = engine->claim_mono_ms;
	life_end(life, yield);
}

static void lose(struct engine *engine, struct batch *batch, const struct err *err)
{
	const char *name = engine->parts.config.accounts[0]->config.name;

	log_warning(LOG_FIELDS({ "account", name }, { "error", err->text },
			       { "event", "account.lost" }),
		    "lost the ownership of account %s; claiming it again", name);
	end(engine, 0);
	batch_refuse(batch);
}

/* Somebody else should be the owner: starts no more steps, and yields when none runs. */
static void yield_if_unwanted(struct engine *engine)
{
	const struct engine_ownership *ownership = engine->parts.config.ownership;
	struct engine_life *life = engine->life;
	int unwanted;

	if (!ownership || !ownership->is_unwanted || engine->is_draining)
		return;
	unwanted = ownership->is_unwanted(ownership->arg);
	core_rest(life->core, unwanted);
	if (unwanted && !engine->is_open && !engine->is_postponed &&
	    core_steps_running(life->core) == 0)
		end(engine, 1);
}

/* ---- a turn ------------------------------------------------------------------------------ */

static int may_wait(const struct batch *batch)
{
	const struct inbox_work *work = &batch->work;

	return STAILQ_EMPTY(&work->requests) && STAILQ_EMPTY(&work->results) &&
	       !STAILQ_EMPTY(&work->claims) && !batch->hurry;
}

/* -1: the store is broken. */
static int turn_with_life(struct engine *engine, struct batch *batch, struct err *err)
{
	int renew = life_renew_in(engine->life) == 0;

	/* The commit of an open transaction renews, too. */
	if (renew && !engine->is_open && life_renew(engine->life, err))
		return -1;
	batch->may_wait = may_wait(batch) && !renew;
	if (batch_run(batch, err))
		return -1;
	engine->is_open = batch->is_open;
	engine->is_postponed = batch->is_postponed;
	return 0;
}

/* -1: the store is broken, and the process must exit. */
static int turn(struct engine *engine, struct batch *batch, int cancel)
{
	struct err err = { 0 };

	batch_sort(batch);
	if (!engine->life) {
		batch_refuse(batch);
		claim(engine);
		return 0;
	}
	if (turn_with_life(engine, batch, &err)) {
		if (life_is_lost(engine->life)) {
			lose(engine, batch, &err);
			return 0;
		}
	} else if (!engine->is_postponed || !cancel) {
		yield_if_unwanted(engine);
		return 0;
	}
	/*
	 * At a shutdown, the store is waited for no longer than steps are. Nothing of this batch
	 * was acknowledged, and nothing will be. The process exits; the next one continues from
	 * the store.
	 */
	engine->parts.config.on_broken(engine->parts.config.on_broken_arg, err.text);
	return -1;
}

static void round_count(const struct engine *engine, int64_t begun_ms)
{
	const struct engine_config *config = &engine->parts.config;

	if (config->timings)
		histogram_set_add(config->timings->rounds, "", "", "",
				  (env_mono_ms(config->env) - begun_ms) * 1000);
}

static int is_drained(const struct engine *engine)
{
	return engine->is_draining && inbox_work_is_empty(&engine->inbox.work) &&
	       engine->parts.out == 0 &&
	       (!engine->life || core_steps_running(engine->life->core) == 0);
}

void *turns_run(void *arg)
{
	struct engine *engine = arg;
	struct inbox *inbox = &engine->inbox;

	pthread_mutex_lock(&inbox->lock);
	do {
		struct batch batch;
		int64_t begun_ms;
		int cancel;

		if (engine->is_postponed)
			pause_locked(inbox);
		else if (inbox_work_is_empty(&inbox->work) && !inbox->orders.hurry &&
			 !inbox->orders.seek && !(inbox->orders.stopping && !engine->is_draining))
			wait_locked(engine);
		orders_take(engine);
		cancel = inbox->orders.cancel;
		batch_take(engine, &batch);
		pthread_mutex_unlock(&inbox->lock);

		begun_ms = env_mono_ms(engine->parts.config.env);
		if (turn(engine, &batch, cancel))
			return NULL;
		round_count(engine, begun_ms);
		atomic_store(&engine->moved_ms, env_mono_ms(engine->parts.config.env));

		pthread_mutex_lock(&inbox->lock);
	} while (!is_drained(engine));
	inbox->closed = 1;
	pthread_mutex_unlock(&inbox->lock);
	/* Another process need not wait until the ownership is over by itself. */
	if (engine->life && engine->parts.config.ownership)
		end(engine, 1);
	return NULL;
}
