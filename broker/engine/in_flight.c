/* SPDX-License-Identifier: MIT */
/* The steps in flight, by lease. */
#include "engine/internal.h"

#include "util/alloc.h"
#include "util/bug.h"

/* For a step that notices its deadline to return. */
#define OVERDUE_GRACE_MS 5000

static struct in_flight **bucket_of(struct core *core, int64_t n)
{
	return &core->in_flight[(uint64_t)n % IN_FLIGHT_BUCKETS];
}

void in_flight_add(struct core *core, int64_t n, struct step *step)
{
	struct in_flight **bucket = bucket_of(core, n);
	struct in_flight *running = xcalloc(1, sizeof(*running));

	BUG_ON(n && in_flight_find(core, n));
	running->n = n;
	running->step = step;
	running->overdue_mono_ms = env_mono_ms(core->env) + step->deadline_ms - core_now(core) +
				   OVERDUE_GRACE_MS;
	running->begun_ms = core_now(core);
	running->next = *bucket;
	*bucket = running;
	core->in_flight_count++;
}

struct in_flight *in_flight_find(struct core *core, int64_t n)
{
	struct in_flight *running = *bucket_of(core, n);

	while (running && running->n != n)
		running = running->next;
	return running;
}

/* Does a shared observation still have a lease that was not cancelled? */
static int is_wanted(const struct step *observation)
{
	for (size_t i = 0; i < observation->waiting_count; i++) {
		if (observation->waiting[i] && !atomic_load(&observation->waiting[i]->cancel))
			return 1;
	}
	return 0;
}

void in_flight_cancel(struct in_flight *running)
{
	struct step *observation = running->step->look;

	atomic_store(&running->step->cancel, 1);
	if (observation && !is_wanted(observation))
		atomic_store(&observation->cancel, 1);
}

struct in_flight in_flight_take(struct core *core, const struct step *step)
{
	struct in_flight **at = bucket_of(core, step->lease.n);
	struct in_flight taken, *found;

	while (*at && (*at)->step != step)
		at = &(*at)->next;
	BUG_ON(!*at);
	found = *at;
	taken = *found;
	taken.next = NULL;
	*at = found->next;
	free(found);
	core->in_flight_count--;
	return taken;
}

void in_flight_fini(struct core *core)
{
	for (size_t i = 0; i < IN_FLIGHT_BUCKETS; i++) {
		while (core->in_flight[i]) {
			struct in_flight *next = core->in_flight[i]->next;

			free(core->in_flight[i]);
			core->in_flight[i] = next;
		}
	}
}

int core_steps_running(const struct core *core)
{
	return (int)core->in_flight_count;
}

void core_cancel_steps(struct core *core)
{
	for (size_t i = 0; i < IN_FLIGHT_BUCKETS; i++) {
		for (struct in_flight *r = core->in_flight[i]; r; r = r->next)
			atomic_store(&r->step->cancel, 1);
	}
}
