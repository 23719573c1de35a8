/* SPDX-License-Identifier: MIT */
/*
 * An account's budget of provider calls: a token bucket that models the provider's own
 * (Hetzner: 3,600, refilled at one per second), corrected by its answers, with a share
 * reserved for the work that stops costs. Pure: time is passed in; no locking.
 *
 * In order of importance: deletes, look-ups of unknown outcomes, creates, polls, sweeps.
 * Each class may use the bucket only down to its own floor.
 */
#pragma once

#include <stdint.h>

enum budget_class {
	BUDGET_DELETE,	/* down to the last call */
	BUDGET_LOOKUP,	/* leaves 10 % */
	BUDGET_CREATE,	/* leaves 20 % */
	BUDGET_POLL,	/* leaves 25 % */
	BUDGET_SWEEP,	/* leaves 30 % */
};

struct budget {
	int64_t per_hour;	/* bucket size and refill per hour */
	int64_t milli;		/* calls left, in thousandths */
	int64_t at_ms;		/* monotonic time `milli` is true for */
	int64_t paused_until_ms;	/* monotonic; after a 429 */
	int64_t pause_ms;		/* last pause; doubles up to 60 s while 429s continue */
};

void budget_init(struct budget *b, int64_t per_hour, int64_t mono_ms);
/* Takes one call: 0, or how long to wait before trying again (ms, at least 1). */
int64_t budget_take(struct budget *b, enum budget_class cls, int64_t mono_ms);
/*
 * RateLimit-Limit and RateLimit-Remaining of an answer; -1 if absent. Implausible values are
 * ignored.
 */
void budget_observe(struct budget *b, int64_t limit, int64_t remaining, int64_t mono_ms);
/*
 * A 429 was received: no calls until the pause is over, not even deletes. How many are left
 * afterwards is up to budget_observe; a 429 without figures does not empty the bucket.
 * `retry_after_ms`: -1 if absent; clamped to 1 s .. 1 h. Returns the pause. `jitter` is
 * random.
 */
int64_t budget_refused(struct budget *b, int64_t retry_after_ms, uint32_t jitter, int64_t mono_ms);
/* What is left of the pause, ms; 0: no pause. */
int64_t budget_paused(const struct budget *b, int64_t mono_ms);
/* Restores a pause from before a restart: no calls for `ms`, at most 1 h. */
void budget_pause(struct budget *b, int64_t ms, int64_t mono_ms);
/* An answer other than 429 was received: the next pause starts small again. */
void budget_accepted(struct budget *b);
