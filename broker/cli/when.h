/* SPDX-License-Identifier: MIT */
/* Lengths of time and points in time, as people and the server write them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define WHEN_ROOM 40

/*
 * "90s", "30m", "2h", "1d", "1h30m". A bare number is refused, because nobody
 * agrees what it counts. Whole seconds, 1s to 366d.
 */
int when_parse_length(const char *text, int64_t *ret_seconds, struct err *err);

/* "in 29m 3s", "3m 10s ago"; "" if `text` is NULL or no time. */
void when_write_distance(const char *text, int64_t now_ms, char out[WHEN_ROOM]);

int64_t when_wall_ms(void);
int64_t when_mono_ms(void);
/* Returns early when interrupt_pending. */
void when_sleep(int64_t ms);
