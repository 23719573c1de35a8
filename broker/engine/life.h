/* SPDX-License-Identifier: MIT */
/*
 * A life of an engine, one period of ownership: a store, a core loaded from it, and the steps that
 * the core has started. What a step claims and how it ends goes to the inbox of the engine, with
 * the life that the step belongs to. Where accounts can be lost (ownership.h), a life ends before
 * the process does: its core is freed at once, and what its steps still claim or report is refused.
 * The life itself is freed when the last of them has returned.
 *
 * Engine thread, except where it says otherwise.
 */
#pragma once

#include "engine/core.h"
#include "engine/inbox.h"
#include "engine/ownership.h"

/* What all lives of an engine share. */
struct life_parts {
	struct engine_config config; /* of the next life; `store` is the life's */
	struct inbox *inbox;
	struct workers **workers; /* one pool for each account of `config` */
	_Atomic uint64_t *queue_version;
	int out; /* steps of all lives that are with the workers */
};

struct engine_life {
	struct life_parts *parts;
	struct store *store;
	struct core *core;	    /* NULL: the life is over */
	int out;		    /* its steps that are with the workers */
	int64_t gaps_ms;	    /* in which nobody served, as far as the core was told */
	struct shard_standing told; /* of the account */
};

/* Loads a core from the store, which it owns from now on, also if that fails (-1). */
int life_begin(struct life_parts *parts, struct store *store, struct engine_life **ret,
	       struct err *err);
/*
 * Answers everything that the core holds with `account_moving` and drops it, with the store. The
 * life must not be used afterwards. `yield`: the accounts are given up, if they are not lost.
 */
void life_end(struct engine_life *life, int yield);
/* Drops the core and the store at a shutdown. No step is with the workers. */
void life_free(struct engine_life *life);

/* A step has come back from the workers. Steps of a life that is over are freed: 1. */
int life_step_back(struct step *step);
/* The life that the step belongs to. */
struct engine_life *life_of(const struct step *step);

/* ---- ownership; without one: owned without end ---- */

/* Of the claim; 0: there was none. */
int64_t life_epoch(const struct engine_life *life);
/* In how many ms must it be renewed? INT64_MAX: never. */
int64_t life_renew_in(const struct engine_life *life);
/* Renews if it is time. -1: the store is broken. */
int life_renew(struct engine_life *life, struct err *err);
/* Before each batch: tells the core of the gaps in which nobody served its leases. */
void life_gap(struct engine_life *life);
/*
 * In a transaction, before anything is decided in it: tells the core how long it may let leases end,
 * and credits them with the gaps that it was told of, if there were any; which is recorded with
 * the last of them, so that the next owner credits them if this one dies before.
 */
void life_credit(struct engine_life *life);
/* In a transaction, at its end: tells those who do not own the account if it stands otherwise. */
void life_tell(struct engine_life *life);
/* The store is broken: only because the accounts are lost? */
int life_is_lost(const struct engine_life *life);
