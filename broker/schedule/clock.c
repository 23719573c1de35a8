/* SPDX-License-Identifier: MIT */
#include "schedule/clock.h"

/* Stored times and headers may hold anything. */
static int64_t difference(int64_t a, int64_t b)
{
	int64_t d;

	return __builtin_sub_overflow(a, b, &d) ? (a > b ? INT64_MAX : INT64_MIN) : d;
}

int clock_is_near(int64_t at_ms, int64_t other_ms)
{
	int64_t by = difference(at_ms, other_ms);

	return by <= CLOCK_JUMP_MS && by >= -CLOCK_JUMP_MS;
}

static void clock_doubt(struct clock_watch *watch, int64_t mono_ms)
{
	watch->suspect_until_mono_ms = mono_ms + CLOCK_AGREE_MS;
	watch->is_doubted = 1;
	watch->is_continuous = 0;
}

int64_t clock_start(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms, int64_t stored_ms)
{
	int64_t away = stored_ms ? difference(wall_ms, stored_ms) : 0;

	*watch = (struct clock_watch){
		.offset_ms = wall_ms - mono_ms,
		.began_mono_ms = mono_ms,
		.since_ms = wall_ms,
		.is_known = 1,
		.is_continuous = !stored_ms || clock_is_near(wall_ms, stored_ms),
	};
	if (!stored_ms || (away >= -CLOCK_JUMP_MS && away <= CLOCK_AWAY_MS))
		return 0;
	clock_doubt(watch, mono_ms);
	return away;
}

int64_t clock_observe(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms)
{
	int64_t offset = wall_ms - mono_ms;
	int64_t by = watch->is_known ? offset - watch->offset_ms : 0;

	if (!watch->is_known)
		watch->since_ms = wall_ms;
	watch->is_known = 1;
	watch->offset_ms = offset;
	if (by <= CLOCK_JUMP_MS && by >= -CLOCK_JUMP_MS)
		return 0;
	watch->since_ms = wall_ms;
	clock_doubt(watch, mono_ms);
	return by;
}

int64_t clock_resume(struct clock_watch *watch, const struct clock_watch *before, int64_t wall_ms,
		     int64_t mono_ms)
{
	if (!before->is_known || watch->is_doubted)
		return 0;
	*watch = *before;
	return clock_observe(watch, wall_ms, mono_ms);
}

int clock_is_suspect(const struct clock_watch *watch, int64_t mono_ms)
{
	return watch->suspect_until_mono_ms > mono_ms;
}

enum clock_verdict clock_judge(struct clock_watch *watch, enum clock_witness witness,
			       int64_t mono_ms)
{
	int was_doubted = watch->is_doubted;

	watch->is_contradicted = witness == CLOCK_DISAGREES;
	if (witness == CLOCK_DISAGREES && (was_doubted || !watch->is_continuous))
		clock_doubt(watch, mono_ms);
	else if (witness == CLOCK_AGREES)
		watch->suspect_until_mono_ms = mono_ms;
	watch->is_doubted = clock_is_suspect(watch, mono_ms);
	if (witness == CLOCK_AGREES ||
	    (!watch->is_doubted && mono_ms - watch->began_mono_ms >= CLOCK_AGREE_MS))
		watch->is_continuous = 1;
	if (was_doubted == watch->is_doubted)
		return CLOCK_UNCHANGED;
	return watch->is_doubted ? CLOCK_DOUBTED : CLOCK_TRUSTED;
}
