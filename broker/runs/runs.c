/* SPDX-License-Identifier: MIT */
/*
 * The thread of run history: a queue in front of history.c. One mutex guards the queue and the
 * flags; everything else belongs to the thread.
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
/* On a busy machine a log waits, and a heartbeat does not. */
#define RUNS_NICE 10
/* The wall clock may have been set meanwhile: what is due is looked at this often at least. */
#define SLEEP_MOST_MS (10 * 60 * 1000)

struct runs {
	struct runs_config config;
	struct history *history;	/* NULL: there is no store */
	pthread_t thread;
	int thread_runs;
	atomic_int is_broken;

	pthread_mutex_t lock;	/* guards the following */
	pthread_cond_t arrived;
	struct run_request *queue, **queue_tail;
	int stopping;
	int closed;		/* nothing is taken any more: requests are refused at once */
};

void runs_submit(struct runs *runs, struct run_request *request)
{
	int closed;

	request->next = NULL;
	pthread_mutex_lock(&runs->lock);
	closed = runs->closed;
	if (!closed) {
		*runs->queue_tail = request;
		runs->queue_tail = &request->next;
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

/* Waits for a request, the next due time or the end; with the lock held. */
static void sleep_locked(struct runs *runs)
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

/* On the thread, before the first request is refused for it. */
static void broke(void *arg, const char *why)
{
	struct runs *runs = arg;

	atomic_store(&runs->is_broken, 1);
	runs->config.on_broken(runs->config.on_broken_arg, why);
}

/* All that was taken, in one transaction. -1: the store is broken, and all were refused. */
static int turn(struct runs *runs, struct run_request *work, struct err *err)
{
	struct history *history = runs->history;
	int is_open = history_begin(history, err) == 0;

	if (!is_open)
		broke(runs, err->text);
	while (work) {
		struct run_request *next = work->next;

		if (is_open)
			history_request(history, work);
		else
			history_refuse(work, 1);
		work = next;
	}
	if (!is_open)
		return -1;
	history_due(history);
	return history_flush(history, err);
}

static struct run_request *take_locked(struct runs *runs)
{
	struct run_request *work = runs->queue;

	runs->queue = NULL;
	runs->queue_tail = &runs->queue;
	return work;
}

/* From here on everything is refused, by whoever submits it. */
static void close_locked(struct runs *runs, int is_broken)
{
	struct run_request *left;

	runs->closed = 1;
	left = take_locked(runs);
	pthread_mutex_unlock(&runs->lock);
	while (left) {
		struct run_request *next = left->next;

		history_refuse(left, is_broken);
		left = next;
	}
	pthread_mutex_lock(&runs->lock);
}

static void *runs_main(void *arg)
{
	struct runs *runs = arg;
	struct err err = { 0 };
	int is_broken = 0;

	/* Linux: of this thread alone. Where it is not allowed, it is done without. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), RUNS_NICE);
	pthread_mutex_lock(&runs->lock);
	while (!is_broken && !(runs->stopping && !runs->queue)) {
		struct run_request *work;

		if (!runs->queue)
			sleep_locked(runs);
		work = take_locked(runs);
		pthread_mutex_unlock(&runs->lock);
		is_broken = turn(runs, work, &err) != 0;
		pthread_mutex_lock(&runs->lock);
	}
	close_locked(runs, is_broken);
	pthread_mutex_unlock(&runs->lock);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------- */

static int thread_start(struct runs *runs, struct err *err)
{
	pthread_attr_t attr;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RUNS_STACK);
	rc = pthread_create(&runs->thread, &attr, runs_main, runs);
	pthread_attr_destroy(&attr);
	if (rc)
		return err_set_errno(err, rc, "cannot start the thread of run history");
	runs->thread_runs = 1;
	return 0;
}

int runs_new(const struct runs_config *config, struct runs **ret, struct err *err)
{
	struct runs *runs = xcalloc(1, sizeof(*runs));
	pthread_condattr_t attr;

	runs->config = *config;
	runs->queue_tail = &runs->queue;
	pthread_mutex_init(&runs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&runs->arrived, &attr);
	pthread_condattr_destroy(&attr);
	if (config->store) {
		struct runs_config own = *config;

		own.on_broken = broke;
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
