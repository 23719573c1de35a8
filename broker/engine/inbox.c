/* SPDX-License-Identifier: MIT */
#include "engine/inbox.h"

#include <time.h>

void inbox_init(struct inbox *inbox)
{
	pthread_condattr_t attr;

	inbox_work_init(&inbox->work);
	pthread_mutex_init(&inbox->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&inbox->arrived, &attr);
	pthread_condattr_destroy(&attr);
}

void inbox_fini(struct inbox *inbox)
{
	pthread_cond_destroy(&inbox->arrived);
	pthread_mutex_destroy(&inbox->lock);
}

int inbox_put_request(struct inbox *inbox, struct engine_request *request)
{
	int closed;

	pthread_mutex_lock(&inbox->lock);
	closed = inbox->closed;
	if (!closed) {
		STAILQ_INSERT_TAIL(&inbox->work.requests, request, link);
		pthread_cond_signal(&inbox->arrived);
	}
	pthread_mutex_unlock(&inbox->lock);
	return closed ? -1 : 0;
}

void inbox_ask(struct inbox *inbox, struct pending_claim *pending)
{
	sem_init(&pending->answered, 0, 0);
	pthread_mutex_lock(&inbox->lock);
	STAILQ_INSERT_TAIL(&inbox->work.claims, pending, link);
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
	while (sem_wait(&pending->answered))
		;
	sem_destroy(&pending->answered);
}

void inbox_put_result(struct inbox *inbox, struct step *step)
{
	pthread_mutex_lock(&inbox->lock);
	STAILQ_INSERT_TAIL(&inbox->work.results, step, queued);
	pthread_cond_signal(&inbox->arrived);
	pthread_mutex_unlock(&inbox->lock);
}

void inbox_work_init(struct inbox_work *work)
{
	STAILQ_INIT(&work->requests);
	STAILQ_INIT(&work->claims);
	STAILQ_INIT(&work->results);
}

int inbox_work_is_empty(const struct inbox_work *work)
{
	return STAILQ_EMPTY(&work->requests) && STAILQ_EMPTY(&work->claims) &&
	       STAILQ_EMPTY(&work->results);
}

int inbox_has_work(struct inbox *inbox)
{
	int has_work;

	pthread_mutex_lock(&inbox->lock);
	has_work = !inbox_work_is_empty(&inbox->work);
	pthread_mutex_unlock(&inbox->lock);
	return has_work;
}

void inbox_work_take(struct inbox_work *from, struct inbox_work *to)
{
	inbox_work_init(to);
	STAILQ_CONCAT(&to->requests, &from->requests);
	STAILQ_CONCAT(&to->claims, &from->claims);
	STAILQ_CONCAT(&to->results, &from->results);
}

void inbox_return(struct inbox *inbox, struct inbox_work *work)
{
	struct inbox_work *now = &inbox->work;

	pthread_mutex_lock(&inbox->lock);
	STAILQ_CONCAT(&work->requests, &now->requests);
	STAILQ_CONCAT(&now->requests, &work->requests);
	STAILQ_CONCAT(&work->claims, &now->claims);
	STAILQ_CONCAT(&now->claims, &work->claims);
	STAILQ_CONCAT(&work->results, &now->results);
	STAILQ_CONCAT(&now->results, &work->results);
	pthread_mutex_unlock(&inbox->lock);
}

/* An entry must not be used after sem_post: its worker's stack frame is gone. */
void inbox_claims_answer(struct pending_claim_list *list)
{
	struct pending_claim *pending;

	while ((pending = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		sem_post(&pending->answered);
	}
}

void inbox_claims_refuse(struct pending_claim_list *list)
{
	struct pending_claim *pending;

	while ((pending = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		pending->is_refused = 1;
		if (pending->claim) {
			pending->claim->result = -1;
			pending->claim->err = (struct err){ 0 };
			err_set(&pending->claim->err, ERR_REFUSED,
				"the account has moved to another lessord");
		}
		sem_post(&pending->answered);
	}
}
