/* SPDX-License-Identifier: MIT */
#include "engine/batch.h"

#include <limits.h>
#include <stdio.h>

#include "engine/moving.h"

/* While the store cannot be written: how long a request waits before it is answered 503. */
#define STORE_PATIENCE_MS 5000
/* Requests in one batch while the store lives on its reserve, which is for short transactions. */
#define REQUESTS_MOST_RESERVE 16

/* Decides and answers the claims; the barriers stay in the list until the commit. */
static void claims_take(struct core *core, struct inbox_work *work)
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

/*
 * Nothing of the batch has been applied: answers the requests that have waited long enough, and
 * leaves everything else for the next attempt. Steps wait for their claims, as for a slow disk.
 */
static void batch_postpone(struct batch *batch)
{
	int64_t now = env_mono_ms(batch->env);
	struct inbox_work *work = &batch->work;
	struct request_list late = STAILQ_HEAD_INITIALIZER(late);
	struct request_list keep = STAILQ_HEAD_INITIALIZER(keep);
	struct engine_request *request;

	while ((request = STAILQ_FIRST(&work->requests)) != NULL) {
		STAILQ_REMOVE_HEAD(&work->requests, link);
		if (batch->is_stopping || now - request->submitted_ms >= STORE_PATIENCE_MS)
			STAILQ_INSERT_TAIL(&late, request, link);
		else
			STAILQ_INSERT_TAIL(&keep, request, link);
	}
	STAILQ_CONCAT(&work->requests, &keep);
	inbox_return(batch->inbox, work);
	while ((request = STAILQ_FIRST(&late)) != NULL) {
		STAILQ_REMOVE_HEAD(&late, link);
		request->result = RESULT_UNAVAILABLE;
		snprintf(request->code, sizeof(request->code), "store_unavailable");
		snprintf(request->message, sizeof(request->message), "%s",
			 store_watch_message(batch->watch));
		request->done(request);
	}
	core_answer_overdue(batch->life->core);
}

/* Opens the transaction. 0; 1: not now, the batch is postponed; -1: the store is broken. */
static int batch_begin(struct batch *batch, struct err *err)
{
	struct core *core = batch->life->core;
	struct engine_request *request;
	int rc;

	STAILQ_FOREACH(request, &batch->work.requests, link)
		core_prefetch(core, request);
	rc = core_begin_locked(core, err);
	store_watch_note(batch->watch, core_store(core));
	if (!rc)
		return 0;
	if (store_broken(core_store(core)))
		return -1;
	batch->is_postponed = 1;
	batch_postpone(batch);
	return 1;
}

/* Applies as many of the requests as fit, and leaves the rest for the next batch. */
static void requests_take(struct batch *batch)
{
	int most = store_watch_state(batch->watch) == STORE_RESERVE ? REQUESTS_MOST_RESERVE :
								      INT_MAX;
	struct inbox_work rest;
	struct engine_request *request;

	while (most-- > 0 && (request = STAILQ_FIRST(&batch->work.requests)) != NULL) {
		STAILQ_REMOVE_HEAD(&batch->work.requests, link);
		core_request(batch->life->core, request);
	}
	if (STAILQ_EMPTY(&batch->work.requests))
		return;
	inbox_work_init(&rest);
	STAILQ_CONCAT(&rest.requests, &batch->work.requests);
	inbox_return(batch->inbox, &rest);
}

void batch_sort(struct batch *batch)
{
	struct pending_claim_list claims = STAILQ_HEAD_INITIALIZER(claims);
	struct pending_claim_list stale = STAILQ_HEAD_INITIALIZER(stale);
	struct step_list results = STAILQ_HEAD_INITIALIZER(results);
	struct pending_claim *pending;
	struct step *step;

	STAILQ_CONCAT(&claims, &batch->work.claims);
	while ((pending = STAILQ_FIRST(&claims)) != NULL) {
		STAILQ_REMOVE_HEAD(&claims, link);
		if (pending->life == batch->life)
			STAILQ_INSERT_TAIL(&batch->work.claims, pending, link);
		else
			STAILQ_INSERT_TAIL(&stale, pending, link);
	}
	inbox_claims_refuse(&stale);
	STAILQ_CONCAT(&results, &batch->work.results);
	while ((step = STAILQ_FIRST(&results)) != NULL) {
		STAILQ_REMOVE_HEAD(&results, queued);
		if (life_of(step) == batch->life)
			STAILQ_INSERT_TAIL(&batch->work.results, step, queued);
		else
			life_step_back(step);
	}
}

void batch_refuse(struct batch *batch)
{
	struct engine_request *request;

	batch->life = NULL;
	batch_sort(batch);
	while ((request = STAILQ_FIRST(&batch->work.requests)) != NULL) {
		STAILQ_REMOVE_HEAD(&batch->work.requests, link);
		moving_answer(request);
	}
}

int batch_run(struct batch *batch, struct err *err)
{
	struct core *core = batch->life->core;
	int is_idle = inbox_work_is_empty(&batch->work) && !batch->hurry;
	struct step *step;
	int rc;

	life_gap(batch->life);
	rc = batch_begin(batch, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	life_credit(batch->life);
	claims_take(core, &batch->work);
	while ((step = STAILQ_FIRST(&batch->work.results)) != NULL) {
		STAILQ_REMOVE_HEAD(&batch->work.results, queued);
		/* batch_sort has left those of this life. */
		life_step_back(step);
		core_step_done(core, step);
	}
	requests_take(batch);
	core_hurry(core, batch->hurry);
	core_due(core);
	if (is_idle)
		core_history_due(core);
	life_tell(batch->life);
	batch->is_open = batch->may_wait && STAILQ_EMPTY(&batch->work.claims) &&
			 !core_must_flush(core);
	/* What has arrived meanwhile need not wait for two commits. */
	if (is_idle && core_history_is_open(core) && inbox_has_work(batch->inbox))
		batch->is_open = 1;
	if (batch->is_open)
		return 0;
	if (core_flush(core, err))
		return -1;
	inbox_claims_answer(&batch->work.claims);
	return 0;
}
