/* SPDX-License-Identifier: MIT */
/*
 * What other threads leave for the engine thread: requests, claims and results of steps, and
 * orders. One lock guards all of it. The engine thread takes everything at once.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <sys/queue.h>

#include "engine/engine.h"
#include "provider/step.h"

struct engine_life;

/* A claim or barrier of a worker; on the worker's stack until `answered` is posted. */
struct pending_claim {
	struct engine_life *life; /* that started the step */
	struct step *step;
	struct lease_claim *claim; /* NULL: a barrier, answered after the commit */
	int is_refused;		   /* a barrier: there is no commit */
	sem_t answered;
	STAILQ_ENTRY(pending_claim) link;
};

STAILQ_HEAD(pending_claim_list, pending_claim);

struct inbox_work {
	struct request_list requests;
	struct pending_claim_list claims;
	struct step_list results;
};

struct inbox_orders {
	struct engine_limits limits;
	int limits_changed;
	unsigned hurry; /* how many waiting requests to answer early */
	int reload;	/* a reload of the provider files is requested */
	int seek;	/* somebody waits for an owner of the accounts */
	int stopping;	/* draining is requested */
	int cancel;	/* cancelling the running steps is requested, too */
};

struct inbox {
	pthread_mutex_t lock; /* guards the following */
	pthread_cond_t arrived;
	struct inbox_work work;
	struct inbox_orders orders;
	int closed; /* the thread has ended: no request is accepted */
};

void inbox_init(struct inbox *inbox);
void inbox_fini(struct inbox *inbox);

/* ---- any thread ---- */

/* -1: it is closed. */
int inbox_put_request(struct inbox *inbox, struct engine_request *request);
/* On a worker's thread: returns when the claim, or barrier, is answered. */
void inbox_ask(struct inbox *inbox, struct pending_claim *pending);
void inbox_put_result(struct inbox *inbox, struct step *step);

/* ---- the engine thread ---- */

void inbox_work_init(struct inbox_work *work);
int inbox_work_is_empty(const struct inbox_work *work);
/* Has something arrived? Takes the lock. */
int inbox_has_work(struct inbox *inbox);
/* Moves the lists. An STAILQ head cannot be copied: it holds a pointer into itself. */
void inbox_work_take(struct inbox_work *from, struct inbox_work *to);
/* Puts `work` back in front of what has arrived since. Takes the lock. */
void inbox_return(struct inbox *inbox, struct inbox_work *work);
/* Answers the barriers of the list: all claims before them are durable. */
void inbox_claims_answer(struct pending_claim_list *list);
/* Refuses the claims and barriers of the list, because the account is not ours. */
void inbox_claims_refuse(struct pending_claim_list *list);
