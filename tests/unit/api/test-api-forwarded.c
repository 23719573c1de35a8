/* SPDX-License-Identifier: MIT */
/* What one daemon writes and another one reads and believes; and that each number counts once. */
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "api/forwarded.h"
#include "util/text.h"

static const unsigned char key[FORWARDED_KEY_SIZE] = { 1, 2, 3 };

static struct http_head head;
static struct http_parser parser;

/* A request with these lines, as the server reads it. */
static void request_parse(const char *target, const struct forwarded_lines *lines)
{
	static struct http_limits limits;
	struct http_span body;
	char text[2048];
	size_t used;

	snprintf(text, sizeof(text),
		 "POST %s HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=5\r\nContent-Length: 4\r\n%s\r\n%s\r\n%s\r\n\r\n",
		 target, lines->forwarded, lines->caller, lines->signature);
	http_limits_init(&limits);
	http_parser_begin(&parser, &head, &limits);
	if (http_parser_feed(&parser, text, strlen(text), &used, &body) != HTTP_STEP_HEAD)
		fail_msg("%s", http_refusal_message(http_parser_refusal(&parser)));
}

static struct forwarded example(void)
{
	struct forwarded f = { .sequence = 5, .epoch = 3 };

	TEXT_SET(f.from, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	TEXT_SET(f.to, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	TEXT_SET(f.request_id, "fwd-0123456789012345678901234");
	TEXT_SET(f.caller.owner, "alice@example.com:x+y-z._");
	TEXT_SET(f.caller.org, "acme");
	f.caller.role = TOKEN_ADMIN;
	hash_sha256("body", 4, f.body);
	return f;
}

static void what_is_written_is_read(void **state)
{
	struct forwarded f = example(), read;
	struct forwarded_lines lines;

	(void)state;
	/* The fields that are signed are those of the client's request: parse one first. */
	TEXT_SET(lines.forwarded, "x: y");
	TEXT_SET(lines.caller, "x: y");
	TEXT_SET(lines.signature, "x: y");
	request_parse("/v1/leases?a=b", &lines);
	assert_false(forwarded_is(&head));
	forwarded_write(&f, key, &head, "/v1/leases?a=b", &lines);
	request_parse("/v1/leases?a=b", &lines);
	assert_true(forwarded_is(&head));
	assert_int_equal(forwarded_read(&head, key, &read), 0);
	assert_memory_equal(&read, &f, sizeof(f));
	/* The account is said of a create only. */
	assert_null(strstr(lines.forwarded, "hetzner"));
	TEXT_SET(f.account, "hetzner");
	forwarded_write(&f, key, &head, "/v1/leases?a=b", &lines);
	request_parse("/v1/leases?a=b", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), 0);
	assert_memory_equal(&read, &f, sizeof(f));
	TEXT_SET(f.lease, "cbx_0123456789ab");
	forwarded_write(&f, key, &head, "/v1/leases?a=b", &lines);
	request_parse("/v1/leases?a=b", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), 0);
	assert_memory_equal(&read, &f, sizeof(f));
	memset(f.account, 0, sizeof(f.account));
	forwarded_write(&f, key, &head, "/v1/leases?a=b", &lines);
	request_parse("/v1/leases?a=b", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), 0);
	assert_memory_equal(&read, &f, sizeof(f));
}

static void the_longest_names_have_room(void **state)
{
	struct forwarded f = example(), read;
	struct forwarded_lines lines;

	(void)state;
	memset(f.caller.owner, 'o', sizeof(f.caller.owner) - 1);
	memset(f.caller.org, 'g', sizeof(f.caller.org) - 1);
	memset(f.request_id, 'r', sizeof(f.request_id) - 1);
	memset(f.account, 'a', sizeof(f.account) - 1);
	memset(f.lease, 'l', sizeof(f.lease) - 1);
	f.sequence = 999999999999999999;
	f.epoch = 999999999999999999;
	forwarded_write(&f, key, NULL, "/", &lines);
	f.caller.role = TOKEN_READER;
	forwarded_write(&f, key, &head, "/", &lines);
	request_parse("/", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), 0);
	assert_memory_equal(&read, &f, sizeof(f));
}

static void whatever_differs_is_refused(void **state)
{
	static const unsigned char other_key[FORWARDED_KEY_SIZE] = { 1, 2, 4 };
	struct forwarded f = example(), read;
	struct forwarded_lines lines,
		none = { .forwarded = "x: y", .caller = "x: y", .signature = "x: y" };
	char *at;

	(void)state;
	request_parse("/v1/a", &none);
	assert_int_equal(forwarded_read(&head, key, &read), -1);
	forwarded_write(&f, key, &head, "/v1/a", &lines);
	request_parse("/v1/a", &lines);
	assert_int_equal(forwarded_read(&head, other_key, &read), -1);
	request_parse("/v1/b", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), -1);
	at = strstr(lines.caller, "alice");
	at[0] = 'A';
	request_parse("/v1/a", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), -1);
	at[0] = 'a';
	/* A shorter signature is none. */
	lines.signature[strlen(lines.signature) - 1] = '\0';
	request_parse("/v1/a", &lines);
	assert_int_equal(forwarded_read(&head, key, &read), -1);
}

static void each_number_is_taken_once(void **state)
{
	static struct forwarded_window window;

	(void)state;
	assert_int_equal(forwarded_take(&window, 0), -1);
	assert_int_equal(forwarded_take(&window, -1), -1);
	assert_int_equal(forwarded_take(&window, 3), 0);
	assert_int_equal(forwarded_take(&window, 1), 0);
	assert_int_equal(forwarded_take(&window, 3), -1);
	assert_int_equal(forwarded_take(&window, 1), -1);
	assert_int_equal(forwarded_take(&window, 2), 0);
	/* Far ahead: what is behind the window is refused, seen or not. */
	assert_int_equal(forwarded_take(&window, 10 * FORWARDED_WINDOW), 0);
	assert_int_equal(forwarded_take(&window, 9 * FORWARDED_WINDOW), -1);
	assert_int_equal(forwarded_take(&window, 9 * FORWARDED_WINDOW + 1), 0);
	assert_int_equal(forwarded_take(&window, 9 * FORWARDED_WINDOW + 1), -1);
}

/* Every order within the window is possible, and nothing is taken twice. */
static void any_order_within_the_window(void **state)
{
	static struct forwarded_window window;
	static int taken[3 * FORWARDED_WINDOW];

	(void)state;
	for (int64_t base = 0; base < 3 * FORWARDED_WINDOW; base += 64) {
		for (int64_t i = 0; i < 64; i++) {
			int64_t n = base + i * 37 % 64;

			if (n == 0)
				continue;
			assert_int_equal(forwarded_take(&window, n), 0);
			taken[n]++;
		}
		for (int64_t n = base < FORWARDED_WINDOW ? 1 : base - FORWARDED_WINDOW + 64;
		     n < base + 64; n += 7)
			assert_int_equal(forwarded_take(&window, n), -1);
	}
	for (int n = 1; n < 3 * FORWARDED_WINDOW; n++)
		assert_int_equal(taken[n], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_longest_names_have_room),
		cmocka_unit_test(whatever_differs_is_refused),
		cmocka_unit_test(each_number_is_taken_once),
		cmocka_unit_test(any_order_within_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
