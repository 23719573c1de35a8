/* SPDX-License-Identifier: MIT */
/*
 * The engine thread, with a queue in front of the core and workers behind it.
 *
 *   loop thread --requests--> +--------+ --steps--> workers
 *                             | engine |
 *   loop thread <--answers--- +--------+ <--claims, results-- workers
 *
 * The lock of `struct inbox` guards what other threads leave for the engine thread; everything
 * else belongs to that thread (turns.c).
 */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/turns.h"
#include "util/alloc.h"

#define ENGINE_STACK (1024 * 1024)

static void request_reject(struct engine_request *request)
{
	request->result = RESULT_UNAVAILABLE;
	snprintf(request->code, sizeof(request->code), "shutting_down");
	snprintf(request->message, sizeof(request->message),
		 "the broker is shutting down; try again");
	request->done(request);
}

void engine_submit(struct engine *engine, struct engine_request *request)
{
	request->submitted_ms = env_mono_ms(engine->parts.config.env);
	if (inbox_put_request(&engine->inbox, request))
		request_reject(request);
}

static void result_arrived(void *arg, struct step *step)
{
	inbox_put_result(arg, step);
}

static int workers_start(struct engine *engine, struct err *err)
{
	const struct engine_config *config = &engine->parts.config;
	struct workers **workers = xcalloc(config->account_count + 1, sizeof(struct workers *));

	engine->parts.workers = workers;
	for (size_t i = 0; i < config->account_count; i++) {
		if (workers_new(config->worker_threads, result_arrived, &engine->inbox, &workers[i],
				err))
			return -1;
	}
	return 0;
}

static void workers_end(struct engine *engine)
{
	struct workers **workers = engine->parts.workers;

	for (size_t i = 0; workers && i < engine->parts.config.account_count; i++)
		workers_free(workers[i]);
	free(workers);
}

static int thread_start(struct engine *engine, struct err *err)
{
	pthread_attr_t attr;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, ENGINE_STACK);
	rc = pthread_create(&engine->thread, &attr, turns_run, engine);
	pthread_attr_destroy(&attr);
	if (rc)
		return err_set_errno(err, rc, "cannot start the engine thread");
	engine->thread_runs = 1;
	return 0;
}

static int engine_start(struct engine *engine, struct err *err)
{
	const struct engine_config *config = &engine->parts.config;

	/* With an ownership the thread claims, as often as necessary. */
	if (!config->ownership && engine_begin(engine, config->store, err))
		return -1;
	if (workers_start(engine, err))
		return -1;
	return thread_start(engine, err);
}

int engine_new(const struct engine_config *config, struct engine **ret, struct err *err)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->parts.config = *config;
	engine->parts.inbox = &engine->inbox;
	engine->parts.queue_version = &engine->queue_version;
	atomic_store(&engine->queue_version, 1);
	inbox_init(&engine->inbox);
	atomic_store(&engine->moved_ms, env_mono_ms(config->env));
	if (engine_start(engine, err)) {
		engine_free(engine);
		return -1;
	}
	*ret = engine;
	return 0;
}

void engine_hurry(struct engine *engine, unsigned count)
{
	struct inbox *inbox = &engine->inbox;

	pthread_mutex_lock(&inbox->lock);
	inbox->orders.hurry += count;
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
}

void engine_set_limits(struct engine *engine, const struct engine_limits *limits)
{
	struct inbox *inbox = &engine->inbox;

	pthread_mutex_lock(&inbox->lock);
	inbox->orders.limits = *limits;
	inbox->orders.limits_changed = 1;
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
}

void engine_reload(struct engine *engine)
{
	struct inbox *inbox = &engine->inbox;

	pthread_mutex_lock(&inbox->lock);
	inbox->orders.reload = 1;
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
}

void engine_seek(struct engine *engine)
{
	struct inbox *inbox = &engine->inbox;

	if (atomic_load(&engine->is_owner))
		return;
	pthread_mutex_lock(&inbox->lock);
	inbox->orders.seek = 1;
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
}

uint64_t engine_queue_version(const struct engine *engine)
{
	return atomic_load(&engine->queue_version);
}

enum store_state engine_store_state(const struct engine *engine)
{
	return store_watch_state(&engine->watch);
}

int engine_is_owner(const struct engine *engine, int64_t *ret_epoch, int64_t *ret_since_ms)
{
	if (ret_epoch)
		*ret_epoch = atomic_load(&engine->epoch);
	if (ret_since_ms)
		*ret_since_ms = atomic_load(&engine->since_ms);
	return atomic_load(&engine->is_owner);
}

int engine_is_moving(const struct engine *engine, int64_t within_ms)
{
	if (within_ms < ENGINE_ROUND_MS)
		within_ms = ENGINE_ROUND_MS;
	return env_mono_ms(engine->parts.config.env) - atomic_load(&engine->moved_ms) <= within_ms;
}

static void stop_signal(struct engine *engine, int cancel)
{
	struct inbox *inbox = &engine->inbox;

	pthread_mutex_lock(&inbox->lock);
	inbox->orders.stopping = 1;
	inbox->orders.cancel = cancel;
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
}

void engine_stop_begin(struct engine *engine)
{
	if (engine->thread_runs)
		stop_signal(engine, 0);
}

void engine_stop(struct engine *engine, int64_t grace_ms)
{
	struct timespec until;

	if (!engine->thread_runs)
		return;
	stop_signal(engine, 0);
	until = env_after_ms(CLOCK_REALTIME, grace_ms);
	if (pthread_timedjoin_np(engine->thread, NULL, &until)) {
		stop_signal(engine, 1);
		pthread_join(engine->thread, NULL);
	}
	engine->thread_runs = 0;
}

/* What came back after the thread had ended. */
static void inbox_empty(struct engine *engine)
{
	struct step *step;

	while ((step = STAILQ_FIRST(&engine->inbox.work.results)) != NULL) {
		STAILQ_REMOVE_HEAD(&engine->inbox.work.results, queued);
		life_step_back(step);
	}
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	engine_stop(engine, 0);
	workers_end(engine);
	inbox_empty(engine);
	life_free(engine->life);
	inbox_fini(&engine->inbox);
	free(engine);
}
