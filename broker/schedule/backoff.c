/* SPDX-License-Identifier: MIT */
#include "schedule/backoff.h"

int64_t backoff_ms(int tries, int64_t base_ms, int64_t cap_ms, int64_t floor_ms, uint32_t random)
{
	int64_t top = base_ms > 0 ? base_ms : 1;
	int64_t wait;

	for (int i = 1; i < tries && top < cap_ms; i++)
		top *= 2;
	if (top > cap_ms)
		top = cap_ms;
	wait = top / 2 + (int64_t)((uint64_t)random % (uint64_t)(top - top / 2 + 1));
	return wait > floor_ms ? wait : floor_ms;
}
