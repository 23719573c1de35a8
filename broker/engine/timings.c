/* SPDX-License-Identifier: MIT */
#include "engine/timings.h"

#include <stdlib.h>

#include "util/alloc.h"

struct engine_timings *timings_new(void)
{
	struct engine_timings *timings = xcalloc(1, sizeof(*timings));

	timings->rounds = histogram_set_new(&histogram_quick, 1);
	timings->commits = histogram_set_new(&histogram_quick, 1);
	timings->ready = histogram_set_new(&histogram_slow, TIMINGS_LEASES_MOST);
	timings->gone = histogram_set_new(&histogram_slow, TIMINGS_LEASES_MOST);
	return timings;
}

void timings_free(struct engine_timings *timings)
{
	if (!timings)
		return;
	histogram_set_free(timings->rounds);
	histogram_set_free(timings->commits);
	histogram_set_free(timings->ready);
	histogram_set_free(timings->gone);
	free(timings);
}

struct timings_mark timings_mark(const struct lease *l)
{
	return (struct timings_mark){ .ready_ms = l->ready_ms, .cleanup = l->cleanup };
}

/* A lease that failed has no machine: then the type that was to be tried first. */
static const char *type_of(const struct lease *l)
{
	if (l->server_type[0] || !l->type_count)
		return l->server_type;
	return l->types[0];
}

void timings_follow(struct engine_timings *timings, const struct timings_mark *before,
		    const struct lease *l, int64_t now_ms)
{
	if (!timings)
		return;
	if (!before->ready_ms && l->ready_ms)
		histogram_set_add(timings->ready, l->account, type_of(l), "",
				  (now_ms - (l->admitted_ms ? l->admitted_ms : l->created_ms)) *
					  1000);
	if (before->cleanup != CLEANUP_DONE && l->cleanup == CLEANUP_DONE && l->cleanup_started_ms)
		histogram_set_add(timings->gone, l->account, type_of(l), "",
				  (now_ms - l->cleanup_started_ms) * 1000);
}
