/* SPDX-License-Identifier: MIT */
#include "schedule/budget.h"

#include <string.h>

#define HOUR_MS 3600000
#define PAUSE_FIRST_MS 5000
#define PAUSE_MOST_MS 60000
#define RETRY_AFTER_LEAST_MS 1000
#define RETRY_AFTER_MOST_MS HOUR_MS
/* So often work that has begun gets calls below its floor: what one look takes, at once. */
#define TRICKLE_MS 10000
#define TRICKLE_CALLS 4
#define TRICKLE_BURST_MS 500
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

/* How long until the bucket holds `need`. */
static int64_t budget_wait(const struct budget *b, int64_t need)
{
	return b->milli >= need ? 0 : (need - b->milli) * (HOUR_MS / 1000) / b->per_hour + 1;
}

/* Down to where the class still gets a call now and then, in percent; -1: it gets none. */
static int64_t trickle_percent(enum budget_class cls)
{
	return cls == BUDGET_LOOKUP || cls == BUDGET_POLL ? 0 :
	       cls == BUDGET_CREATE			  ? floor_percent[BUDGET_LOOKUP] :
							    -1;
}

static int is_below_floor(const struct budget *b, enum budget_class cls)
{
	return budget_wait(b, b->per_hour * floor_percent[cls] * 10 + 1000) > 0;
}

/* Is this call one more of a look that has just got one below its floor? */
static int is_burst(const struct budget *b, enum budget_class cls, int64_t mono_ms)
{
	return trickle_percent(cls) == 0 && b->burst_left[cls] > 0 &&
	       mono_ms - b->taken_ms[cls] <= TRICKLE_BURST_MS;
}

static int64_t budget_grant(struct budget *b, enum budget_class cls, int64_t mono_ms)
{
	if (!is_below_floor(b, cls))
		b->burst_left[cls] = 0;
	else if (is_burst(b, cls, mono_ms))
		b->burst_left[cls]--;
	else
		b->burst_left[cls] = TRICKLE_CALLS - 1;
	b->milli = b->milli > 1000 ? b->milli - 1000 : 0;
	b->taken_ms[cls] = mono_ms;
	return 0;
}

/* How long until the class gets a call after `ahead` others; `b` is refilled. */
static int64_t class_wait(const struct budget *b, enum budget_class cls, int ahead, int64_t mono_ms)
{
	int64_t wait = budget_wait(b, b->per_hour * floor_percent[cls] * 10 + 1000 +
					      (int64_t)ahead * 1000);
	int64_t percent = trickle_percent(cls);
	int64_t trickle, left;

	if (wait <= 0 || percent < 0 || ahead)
		return wait;
	trickle = is_burst(b, cls, mono_ms) ? 0 : b->taken_ms[cls] + TRICKLE_MS - mono_ms;
	left = budget_wait(b, b->per_hour * percent * 10 + 1000);
	if (trickle < left)
		trickle = left;
	return trickle < wait ? trickle : wait;
}

int64_t budget_wait_ms(const struct budget *b, enum budget_class cls, int ahead, int64_t mono_ms)
{
	struct budget now = *b;
	int64_t wait;

	if (mono_ms < b->paused_until_ms)
		return b->paused_until_ms - mono_ms;
	if (b->has_trial && !ahead)
		return 0;
	budget_refill(&now, mono_ms);
	wait = class_wait(&now, cls, ahead, mono_ms);
	return wait <= 0 ? 0 : wait < BUDGET_WAIT_MOST_MS ? wait : BUDGET_WAIT_MOST_MS;
}

int64_t budget_take(struct budget *b, enum budget_class cls, int64_t mono_ms)
{
	int64_t wait = budget_wait_ms(b, cls, 0, mono_ms);

	if (wait > 0)
		return wait;
	if (!b->has_trial)
		budget_refill(b, mono_ms);
	b->has_trial = 0;
	return budget_grant(b, cls, mono_ms);
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
