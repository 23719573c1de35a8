/* SPDX-License-Identifier: MIT */
/*
 * observe: one operation for all leases of an account that wait for their servers. Each has an
 * operation of its own, a part, and its step ends as if its provision had run. The observer
 * sends the requests, which form the record of each lease: enough to show a resource but, like
 * any coalesced response, not enough for a permit or an absence.
 */
#include "provider/operation.h"

#include <string.h>

void operation_observe_begin(struct operation *op)
{
	struct step *step = op->step;

	op->parts = operation_alloc(op, step->waiting_count * sizeof(*op->parts));
	op->waiting = operation_alloc(op, step->waiting_count * sizeof(*op->waiting));
	for (size_t i = 0; i < step->waiting_count; i++) {
		struct step *part = step->waiting[i];

		part->claim = step->claim;
		part->claim_arg = step->claim_arg;
		part->barrier = step->barrier;
		part->deadline_ms = step->deadline_ms;
		part->clock_by_ms = step->clock_by_ms;
		part->is_by_mono = step->is_by_mono;
		operation_init(&op->parts[i], part);
		op->parts[i].observer = op;
		op->waiting[i] = (struct lessor_waiting){
			.size = sizeof(op->waiting[i]),
			.call = &op->parts[i].base,
			.lease = operation_lease(&op->parts[i]),
		};
	}
}

/* Nothing was reported for the lease, not even something invalid. */
static int part_is_unreported(const struct operation *part, int verdict)
{
	return !verdict && !part->verdict && !part->violation[0];
}

void operation_observe_end(struct operation *op)
{
	struct step *step = op->step;

	for (size_t i = 0; i < step->waiting_count; i++) {
		struct operation *part = &op->parts[i];
		int verdict = op->waiting[i].verdict;

		part->step->is_unobserved = part_is_unreported(part, verdict);
		if (!part->step->is_unobserved)
			operation_conclude(part, verdict);
		operation_fini(part);
	}
}
