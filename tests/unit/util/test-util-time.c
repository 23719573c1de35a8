/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "util/time.h"

static void test_format(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1787306400123, "2026-08-21T10:00:00.123Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z" },
		{ INT64_C(4294967296) * 1000, "2106-02-07T06:28:16.000Z" },
		{ TIME_MS_MAX, "9999-12-31T23:59:59.999Z" },
	};
	char text[TIME_TEXT_ROOM];
	int64_t ms, back;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		time_format(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
	time_format(-5, text);
	assert_string_equal(text, rows[0].text);
	time_format(INT64_MAX, text);
	assert_string_equal(text, rows[6].text);
	for (ms = 0; ms < TIME_MS_MAX; ms += 86400000 * INT64_C(13) + 1234567) {
		time_format(ms, text);
		assert_int_equal(time_parse(text, &back), 0);
		assert_int_equal(back, ms);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "2026-08-21T10:00:00Z", 1787306400000 },
		{ "2026-08-21t10:00:00z", 1787306400000 },
		{ "2026-08-21T10:00:00.5Z", 1787306400500 },
		{ "2026-08-21T10:00:00.123456789Z", 1787306400123 },
		{ "2026-08-21T12:00:00+02:00", 1787306400000 },
		{ "2026-08-21T04:30:00.000-05:30", 1787306400000 },
		{ "1969-12-31T23:00:00-01:00", 0 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
	};
	static const char *const bad[] = {
		"", "2026", "2026-08-21", "2026-08-21T10:00:00", "2026-08-21 10:00:00Z",
		"2026-02-29T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z",
		"2026-08-21T24:00:00Z", "2026-08-21T10:60:00Z", "2026-08-21T10:00:61Z",
		"2026-08-21T10:00:00.Z", "2026-08-21T10:00:00+0200", "2026-08-21T10:00:00+24:00",
		"2026-08-21T10:00:00Zx", "2026-08-21T10:00:00+02:00x", "1969-12-31T23:59:59Z",
		"9999-12-31T23:59:59-01:00", "+026-08-21T10:00:00Z", "2026-8-21T10:00:00Z",
		"10000-01-01T00:00:00Z",
	};
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(time_parse(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ms = 7;
		if (time_parse(bad[i], &ms) == 0)
			fail_msg("'%s' was taken for a time", bad[i]);
		assert_int_equal(ms, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
