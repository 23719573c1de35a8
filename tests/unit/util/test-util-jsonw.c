/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "util/buf.h"
#include "util/jsonw.h"

static void test_nesting(void **state)
{
	struct buf b;
	struct jsonw w;

	(void)state;
	buf_init(&b, 4096);
	jsonw_init(&w, &b);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "a", "b");
	jsonw_array(&w, "list");
	jsonw_int(&w, NULL, 1);
	jsonw_object(&w, NULL);
	jsonw_end_object(&w);
	jsonw_object(&w, NULL);
	jsonw_bool(&w, "yes", 2);
	jsonw_bool(&w, "no", 0);
	jsonw_end_object(&w);
	jsonw_array(&w, NULL);
	jsonw_end_array(&w);
	jsonw_end_array(&w);
	jsonw_null(&w, "null");
	jsonw_text(&w, "nothing", NULL);
	jsonw_text_if(&w, "skip", "");
	jsonw_text_if(&w, "skip", NULL);
	jsonw_text_if(&w, "keep", "k");
	jsonw_raw(&w, "raw", "[1,2]");
	jsonw_end_object(&w);
	assert_string_equal(buf_str(&b),
			    "{\"a\":\"b\",\"list\":[1,{},{\"yes\":true,\"no\":false},[]],"
			    "\"null\":null,\"nothing\":null,\"keep\":\"k\",\"raw\":[1,2]}");
	buf_fini(&b);
}

static void test_numbers(void **state)
{
	struct buf b;
	struct jsonw w;

	(void)state;
	buf_init(&b, 4096);
	jsonw_init(&w, &b);
	jsonw_array(&w, NULL);
	jsonw_int(&w, NULL, INT64_MIN);
	jsonw_int(&w, NULL, INT64_MAX);
	jsonw_int_text(&w, NULL, 2222);
	jsonw_int_text(&w, NULL, -1);
	jsonw_micros(&w, NULL, 0);
	jsonw_micros(&w, NULL, 5000000);
	jsonw_micros(&w, NULL, 1);
	jsonw_micros(&w, NULL, 120000);
	jsonw_micros(&w, NULL, -1500000);
	jsonw_micros(&w, NULL, -1);
	jsonw_micros(&w, NULL, INT64_MIN);
	jsonw_end_array(&w);
	assert_string_equal(buf_str(&b),
			    "[-9223372036854775808,9223372036854775807,\"2222\",\"-1\",0,5,0.000001,0.12,-1.5,"
			    "-0.000001,-9223372036854.775808]");
	buf_fini(&b);
}

static void test_times(void **state)
{
	struct buf b;
	struct jsonw w;

	(void)state;
	buf_init(&b, 4096);
	jsonw_init(&w, &b);
	jsonw_object(&w, NULL);
	jsonw_time(&w, "never", 0);
	jsonw_time(&w, "at", 1787306400000);
	jsonw_end_object(&w);
	assert_string_equal(buf_str(&b), "{\"at\":\"2026-08-21T10:00:00.000Z\"}");
	buf_fini(&b);
}

/* For any input bytes, an independent parser accepts the output. */
static void test_strings(void **state)
{
	static const char *const in[] = {
		"plain", "a\"b\\c", "\x01\x1f\x7f\n\t\r", "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x8e\x89",
		"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "cut \xe2\x82", "\xff", "",
	};
	struct buf b;
	struct jsonw w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		json_t *got;

		buf_init(&b, 4096);
		jsonw_init(&w, &b);
		jsonw_object(&w, NULL);
		jsonw_text(&w, in[i], in[i]);
		jsonw_end_object(&w);
		got = json_loads(buf_str(&b), JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(got);
		if (i < 5)
			assert_string_equal(json_string_value(json_object_get(got, in[i])), in[i]);
		json_decref(got);
		buf_fini(&b);
	}
}

/* Each byte at each position in a word of eight, against the rules applied byte by byte. */
static void test_bytes(void **state)
{
	char in[20], want[128];
	struct buf b;
	struct jsonw w;

	(void)state;
	buf_init(&b, 4096);
	for (unsigned c = 1; c < 256; c++) {
		for (size_t at = 0; at < 17; at++) {
			char shown[8];

			if (c >= 0x80)
				snprintf(shown, sizeof(shown), "\xef\xbf\xbd");
			else if (c == '"' || c == '\\')
				snprintf(shown, sizeof(shown), "\\%c", (char)c);
			else if (c == '\n' || c == '\t')
				snprintf(shown, sizeof(shown), c == '\n' ? "\\n" : "\\t");
			else if (c < 0x20 || c == 0x7f)
				snprintf(shown, sizeof(shown), "\\u%04x", c);
			else
				snprintf(shown, sizeof(shown), "%c", (char)c);
			memset(in, 'x', 17);
			in[at] = (char)c;
			in[17] = '\0';
			snprintf(want, sizeof(want), "{\"%.*s%s%s\":\"%.*s%s%s\",\"b\":true}", (int)at, in,
				 shown, in + at + 1, (int)at, in, shown, in + at + 1);
			buf_clear(&b);
			jsonw_init(&w, &b);
			jsonw_object(&w, NULL);
			jsonw_text(&w, in, in);
			jsonw_bool(&w, "b", 1);
			jsonw_end_object(&w);
			assert_string_equal(buf_str(&b), want);
		}
	}
	buf_fini(&b);
}

/* For any maximum: the whole output, or `overflow` and no more than the maximum. */
static void test_every_maximum(void **state)
{
	static const char whole[] = "{\"at\":\"2026-08-21T10:00:00.000Z\",\"a\":\"b\\\"c\",\"n\":-15}";
	size_t len = sizeof(whole) - 1;

	(void)state;
	for (size_t max = 0; max <= len + 1; max++) {
		struct buf b;
		struct jsonw w;

		buf_init(&b, max);
		jsonw_init(&w, &b);
		jsonw_object(&w, NULL);
		jsonw_time(&w, "at", 1787306400000);
		jsonw_text(&w, "a", "b\"c");
		jsonw_int(&w, "n", -15);
		jsonw_end_object(&w);
		assert_int_equal(b.overflow, max < len);
		assert_true(b.len <= max);
		assert_int_equal(strlen(buf_str(&b)), b.len);
		if (max >= len)
			assert_string_equal(buf_str(&b), whole);
		buf_fini(&b);
	}
}

static void test_overflow(void **state)
{
	struct buf b;
	struct jsonw w;

	(void)state;
	buf_init(&b, 10);
	jsonw_init(&w, &b);
	jsonw_text(&w, NULL, "more than ten bytes");
	assert_true(b.overflow);
	assert_true(b.len <= 10);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),	 cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_times),	 cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bytes),	 cmocka_unit_test(test_every_maximum),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
