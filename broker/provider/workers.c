/* SPDX-License-Identifier: MIT */
/*
 * Threads that run steps. A step has one owner at a time: the submitter, the queue, one
 * worker, then `done`. Nothing else is shared.
 */
#include "provider/step.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "util/alloc.h"
#include "util/bug.h"

/* Enough for TLS and a recursive JSON parser; untouched pages cost no memory. */
#define STACK_BYTES (1u << 20)
#define THREADS_MAX 256

/* `lock` guards the queue, `running` and `stopping`. */
struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, step) queue;
	int stopping;
	void (*done)(void *arg, struct step *step);
	void *arg;
	int count;
	struct worker {
		pthread_t thread;
		struct workers *workers;
		struct step *running;
	} *threads;
};

static void step_set_not_run(struct step *step)
{
	step->verdict = LESSOR_RETRY;
	step->error_class = LESSOR_CLASS_TRANSIENT;
	snprintf(step->reason, sizeof(step->reason), "not run: the broker is shutting down");
}

static struct step *queue_pop_locked(struct workers *workers)
{
	struct step *step = STAILQ_FIRST(&workers->queue);

	if (step)
		STAILQ_REMOVE_HEAD(&workers->queue, queued);
	return step;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		while (STAILQ_EMPTY(&workers->queue) && !workers->stopping)
			pthread_cond_wait(&workers->more, &workers->lock);
		if (workers->stopping)
			break;
		struct step *step = queue_pop_locked(workers);
		worker->running = step;
		pthread_mutex_unlock(&workers->lock);
		step_run(step);
		/* workers_free must not touch the step after this */
		pthread_mutex_lock(&workers->lock);
		worker->running = NULL;
		pthread_mutex_unlock(&workers->lock);
		workers->done(workers->arg, step);
		pthread_mutex_lock(&workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static int threads_start(struct workers *workers, int threads, struct err *err)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* only the main thread takes signals; threads inherit the mask */
	sigfillset(&all);
	for (size_t i = 0; i < BUG_SIGNALS; i++)
		sigdelset(&all, bug_signals[i].number);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (workers->count < threads && rc == 0) {
		struct worker *worker = &workers->threads[workers->count];
		worker->workers = workers;
		rc = pthread_create(&worker->thread, &attr, worker_main, worker);
		if (rc == 0)
			workers->count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc ? err_set_errno(err, rc, "cannot start a worker thread") : 0;
}

int workers_new(int threads, void (*done)(void *arg, struct step *step), void *arg,
		struct workers **ret, struct err *err)
{
	struct workers *workers;

	if (threads < 1 || threads > THREADS_MAX)
		return err_set(err, ERR_INVALID, "the number of workers must be 1 to %d",
			       THREADS_MAX);
	workers = xcalloc(1, sizeof(*workers));
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->more, NULL);
	STAILQ_INIT(&workers->queue);
	workers->done = done;
	workers->arg = arg;
	workers->threads = xcalloc((size_t)threads, sizeof(*workers->threads));
	if (threads_start(workers, threads, err)) {
		workers_free(workers);
		return -1;
	}
	*ret = workers;
	return 0;
}

void workers_submit(struct workers *workers, struct step *step)
{
	int stopping;

	pthread_mutex_lock(&workers->lock);
	stopping = workers->stopping;
	if (!stopping) {
		STAILQ_INSERT_TAIL(&workers->queue, step, queued);
		pthread_cond_signal(&workers->more);
	}
	pthread_mutex_unlock(&workers->lock);
	if (stopping) {
		step_set_not_run(step);
		workers->done(workers->arg, step);
	}
}

void workers_free(struct workers *workers)
{
	struct step *step;

	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = 1;
	for (int i = 0; i < workers->count; i++) {
		if (workers->threads[i].running)
			atomic_store(&workers->threads[i].running->cancel, 1);
	}
	pthread_cond_broadcast(&workers->more);
	pthread_mutex_unlock(&workers->lock);
	for (int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i].thread, NULL);
	while ((step = queue_pop_locked(workers)) != NULL) {
		step_set_not_run(step);
		workers->done(workers->arg, step);
	}
	pthread_cond_destroy(&workers->more);
	pthread_mutex_destroy(&workers->lock);
	free(workers->threads);
	free(workers);
}
