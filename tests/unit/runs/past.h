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
	int64_t jumped_ms;	/* by how much the wall clock is ahead of what it should be */
	uint32_t seed;
	int64_t keep_ms, stale_ms, bytes_max;
	struct store *leases;	/* the writing one, the engine's in a daemon */
	struct store *store;
	struct history *history;
};

void past_start(struct past *w, int64_t keep_ms, int64_t stale_ms, int64_t bytes_max);
void past_end(struct past *w);
/* The process ends without another word, and another one begins. */
void past_restart(struct past *w);
/* What is due now, until nothing is. */
void past_settle(struct past *w);
/* Moves the clock from due time to due time, `ms` in all. */
void past_pass(struct past *w, int64_t ms);
/* In a turn of its own, as alice of acme unless the request says who asks. The turn's return. */
int past_ask(struct past *w, struct run_request *r);
/* The lease of some id and owner is there. */
void past_lease(struct past *w, const char *id, const char *owner);
