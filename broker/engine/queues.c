/* SPDX-License-Identifier: MIT */
/* Due times of leases, and the queues of leases that wait for a free place in their account. */
#include "engine/internal.h"

#include <stdlib.h>

#include "util/alloc.h"

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
	return store_due_each(core->store, core_now(core), due_add, core->due, err);
}

void queue_push(struct core_account *a, enum step_queue which, int64_t n)
{
	struct queued_lease *queued = xcalloc(1, sizeof(*queued));

	queued->n = n;
	STAILQ_INSERT_TAIL(&a->queues[which], queued, link);
}

int64_t queue_pop(struct core_account *a, enum step_queue which)
{
	struct queued_lease *queued = STAILQ_FIRST(&a->queues[which]);
	int64_t n;

	if (!queued)
		return 0;
	STAILQ_REMOVE_HEAD(&a->queues[which], link);
	n = queued->n;
	free(queued);
	return n;
}

void queue_lease_alone(struct core *core, struct core_account *a, const struct lease *l)
{
	/* Until its step has run, only the deadline is due. */
	heap_set(core->due, l->n, lease_deadline_ms(l));
	queue_push(a, QUEUE_OTHER, l->n);
}
