/* SPDX-License-Identifier: MIT */
/* Points in time as text. Pure: nothing here reads a clock. Any thread. */
#pragma once

#include <stdint.h>

#define TIME_TEXT_ROOM 25
#define TIME_MS_MAX INT64_C(253402300799999)	/* 9999-12-31T23:59:59.999Z */

/*
 * RFC 3339 in UTC with milliseconds, "2026-08-21T10:00:00.000Z". Times before 1970 and after
 * 9999 are clamped.
 */
void time_format(int64_t ms, char out[TIME_TEXT_ROOM]);
/*
 * RFC 3339 with any offset. Fractions are truncated to milliseconds; a leap second is the
 * following second. 0, or -1 for anything else and for times that time_format cannot write;
 * then *ret_ms is unchanged.
 */
int time_parse(const char *text, int64_t *ret_ms);
