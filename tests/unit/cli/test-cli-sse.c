/* SPDX-License-Identifier: MIT */
#include "cli/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX 64

struct heard {
	char text[512]; /* "name|data|id;" of each event */
	int enough;	/* stop after so many; 0: never */
	int count;
};

static int on_event(void *arg, const struct sse_event *event)
{
	struct heard *heard = arg;
	size_t at = strlen(heard->text);

	assert_int_equal(strlen(event->data), event->len);
	snprintf(heard->text + at, sizeof(heard->text) - at, "%s|%s|%s;", event->name, event->data,
		 event->id);
	return ++heard->count == heard->enough;
}

/* In pieces of `step` bytes. */
static int feed(struct sse *sse, const char *text, size_t len, size_t step)
{
	int rc = 0;

	for (size_t at = 0; at < len && !rc; at += step)
		rc = sse_feed(sse, text + at, len - at < step ? len - at : step);
	return rc;
}

/* The same events, however the bytes arrive. */
static void check_bytes(const char *text, size_t len, const char *want)
{
	for (size_t step = 1; step <= len; step++) {
		struct heard heard = { .count = 0 };
		struct sse sse;

		sse_init(&sse, MAX, on_event, &heard);
		assert_int_equal(feed(&sse, text, len, step), 0);
		assert_string_equal(heard.text, want);
		sse_fini(&sse);
	}
}

static void check(const char *text, const char *want)
{
	check_bytes(text, strlen(text), want);
}

static void events_end_with_an_empty_line(void **state)
{
	(void)state;
	check("data: a\n\n", "message|a|;");
	check("event: lease\ndata: a\n\ndata: b\n\n", "lease|a|;message|b|;");
	check("data: a\ndata: b\ndata\n\n", "message|a\nb\n|;");
	check("data:a\n\ndata:  a\n\n", "message|a|;message| a|;");
	check("data\n\n", "message||;");
	check("data: a:b\n\n", "message|a:b|;");
	/* Cut off by the end of the stream. */
	check("data: a\n\ndata: b\n", "message|a|;");
	check("data: a\n\ndata: b", "message|a|;");
}

static void lines_end_in_three_ways(void **state)
{
	(void)state;
	check("data: a\r\rdata: b\r\n\r\ndata: c\n\n", "message|a|;message|b|;message|c|;");
	check("data: a\r\ndata: b\rdata: c\n\r\n", "message|a\nb\nc|;");
	check("data: a\n\rdata: b\n\n", "message|a|;message|b|;");
}

static void what_is_no_data_makes_no_event(void **state)
{
	(void)state;
	check(": comment\n\n:\n\n\n\n", "");
	check("event: lease\n\ndata: a\n\n", "message|a|;"); /* the name went with it */
	check("other: x\nDATA: y\n data: z\ndata : z\n\n", "");
	check("data: a\n: comment\ndata: b\n\n", "message|a\nb|;");
}

static void a_byte_order_mark_is_skipped_once(void **state)
{
	(void)state;
	check("\xef\xbb\xbf"
	      "data: a\n\n"
	      "\xef\xbb\xbf"
	      "data: b\n\n",
	      "message|a|;");
	check("\xef\xbb\xbf\ndata: a\n\n", "message|a|;");
	check("\xef\xbb"
	      "data: a\n\ndata: b\n\n",
	      "message|b|;");
}

