/* SPDX-License-Identifier: MIT */
/*
 * A small world for run history: a virtual clock, and both files of a real store in a
 * temporary folder. One at a time.
 */
#pragma once

#include "runs/history.h"

struct past {
	char folder[64];
	char path[96];		/* of the leases' file */
	struct env env;
	int64_t now_ms;
	int64_t jumped_ms; /* how far the wall clock is ahead */
	uint32_t seed;
	int64_t keep_ms, stale_ms, bytes_max;
	struct store *leases; /* the writing connection; in the daemon the engine's */
	struct store *store;
	struct history *history;
};

void past_start(struct past *w, int64_t keep_ms, int64_t stale_ms, int64_t bytes_max);
void past_end(struct past *w);
/* Ends the process abruptly and starts another. */
void past_restart(struct past *w);
/* Runs history_due until nothing is due. */
void past_settle(struct past *w);
/* Advances the clock from due time to due time, by `ms` in total. */
void past_pass(struct past *w, int64_t ms);
/*
 * Runs a request in a turn of its own, as alice of acme unless it names a caller. Returns the
 * turn's result.
 */
int past_ask(struct past *w, struct run_request *r);
/* Adds a lease with that id and owner. */
void past_lease(struct past *w, const char *id, const char *owner);
