/* SPDX-License-Identifier: MIT */
#include "schedule/clock.h"

int64_t clock_observe(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms)
{
	int64_t offset = wall_ms - mono_ms;
	int64_t by = watch->is_known ? offset - watch->offset_ms : 0;

	watch->is_known = 1;
	watch->offset_ms = offset;
	if (by <= CLOCK_JUMP_MS && by >= -CLOCK_JUMP_MS)
		return 0;
	watch->suspect_until_mono_ms = mono_ms + CLOCK_AGREE_MS;
	return by;
}

int clock_is_suspect(const struct clock_watch *watch, int64_t mono_ms)
{
	return watch->suspect_until_mono_ms > mono_ms;
}
