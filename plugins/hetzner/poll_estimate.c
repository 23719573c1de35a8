/* SPDX-License-Identifier: MIT */
#include "poll_estimate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEEP_MS (24 * 60 * 60 * 1000)
#define TIME_MAX_MS (24 * 60 * 60 * 1000)
#define KEY_ROOM 128
#define POLLS_MOST 8  /* planned for one life */
#define MARGIN_PART 8 /* of the grain: a poll comes that much after the latest time expected */
#define PROBE_EVERY 8 /* lives; see probe_ms */

/* ---- what the samples say ---- */

/* The operation finishes later than `low_ms` and not later than `high_ms`. */
struct poll_range {
	int64_t low_ms, high_ms;
	int varies; /* no one time fits all samples */
};

/* Over all samples but one (`without` >= count: over all). */
static struct poll_range range_of(const struct poll_estimate *e, size_t without)
{
	struct poll_range range = { .low_ms = INT64_MAX };
	int64_t last_after = 0, first_by = INT64_MAX;

	for (size_t i = 0; i < e->count; i++) {
		const struct poll_sample *s = &e->samples[i];

		if (i == without)
			continue;
		range.low_ms = s->after_ms < range.low_ms ? s->after_ms : range.low_ms;
		range.high_ms = s->by_ms > range.high_ms ? s->by_ms : range.high_ms;
		last_after = s->after_ms > last_after ? s->after_ms : last_after;
		first_by = s->by_ms < first_by ? s->by_ms : first_by;
	}
	range.varies = last_after >= first_by;
	return range;
}

/* -1 or 1: the sample lies far below or above the range, farther than chance explains. */
static int sample_is_far(const struct poll_sample *s, const struct poll_range *range)
{
	int64_t far_ms = range->high_ms - range->low_ms;

	if (far_ms < range->high_ms / 8)
		far_ms = range->high_ms / 8;
	if (s->after_ms > range->high_ms + far_ms)
		return 1;
	return s->by_ms < range->low_ms - far_ms ? -1 : 0;
}

/*
 * The range without a single sample that lies far from all others: one slow hour must not delay
 * later lives. *ret_quick is set if the newest lies far below: perhaps the cloud has become
 * faster, and the next life tells.
 */
static struct poll_range range_expected(const struct poll_estimate *e,
					const struct poll_sample **ret_quick)
{
	size_t newest = e->count - 1;

	*ret_quick = NULL;
	for (size_t i = e->count; e->count >= 2 && i-- > 0;) {
		struct poll_range rest = range_of(e, i);
		int far = sample_is_far(&e->samples[i], &rest);

		if (far && (i == newest || e->count > 2)) {
			if (far < 0 && i == newest)
				*ret_quick = &e->samples[i];
			return rest;
		}
	}
	return range_of(e, e->count);
}

/* ---- the plan ---- */

static int64_t time_clamp(int64_t ms, int64_t least, int64_t most)
{
	return ms < least ? least : ms > most ? most : ms;
}

static int64_t range_polls(const struct poll_range *range, const struct poll_subject *subject)
{
	int64_t step_ms = subject->grain_ms * 3 / 4 + 1;

	return time_clamp((range->high_ms - range->low_ms + step_ms - 1) / step_ms, 1, POLLS_MOST);
}

/*
 * The next of the polls of a range; 0: all are over. One at its end is enough for a narrow
 * range; a wide one has several, evenly spread, and if the times vary, one at its begin.
 */
static int64_t range_next(const struct poll_range *range, const struct poll_subject *subject,
			  int64_t elapsed_ms)
{
	int64_t polls = range_polls(range, subject), margin = subject->grain_ms / MARGIN_PART;
	int64_t width_ms = range->high_ms - range->low_ms;

	for (int64_t n = range->varies && polls > 1 ? 0 : 1; n < polls; n++) {
		int64_t at = range->low_ms + width_ms * n / polls;

		/* A poll for another lease's sake may have come just before. */
		if (at > elapsed_ms + margin)
			return at;
	}
	return range->high_ms + margin > elapsed_ms ? range->high_ms + margin : 0;
}

/*
 * A poll at the expected time does not show that the cloud has become faster; one a little
 * earlier does. It is in vain as a rule, so few lives have one. 0: none in this life.
 */
