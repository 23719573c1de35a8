/* SPDX-License-Identifier: MIT */
/* Points in time as text. Pure: nothing here reads a clock. Any thread. */
#pragma once

#include <stdint.h>

#define TIME_TEXT_ROOM 25
#define TIME_MS_MAX INT64_C(253402300799999)	/* 9999-12-31T23:59:59.999Z */

/*
 * RFC 3339 in UTC with milliseconds, "2026-08-21T10:00:00.000Z". A time before
 * 1970 or after the year 9999 is written as the nearest that is not.
 */
void time_format(int64_t ms, char out[TIME_TEXT_ROOM]);
/*
 * RFC 3339, any offset; fractions beyond milliseconds are cut, a leap second is
 * the second after. 0, or -1 for anything else and for times time_format cannot
 * write; then *ret_ms is unchanged.
 */
int time_parse(const char *text, int64_t *ret_ms);
