/* SPDX-License-Identifier: MIT */
/*
 * Can the wall clock be trusted? Yes, as long as it advances with the monotonic clock. When
 * it jumps by more than 15 minutes against it, it was set, rightly or wrongly: it is suspect
 * until both have agreed for ten minutes. A jump while lessord is not running cannot be
 * detected. Pure.
 */
#pragma once

#include <stdint.h>

#define CLOCK_JUMP_MS (15 * 60 * 1000)
#define CLOCK_AGREE_MS (10 * 60 * 1000)

/* Zeroed before the first observation. */
struct clock_watch {
	int64_t offset_ms; /* wall clock minus monotonic clock, at the last observation */
	int64_t suspect_until_mono_ms;
	int is_known;
};

/*
 * By how much it has jumped since the last observation, ms; 0: no jump. Slow drift is
 * followed.
 */
int64_t clock_observe(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms);
int clock_is_suspect(const struct clock_watch *watch, int64_t mono_ms);