static int64_t probe_ms(const struct poll_estimate *e, const struct poll_range *range,
			const struct poll_subject *subject)
{
	if (e->confirmed % PROBE_EVERY != PROBE_EVERY / 2)
		return 0;
	/* Of a short time there is little to gain. */
	return range->low_ms >= 3 * subject->grain_ms ? range->low_ms - subject->grain_ms : 0;
}

/* Nothing is expected any more, or nothing is known: the longer it takes, the rarer. */
static int64_t poll_late(const struct poll_subject *subject, int64_t elapsed_ms, int64_t late_ms)
{
	return elapsed_ms + time_clamp(late_ms / 2, subject->grain_ms / 2 + 1, subject->longest_ms);
}

int64_t poll_estimate_next(const struct poll_estimate *e, const struct poll_subject *subject,
			   int64_t elapsed_ms)
{
	const struct poll_sample *quick;
	struct poll_range range;
	int64_t probe, at = 0;

	if (!e->count)
		return elapsed_ms < subject->guess_ms ? subject->guess_ms :
							poll_late(subject, elapsed_ms, elapsed_ms);
	range = range_expected(e, &quick);
	if (quick) {
		struct poll_range early = { quick->after_ms, quick->by_ms, 0 };

		at = range_next(&early, subject, elapsed_ms);
	}
	probe = quick ? 0 : probe_ms(e, &range, subject);
	if (!at && probe > elapsed_ms)
		at = probe;
	if (!at)
		at = range_next(&range, subject, elapsed_ms);
	return at ? at : poll_late(subject, elapsed_ms, elapsed_ms - range.high_ms);
}

int64_t poll_estimate_expected(const struct poll_estimate *e)
{
	const struct poll_sample *quick;

	return e->count ? range_expected(e, &quick).high_ms : 0;
}

/* ---- learning ---- */

static void samples_drop(struct poll_estimate *e, size_t count)
{
	e->count -= count;
	memmove(e->samples, e->samples + count, e->count * sizeof(e->samples[0]));
}

/*
 * A life that was finished at a poll before the range has only an upper bound. The next life
 * has polls earlier than that; what they show is taken to hold for it, too.
 */
static void samples_close(struct poll_estimate *e, const struct poll_sample *next)
{
	struct poll_sample *last = e->count ? &e->samples[e->count - 1] : NULL;

	if (last && !last->after_ms)
		last->after_ms = next->after_ms < last->by_ms ? next->after_ms : last->by_ms - 1;
}

/* Samples that do not contradict each other narrow each other down. */
static void samples_narrow(struct poll_estimate *e, struct poll_sample *sample)
{
	for (size_t i = 0; i < e->count; i++) {
		struct poll_sample *s = &e->samples[i];

		if (s->after_ms >= sample->by_ms || sample->after_ms >= s->by_ms)
			continue;
		if (sample->after_ms > s->after_ms)
			s->after_ms = sample->after_ms;
		if (sample->by_ms < s->by_ms)
			s->by_ms = sample->by_ms;
		*sample = *s;
	}
}

static int sample_side(const struct poll_sample *s, const struct poll_range *range)
{
	/* Where the times vary, chance explains a little. */
	if (range->varies)
		return sample_is_far(s, range);
	return s->after_ms >= range->high_ms ? 1 : s->by_ms <= range->low_ms ? -1 : 0;
}

/* Two in a row beside all before them, on the same side: the cloud has changed. */
static int has_changed(const struct poll_estimate *e)
{
	struct poll_estimate before = *e;
	struct poll_range range;
	int side;

	if (e->count < 3)
		return 0;
	before.count -= 2;
	range = range_of(&before, before.count);
	side = sample_side(&e->samples[e->count - 1], &range);
	return side && side == sample_side(&e->samples[e->count - 2], &range);
}

/*
 * A life whose first poll in the range found it finished does not show since when. In a narrow
 * range: not earlier than expected, then. Where the times vary, somewhat earlier, so that the
 * range covers them; and much earlier if it happens again and again.
 */
