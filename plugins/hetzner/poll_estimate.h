/* SPDX-License-Identifier: MIT */
/*
 * When to poll an operation that takes time (a boot, a delete), learned from the lives before,
 * so that one poll suffices as a rule and comes soon after the operation has finished.
 *
 * Each life gives a sample: not yet finished at its last poll but one, finished at its last.
 * The last few samples are kept in the account's text cache, so a restart forgets them; the
 * next three lives or so then take some polls more. While nothing is known, the time between
 * two polls grows with the time that has passed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#define POLL_SAMPLES_MAX 8
#define POLL_ESTIMATE_ROOM (POLL_SAMPLES_MAX * 42 + 16)

/* Finished later than `after_ms` and not later than `by_ms`, counted from its begin. */
struct poll_sample {
	int64_t after_ms, by_ms;
};

struct poll_estimate {
	struct poll_sample samples[POLL_SAMPLES_MAX]; /* oldest first */
	size_t count;
	uint32_t confirmed; /* lives in a row that taught nothing new */
};

#define POLL_WHAT_ROOM 100

/* What is polled. */
struct poll_subject {
	char what[POLL_WHAT_ROOM]; /* the estimate's name: "boot/cx23/fsn1" */
	int64_t grain_ms;	   /* how much later than necessary a poll may come */
	int64_t guess_ms;	   /* when to poll first while nothing is known */
	int64_t longest_ms;	   /* between two polls of an operation that is late */
};

/* ---- pure ---- */

/*
 * The time of the next poll, after one at `elapsed_ms` that found it unfinished; 0: none yet.
 * All times are from the operation's begin.
 */
int64_t poll_estimate_next(const struct poll_estimate *e, const struct poll_subject *subject,
			   int64_t elapsed_ms);
/* When it is expected to have finished; 0 if nothing is known. */
int64_t poll_estimate_expected(const struct poll_estimate *e);
void poll_estimate_add(struct poll_estimate *e, const struct poll_subject *subject,
		       struct poll_sample sample);
/* Anything that poll_estimate_write did not write is read as an empty estimate. */
void poll_estimate_read(const char *text, struct poll_estimate *ret);
void poll_estimate_write(const struct poll_estimate *e, char ret[POLL_ESTIMATE_ROOM]);

/* ---- with the account's cache ---- */

void poll_estimate_load(struct lessor_call *call, const struct poll_subject *subject,
			struct poll_estimate *ret);
/* How long to wait from now; for the arguments see poll_estimate_next. */
int64_t poll_estimate_wait(struct lessor_call *call, const struct poll_subject *subject,
			   int64_t elapsed_ms);
void poll_estimate_learn(struct lessor_call *call, const struct poll_subject *subject,
			 struct poll_sample sample);
