/* SPDX-License-Identifier: MIT */
#include "schedule/backoff.h"

#include <stddef.h>

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

/* Not all at the same moment, when a pause of the account is over. */
#define ASKED_JITTER_MS 1000

static int64_t next_asked(const struct next_try *next)
{
	int64_t most = next->asked_ms / 8 < ASKED_JITTER_MS ? next->asked_ms / 8 : ASKED_JITTER_MS;

	if (next->asked_ms <= 0)
		return 0;
	return next->asked_ms +
	       (next->is_asked_exact ? (int64_t)(next->random % (uint64_t)(most + 1)) : 0);
}

int64_t next_try_ms(const struct next_try *next)
{
	int64_t cap = next->cap_ms;
	int64_t due, asked = next->now_ms + next_asked(next);

	if (next->is_asked_exact && next->asked_ms > 0 && cap > BACKOFF_LATE_MS)
		cap = BACKOFF_LATE_MS;
	due = next->now_ms + backoff_ms(next->tries, next->base_ms, cap, 0, next->random);
	for (size_t i = 0; i < sizeof(next->ends_ms) / sizeof(next->ends_ms[0]); i++) {
		if (next->ends_ms[i] > next->now_ms && next->ends_ms[i] < due)
			due = next->ends_ms[i];
	}
	return due > asked ? due : asked;
}
