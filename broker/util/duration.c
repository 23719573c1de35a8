/* SPDX-License-Identifier: MIT */
#include "util/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/alloc.h"

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

#define UNITS ARRAY_LEN(units)

/* Digits at *text, moved past them; -1 without any or above DURATION_MAX_MS. */
static int number_read(const char **text, int64_t *ret)
{
	const char *p = *text;
	int64_t value = 0;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > DURATION_MAX_MS)
			return -1;
	}
	*text = p;
	*ret = value;
	return 0;
}

static int terms_read(const char *text, int64_t *ret_ms)
{
	int64_t total = 0;
	size_t unit = 0;

	if (!*text)
		return -1;
	while (*text) {
		int64_t value;
		size_t len;

		if (number_read(&text, &value) < 0)
			return -1;
		len = strcspn(text, "0123456789");
		while (unit < UNITS && (strlen(units[unit].name) != len ||
					memcmp(units[unit].name, text, len) != 0))
			unit++;
		if (unit == UNITS || value > (DURATION_MAX_MS - total) / units[unit].ms)
			return -1;
		total += value * units[unit++].ms;
		text += len;
	}
	*ret_ms = total;
	return 0;
}

int duration_parse(const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms,
		   struct err *err)
{
	char min[DURATION_TEXT_SIZE], max[DURATION_TEXT_SIZE];
	int64_t ms = 0;
	int is_duration = strcmp(text, "0") == 0 || terms_read(text, &ms) == 0;

	if (is_duration && ms >= min_ms && ms <= max_ms) {
		*ret_ms = ms;
		return 0;
	}
	duration_format(min_ms, min);
	duration_format(max_ms, max);
	return err_set(err, ERR_INVALID,
		       "'%.40s' is not a duration from %s to %s; write whole numbers "
		       "with units (d, h, m, s, ms), such as 90s or 1h30m",
		       text, min, max);
}

void duration_format(int64_t ms, char out[DURATION_TEXT_SIZE])
{
	size_t unit = 0;

	while (ms % units[unit].ms)
		unit++;
	if (ms)
		snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 "%s", ms / units[unit].ms,
			 units[unit].name);
	else
		snprintf(out, DURATION_TEXT_SIZE, "0");
}

void duration_summarize(int64_t ms, char out[DURATION_TEXT_SIZE])
{
	const char *sign = ms < 0 ? "-" : "";
	uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	uint64_t first, second;
	char text[64] = "";
	size_t i = 0;

	while (i < UNITS - 1 && rest < (uint64_t)units[i].ms)
		i++;
	first = rest / (uint64_t)units[i].ms;
	rest %= (uint64_t)units[i].ms;
	/* Milliseconds are shown only alone: "5s", not "5s 10ms". */
	second = i < UNITS - 2 ? rest / (uint64_t)units[i + 1].ms : 0;
	/* At most 26 bytes; the compiler cannot know the range of the second number. */
	if (second)
		snprintf(text, sizeof(text), "%s%" PRIu64 "%s %" PRIu64 "%s", sign, first,
			 units[i].name, second, units[i + 1].name);
	else
		snprintf(text, sizeof(text), "%s%" PRIu64 "%s", sign, first, units[i].name);
	memcpy(out, text, DURATION_TEXT_SIZE);
	out[DURATION_TEXT_SIZE - 1] = '\0';
}
