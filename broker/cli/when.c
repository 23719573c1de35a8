/* SPDX-License-Identifier: MIT */
#include "cli/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/interrupt.h"
#include "util/duration.h"
#include "util/time.h"

#define LONGEST_MS (INT64_C(366) * 86400 * 1000)
#define POLL_STEP_MS INT64_C(100)
#define POLL_MAX_MS INT64_C(1000)

int when_parse_seconds(const char *text, int64_t *ret_seconds, struct err *err)
{
	int64_t ms;

	if (duration_parse(text, 1000, LONGEST_MS, &ms, err) < 0)
		return -1;
	if (ms % 1000)
		return err_set(err, ERR_INVALID,
			       "'%.40s' is not a number of whole seconds; write for "
			       "example 90s or 1h30m",
			       text);
	*ret_seconds = ms / 1000;
	return 0;
}

static void distance_write(const char *text, int64_t now_ms, int64_t unit_ms,
			   char out[WHEN_TEXT_SIZE])
{
	char length[DURATION_TEXT_SIZE];
	int64_t then, away;

	out[0] = '\0';
	if (!text || time_parse(text, &then))
		return;
	away = then - now_ms;
	if (away > -unit_ms && away < unit_ms)
		unit_ms = 1000;
	away = away / unit_ms * unit_ms;
	duration_summarize(away < 0 ? -away : away, length);
	if (away < 0)
		snprintf(out, WHEN_TEXT_SIZE, "%.30s ago", length);
	else if (away > 0)
		snprintf(out, WHEN_TEXT_SIZE, "in %.30s", length);
	else
		snprintf(out, WHEN_TEXT_SIZE, "now");
}

void when_write_distance(const char *text, int64_t now_ms, char out[WHEN_TEXT_SIZE])
{
	distance_write(text, now_ms, 1000, out);
}

void when_write_minutes(const char *text, int64_t now_ms, char out[WHEN_TEXT_SIZE])
{
	distance_write(text, now_ms, 60000, out);
}

void when_write_length(const char *text, int64_t now_ms, char out[WHEN_TEXT_SIZE])
{
	char length[DURATION_TEXT_SIZE];
	int64_t then;

	out[0] = '\0';
	if (!text || time_parse(text, &then))
		return;
	duration_summarize(now_ms > then ? (now_ms - then) / 1000 * 1000 : 0, length);
	snprintf(out, WHEN_TEXT_SIZE, "%s", length);
}

int when_parse_since(const char *text, int64_t now_ms, char out[TIME_TEXT_ROOM], struct err *err)
{
	char date[TIME_TEXT_ROOM];
	int64_t seconds, ms;

	snprintf(date, sizeof(date), "%.10sT00:00:00Z", text);
	if (when_parse_seconds(text, &seconds, NULL) == 0)
		ms = now_ms - seconds * 1000;
	else if (time_parse(strlen(text) == 10 ? date : text, &ms))
		return err_set(err, ERR_INVALID,
			       "'%.40s' is neither a duration from 1s to 366d nor a date nor a time; "
			       "write for example 2d, 2026-08-21 or 2026-08-21T10:00:00Z",
			       text);
	time_format(ms, out);
	return 0;
}

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t when_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

int64_t when_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void when_sleep(int64_t ms)
{
	int64_t end = when_mono_ms() + ms;
	int64_t left = ms;

	/* In slices, because a signal just before nanosleep does not shorten it. */
	while (!interrupt_pending() && left > 0) {
		struct timespec t = { .tv_nsec = (left < 200 ? left : 200) * 1000000 };

		nanosleep(&t, NULL);
		left = end - when_mono_ms();
	}
}

void when_sleep_poll(int polls)
{
	int64_t ms = (polls + 1) * POLL_STEP_MS;

	when_sleep(ms < POLL_MAX_MS ? ms : POLL_MAX_MS);
}
