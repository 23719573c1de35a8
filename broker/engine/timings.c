/* SPDX-License-Identifier: MIT */
#include "engine/timings.h"

#include <stdlib.h>

#include "util/alloc.h"
#include "util/text.h"

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

static void batch_add(struct timings_batch *batch, struct histogram_set *set, const struct lease *l,
		      int64_t us)
{
	struct timings_one *one;

	batch->items = xgrow(batch->items, batch->count, sizeof(*batch->items));
	one = &batch->items[batch->count++];
	one->set = set;
	one->us = us;
	TEXT_SET(one->account, l->account);
	TEXT_SET(one->type, type_of(l));
}

void timings_follow(struct engine_timings *timings, struct timings_batch *batch,
		    const struct timings_mark *before, const struct lease *l, int64_t now_ms)
{
	if (!timings)
		return;
	if (!before->ready_ms && l->ready_ms)
		batch_add(batch, timings->ready, l, (now_ms - lease_begun_ms(l)) * 1000);
	if (before->cleanup != CLEANUP_DONE && l->cleanup == CLEANUP_DONE && l->cleanup_started_ms)
		batch_add(batch, timings->gone, l, (now_ms - l->cleanup_started_ms) * 1000);
}

void timings_batch_count(struct timings_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct timings_one *one = &batch->items[i];

		histogram_set_add(one->set, one->account, one->type, "", one->us);
	}
	batch->count = 0;
}

void timings_batch_forget(struct timings_batch *batch)
{
	batch->count = 0;
}

void timings_batch_fini(struct timings_batch *batch)
{
	free(batch->items);
}
