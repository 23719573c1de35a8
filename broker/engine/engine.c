/* SPDX-License-Identifier: MIT */
/*
 * The engine thread, with a queue in front of the core and workers behind it.
 *
 *   loop thread --requests--> +--------+ --steps--> workers
 *                             | engine |
 *   loop thread <--answers--- +--------+ <--claims, results-- workers
 *
 * One mutex guards the three lists of `struct inbox` and the flags; everything else belongs to
 * the engine thread. Each iteration takes everything that has queued up, applies it in one
 * transaction, commits, and only then answers. Claims are the exception: they are answered as
 * soon as they are decided. A step requests the commit itself (the barrier) before its next
 * request to the provider; until then, further claims can join the transaction.
 */
#include "engine/engine.h"

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/core.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/log.h"

/* The longest sleep, even if nothing is due: the wall clock may jump meanwhile. */
#define SLEEP_MOST_MS 1000
_Static_assert(SLEEP_MOST_MS * 2 < ENGINE_ROUND_MS, "an idle engine would count as stuck");
#define ENGINE_STACK (1024 * 1024)

/* A transaction that holds only claims is committed after this long if no barrier requests it. */
#define CLAIMS_WAIT_MS 5

/*
 * While the store cannot be written: how long a request waits before it is answered 503, and
 * the pause before the next attempt.
 */
#define STORE_PATIENCE_MS 5000
#define STORE_RETRY_MS 200

/* Requests in one batch while the store lives on its reserve, which is for short transactions. */
#define REQUESTS_MOST_RESERVE 16

/* A claim or barrier of a worker; on the worker's stack until `answered` is posted. */
struct pending_claim {
	struct step *step;
	struct lease_claim *claim; /* NULL: a barrier, answered after the commit */
	sem_t answered;
	STAILQ_ENTRY(pending_claim) link;
};

STAILQ_HEAD(pending_claim_list, pending_claim);

struct inbox {
	struct request_list requests;
	struct pending_claim_list claims;
	struct step_list results;
};

struct engine {
	struct engine_config config;
	struct core *core;
	int is_open;	  /* the last iteration left its transaction open; engine thread only */
	int is_postponed; /* the last iteration could not write; engine thread only */
	/* One pool per account, so that a provider that hangs blocks only its own account. */
	struct workers **workers;
	pthread_t thread;
	int thread_runs;

	pthread_mutex_t lock;	/* guards the following */
	pthread_cond_t arrived;
	struct inbox inbox;
	struct engine_limits limits;
	int limits_changed;
	unsigned hurry; /* how many waiting requests to answer early */
	int reload;	/* a reload of the provider files is requested */
	int stopping;	/* draining is requested */
	int cancel;	/* cancelling the running steps is requested, too */
	int closed;	/* the thread has ended: engine_submit rejects requests */

	atomic_llong moved_ms; /* when the last iteration ended, monotonic clock */
	atomic_int store_state;
};

static void inbox_init(struct inbox *inbox)
{
	STAILQ_INIT(&inbox->requests);
	STAILQ_INIT(&inbox->claims);
	STAILQ_INIT(&inbox->results);
}

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
	int closed;

	request->submitted_ms = env_mono_ms(engine->config.env);
	pthread_mutex_lock(&engine->lock);
	closed = engine->closed;
	if (!closed) {
		STAILQ_INSERT_TAIL(&engine->inbox.requests, request, link);
		pthread_cond_signal(&engine->arrived);
	}
	pthread_mutex_unlock(&engine->lock);
	if (closed)
		request_reject(request);
}

/* On a worker thread: queues a claim, or a barrier if `claim` is NULL, and waits for the answer. */
static void claim_submit(struct engine *engine, struct step *step, struct lease_claim *claim)
{
	struct pending_claim pending = { .step = step, .claim = claim };

	sem_init(&pending.answered, 0, 0);
	pthread_mutex_lock(&engine->lock);
	STAILQ_INSERT_TAIL(&engine->inbox.claims, &pending, link);
	pthread_cond_signal(&engine->arrived);
	pthread_mutex_unlock(&engine->lock);
	while (sem_wait(&pending.answered))
		;
	sem_destroy(&pending.answered);
}

static int step_claim(void *arg, struct step *step, struct lease_claim *claim)
{
	claim_submit(arg, step, claim);
	return claim->result;
}

static void step_barrier(void *arg, struct step *step)
{
	claim_submit(arg, step, NULL);
}

static void step_arrived(void *arg, struct step *step)
{
	struct engine *engine = arg;

	pthread_mutex_lock(&engine->lock);
	STAILQ_INSERT_TAIL(&engine->inbox.results, step, queued);
	pthread_cond_signal(&engine->arrived);
	pthread_mutex_unlock(&engine->lock);
}

