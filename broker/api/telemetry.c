/* SPDX-License-Identifier: MIT */
#include "api/telemetry.h"

#include <math.h>
#include <string.h>

#include "api/validate.h"
#include "util/alloc.h"
#include "util/time.h"

#define FIGURE_MAX 1e15 /* of a figure that is no count; more makes no sense */

enum figure {
	LOAD1,
	LOAD5,
	LOAD15,
	CPU_COUNT,
	MEMORY_USED,
	MEMORY_TOTAL,
	MEMORY_PERCENT,
	DISK_USED,
	DISK_TOTAL,
	DISK_PERCENT,
	UPTIME,
	FIGURE_COUNT
};

struct telemetry_body {
	int64_t captured_ms;
	char source[33];
	json_t *figures[FIGURE_COUNT];
};

static int is_source(const char *text)
{
	return validate_word(text, sizeof(((struct telemetry_body *)NULL)->source) - 1);
}

/* clang-format off */
#define FIGURE(key, kind, place) \
	{ .name = (key), .type = (kind), .flags = FIELD_TYPE_CODE | FIELD_NULL, \
	  FIELD_TO(telemetry_body, figures[place]), .expected = "a number", \
	  .code = "invalid_telemetry" }

static const struct body_field telemetry_fields[] = {
	{ .name = "capturedAt", .type = FIELD_TIME, .flags = FIELD_TYPE_CODE,
	  FIELD_TO(telemetry_body, captured_ms), .expected = "a time as in 2026-08-21T10:00:00Z",
	  .code = "invalid_telemetry" },
	{ .name = "source", .type = FIELD_TEXT, .flags = FIELD_LENIENT,
	  FIELD_AT(telemetry_body, source), .expected = "at most 32 of [A-Za-z0-9._-]",
	  .check = is_source },
	FIGURE("load1", FIELD_NUMBER, LOAD1),
	FIGURE("load5", FIELD_NUMBER, LOAD5),
	FIGURE("load15", FIELD_NUMBER, LOAD15),
	FIGURE("cpuCount", FIELD_COUNT, CPU_COUNT),
	FIGURE("memoryUsedBytes", FIELD_COUNT, MEMORY_USED),
	FIGURE("memoryTotalBytes", FIELD_COUNT, MEMORY_TOTAL),
	FIGURE("memoryPercent", FIELD_NUMBER, MEMORY_PERCENT),
	FIGURE("diskUsedBytes", FIELD_COUNT, DISK_USED),
	FIGURE("diskTotalBytes", FIELD_COUNT, DISK_TOTAL),
	FIGURE("diskPercent", FIELD_NUMBER, DISK_PERCENT),
	FIGURE("uptimeSeconds", FIELD_COUNT, UPTIME),
};
/* clang-format on */

#define FIRST_FIGURE 2 /* among the fields */

const struct body_table body_telemetry = BODY_TABLE("Telemetry", "telemetry", telemetry_fields);

/* A count has no fraction. Values out of range are set to its ends. */
static json_t *figure_json(const json_t *value, enum figure figure)
{
	int is_count = telemetry_fields[FIRST_FIGURE + figure].type == FIELD_COUNT;
	double number = json_number_value(value);

	if (is_count && json_is_integer(value))
		return json_integer(json_integer_value(value) > 0 ? json_integer_value(value) : 0);
	number = number > 0 ? number : 0;
	if (number > FIGURE_MAX)
		number = FIGURE_MAX;
	if (is_count)
		return json_integer((json_int_t)number);
	if ((figure == MEMORY_PERCENT || figure == DISK_PERCENT) && number > 100)
		number = 100;
	return json_real(round(number * 1000) / 1000);
}

/* Returns how many figures there are. */
static int sample_fill(json_t *sample, const struct telemetry_body *body)
{
	char when[TIME_TEXT_ROOM];
	int count = 0;

	time_format(body->captured_ms, when);
	json_object_set_new(sample, "capturedAt", json_string(when));
	if (body->source[0])
		json_object_set_new(sample, "source", json_string(body->source));
	for (int i = 0; i < FIGURE_COUNT; i++) {
		if (!body->figures[i])
			continue;
		json_object_set_new(sample, telemetry_fields[FIRST_FIGURE + i].name,
				    figure_json(body->figures[i], (enum figure)i));
		count++;
	}
	return count;
}

int telemetry_read(struct json_body *in, json_t *object, int64_t now_ms, int64_t *ret_ms, char *out,
		   size_t size)
{
	struct telemetry_body body = { .captured_ms = now_ms };
	json_t *sample;
	size_t len = 0;
	int count;

	out[0] = '\0';
	if (json_body_read(in, object, &body_telemetry, &body))
		return -1;
	/* The client's clock may be wrong; a sample from the future would stay the newest. */
	*ret_ms = body.captured_ms = body.captured_ms < now_ms ? body.captured_ms : now_ms;
	sample = json_object();
	count = sample_fill(sample, &body);
	if (count)
		len = json_dumpb(sample, out, size - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(sample);
	out[len < size ? len : 0] = '\0';
	if (count && !out[0])
		return json_body_fail(in, 400, "invalid_telemetry",
				      "telemetry must have at most %zu bytes", size - 1);
	return count > 0;
}
