/* SPDX-License-Identifier: MIT */
/*
 * observe: one operation for the leases of an account that wait for their servers. Each has
 * a call of its own, and its step ends as if its provision had run. The requests are those of
 * the operation's call: they are the record of each lease, good for "it was shown" and, as any
 * answer that is shared, for no permit and no absence.
 */
#include "provider/call.h"

#include <string.h>

void call_observe_begin(struct call *call)
{
	struct step *step = call->step;

	call->parts = call_alloc(call, step->waiting_count * sizeof(*call->parts));
	call->waiting = call_alloc(call, step->waiting_count * sizeof(*call->waiting));
	for (size_t i = 0; i < step->waiting_count; i++) {
		struct step *part = step->waiting[i];

		part->claim = step->claim;
		part->claim_arg = step->claim_arg;
		part->barrier = step->barrier;
		part->deadline_ms = step->deadline_ms;
		call_init(&call->parts[i], part);
		call->parts[i].look = call;
		call->waiting[i] = (struct lessor_waiting){
			.size = sizeof(call->waiting[i]),
			.call = &call->parts[i].base,
			.lease = call_lease(&call->parts[i]),
		};
	}
}

/* Nothing was reported of the lease: not even something that may not be. */
static int is_untold(const struct call *part, int verdict)
{
	return !verdict && !part->said && !part->violation[0];
}

void call_observe_end(struct call *call)
{
	struct step *step = call->step;

	for (size_t i = 0; i < step->waiting_count; i++) {
		struct call *part = &call->parts[i];
		int verdict = call->waiting[i].verdict;

		part->step->is_unobserved = is_untold(part, verdict);
		if (!part->step->is_unobserved)
			call_conclude(part, verdict);
		call_fini(part);
	}
}
