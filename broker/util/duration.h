/* SPDX-License-Identifier: MIT */
/*
 * Durations as users write them: in the configuration, on both command lines and in the
 * options of plugins. There is no other parser. Pure; any thread.
 *
 *	duration = "0" | term { term }
 *	term     = digits unit
 *	unit     = "d" | "h" | "m" | "s" | "ms"
 *
 * Units go from large to small, each at most once: 90s, 1h30m, 2d12h, 250ms. A number may
 * exceed its unit (90m is 1h30m). There is no sign, fraction, space or capital letter, and
 * a number without a unit is refused unless it is exactly "0".
 */
#pragma once

#include <stdint.h>

#include "util/err.h"

#define DURATION_MAX_MS (INT64_C(36600) * 86400000) /* 100 years of 366 days */
#define DURATION_TEXT_SIZE 32

/*
 * 0 <= min_ms <= max_ms <= DURATION_MAX_MS. 0, or -1 if `text` is no duration, exceeds
 * DURATION_MAX_MS on the way, or is out of range; then *ret_ms is unchanged and the error
 * states the range and how to write a duration, but not what it is for.
 */
int duration_parse(const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms,
		   struct err *err);

/* Exact, in the largest unit that divides it: "90m", "1d", "1500ms"; "0". `ms` >= 0. */
void duration_format(int64_t ms, char out[DURATION_TEXT_SIZE]);
/* Rounded down to the two largest units, for display: "2d 3h", "5m 10s", "250ms", "-10s". */
void duration_summarize(int64_t ms, char out[DURATION_TEXT_SIZE]);
