/* SPDX-License-Identifier: MIT */
/* Exponential backoff with jitter. Pure: the randomness is passed in. */
#pragma once

#include <stdint.h>

/*
 * The wait in ms after `tries` (>= 1) consecutive failures: random, between half and all of
 * base * 2^(tries-1), capped, and never less than `floor_ms` (requested by the provider).
 */
int64_t backoff_ms(int tries, int64_t base_ms, int64_t cap_ms, int64_t floor_ms, uint32_t random);