static void start_step(void *arg, struct step *step)
{
	struct engine *engine = arg;

	step->claim = step_claim;
	step->barrier = step_barrier;
	step->claim_arg = engine;
	for (size_t i = 0; i < engine->config.account_count; i++) {
		if (engine->config.accounts[i] == step->account) {
			workers_submit(engine->workers[i], step);
			return;
		}
	}
	/* Every step belongs to a configured account. */
	BUG_ON(1);
}

/* ---- the thread ------------------------------------------------------------------ */

static int inbox_is_empty(const struct inbox *inbox)
{
	return STAILQ_EMPTY(&inbox->requests) && STAILQ_EMPTY(&inbox->claims) &&
	       STAILQ_EMPTY(&inbox->results);
}

/* Moves the lists. An STAILQ head cannot be copied: it holds a pointer into itself. */
static void inbox_take(struct inbox *from, struct inbox *to)
{
	inbox_init(to);
	STAILQ_CONCAT(&to->requests, &from->requests);
	STAILQ_CONCAT(&to->claims, &from->claims);
	STAILQ_CONCAT(&to->results, &from->results);
}

/* Puts back what inbox_take took, in front of what has arrived since. */
static void inbox_return(struct inbox *inbox, struct inbox *taken)
{
	STAILQ_CONCAT(&taken->requests, &inbox->requests);
	STAILQ_CONCAT(&inbox->requests, &taken->requests);
	STAILQ_CONCAT(&taken->claims, &inbox->claims);
	STAILQ_CONCAT(&inbox->claims, &taken->claims);
	STAILQ_CONCAT(&taken->results, &inbox->results);
	STAILQ_CONCAT(&inbox->results, &taken->results);
}

/* Whatever arrives meanwhile cannot be written either. The caller holds the lock. */
static void pause_locked(struct engine *engine)
{
	struct timespec until = env_after_ms(CLOCK_MONOTONIC, STORE_RETRY_MS);

	while (!engine->cancel &&
	       pthread_cond_timedwait(&engine->arrived, &engine->lock, &until) == 0)
		;
}

/* Waits for work or the next due time. The caller holds the lock. */
static void wait_locked(struct engine *engine)
{
	int64_t next = core_next_ms(engine->core);
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
	pthread_cond_timedwait(&engine->arrived, &engine->lock, &until);
}