static int64_t first_poll_after(const struct poll_estimate *e, const struct poll_range *range,
				const struct poll_subject *subject)
{
	int64_t earlier_ms = (range->high_ms - range->low_ms) / 4;

	if (range_polls(range, subject) == 1)
		return range->low_ms;
	for (uint32_t i = 1; i < e->confirmed && earlier_ms < range->low_ms; i++)
		earlier_ms *= 2;
	return time_clamp(range->low_ms - earlier_ms, 0, range->low_ms);
}

void poll_estimate_add(struct poll_estimate *e, const struct poll_subject *subject,
		       struct poll_sample sample)
{
	const struct poll_sample *quick;
	struct poll_range range = { 0 };

	sample.by_ms = time_clamp(sample.by_ms, 1, TIME_MAX_MS);
	sample.after_ms = time_clamp(sample.after_ms, 0, sample.by_ms - 1);
	if (e->count) {
		range = range_expected(e, &quick);
		e->confirmed++;
		if (sample.after_ms > range.low_ms || sample.by_ms <= range.low_ms) {
			e->confirmed = 0;
		} else {
			sample.after_ms = first_poll_after(e, &range, subject);
			if (sample.by_ms > range.high_ms)
				sample.by_ms = range.high_ms;
		}
	}
	samples_close(e, &sample);
	if (!range.varies)
		samples_narrow(e, &sample);
	if (e->count == POLL_SAMPLES_MAX)
		samples_drop(e, 1);
	e->samples[e->count++] = sample;
	if (has_changed(e)) {
		samples_drop(e, e->count - 2);
		e->count--;
		samples_narrow(e, &sample);
		e->samples[e->count++] = sample;
	}
}

/* ---- as text ---- */

void poll_estimate_read(const char *text, struct poll_estimate *ret)
{
	struct poll_estimate e = { 0 };
	int taken = 0;

	*ret = e;
	if (sscanf(text, "%" SCNu32 "%n", &e.confirmed, &taken) != 1)
		return;
	for (text += taken; *text; text += taken) {
		struct poll_sample s;

		if (e.count == POLL_SAMPLES_MAX ||
		    sscanf(text, " %" SCNd64 "-%" SCNd64 "%n", &s.after_ms, &s.by_ms, &taken) != 2 ||
		    s.after_ms < 0 || s.by_ms <= s.after_ms || s.by_ms > TIME_MAX_MS)
			return;
		e.samples[e.count++] = s;
	}
	*ret = e;
}

void poll_estimate_write(const struct poll_estimate *e, char ret[POLL_ESTIMATE_ROOM])
{
	int len = snprintf(ret, POLL_ESTIMATE_ROOM, "%" PRIu32, e->confirmed);

	for (size_t i = 0; i < e->count; i++)
		len += snprintf(ret + len, (size_t)(POLL_ESTIMATE_ROOM - len),
				" %" PRId64 "-%" PRId64, e->samples[i].after_ms,
				e->samples[i].by_ms);
}

/* ---- with the account's cache ---- */

static void cache_key(const struct poll_subject *subject, char ret[KEY_ROOM])
{
	snprintf(ret, KEY_ROOM, "poll/%s", subject->what);
}

void poll_estimate_load(struct lessor_call *call, const struct poll_subject *subject,
			struct poll_estimate *ret)
{
	char key[KEY_ROOM];
	const char *text;

	cache_key(subject, key);
	text = lessor_cache_get(call, key);
	poll_estimate_read(text ? text : "", ret);
}

int64_t poll_estimate_wait(struct lessor_call *call, const struct poll_subject *subject,
			   int64_t elapsed_ms)
{
	struct poll_estimate e;

	poll_estimate_load(call, subject, &e);
	return poll_estimate_next(&e, subject, elapsed_ms) - elapsed_ms;
}

void poll_estimate_learn(struct lessor_call *call, const struct poll_subject *subject,
			 struct poll_sample sample)
{
	char key[KEY_ROOM], text[POLL_ESTIMATE_ROOM];
	struct poll_estimate e;

	poll_estimate_load(call, subject, &e);
	poll_estimate_add(&e, subject, sample);
	poll_estimate_write(&e, text);
	cache_key(subject, key);
	lessor_cache_put(call, key, text, KEEP_MS);
}
