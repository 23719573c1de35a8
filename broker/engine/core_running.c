/* SPDX-License-Identifier: MIT */
/* The steps that are on their way, found by their lease. */
#include "engine/core_internal.h"

#include "util/alloc.h"
#include "util/bug.h"

static struct running **bucket_of(struct core *core, int64_t n)
{
	return &core->running[(uint64_t)n % RUNNING_BUCKETS];
}

void core_running_add(struct core *core, int64_t n, struct step *step)
{
	struct running **bucket = bucket_of(core, n);
	struct running *running = xcalloc(1, sizeof(*running));

	BUG_ON(n && core_running(core, n));
	running->n = n;
	running->step = step;
	running->next = *bucket;
	*bucket = running;
	core->running_count++;
}

struct running *core_running(struct core *core, int64_t n)
{
	struct running *running = *bucket_of(core, n);

	while (running && running->n != n)
		running = running->next;
	return running;
}

struct running core_running_take(struct core *core, const struct step *step)
{
	struct running **at = bucket_of(core, step->lease.n);
	struct running taken, *found;

	while (*at && (*at)->step != step)
		at = &(*at)->next;
	BUG_ON(!*at);
	found = *at;
	taken = *found;
	taken.next = NULL;
	*at = found->next;
	free(found);
	core->running_count--;
	return taken;
}

void core_running_fini(struct core *core)
{
	for (size_t i = 0; i < RUNNING_BUCKETS; i++) {
		while (core->running[i]) {
			struct running *next = core->running[i]->next;

			free(core->running[i]);
			core->running[i] = next;
		}
	}
}

int core_steps_running(const struct core *core)
{
	return (int)core->running_count;
}

void core_cancel_steps(struct core *core)
{
	for (size_t i = 0; i < RUNNING_BUCKETS; i++) {
		for (struct running *r = core->running[i]; r; r = r->next)
			atomic_store(&r->step->cancel, 1);
	}
}
