/* SPDX-License-Identifier: MIT */
/*
 * How long the engine's work and its leases take, for the metrics: one for all engines of a fleet.
 * The sets may be read by any thread (util/histogram.h); the functions are the engine threads'.
 * They count since the start of the process, and what is committed by this process only.
 */
#pragma once

#include "lease/lease.h"
#include "util/histogram.h"

/* Leases are counted by account and server type, up to so many pairs; then the type is "other". */
#define TIMINGS_LEASES_MOST 64

struct engine_timings {
	struct histogram_set *rounds, *commits;
	struct histogram_set *ready; /* from the create, or the admission, to the machine's readiness */
	struct histogram_set *gone; /* from when a cleanup became due to its proven end */
};

struct engine_timings *timings_new(void);
void timings_free(struct engine_timings *timings); /* NULL is allowed */

/* What a batch has to count, once it is committed. */
struct timings_batch {
	struct timings_one {
		struct histogram_set *set;
		char account[32], type[64];
		int64_t us;
	} * items;
	size_t count;
};
void timings_batch_count(struct timings_batch *batch);	/* after the commit; empties it */
void timings_batch_forget(struct timings_batch *batch); /* it failed */
void timings_batch_fini(struct timings_batch *batch);

/* What of a lease is compared. */
struct timings_mark {
	int64_t ready_ms;
	enum lease_cleanup cleanup;
};
struct timings_mark timings_mark(const struct lease *l);
/* The lease has changed since the mark. NULL: nothing is counted. */
void timings_follow(struct engine_timings *timings, struct timings_batch *batch,
		    const struct timings_mark *before, const struct lease *l, int64_t now_ms);
