/* SPDX-License-Identifier: MIT */
/* One mutex guards the queue and the flag; everything else belongs to the thread. */
#include "api/token_desk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"

#define DESK_STACK (256 * 1024)

STAILQ_HEAD(token_jobs, token_job);

struct token_desk {
	const struct env *env;
	char *target; /* secret: it may have a password in it */
	struct store *store;
	pthread_t thread;
	int has_thread;
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct token_jobs queue;
	int stopping;
};

static int uses_write(struct store *store, const struct token_job *job, struct err *err)
{
	if (store_begin(store, err) < 0)
		return -1;
	for (size_t i = 0; i < job->use_count; i++) {
		if (store_token_used(store, job->uses[i].id, job->uses[i].used_ms, err)) {
			store_rollback(store);
			return -1;
		}
	}
	return store_commit(store, err);
}

static int job_try(struct token_desk *desk, struct token_job *job)
{
	int rc;

	if (!desk->store && store_open_beside(desk->target, desk->env, &desk->store, &job->err) < 0)
		return -1;
	rc = job->use_count ?
		     uses_write(desk->store, job, &job->err) :
		     token_change_run(desk->store, &job->change, &job->is_unsure, &job->err);
	/* A connection that failed may be of no use: the next job begins with another. */
	if (rc) {
		store_close(desk->store);
		desk->store = NULL;
	}
	return rc;
}

static void job_run(struct token_desk *desk, struct token_job *job)
{
	/* Copied, since a try fills it in. */
	struct token_change change = job->change;
	int was_open = desk->store != NULL;

	job->has_failed = job_try(desk, job) != 0;
	/* The server may have closed the connection long ago. */
	if (job->has_failed && was_open && !job->is_unsure && job->err.kind != ERR_BUSY) {
		job->change = change;
		job->has_failed = job_try(desk, job) != 0;
	}
	job->done(job);
}

static void *desk_main(void *arg)
{
	struct token_desk *desk = arg;
	struct token_job *job;

	pthread_mutex_lock(&desk->lock);
	while ((job = STAILQ_FIRST(&desk->queue)) != NULL || !desk->stopping) {
		if (!job) {
			pthread_cond_wait(&desk->arrived, &desk->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&desk->queue, link);
		pthread_mutex_unlock(&desk->lock);
		job_run(desk, job);
		pthread_mutex_lock(&desk->lock);
	}
	pthread_mutex_unlock(&desk->lock);
	return NULL;
}

static int desk_start(struct token_desk *desk, struct err *err)
{
	pthread_attr_t attributes;
	int rc;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, DESK_STACK);
	rc = pthread_create(&desk->thread, &attributes, desk_main, desk);
	pthread_attr_destroy(&attributes);
	desk->has_thread = rc == 0;
	return rc ? err_set_errno(err, rc, "cannot create a thread for client tokens") : 0;
}

int token_desk_new(const char *store, const struct env *env, struct token_desk **ret,
		   struct err *err)
{
	struct token_desk *desk = xcalloc(1, sizeof(*desk));

	desk->env = env;
	desk->target = store ? xstrdup(store) : NULL;
	desk->stopping = !store;
	STAILQ_INIT(&desk->queue);
	pthread_mutex_init(&desk->lock, NULL);
	pthread_cond_init(&desk->arrived, NULL);
	if (store && desk_start(desk, err)) {
		token_desk_free(desk);
		return -1;
	}
	*ret = desk;
	return 0;
}

void token_desk_submit(struct token_desk *desk, struct token_job *job)
{
	int stopping;

	job->has_failed = job->is_unsure = 0;
	pthread_mutex_lock(&desk->lock);
	stopping = desk->stopping;
	if (!stopping) {
		STAILQ_INSERT_TAIL(&desk->queue, job, link);
		pthread_cond_signal(&desk->arrived);
	}
	pthread_mutex_unlock(&desk->lock);
	if (stopping) {
		job->has_failed = 1;
		err_set(&job->err, ERR_BUSY, "lessord is stopping");
		job->done(job);
	}
}

void token_desk_stop(struct token_desk *desk)
{
	if (!desk->has_thread)
		return;
	pthread_mutex_lock(&desk->lock);
	desk->stopping = 1;
	pthread_cond_signal(&desk->arrived);
	pthread_mutex_unlock(&desk->lock);
	pthread_join(desk->thread, NULL);
	desk->has_thread = 0;
}

void token_desk_free(struct token_desk *desk)
{
	if (!desk)
		return;
	token_desk_stop(desk);
	store_close(desk->store);
	pthread_cond_destroy(&desk->arrived);
	pthread_mutex_destroy(&desk->lock);
	if (desk->target)
		hash_wipe(desk->target, strlen(desk->target));
	free(desk->target);
	free(desk);
}