static void ids_last_until_the_next(void **state)
{
	static const char nul[] = "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n";

	(void)state;
	check("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "message|a|1;message|b|1;message|c|;");
	check("id: 1\n\ndata: a\n\n", "message|a|1;"); /* without an event */
	check("id: 1\nid: 2\ndata: a\n\n", "message|a|2;");
	check_bytes(nul, sizeof(nul) - 1, "message|a|1;message|b|1;");
}

static void only_what_is_complete_moves_the_id(void **state)
{
	struct heard heard = { .count = 0 };
	struct sse sse;

	(void)state;
	sse_init(&sse, MAX, on_event, &heard);
	feed(&sse, "id: 1\ndata: a\n\nid: 2\ndata: b\n", 29, 29);
	assert_string_equal(buf_str(&sse.id), "1");
	/* The next connection: an id that was not told anew is still the last one. */
	sse_begin(&sse);
	feed(&sse, "data: c\n\n", 9, 9);
	assert_string_equal(heard.text, "message|a|1;message|c|1;");
	assert_string_equal(buf_str(&sse.id), "1");
	sse_begin(&sse);
	sse_forget(&sse);
	feed(&sse, "data: d\n\n", 9, 9);
	assert_string_equal(buf_str(&sse.id), "");
	sse_fini(&sse);
}

static int64_t retry_of(const char *text)
{
	struct heard heard = { .count = 0 };
	struct sse sse;
	int64_t ms;

	sse_init(&sse, MAX, on_event, &heard);
	feed(&sse, text, strlen(text), 1);
	ms = sse.retry_ms;
	sse_fini(&sse);
	return ms;
}

static void a_retry_is_digits(void **state)
{
	(void)state;
	assert_int_equal(retry_of("retry: 2000\n"), 2000);
	assert_int_equal(retry_of("retry:1\n"), 1);
	assert_int_equal(retry_of("retry: 2000\nretry: -1\nretry: 1.5\nretry: 2s\nretry\n"), 2000);
	assert_int_equal(retry_of("retry: 99999999999999999999\n"), SSE_RETRY_MAX_MS);
}

/* A line of `len` bytes, and the events up to it. */
static int feed_line(const char *field, size_t len, struct heard *heard)
{
	char text[2 * MAX];
	struct sse sse;
	int rc;

	memset(text, 'x', sizeof(text));
	memcpy(text, field, strlen(field));
	memcpy(text + len, "\n\n", 2);
	sse_init(&sse, MAX, on_event, heard);
	rc = feed(&sse, text, len + 2, 1);
	sse_fini(&sse);
	return rc;
}

static void lengths_are_limited(void **state)
{
	struct heard heard = { .count = 0 };
	struct sse sse;
	int rc = 0;

	(void)state;
	assert_int_equal(feed_line("data:", MAX, &heard), 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(feed_line("data:", MAX + 1, &heard), -1);
	assert_int_equal(feed_line(":", MAX + 1, &heard), -1); /* a comment, too */
	assert_int_equal(heard.count, 1);
	/* Many lines of one event. */
	sse_init(&sse, MAX, on_event, &heard);
	for (int i = 0; i < MAX / 4 && !rc; i++)
		rc = feed(&sse, "data:abc\n", 9, 9);
	assert_int_equal(rc, 0);
	assert_int_equal(feed(&sse, "data:abcd\n", 10, 10), -1);
	/* The next connection begins anew. */
	sse_begin(&sse);
	assert_int_equal(feed(&sse, "data:abc\n\n", 10, 10), 0);
	assert_int_equal(heard.count, 2);
	sse_fini(&sse);
}

static void who_has_enough_gets_no_more(void **state)
{
	struct heard heard = { .enough = 2 };
	struct sse sse;

	(void)state;
	sse_init(&sse, MAX, on_event, &heard);
	assert_int_equal(feed(&sse, "data:a\n\ndata:b\n\ndata:c\n\n", 24, 24), 1);
	assert_string_equal(heard.text, "message|a|;message|b|;");
	sse_fini(&sse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_end_with_an_empty_line),
		cmocka_unit_test(lines_end_in_three_ways),
		cmocka_unit_test(what_is_no_data_makes_no_event),
		cmocka_unit_test(a_byte_order_mark_is_skipped_once),
		cmocka_unit_test(ids_last_until_the_next),
		cmocka_unit_test(only_what_is_complete_moves_the_id),
		cmocka_unit_test(a_retry_is_digits),
		cmocka_unit_test(lengths_are_limited),
		cmocka_unit_test(who_has_enough_gets_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
