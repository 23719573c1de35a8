/* SPDX-License-Identifier: MIT */
#include "schedule/budget.h"

#include <string.h>

#define HOUR_MS 3600000
#define PAUSE_FIRST_MS 5000
#define PAUSE_MOST_MS 60000
#define RETRY_AFTER_LEAST_MS 1000
#define RETRY_AFTER_MOST_MS HOUR_MS
/* So often work that has begun gets a call below its floor. */
#define TRICKLE_MS 10000
/* A limit outside this range is ignored. */
#define LIMIT_LEAST 10
#define LIMIT_MOST 10000000

static const int floor_percent[] = {
	[BUDGET_DELETE] = 0,
	[BUDGET_LOOKUP] = 10,
	[BUDGET_CREATE] = 20,
	[BUDGET_POLL] = 25,
	[BUDGET_SWEEP] = 30,
};

void budget_init(struct budget *b, int64_t per_hour, int64_t mono_ms)
{
	*b = (struct budget){
		.per_hour = per_hour,
		.milli = per_hour * 1000,
		.at_ms = mono_ms,
	};
	for (int i = 0; i < BUDGET_CLASSES; i++)
		b->taken_ms[i] = mono_ms - TRICKLE_MS;
}

static void budget_refill(struct budget *b, int64_t mono_ms)
{
	int64_t passed = mono_ms - b->at_ms;

	if (passed <= 0)
		return;
	if (passed > HOUR_MS)
		passed = HOUR_MS;
	b->milli += passed * b->per_hour * 1000 / HOUR_MS;
	if (b->milli > b->per_hour * 1000)
		b->milli = b->per_hour * 1000;
	b->at_ms = mono_ms;
}

static int64_t budget_grant(struct budget *b, enum budget_class cls, int64_t mono_ms)
{
	b->milli = b->milli > 1000 ? b->milli - 1000 : 0;
	b->taken_ms[cls] = mono_ms;
	return 0;
}

/* How long until the bucket holds `need`. */
static int64_t budget_wait(const struct budget *b, int64_t need)
{
	return b->milli >= need ? 0 : (need - b->milli) * (HOUR_MS / 1000) / b->per_hour + 1;
}

int64_t budget_take(struct budget *b, enum budget_class cls, int64_t mono_ms)
{
	int64_t wait, trickle;

	if (mono_ms < b->paused_until_ms)
		return b->paused_until_ms - mono_ms;
	if (b->has_trial) {
		b->has_trial = 0;
		return budget_grant(b, cls, mono_ms);
	}
	budget_refill(b, mono_ms);
	wait = budget_wait(b, b->per_hour * floor_percent[cls] * 10 + 1000);
	if (cls == BUDGET_LOOKUP || cls == BUDGET_POLL) {
		trickle = b->taken_ms[cls] + TRICKLE_MS - mono_ms;
		if (trickle < budget_wait(b, 1000))
			trickle = budget_wait(b, 1000);
		wait = trickle < wait ? trickle : wait;
	}
	if (wait <= 0)
		return budget_grant(b, cls, mono_ms);
	return wait < BUDGET_WAIT_MOST_MS ? wait : BUDGET_WAIT_MOST_MS;
}

void budget_observe(struct budget *b, int64_t limit, int64_t remaining, int64_t mono_ms)
{
	budget_refill(b, mono_ms);
	if (limit >= LIMIT_LEAST && limit <= LIMIT_MOST)
		b->per_hour = limit;
	/*
	 * The account may be shared with other tools, and the figure of a 429 may be of a shorter
	 * window than ours: what the provider says is nearer to the truth than our own count, which
	 * it exceeds only by the calls in flight.
	 */
	if (remaining >= 0 && remaining <= b->per_hour &&
	    (!b->is_share || remaining * 1000 < b->milli))
		b->milli = remaining * 1000;
	if (b->milli > b->per_hour * 1000)
		b->milli = b->per_hour * 1000;
}

int64_t budget_refused(struct budget *b, int64_t retry_after_ms, uint32_t jitter, int64_t mono_ms)
{
	int64_t pause;

	budget_refill(b, mono_ms);
	if (b->pause_ms < PAUSE_FIRST_MS)
		b->pause_ms = PAUSE_FIRST_MS;
	else if (b->pause_ms < PAUSE_MOST_MS)
		b->pause_ms = b->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : b->pause_ms * 2;
	pause = b->pause_ms + (int64_t)(jitter % (uint32_t)(b->pause_ms / 4 + 1));
	if (retry_after_ms >= 0) {
		pause = retry_after_ms;
		if (pause < RETRY_AFTER_LEAST_MS)
			pause = RETRY_AFTER_LEAST_MS;
		if (pause > RETRY_AFTER_MOST_MS)
			pause = RETRY_AFTER_MOST_MS;
	}
	if (retry_after_ms >= 0 || mono_ms + pause > b->paused_until_ms)
		b->paused_until_ms = mono_ms + pause;
	b->has_trial = retry_after_ms >= 0;
	return b->paused_until_ms - mono_ms;
}

int64_t budget_paused(const struct budget *b, int64_t mono_ms)
{
	return mono_ms < b->paused_until_ms ? b->paused_until_ms - mono_ms : 0;
}

void budget_pause(struct budget *b, int64_t ms, int64_t mono_ms)
{
	if (ms > RETRY_AFTER_MOST_MS)
		ms = RETRY_AFTER_MOST_MS;
	if (mono_ms + ms > b->paused_until_ms)
		b->paused_until_ms = mono_ms + ms;
}

void budget_accepted(struct budget *b)
{
	b->pause_ms = 0;
}
