/* SPDX-License-Identifier: MIT */
#include "cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void durations_are_whole_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {
		{ "90s", 90 }, { "30m", 1800 }, { "2h", 7200 }, { "1d", 86400 },
		{ "1h30m", 5400 }, { "366d", 366 * 86400 }, { "1s", 1 },
	};
	static const char *const bad[] = {
		"",	   "90",      "1h30", "m",    "h1",
		"-5m",	   "1.5h",    "5 m",  "5x",   "500ms",
		"1s500ms", "0",	      "0s",   "367d", "99999999999999999999s",
		"30m1h",   "\x1b[2J",
	};
	struct err err;
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (when_parse_seconds(good[i].text, &seconds, &err))
			fail_msg("%s: %s", good[i].text, err.text);
		assert_int_equal(seconds, good[i].seconds);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		seconds = -7;
		if (!when_parse_seconds(bad[i], &seconds, &err))
			fail_msg("'%s' was accepted as %lld", bad[i], (long long)seconds);
		assert_int_equal(seconds, -7);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, "90s or 1h30m"));
	}
}

static void distances(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "1970-01-01T00:30:03.900Z", "in 30m 3s" },
		{ "1970-01-01T00:00:00Z", "now" },
		{ "1970-01-02T01:00:00+01:00", "in 1d" },
		{ "soon", "" },
		{ "", "" },
	};
	char out[WHEN_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		when_write_distance(rows[i].text, 0, out);
		assert_string_equal(out, rows[i].want);
	}
	when_write_distance("1970-01-01T00:00:00Z", 190000, out);
	assert_string_equal(out, "3m 10s ago");
	when_write_minutes("1970-01-01T00:30:03.900Z", 0, out);
	assert_string_equal(out, "in 30m");
	when_write_minutes("1970-01-02T02:01:30Z", 0, out);
	assert_string_equal(out, "in 1d 2h");
	when_write_minutes("1970-01-01T00:00:59Z", 0, out);
	assert_string_equal(out, "in 59s");
	when_write_minutes("1970-01-01T00:00:00Z", 190000, out);
	assert_string_equal(out, "3m ago");
	when_write_distance(NULL, 0, out);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_whole_seconds),
		cmocka_unit_test(distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
