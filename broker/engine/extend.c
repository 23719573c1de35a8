/* SPDX-License-Identifier: MIT */
/* Requests to extend the time of a lease. */
#include "engine/internal.h"

int core_request_extend(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_EXTEND,
		.u.extension = { .ttl_ms = r->extend_ttl_ms, .idle_ms = r->extend_idle_ms },
	};
	struct lease_aggregate *a = request_find_lease(core, r);
	struct lease_effects out;

	if (!a)
		return 0;
	if (core_apply(core, a, &event, &out, err))
		return -1;
	if (out.refusal)
		request_refuse(r, out.refusal);
	else
		r->result = RESULT_OK;
	core_fill_answer(r, a);
	return 0;
}
