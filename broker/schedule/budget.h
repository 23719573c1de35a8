/* SPDX-License-Identifier: MIT */
/*
 * An account's budget of provider calls: a token bucket that models the provider's own
 * (Hetzner: 3,600, refilled at one per second), corrected by its answers, with a share
 * reserved for the work that stops costs. Pure: time is passed in; no locking.
 *
 * In order of importance: deletes, look-ups of unknown outcomes, creates, polls, sweeps.
 * Each class may use the bucket only down to its own floor. The floors limit what is begun: a
 * look-up or a poll, which work that has begun waits for, gets some calls now and then as long as
 * there are any, and a create gets one as long as there are those of look-ups. What the provider
 * says last counts, up as well as down: after a pause that it asked for, one call is sent whatever
 * the bucket holds, and its answer says what is left.
 */
#pragma once

#include <stdint.h>

enum budget_class {
	BUDGET_DELETE, /* down to the last call */
	BUDGET_LOOKUP, /* leaves 10 % */
	BUDGET_CREATE, /* leaves 20 % */
	BUDGET_POLL,   /* leaves 25 % */
	BUDGET_SWEEP,  /* leaves 30 % */
	BUDGET_CLASSES
};

struct budget {
	int64_t per_hour;	/* bucket size and refill per hour */
	/*
	 * Set by the owner after budget_init: `per_hour` is a share of the provider's limit, so
	 * what the provider has left may lower the bucket, and never fill it.
	 */
	int is_share;
	int64_t milli;		/* calls left, in thousandths */
	int64_t at_ms;		/* monotonic time `milli` is true for */
	int64_t paused_until_ms;	/* monotonic; after a 429 */
	int64_t pause_ms;		/* last pause; doubles up to 60 s while 429s continue */
	int has_trial;			/* the pause was the provider's own: one call after it */
	int64_t taken_ms[BUDGET_CLASSES]; /* monotonic, when each was last granted */
	int burst_left[BUDGET_CLASSES];	  /* calls left of a look that began below its floor */
};

void budget_init(struct budget *b, int64_t per_hour, int64_t mono_ms);
/*
 * Takes one call: 0, or how long to wait before trying again (ms, at least 1, and after a pause
 * never longer than BUDGET_WAIT_MOST_MS, since the figures may be better by then).
 */
#define BUDGET_WAIT_MOST_MS 30000
int64_t budget_take(struct budget *b, enum budget_class cls, int64_t mono_ms);
/* The same without taking one: what budget_take would return after `ahead` other calls. */
int64_t budget_wait_ms(const struct budget *b, enum budget_class cls, int ahead, int64_t mono_ms);
/*
 * RateLimit-Limit and RateLimit-Remaining of an answer; -1 if absent. Implausible values are
 * ignored.
 */
void budget_observe(struct budget *b, int64_t limit, int64_t remaining, int64_t mono_ms);
/*
 * A 429 was received: no calls until the pause is over, not even deletes. How many are left
 * afterwards is up to budget_observe; a 429 without figures does not empty the bucket.
 * `retry_after_ms`: -1 if absent; clamped to 1 s .. 1 h; the newest one counts, also if it is
 * shorter. Returns the pause. `jitter` is random.
 */
int64_t budget_refused(struct budget *b, int64_t retry_after_ms, uint32_t jitter, int64_t mono_ms);
/* What is left of the pause, ms; 0: no pause. */
int64_t budget_paused(const struct budget *b, int64_t mono_ms);
/* Restores a pause from before a restart: no calls for `ms`, at most 1 h. */
void budget_pause(struct budget *b, int64_t ms, int64_t mono_ms);
/* An answer other than 429 was received: the next pause starts small again. */
void budget_accepted(struct budget *b);
