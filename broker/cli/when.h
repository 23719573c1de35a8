/* SPDX-License-Identifier: MIT */
/* Durations as users write them, times as responses contain them, and waiting. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/time.h"

#define WHEN_TEXT_SIZE 40

/* A duration (util/duration.h) of whole seconds, from 1s to 366d. */
int when_parse_seconds(const char *text, int64_t *ret_seconds, struct err *err);

/* "in 29m 3s", "3m 10s ago", "now"; "" if `text` is NULL or not an RFC 3339 time. */
void when_write_distance(const char *text, int64_t now_ms, char out[WHEN_TEXT_SIZE]);
/* The same without the seconds, from a minute on: "in 29m", "3m ago". */
void when_write_minutes(const char *text, int64_t now_ms, char out[WHEN_TEXT_SIZE]);

/* How long ago it was, "3d 2h"; "" likewise. */
void when_write_length(const char *text, int64_t now_ms, char out[WHEN_TEXT_SIZE]);
/*
 * A point in the past as users write it, as a response would contain it: a duration before now,
 * a date (its beginning, UTC) or a time (RFC 3339). 0, or -1.
 */
int when_parse_since(const char *text, int64_t now_ms, char out[TIME_TEXT_ROOM], struct err *err);

int64_t when_wall_ms(void); /* since 1970 */
int64_t when_mono_ms(void);
/* Waits before the next of `polls` + 1 polls: not long at first, then a second. */
void when_sleep_poll(int polls);
/* Returns early after a signal (interrupt_pending). */
void when_sleep(int64_t ms);
