/* SPDX-License-Identifier: MIT */
/* Due times of leases, and the queues of leases that wait for a free place in their account. */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

void core_schedule(struct core *core, const struct lease *l)
{
	/* While a step runs, only the deadline is due; the step's result sets the next due time. */
	heap_set(core->due, l->n,
		 in_flight_find(core, l->n) ? lease_deadline_ms(l) :
					      lease_due_ms(l, core_now(core)));
}

static void due_add(void *arg, int64_t n, int64_t due_ms)
{
	heap_set(arg, n, due_ms);
}

int core_schedule_all(struct core *core, struct err *err)
{
	return store_due_each(core->store, core_only_account(core), core_now(core), due_add,
			      core->due, err);
}

static struct queued_owner *owner_find(const struct owner_queue *queue, const char *owner)
{
	struct queued_owner *o;

	STAILQ_FOREACH(o, queue, link) {
		if (strcmp(o->owner, owner) == 0)
			return o;
	}
	return NULL;
}

/*
 * What begins something goes in the order of its creation: a lease that comes back, because there
 * was no call left after all, has waited longer than those that came meanwhile.
 */
static void begin_insert(struct queued_owner *o, struct queued_lease *queued)
{
	struct queued_lease *before = TAILQ_LAST(&o->leases, queued_leases);

	while (before && before->n > queued->n)
		before = TAILQ_PREV(before, queued_leases, link);
	if (before)
		TAILQ_INSERT_AFTER(&o->leases, before, queued, link);
	else
		TAILQ_INSERT_HEAD(&o->leases, queued, link);
}

void queue_push(struct core_account *a, enum step_queue which, const struct lease *l)
{
	struct owner_queue *queue = &a->queues[which];
	struct queued_owner *o = owner_find(queue, l->owner);
	struct queued_lease *queued = xcalloc(1, sizeof(*queued));

	if (!o) {
		o = xcalloc(1, sizeof(*o));
		TEXT_SET(o->owner, l->owner);
		TAILQ_INIT(&o->leases);
		STAILQ_INSERT_TAIL(queue, o, link);
	}
	queued->n = l->n;
	if (which == QUEUE_BEGIN)
		begin_insert(o, queued);
	else
		TAILQ_INSERT_TAIL(&o->leases, queued, link);
}

int64_t queue_pop(struct core_account *a, enum step_queue which)
{
	struct owner_queue *queue = &a->queues[which];
	struct queued_owner *o = STAILQ_FIRST(queue);
	struct queued_lease *queued;
	int64_t n;

	if (!o)
		return 0;
	queued = TAILQ_FIRST(&o->leases);
	n = queued->n;
	TAILQ_REMOVE(&o->leases, queued, link);
	free(queued);
	/* To the end of the line, or out of it. */
	STAILQ_REMOVE_HEAD(queue, link);
	if (TAILQ_EMPTY(&o->leases))
		free(o);
	else
		STAILQ_INSERT_TAIL(queue, o, link);
	return n;
}

void queue_lease_alone(struct core *core, struct core_account *a, const struct lease *l)
{
	/* Until its step has run, only the deadline is due. */
	heap_set(core->due, l->n, lease_deadline_ms(l));
	queue_push(a, QUEUE_OTHER, l);
}
