/* SPDX-License-Identifier: MIT */
#include "util/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	int64_t ms;
} good[] = {
	{ "0", 0 },
	{ "0s", 0 },
	{ "0d0h0m0s0ms", 0 },
	{ "250ms", 250 },
	{ "90s", 90000 },
	{ "007s", 7000 },
	{ "5m", 300000 },
	{ "0m1s", 1000 },
	{ "1m30s", 90000 },
	{ "1m1ms", 60001 },
	{ "90m", 5400000 },
	{ "1h30m", 5400000 },
	{ "2h", 7200000 },
	{ "1d", 86400000 },
	{ "1d2h3m4s5ms", 93784005 },
	{ "36600d", DURATION_MAX_MS },
};

static const char *const bad[] = {
	/* a missing unit or number */
	"",
	"5",
	"00",
	"1h30",
	"h",
	"ms",
	"m5",
	/* signs, fractions, spaces, other units */
	"-5s",
	"+5s",
	"1.5h",
	"1e3s",
	" 5s",
	"5s ",
	"5 s",
	"1h 30m",
	"5S",
	"5x",
	"5sec",
	"5mm",
	"5sm",
	"5min",
	"1w",
	/* out of order, or twice */
	"30m1h",
	"1h1h",
	"1ms1s",
	/* overflow, and beyond the maximum */
	"36601d",
	"36600d1ms",
	"878401h",
	"9223372036854775807d",
	"9223372036854775808ms",
	"99999999999999999999",
	"99999999999999999999s",
};

static void the_grammar(void **state)
{
	struct err err = { 0 };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (duration_parse(good[i].text, 0, DURATION_MAX_MS, &ms, &err))
			fail_msg("'%s' was refused: %s", good[i].text, err.text);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ms = 7;
		if (duration_parse(bad[i], 0, DURATION_MAX_MS, &ms, &err) == 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(ms, 7);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(duration_parse("soon", 0, 1, &ms, NULL), -1);
}

static void the_range_and_its_error(void **state)
{
	static const char *const outside[] = { "0", "99ms", "1h30m1ms", "2h", "soon" };
	struct err err = { 0 };
	int64_t ms = 7;

	(void)state;
	assert_int_equal(duration_parse("100ms", 100, 5400000, &ms, &err), 0);
	assert_int_equal(ms, 100);
	assert_int_equal(duration_parse("1h30m", 100, 5400000, &ms, &err), 0);
	assert_int_equal(ms, 5400000);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		assert_int_equal(duration_parse(outside[i], 100, 5400000, &ms, &err), -1);
		assert_non_null(strstr(err.text, " from 100ms to 90m;"));
		assert_non_null(strstr(err.text, "such as 90s or 1h30m"));
	}
	assert_int_equal(ms, 5400000);
	assert_int_equal(duration_parse("2d", 0, 86400000, &ms, &err), -1);
	assert_non_null(strstr(err.text, " from 0 to 1d;"));
}

static void exact_text(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0" },	    { 1, "1ms" },
		{ 1500, "1500ms" }, { 90000, "90s" },
		{ 5400000, "90m" }, { 7200000, "2h" },
		{ 86400000, "1d" }, { DURATION_MAX_MS, "36600d" },
	};
	char text[DURATION_TEXT_SIZE];
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		duration_format(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(duration_parse(text, 0, DURATION_MAX_MS, &ms, NULL), 0);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void rounded_text(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0ms" },
		{ 250, "250ms" },
		{ 1000, "1s" },
		{ 1999, "1s" },
		{ 310000, "5m 10s" },
		{ 7200000, "2h" },
		{ 5400000, "1h 30m" },
		{ 183600000, "2d 3h" },
		{ -10000, "-10s" },
		{ 86400000, "1d" },
		{ INT64_MIN, "-106751991167d 7h" },
	};
	char text[DURATION_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		duration_summarize(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_grammar),
		cmocka_unit_test(the_range_and_its_error),
		cmocka_unit_test(exact_text),
		cmocka_unit_test(rounded_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
