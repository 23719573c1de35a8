/* SPDX-License-Identifier: MIT */
/* The streamed body of a finish: any split gives the same result, and only the end is kept. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/runlog.h"

struct got {
	const char *wrong;
	char rest[512];
	char log[1024];
	size_t log_len;
};

static void collect(struct runlog *r, struct got *got)
{
	const char *piece;
	size_t len;

	memset(got, 0, sizeof(*got));
	got->wrong = runlog_end(r);
	snprintf(got->rest, sizeof(got->rest), "%s", runlog_rest(r, &len));
	while (runlog_next(r, &piece, &len)) {
		assert_true(got->log_len + len < sizeof(got->log));
		memcpy(got->log + got->log_len, piece, len);
		got->log_len += len;
	}
	runlog_free(r);
}

/* In two pieces cut at `cut`; 0: byte by byte. */
static void feed(const char *body, size_t cut, struct got *got)
{
	struct runlog *r = runlog_new(1 << 20, 400);
	size_t len = strlen(body);

	if (cut) {
		runlog_feed(r, body, cut);
		runlog_feed(r, body + cut, len - cut);
	} else {
		for (size_t i = 0; i < len; i++)
			runlog_feed(r, body + i, 1);
	}
	collect(r, got);
}

static const struct {
	const char *body, *rest, *log;
	size_t log_len;		/* 0: by its NUL */
} rows[] = {
	{ "{}", "{}", "", 0 },
	{ "{\"exitCode\":0,\"log\":\"a\",\"logChunks\":null}",
	  "{\"exitCode\":0,\"log\":\"\",\"logChunks\":null}", "a", 0 },
	{ "{\"log\":\"tail\",\"logChunks\":[\"one\\n\",\"two\"]}",
	  "{\"log\":\"\",\"logChunks\":[\"\",\"\"]}", "one\ntwo", 0 },
	{ "{\"logChunks\":[\"\"],\"log\":\"tail\"}", "{\"logChunks\":[\"\"],\"log\":\"\"}", "", 0 },
	{ "{\"log\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "{\"log\":\"\"}", "\"\\/\b\f\n\r\t", 0 },
	{ "{\"log\":\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"}", "{\"log\":\"\"}",
	  "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0 },
	{ "{\"log\":\"\\u0000\\u001b[0m\"}", "{\"log\":\"\"}", "\0\x1b[0m", 5 },
	/* Halves of surrogate pairs. */
	{ "{\"log\":\"\\ud83dx\"}", "{\"log\":\"\"}", "\xef\xbf\xbdx", 0 },
	{ "{\"log\":\"\\ud83d\\n\"}", "{\"log\":\"\"}", "\xef\xbf\xbd\n", 0 },
	{ "{\"log\":\"\\ud83d\"}", "{\"log\":\"\"}", "\xef\xbf\xbd", 0 },
	{ "{\"log\":\"\\ude00\"}", "{\"log\":\"\"}", "\xef\xbf\xbd", 0 },
	{ "{\"log\":\"\\ud83d\\ud83d\\ude00\"}", "{\"log\":\"\"}", "\xef\xbf\xbd\xf0\x9f\x98\x80",
	  0 },
	/* Texts that are not of the log: other names, other depths, similar names. */
	{ "{\"x\":{\"log\":\"no\",\"logChunks\":[\"no\"]}}",
	  "{\"x\":{\"log\":\"no\",\"logChunks\":[\"no\"]}}", "", 0 },
	{ "{\"logs\":\"no\",\"l\\u006fg\":\"no\",\"log \":\"no\"}",
	  "{\"logs\":\"no\",\"l\\u006fg\":\"no\",\"log \":\"no\"}", "", 0 },
	{ "[\"log\",\"no\"]", "[\"log\",\"no\"]", "", 0 },
	/* An array with other elements than texts is not the log from there on. */
	{ "{\"logChunks\":[\"yes\",[\"no\"],{\"log\":\"no\"},\"no\"]}",
	  "{\"logChunks\":[\"\",[\"no\"],{\"log\":\"no\"},\"no\"]}", "yes", 0 },
	{ "{\"a\":\"log\",\"b\":\"no\"}", "{\"a\":\"log\",\"b\":\"no\"}", "", 0 },
	{ "{\"a\":\"\\\"log\\\":\",\"log\":\"yes\"}", "{\"a\":\"\\\"log\\\":\",\"log\":\"\"}",
	  "yes", 0 },
	{ "{\"log\" : \"yes\" , \"x\" : \"}{\" }", "{\"log\" : \"\" , \"x\" : \"}{\" }", "yes", 0 },
	{ "{\"log\":{\"log\":\"no\"}}", "{\"log\":{\"log\":\"no\"}}", "", 0 },
};

static void every_split_is_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].body);
		size_t want = rows[i].log_len ? rows[i].log_len : strlen(rows[i].log);

		for (size_t cut = 0; cut <= len; cut++) {
			struct got got;

			feed(rows[i].body, cut, &got);
			if (got.wrong)
				fail_msg("%s at %zu: %s", rows[i].body, cut, got.wrong);
			assert_string_equal(got.rest, rows[i].rest);
			assert_int_equal(got.log_len, want);
			assert_memory_equal(got.log, rows[i].log, want);
		}
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const bodies[] = {
		"{\"log\":\"\\x\"}", "{\"log\":\"\\u12g4\"}", "{\"log\":\"a\nb\"}", "{\"log\":\"open",
		"{\"log\":\"\\", "{\"x\":\"open", "{\"log\":\"\\u00",
	};
	char deep[200] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		for (size_t cut = 0; cut <= strlen(bodies[i]); cut++) {
			struct got got;

			feed(bodies[i], cut, &got);
			assert_non_null(got.wrong);
		}
	}
	memset(deep, '[', 100);
	{
		struct got got;

		feed(deep, 0, &got);
		assert_non_null(got.wrong);
	}
}

