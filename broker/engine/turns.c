/* SPDX-License-Identifier: MIT */
/*
 * The turns of the engine thread. Each takes everything that has queued up, applies it in one
 * transaction, commits, and only then answers. Claims are the exception: they are answered as
 * soon as they are decided. A step requests the commit itself (the barrier) before its next
 * request to the provider; until then, further claims can join the transaction.
 */
#include "engine/turns.h"

#include <time.h>

/* The longest sleep, even if nothing is due: the wall clock may jump meanwhile. */
#define SLEEP_MOST_MS 1000
_Static_assert(SLEEP_MOST_MS * 2 < ENGINE_ROUND_MS, "an idle engine would count as stuck");
/* A transaction that holds only claims is committed after this long if no barrier requests it. */
#define CLAIMS_WAIT_MS 5
/* While the store cannot be written: the pause before the next attempt. */
#define STORE_RETRY_MS 200

/* Whatever arrives meanwhile cannot be written either. The caller holds the lock. */
static void pause_locked(struct inbox *inbox)
{
	struct timespec until = env_after_ms(CLOCK_MONOTONIC, STORE_RETRY_MS);

	while (!inbox->orders.cancel &&
	       pthread_cond_timedwait(&inbox->arrived, &inbox->lock, &until) == 0)
		;
}

/* Waits for work or the next due time. The caller holds the lock. */
static void wait_locked(struct engine *engine)
{
	int64_t next = core_next_ms(engine->life.core);
	int64_t wait = engine->is_open ? CLAIMS_WAIT_MS : SLEEP_MOST_MS;
	struct timespec until;

	if (next) {
		int64_t left = next - env_wall_ms(engine->config.env);

		if (left <= 0)
			return;
		if (left < wait)
			wait = left;
	}
	until = env_after_ms(CLOCK_MONOTONIC, wait);
	pthread_cond_timedwait(&engine->inbox.arrived, &engine->inbox.lock, &until);
}

/* Carries out what other threads have ordered. The caller holds the lock. */
static void orders_take(struct engine *engine, int *is_draining)
{
	struct inbox_orders *orders = &engine->inbox.orders;
	struct core *core = engine->life.core;

	if (orders->limits_changed) {
		core_set_limits(core, &orders->limits);
		orders->limits_changed = 0;
	}
	if (orders->reload) {
		core_reload(core);
		orders->reload = 0;
	}
	if (orders->stopping && !*is_draining) {
		*is_draining = 1;
		core_drain(core);
	}
	if (orders->cancel)
		core_cancel_steps(core);
}

/* Takes what has queued up. The caller holds the lock. */
static void batch_take(struct engine *engine, struct batch *batch)
{
	struct inbox *inbox = &engine->inbox;

	*batch = (struct batch){
		.env = engine->config.env,
		.inbox = inbox,
		.watch = &engine->watch,
		.core = engine->life.core,
		.hurry = inbox->orders.hurry,
		.is_stopping = inbox->orders.stopping,
	};
	inbox->orders.hurry = 0;
	inbox_work_take(&inbox->work, &batch->work);
	batch->may_wait = STAILQ_EMPTY(&batch->work.requests) &&
			  STAILQ_EMPTY(&batch->work.results) &&
			  !STAILQ_EMPTY(&batch->work.claims) && !batch->hurry;
}

void *turns_run(void *arg)
{
	struct engine *engine = arg;
	struct inbox *inbox = &engine->inbox;
	struct err err = { 0 };
	int is_draining = 0, cancel;

	pthread_mutex_lock(&inbox->lock);
	for (;;) {
		struct batch batch;

		if (engine->is_postponed)
			pause_locked(inbox);
		else if (inbox_work_is_empty(&inbox->work) && !inbox->orders.hurry &&
			 !(inbox->orders.stopping && !is_draining))
			wait_locked(engine);
		orders_take(engine, &is_draining);
		cancel = inbox->orders.cancel;
		batch_take(engine, &batch);
		pthread_mutex_unlock(&inbox->lock);

		/* At a shutdown, the store is waited for no longer than steps are. */
		if (batch_run(&batch, &err) || (batch.is_postponed && cancel)) {
			/*
			 * Nothing of this batch was acknowledged, and nothing will be. The
			 * process exits; the next one continues from the store.
			 */
			engine->config.on_broken(engine->config.on_broken_arg, err.text);
			return NULL;
		}
		engine->is_open = batch.is_open;
		engine->is_postponed = batch.is_postponed;
		atomic_store(&engine->moved_ms, env_mono_ms(engine->config.env));

		pthread_mutex_lock(&inbox->lock);
		if (is_draining && inbox_work_is_empty(&inbox->work) &&
		    core_steps_running(engine->life.core) == 0) {
			inbox->closed = 1;
			break;
		}
	}
	pthread_mutex_unlock(&inbox->lock);
	return NULL;
}
