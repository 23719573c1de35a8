/* SPDX-License-Identifier: MIT */
/*
 * What the core can see. When blind, nothing ends: time in which nobody watched over the leases
 * does not count, and no lease ends by time after the moment up to which its owner may decide.
 */
#include "engine/internal.h"

#include <inttypes.h>

#include "util/log.h"

static int lease_gap(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	return core_apply(core, a, arg, NULL, err);
}

void core_gap(struct core *core, int64_t gap_ms)
{
	struct lease_event event = { .kind = LEASE_EVENT_GAP, .u.gap_ms = gap_ms };

	if (gap_ms <= 0)
		return;
	log_notice(NULL,
		   "nobody watched over the leases for %" PRId64 " ms: that time does not count",
		   gap_ms);
	/* A failed write marks the store broken; the commit then fails. */
	core_lease_each(core, (struct store_list){ .state = LEASE_PROVISIONING, .cleanup = -1 },
			lease_gap, &event, NULL);
	core_lease_each(core, (struct store_list){ .state = LEASE_ACTIVE, .cleanup = -1 },
			lease_gap, &event, NULL);
}

void core_see_until(struct core *core, int64_t mono_ms)
{
	core->sees_until_mono_ms = mono_ms;
}