/* An entry must not be used after sem_post: its worker's stack frame is gone. */
static void claims_answer(struct pending_claim_list *list)
{
	struct pending_claim *pending;

	while ((pending = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		sem_post(&pending->answered);
	}
}

/* Decides and answers the claims; the barriers stay in the list until the commit. */
static void claims_take(struct core *core, struct inbox *work)
{
	struct pending_claim_list claims = STAILQ_HEAD_INITIALIZER(claims);
	struct pending_claim *pending;

	STAILQ_CONCAT(&claims, &work->claims);
	while ((pending = STAILQ_FIRST(&claims)) != NULL) {
		STAILQ_REMOVE_HEAD(&claims, link);
		if (pending->claim) {
			core_claim(core, pending->step, pending->claim);
			sem_post(&pending->answered);
		} else {
			STAILQ_INSERT_TAIL(&work->claims, pending, link);
		}
	}
}

/* ---- a store that cannot be written now -------------------------------------------------- */

static const struct {
	enum log_level level;
	const char *text; /* for the log */
	const char *message;
} store_states[] = {
	[STORE_WRITABLE] = { LOG_LEVEL_NOTICE,
			     "the database can be written again; everything continues", NULL },
	[STORE_RESERVE] = { LOG_LEVEL_ERROR,
			    "the disk of the database is full: creates are refused until it has room; "
			    "releases and cleanup go on, from the reserve",
			    NULL },
	[STORE_LOCKED] = { LOG_LEVEL_ERROR,
			   "another process holds the write lock of the database: changes wait for it, "
			   "requests for a few seconds, and are then answered 503",
			   "another process has locked the broker's database; try again" },
	[STORE_FULL] = { LOG_LEVEL_ERROR,
			 "the disk of the database is full, and its reserve is used up: nothing can "
			 "be changed until it has room; free some",
			 "the disk of the broker's database is full; try again when it has room" },
};

/* Logs each change once. */
static void store_watch(struct engine *engine)
{
	enum store_state now = store_state(core_store(engine->core));

	if (atomic_exchange(&engine->store_state, (int)now) == (int)now)
		return;
	log_write(store_states[now].level, LOG_FIELDS({ "event", "store.state" }), "%s",
		  store_states[now].text);
}

uint64_t engine_queue_version(const struct engine *engine)
{
	return core_queue_version(engine->core);
}

enum store_state engine_store_state(const struct engine *engine)
{
	return (enum store_state)atomic_load(&engine->store_state);
}

/*
 * Nothing of the batch has been applied: answers the requests that have waited long enough, and
 * leaves everything else for the next attempt. Steps wait for their claims, as for a slow disk.
 */
static void batch_postpone(struct engine *engine, struct inbox *work)
{
	int64_t now = env_mono_ms(engine->config.env);
	const char *message = store_states[engine_store_state(engine)].message;
	struct request_list late = STAILQ_HEAD_INITIALIZER(late);
	struct request_list keep = STAILQ_HEAD_INITIALIZER(keep);
	struct engine_request *request;

	pthread_mutex_lock(&engine->lock);
	while ((request = STAILQ_FIRST(&work->requests)) != NULL) {
		STAILQ_REMOVE_HEAD(&work->requests, link);
		if (engine->stopping || now - request->submitted_ms >= STORE_PATIENCE_MS)
			STAILQ_INSERT_TAIL(&late, request, link);
		else
			STAILQ_INSERT_TAIL(&keep, request, link);
	}
	STAILQ_CONCAT(&work->requests, &keep);
	inbox_return(&engine->inbox, work);
	pthread_mutex_unlock(&engine->lock);
	while ((request = STAILQ_FIRST(&late)) != NULL) {
		STAILQ_REMOVE_HEAD(&late, link);
		request->result = RESULT_UNAVAILABLE;
		snprintf(request->code, sizeof(request->code), "store_unavailable");
		snprintf(request->message, sizeof(request->message), "%s",
			 message ? message : "the request cannot be saved now; try again");
		request->done(request);
	}
	core_answer_overdue(engine->core);
}

/* Leaves the rest of the requests for the next batch. */
static void requests_return(struct engine *engine, struct inbox *work)
{
	pthread_mutex_lock(&engine->lock);
	STAILQ_CONCAT(&work->requests, &engine->inbox.requests);
	STAILQ_CONCAT(&engine->inbox.requests, &work->requests);
	pthread_mutex_unlock(&engine->lock);
}

/*
 * Applies a batch and commits it. `may_wait`: it holds only claims, so the transaction may stay
 * open for the claims that follow. -1: the store is broken.
 */
static int batch_run(struct engine *engine, struct inbox *work, unsigned hurry, int may_wait,
		     struct err *err)
{
	struct core *core = engine->core;
	struct engine_request *request;
	struct step *step;
	int rc, most;

	STAILQ_FOREACH(request, &work->requests, link)
		core_prefetch(core, request);
	rc = core_begin_locked(core, err);
	store_watch(engine);
	most = engine_store_state(engine) == STORE_RESERVE ? REQUESTS_MOST_RESERVE : INT_MAX;
	engine->is_postponed = rc && !store_broken(core_store(core));
	if (engine->is_postponed)
		batch_postpone(engine, work);
	if (rc)
		return engine->is_postponed ? 0 : -1;
	claims_take(core, work);
	while ((step = STAILQ_FIRST(&work->results)) != NULL) {
		STAILQ_REMOVE_HEAD(&work->results, queued);
		core_step_done(core, step);
	}
	while (most-- > 0 && (request = STAILQ_FIRST(&work->requests)) != NULL) {
		STAILQ_REMOVE_HEAD(&work->requests, link);
		core_request(core, request);
	}
	if (!STAILQ_EMPTY(&work->requests))
		requests_return(engine, work);
	core_hurry(core, hurry);
	core_due(core);
	engine->is_open = may_wait && STAILQ_EMPTY(&work->claims) && !core_must_flush(core);
	if (engine->is_open)
		return 0;
	if (core_flush(core, err))
		return -1;
	claims_answer(&work->claims);
	return 0;
}

static void *engine_main(void *arg)
{
	struct engine *engine = arg;
	struct err err = { 0 };
	int draining = 0, cancel;

	pthread_mutex_lock(&engine->lock);
	for (;;) {
		struct inbox work;
		unsigned hurry;
		int may_wait;

		if (engine->is_postponed)
			pause_locked(engine);
		else if (inbox_is_empty(&engine->inbox) && !engine->hurry &&
			 !(engine->stopping && !draining))
			wait_locked(engine);
		inbox_take(&engine->inbox, &work);
		may_wait = STAILQ_EMPTY(&work.requests) && STAILQ_EMPTY(&work.results) &&
			   !STAILQ_EMPTY(&work.claims) && !engine->hurry;
		if (engine->limits_changed) {
			core_set_limits(engine->core, &engine->limits);
			engine->limits_changed = 0;
		}
		if (engine->reload) {
			core_reload(engine->core);
			engine->reload = 0;
		}
		if (engine->stopping && !draining) {
			draining = 1;
			core_drain(engine->core);
		}
		cancel = engine->cancel;
		if (cancel)
			core_cancel_steps(engine->core);
		hurry = engine->hurry;
		engine->hurry = 0;
		pthread_mutex_unlock(&engine->lock);

		/* At a shutdown, the store is waited for no longer than steps are. */
		if (batch_run(engine, &work, hurry, may_wait, &err) ||
		    (engine->is_postponed && cancel)) {
			/*
			 * Nothing of this batch was acknowledged, and nothing will be. The
			 * process exits; the next one continues from the store.
			 */
			engine->config.on_broken(engine->config.on_broken_arg, err.text);
			return NULL;
		}
		atomic_store(&engine->moved_ms, env_mono_ms(engine->config.env));

		pthread_mutex_lock(&engine->lock);
		if (draining && inbox_is_empty(&engine->inbox) &&
		    core_steps_running(engine->core) == 0) {
			engine->closed = 1;
			break;
		}
	}
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

static int workers_start(struct engine *engine, struct err *err)
{
	const struct engine_config *config = &engine->config;

	engine->workers = xcalloc(config->account_count + 1, sizeof(*engine->workers));
	for (size_t i = 0; i < config->account_count; i++) {
		if (workers_new(config->worker_threads, step_arrived, engine, &engine->workers[i], err))
			return -1;
	}
	return 0;
}

static void workers_end(struct engine *engine)
{
	for (size_t i = 0; engine->workers && i < engine->config.account_count; i++)
		workers_free(engine->workers[i]);
	free(engine->workers);
}

/* ---- life ---------------------------------------------------------------------------- */

int engine_new(const struct engine_config *config, struct engine **ret, struct err *err)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));
	struct core_hooks hooks = { .start = start_step, .arg = engine };
	pthread_condattr_t attr;
	pthread_attr_t thread_attr;
	int rc;

	engine->config = *config;
	inbox_init(&engine->inbox);
	pthread_mutex_init(&engine->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&engine->arrived, &attr);
	pthread_condattr_destroy(&attr);
	atomic_store(&engine->moved_ms, env_mono_ms(config->env));
	if (core_new(config, &hooks, &engine->core, err)) {
		engine_free(engine);
		return -1;
	}
	if (config->on_crashes_counted)
		config->on_crashes_counted();
	if (workers_start(engine, err)) {
		engine_free(engine);
		return -1;
	}
	pthread_attr_init(&thread_attr);
	pthread_attr_setstacksize(&thread_attr, ENGINE_STACK);
	rc = pthread_create(&engine->thread, &thread_attr, engine_main, engine);
	pthread_attr_destroy(&thread_attr);
	if (rc) {
		engine_free(engine);
		return err_set_errno(err, rc, "cannot start the engine thread");
	}
	engine->thread_runs = 1;
	*ret = engine;
	return 0;
}

