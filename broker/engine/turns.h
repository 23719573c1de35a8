/* SPDX-License-Identifier: MIT */
/* The engine thread, for the files that implement it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engine/batch.h"

struct engine {
	struct life_parts parts;
	struct inbox inbox;
	struct store_watch watch;
	_Atomic uint64_t queue_version;
	pthread_t thread;
	int thread_runs;
	atomic_llong moved_ms; /* when the last turn ended, monotonic clock */
	atomic_int is_owner;   /* there is a life: */
	atomic_llong epoch, since_ms;

	/* the engine thread's */
	struct engine_life *life; /* NULL: the accounts are not ours */
	int is_open;		  /* the last turn left its transaction open */
	int is_postponed;	  /* the last turn could not write */
	int is_draining;
	int64_t claim_mono_ms; /* when to claim next, while there is no life */
	int64_t seek_mono_ms;  /* the same, if somebody waits for an owner */
	int64_t begun_mono_ms; /* of the life */
	int short_lives;       /* how many in a row were lost soon */
	char claim_error[200]; /* why the last claim failed; "": it did not */
};

/* A life begins with this store: -1, and the store is closed, if its core cannot be loaded. */
int engine_begin(struct engine *engine, struct store *store, struct err *err);
/* The thread's function; `arg` is the engine. */
void *turns_run(void *arg);
