/* SPDX-License-Identifier: MIT */
/* The heartbeats of a batch are written together: on PostgreSQL that is one statement. */
#include "engine/internal.h"

#include <stdlib.h>

#include "util/alloc.h"

void core_touch(struct core *core, int64_t n)
{
	if (core->touch_count == core->touch_room) {
		core->touch_room = core->touch_room ? 2 * core->touch_room : 64;
		core->touches = xrealloc(core->touches, core->touch_room * sizeof(*core->touches));
	}
	core->touches[core->touch_count++] = n;
}

int core_touches_write(struct core *core, struct err *err)
{
	auto_free int64_t *ms = NULL;
	size_t count = 0;
	int rc = 0;

	if (!core->touch_count)
		return 0;
	ms = xcalloc(core->touch_count, sizeof(*ms));
	for (size_t i = 0; i < core->touch_count && !rc; i++) {
		/* It is in memory: none is dropped before the commit. */
		struct lease_aggregate *a = core_lease(core, core->touches[i], err);

		rc = a ? 0 : -1;
		/* One that was touched twice is written once. */
		if (!a || a->lease.touched_ms == a->touched_written_ms)
			continue;
		a->touched_written_ms = a->lease.touched_ms;
		core->touches[count] = a->lease.n;
		ms[count++] = a->lease.touched_ms;
	}
	core->touch_count = 0;
	if (rc || store_touch_many(core->store, core->touches, ms, count, err)) {
		store_break(core->store);
		return -1;
	}
	return 0;
}