void engine_hurry(struct engine *engine, unsigned count)
{
	pthread_mutex_lock(&engine->lock);
	engine->hurry += count;
	pthread_cond_signal(&engine->arrived);
	pthread_mutex_unlock(&engine->lock);
}

void engine_set_limits(struct engine *engine, const struct engine_limits *limits)
{
	pthread_mutex_lock(&engine->lock);
	engine->limits = *limits;
	engine->limits_changed = 1;
	pthread_cond_signal(&engine->arrived);
	pthread_mutex_unlock(&engine->lock);
}

void engine_reload(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	engine->reload = 1;
	pthread_cond_signal(&engine->arrived);
	pthread_mutex_unlock(&engine->lock);
}

int engine_is_moving(const struct engine *engine, int64_t within_ms)
{
	if (within_ms < ENGINE_ROUND_MS)
		within_ms = ENGINE_ROUND_MS;
	return env_mono_ms(engine->config.env) - atomic_load(&engine->moved_ms) <= within_ms;
}

static void stop_signal(struct engine *engine, int cancel)
{
	pthread_mutex_lock(&engine->lock);
	engine->stopping = 1;
	engine->cancel = cancel;
	pthread_cond_signal(&engine->arrived);
	pthread_mutex_unlock(&engine->lock);
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

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	engine_stop(engine, 0);
	workers_end(engine);
	core_free(engine->core);
	store_close(engine->config.store);
	pthread_cond_destroy(&engine->arrived);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}
