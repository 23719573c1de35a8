/* SPDX-License-Identifier: MIT */
#include "poll_estimate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hetzner.h"

#define KEEP_MS (6 * 60 * 60 * 1000)
#define LEAST_MS 1
#define POLL_PART 16	    /* the fraction of the poll interval by which the estimate shrinks */
#define MOST_MS (60 * 1000) /* a slow hour must not delay all later leases */

static int64_t estimate_clamp(int64_t ms)
{
	return ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

static int64_t estimate_load(struct lessor_call *call, const char *key)
{
	const char *text = lessor_cache_get(call, key);

	return text ? estimate_clamp(strtoll(text, NULL, 10)) : 0;
}

int64_t poll_estimate_first(struct lessor_call *call, const char *what, int64_t guess_ms)
{
	char key[96];
	int64_t known;

	snprintf(key, sizeof(key), "poll/%s", what);
	known = estimate_load(call, key);
	return known ? known : guess_ms;
}

void poll_estimate_learn(struct lessor_call *call, const char *what, int64_t took_ms,
			 unsigned int polls)
{
	int64_t step_ms = lessor_option_int(call, OPT_POLL) / POLL_PART;
	char key[96], text[24];
	int64_t known;

	snprintf(key, sizeof(key), "poll/%s", what);
	known = estimate_load(call, key);
	/*
	 * Finished at the first poll: a slightly shorter estimate may do, but only slightly,
	 * since each poll that is too early costs a request. Otherwise `took_ms` is an upper
	 * bound.
	 */
	if (polls <= 1 && known)
		known -= known / 128 > step_ms ? known / 128 : step_ms;
	else
		known = took_ms;
	snprintf(text, sizeof(text), "%" PRId64, estimate_clamp(known));
	lessor_cache_put(call, key, text, KEEP_MS);
}
