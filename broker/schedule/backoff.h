/* SPDX-License-Identifier: MIT */
/* Exponential backoff with jitter, and the time of the next try. Pure: randomness is passed in. */
#pragma once

#include <stdint.h>

/*
 * The wait in ms after `tries` (>= 1) consecutive failures: random, between half and all of
 * base * 2^(tries-1), capped, and never less than `floor_ms` (requested by the provider).
 */
int64_t backoff_ms(int tries, int64_t base_ms, int64_t cap_ms, int64_t floor_ms, uint32_t random);

/* What decides when something is tried again. Times are of one clock, in ms; 0: there is none. */
struct next_try {
	int64_t now_ms;
	int tries; /* consecutive failures, >= 1 */
	int64_t base_ms, cap_ms;
	int64_t asked_ms;   /* wait that the provider or the request budget asks for */
	int is_asked_exact; /* ... and that the backoff exceeds by BACKOFF_LATE_MS at most */
	/*
	 * When something can be concluded, or ends: the try is not later than the next of these,
	 * unless the provider asks for that. Ends that have passed do not count.
	 */
	int64_t ends_ms[3];
	uint32_t random;
};

#define BACKOFF_LATE_MS 5000

int64_t next_try_ms(const struct next_try *next);
