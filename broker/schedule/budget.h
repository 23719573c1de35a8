/* SPDX-License-Identifier: MIT */
/*
 * An account's budget of provider calls: a token bucket as the provider keeps
 * it (Hetzner: 3,600, refilled one a second), corrected by what its answers
 * say, with a share kept back for the work that stops costs. Pure: time is
 * given, nothing locks.
 *
 * Order of importance: deletes, look-ups of unknown outcomes, creates, polls,
 * sweeps. Each class may use the bucket only down to its own floor.
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
	int64_t pause_ms;	/* last pause, doubles to 60 s while 429s go on */
};

void budget_init(struct budget *b, int64_t per_hour, int64_t mono_ms);
/* Takes a call: 0, or how long to wait (ms, at least 1) before asking again. */
int64_t budget_take(struct budget *b, enum budget_class cls, int64_t mono_ms);
/* RateLimit-Limit and -Remaining of an answer; -1 where not said. Absurd values are ignored. */
void budget_observe(struct budget *b, int64_t limit, int64_t remaining, int64_t mono_ms);
/*
 * A 429 came: nothing before the pause is over, not even deletes. How much is left
 * afterwards is for budget_observe to say; a 429 without figures empties nothing. `retry_after_ms` -1
 * if not said; clamped to 1 s .. 1 h. Returns the pause. `jitter` is random.
 */
int64_t budget_refused(struct budget *b, int64_t retry_after_ms, uint32_t jitter, int64_t mono_ms);
/* How much of the pause is left, ms; 0: none. */
int64_t budget_paused(const struct budget *b, int64_t mono_ms);
/* Nothing for `ms` more, as a process before this one was told; at most 1 h of it is believed. */
void budget_pause(struct budget *b, int64_t ms, int64_t mono_ms);
/* An answer that was not a 429 came: the next pause starts small again. */
void budget_accepted(struct budget *b);
