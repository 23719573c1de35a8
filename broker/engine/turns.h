/* SPDX-License-Identifier: MIT */
/* The engine thread, for the files that implement it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engine/batch.h"

struct engine {
	struct engine_config config;
	struct engine_life life;
	struct inbox inbox;
	struct store_watch watch;
	int is_open;	  /* the last turn left its transaction open; engine thread only */
	int is_postponed; /* the last turn could not write; engine thread only */
	/* One pool per account, so that a provider that hangs blocks only its own account. */
	struct workers **workers;
	pthread_t thread;
	int thread_runs;
	atomic_llong moved_ms; /* when the last turn ended, monotonic clock */
};

/* The thread's function; `arg` is the engine. */
void *turns_run(void *arg);
