/* SPDX-License-Identifier: MIT */
/*
 * The runs thread: a queue in front of history.c. One mutex guards the queue and the flags;
 * everything else belongs to the thread.
 */
#include "runs/runs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runs/history.h"
#include "util/alloc.h"

#define RUNS_STACK (512 * 1024)
/* on a busy machine logs wait, heartbeats do not */
#define RUNS_NICE 10
#define BEGIN_TRIES 5
/* recheck what is due at least this often, since the wall clock may have been set */
#define SLEEP_MOST_MS (10 * 60 * 1000)

struct runs {
	struct runs_config config;
	struct history *history;	/* NULL: there is no store */
	pthread_t thread;
	int thread_runs;
	atomic_int is_broken;

	pthread_mutex_t lock; /* guards the members below */
	pthread_cond_t arrived;
	struct run_request_list queue;
	int stopping;
	int closed; /* no more requests: they are refused immediately */
};

void runs_submit(struct runs *runs, struct run_request *request)
{
	int closed;

	pthread_mutex_lock(&runs->lock);
	closed = runs->closed;
	if (!closed) {
		STAILQ_INSERT_TAIL(&runs->queue, request, link);
		pthread_cond_signal(&runs->arrived);
	}
	pthread_mutex_unlock(&runs->lock);
	if (closed)
		history_refuse(request, !runs_is_usable(runs));
}

int runs_is_usable(const struct runs *runs)
{
	return runs->history && !atomic_load(&runs->is_broken);
}

/* ---- the thread ------------------------------------------------------------------------- */

/* Waits for a request, the next due time or shutdown. Call with the lock held. */
static void runs_wait_locked(struct runs *runs)
{
	int64_t next = history_next_ms(runs->history);
	int64_t wait = next ? next - env_wall_ms(runs->config.env) : SLEEP_MOST_MS;
	struct timespec until;

	if (wait <= 0)
		return;
	if (wait > SLEEP_MOST_MS)
		wait = SLEEP_MOST_MS;
	until = env_after_ms(CLOCK_MONOTONIC, wait);
	pthread_cond_timedwait(&runs->arrived, &runs->lock, &until);
}

/* Called on the runs thread before the first request is refused. */
static void runs_set_broken(void *arg, const char *why)
{
	struct runs *runs = arg;

	atomic_store(&runs->is_broken, 1);
	runs->config.on_broken(runs->config.on_broken_arg, why);
}

/* Begins, and waits some seconds for another process's lock: each attempt takes one. */
static int runs_begin(struct runs *runs, struct err *err)
{
	int rc = -1;

	for (int i = 0; rc && i < BEGIN_TRIES; i++) {
		rc = history_begin(runs->history, err);
		if (rc && store_broken(runs->config.store))
			runs_set_broken(runs, err->text);
		if (rc && err->kind != ERR_BUSY)
			break;
	}
	if (rc && !store_broken(runs->config.store))
		history_watch(runs->history, err);
	return rc;
}

/*
 * Processes all queued requests in one transaction. -1: none could be stored, and all were
 * refused.
 */
static int runs_turn(struct runs *runs, struct run_request_list *work, struct err *err)
{
	struct history *history = runs->history;
	struct run_request *request;
	int is_open = runs_begin(runs, err) == 0;

	while ((request = STAILQ_FIRST(work)) != NULL) {
		STAILQ_REMOVE_HEAD(work, link);
		if (is_open)
			history_request(history, request);
		else
			history_refuse(request, 1);
	}
	if (!is_open)
		return -1;
	history_due(history);
	return history_flush(history, err);
}

/* Refuses what is queued. From here on runs_submit refuses requests itself. */
static void runs_close_locked(struct runs *runs, int is_broken)
{
	struct run_request_list left = STAILQ_HEAD_INITIALIZER(left);
	struct run_request *request;

	runs->closed = 1;
	STAILQ_CONCAT(&left, &runs->queue);
	pthread_mutex_unlock(&runs->lock);
	while ((request = STAILQ_FIRST(&left)) != NULL) {
		STAILQ_REMOVE_HEAD(&left, link);
		history_refuse(request, is_broken);
	}
	pthread_mutex_lock(&runs->lock);
}

static void *runs_main(void *arg)
{
	struct runs *runs = arg;
	struct err err = { 0 };
	int is_broken = 0;

	/* on Linux this affects the calling thread only; failure is harmless */
	setpriority(PRIO_PROCESS, (id_t)gettid(), RUNS_NICE);
	pthread_mutex_lock(&runs->lock);
	while (!is_broken && !(runs->stopping && STAILQ_EMPTY(&runs->queue))) {
		struct run_request_list work = STAILQ_HEAD_INITIALIZER(work);

		if (STAILQ_EMPTY(&runs->queue))
			runs_wait_locked(runs);
		STAILQ_CONCAT(&work, &runs->queue);
		pthread_mutex_unlock(&runs->lock);
		is_broken = runs_turn(runs, &work, &err) && store_broken(runs->config.store);
		pthread_mutex_lock(&runs->lock);
	}
	runs_close_locked(runs, is_broken);
	pthread_mutex_unlock(&runs->lock);
	return NULL;
}

/* ---- lifecycle -------------------------------------------------------------------------- */

static int thread_start(struct runs *runs, struct err *err)
{
	pthread_attr_t attr;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RUNS_STACK);
	rc = pthread_create(&runs->thread, &attr, runs_main, runs);
	pthread_attr_destroy(&attr);
	if (rc)
		return err_set_errno(err, rc, "cannot start the run history thread");
	runs->thread_runs = 1;
	return 0;
}

int runs_new(const struct runs_config *config, struct runs **ret, struct err *err)
{
	struct runs *runs = xcalloc(1, sizeof(*runs));
	pthread_condattr_t attr;

	runs->config = *config;
	STAILQ_INIT(&runs->queue);
	pthread_mutex_init(&runs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&runs->arrived, &attr);
	pthread_condattr_destroy(&attr);
	if (config->store) {
		struct runs_config own = *config;

		own.on_broken = runs_set_broken;
		own.on_broken_arg = runs;
		runs->history = history_new(&own);
	} else {
		runs->closed = 1;
	}
	if (runs->history && thread_start(runs, err)) {
		runs_free(runs);
		return -1;
	}
	*ret = runs;
	return 0;
}

void runs_stop(struct runs *runs)
{
	if (!runs->thread_runs)
		return;
	pthread_mutex_lock(&runs->lock);
	runs->stopping = 1;
	pthread_cond_signal(&runs->arrived);
	pthread_mutex_unlock(&runs->lock);
	pthread_join(runs->thread, NULL);
	runs->thread_runs = 0;
}

void runs_free(struct runs *runs)
{
	if (!runs)
		return;
	runs_stop(runs);
	history_free(runs->history);
	store_close(runs->config.store);
	store_close(runs->config.leases);
	pthread_cond_destroy(&runs->arrived);
	pthread_mutex_destroy(&runs->lock);
	free(runs);
}