static void the_rest_has_a_limit(void **state)
{
	struct runlog *r = runlog_new(1 << 20, 100);
	char block[1000];

	(void)state;
	memset(block, ' ', sizeof(block));
	runlog_feed(r, "{\"log\":\"", 8);
	for (int i = 0; i < 1000; i++)
		runlog_feed(r, block, sizeof(block));
	assert_false(runlog_is_too_large(r));
	runlog_feed(r, "\"", 1);
	runlog_feed(r, block, sizeof(block));
	assert_true(runlog_is_too_large(r));
	assert_non_null(runlog_end(r));
	runlog_free(r);
}

/* 64 MiB of escapes use only the memory of what is kept: the end. */
static void only_the_end_is_kept(void **state)
{
	const size_t max = 8 << 20;
	struct runlog *r = runlog_new(max, 4096);
	const char *piece;
	char line[64];
	size_t len, all = 0;
	int last = 0;

	(void)state;
	runlog_feed(r, "{\"logChunks\":[", 14);
	for (int i = 0; i < 100; i++) {
		len = (size_t)snprintf(line, sizeof(line), "%s\"%012d\\n\\u0001\\u0002\\u0003\"",
				       i ? "," : "", i);
		runlog_feed(r, line, len);
	}
	runlog_feed(r, "],\"log\":\"", 9);
	for (int i = 0; i < 1000000; i++) {
		len = (size_t)snprintf(line, sizeof(line), "%012d\\n\\u0001\\u0002\\u0003", i);
		runlog_feed(r, line, len);
	}
	runlog_feed(r, "\"}", 2);
	assert_null(runlog_end(r));
	/* If there are chunks, they are the log. */
	assert_false(runlog_is_cut(r));
	assert_int_equal(runlog_size(r), 1600);
	runlog_free(r);

	r = runlog_new(max, 4096);
	runlog_feed(r, "{\"log\":\"", 8);
	for (int i = 0; i < 1000000; i++) {
		len = (size_t)snprintf(line, sizeof(line), "%012d\\n\\u0001\\u0002\\u0003", i);
		runlog_feed(r, line, len);
	}
	runlog_feed(r, "\"}", 2);
	assert_null(runlog_end(r));
	assert_true(runlog_is_cut(r));
	assert_true(runlog_size(r) <= max && runlog_size(r) > max - RUNLOG_BLOCK);
	while (runlog_next(r, &piece, &len)) {
		all += len;
		last = piece[len - 1];
	}
	assert_true(all <= max);
	assert_int_equal(last, 3);
	runlog_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_is_the_same),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(the_rest_has_a_limit),
		cmocka_unit_test(only_the_end_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
