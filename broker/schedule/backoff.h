/* SPDX-License-Identifier: MIT */
/* Exponential backoff with full jitter. Pure: the randomness is given. */
#pragma once

#include <stdint.h>

/*
 * The wait before try `tries` + 1 after `tries` failures in a row (>= 1): a
 * uniformly random part, but at least half, of base * 2^(tries-1), capped.
 * All in ms. Never less than `floor_ms` (what the provider asked for).
 */
int64_t backoff_ms(int tries, int64_t base_ms, int64_t cap_ms, int64_t floor_ms, uint32_t random);
