/* SPDX-License-Identifier: MIT */
#include "api/telemetry.h"

#include <math.h>
#include <string.h>

#include "api/grammar.h"
#include "util/alloc.h"
#include "util/time.h"

#define SOURCE_MAX 32
#define FIGURE_MAX 1e15		/* of what is no count: more is nonsense, and long */

enum figure_kind { FIGURE_COUNT, FIGURE_LOAD, FIGURE_PERCENT };

static const struct {
	const char *key;
	enum figure_kind kind;
} figures[] = {
	{ "load1", FIGURE_LOAD },
	{ "load5", FIGURE_LOAD },
	{ "load15", FIGURE_LOAD },
	{ "cpuCount", FIGURE_COUNT },
	{ "memoryUsedBytes", FIGURE_COUNT },
	{ "memoryTotalBytes", FIGURE_COUNT },
	{ "memoryPercent", FIGURE_PERCENT },
	{ "diskUsedBytes", FIGURE_COUNT },
	{ "diskTotalBytes", FIGURE_COUNT },
	{ "diskPercent", FIGURE_PERCENT },
	{ "uptimeSeconds", FIGURE_COUNT },
};

static int wrong(struct input *in, const char *key, const char *allowed)
{
	return input_fail(in, 400, "invalid_telemetry", "%s of telemetry must be %s", key, allowed);
}

/* Never a fraction in a count, never anything else than a number. */
static json_t *figure(const json_t *value, enum figure_kind kind)
{
	double number = json_number_value(value);

	if (kind == FIGURE_COUNT && json_is_integer(value))
		return json_integer(json_integer_value(value) > 0 ? json_integer_value(value) : 0);
	number = number > 0 ? number : 0;
	if (number > FIGURE_MAX)
		number = FIGURE_MAX;
	if (kind == FIGURE_COUNT)
		return json_integer((json_int_t)number);
	if (kind == FIGURE_PERCENT && number > 100)
		number = 100;
	return json_real(round(number * 1000) / 1000);
}

static int read_when(struct input *in, const json_t *object, int64_t now_ms, int64_t *ret_ms)
{
	const json_t *value = json_object_get(object, "capturedAt");

	*ret_ms = now_ms;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || time_parse(json_string_value(value), ret_ms))
		return wrong(in, "capturedAt", "a time as in 2026-08-21T10:00:00Z");
	/* The client's clock may be wrong; one from the future would stay the newest. */
	if (*ret_ms > now_ms)
		*ret_ms = now_ms;
	return 0;
}

static int read_figures(struct input *in, const json_t *object, json_t *out)
{
	int count = 0;

	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		const json_t *value = json_object_get(object, figures[i].key);

		if (!value || json_is_null(value))
			continue;
		if (!json_is_number(value))
			return wrong(in, figures[i].key, "a number");
		json_object_set_new(out, figures[i].key, figure(value, figures[i].kind));
		count++;
	}
	return count;
}

int telemetry_read(struct input *in, const json_t *object, int64_t now_ms, int64_t *ret_ms,
		   char *out, size_t room)
{
	const json_t *source = json_object_get(object, "source");
	json_t *sample = json_object();
	char when[TIME_TEXT_ROOM];
	size_t len = 0;
	int rc = read_when(in, object, now_ms, ret_ms);

	out[0] = '\0';
	if (!rc) {
		time_format(*ret_ms, when);
		json_object_set_new(sample, "capturedAt", json_string(when));
		if (json_is_string(source) && grammar_is_word(json_string_value(source), SOURCE_MAX))
			json_object_set_new(sample, "source", json_string(json_string_value(source)));
		rc = read_figures(in, object, sample);
	}
	if (rc > 0) {
		len = json_dumpb(sample, out, room - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));
		rc = len && len < room ? 1 : wrong(in, "the whole", "shorter");
		out[rc > 0 ? len : 0] = '\0';
	}
	json_decref(sample);
	return rc < 0 ? -1 : rc > 0;
}
