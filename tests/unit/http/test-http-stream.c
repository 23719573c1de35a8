/* SPDX-License-Identifier: MIT */
/* Streamed responses, clients that leave before their response, and draining a server. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http-fixture.h"

static void test_gone(void **state)
{
	size_t len;

	(void)state;
	h.handler = harness_keep;
	harness_start(&h);
	/* A close, a reset, and a second request on the same connection. */
	client_open(&h, &c);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS "POST /b HTTP/1.1\r\nHost: localhost\r\n"
		 "Content-Length: 4\r\n\r\nbody");
	WAIT(&h, h.kept_count == 2);
	client_close(&c);
	WAIT(&h, h.gone == 2);
	client_open(&h, &c);
	SEND(&c, "GET /c HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 3);
	client_reset(&c);
	WAIT(&h, h.gone == 3);
	/* The parsed request stays valid, and responding is harmless. */
	assert_true(http_exchange_is_gone(h.kept[1]));
	assert_string_equal(http_exchange_body(h.kept[1], &len), "body");
	assert_string_equal(http_exchange_head(h.kept[2])->path, "/c");
	assert_int_equal(http_reply_header(h.kept[0], "X-A", "b"), 0);
	http_reply(h.kept[0], 200, NULL, "late", 4);
	http_drop(h.kept[1]);
	http_stream_begin(h.kept[2], 200, NULL, NULL, NULL);
	http_stream_chunk(h.kept[2], "late", 4);
	http_stream_end(h.kept[2]);
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	assert_int_equal(harness_counters(&h)->requests_open, 0);
	assert_int_equal(harness_counters(&h)->gone, 3);
}

static void end_other(struct http_exchange *ex, void *arg)
{
	struct harness *harness = arg;

	harness->gone++;
	/* Both responses, from within a callback. */
	for (int i = 0; i < 2; i++)
		http_reply(harness->kept[i], 200, NULL, "x", 1);
	(void)ex;
}

static void test_gone_may_end_others(void **state)
{
	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		fixture_again();
		begin(harness_keep);
		SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS "GET /b HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.kept_count == 2);
		http_exchange_on_gone(h.kept[0], end_other, &h);
		http_exchange_on_gone(h.kept[1], NULL, NULL);
		if (reset)
			client_reset(&c);
		else
			client_close(&c);
		WAIT(&h, harness_counters(&h)->connections_open == 0);
		assert_int_equal(h.gone, 1);
		assert_int_equal(harness_counters(&h)->requests_open, 0);
	}
}

static void test_half_close_is_answered(void **state)
{
	(void)state;
	begin(harness_keep);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	shutdown(c.fd, SHUT_WR);
	WAIT(&h, h.gone == 1);
	http_reply(h.kept[0], 200, NULL, "late", 4);
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "\r\n\r\nlate"));
	client_close(&c);
	/* B072: an incomplete request has no effect. */
	client_open(&h, &c);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc");
	shutdown(c.fd, SHUT_WR);
	WAIT(&h, c.is_eof);
	assert_int_equal(h.kept_count, 1);
	assert_string_equal(client_text(&c), "");
}

static void test_free_with_open_exchanges(void **state)
{
	size_t len;

	(void)state;
	begin(harness_keep);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS "GET /b HTTP/1.1\r\n" GET_FIELDS
		 "GET /c HTTP/1.1\r\nHost: ");
	WAIT(&h, h.kept_count == 2);
	http_reply(h.kept[1], 200, NULL, "held", 4);
	http_server_free(h.server);
	h.server = NULL;
	assert_int_equal(h.gone, 1);
	assert_string_equal(http_exchange_head(h.kept[0])->path, "/a");
	http_exchange_body(h.kept[0], &len);
	assert_int_equal(strlen(http_exchange_id(h.kept[0])), 25);
	http_reply(h.kept[0], 200, NULL, "x", 1);
}

static void on_empty(void *user)
{
	((struct harness *)user)->empty++;
}

static void test_drain(void **state)
{
	struct client idle, busy, sending, silent;

	(void)state;
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &silent);
	client_open(&h, &idle);
	SEND(&idle, "GET /i HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	http_reply(h.kept[0], 200, NULL, "idle", 4);
	WAIT(&h, strstr(client_text(&idle), "idle"));
	client_open(&h, &busy);
	SEND(&busy, "GET /b HTTP/1.1\r\n" GET_FIELDS);
	client_open(&h, &sending);
	SEND(&sending, "POST /s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo");
	WAIT(&h, h.kept_count == 2 && harness_counters(&h)->connections_open == 4 &&
			 harness_counters(&h)->bytes_in > 120);
	http_server_drain(h.server, on_empty, &h);
	assert_int_equal(h.empty, 0);
	WAIT(&h, idle.is_eof && silent.is_eof);
	SEND(&sending, "dy");
	WAIT(&h, h.kept_count == 3);
	assert_false(busy.is_eof);
	assert_int_equal(h.empty, 0);
	http_reply(h.kept[1], 200, NULL, "busy", 4);
	http_reply(h.kept[2], 200, NULL, "sent", 4);
	WAIT(&h, busy.is_eof && sending.is_eof);
	assert_non_null(strstr(client_text(&busy), "Connection: close\r\n\r\nbusy"));
	assert_non_null(strstr(client_text(&sending), "Connection: close\r\n\r\nsent"));
	client_close(&idle);
	client_close(&busy);
	client_close(&sending);
	client_close(&silent);
	WAIT(&h, h.empty == 1);
	/* Without connections it is called too, from the loop. */
	fixture_again();
	harness_start(&h);
	http_server_drain(h.server, on_empty, &h);
	assert_int_equal(h.empty, 0);
	WAIT(&h, h.empty == 1);
}

static void free_on_empty(void *user)
{
	struct harness *harness = user;

	http_server_free(harness->server);
	harness->server = NULL;
	harness->empty++;
}

static void test_drain_may_free(void **state)
{
	(void)state;
	begin(harness_keep);
	SEND(&c, "GET /b HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	http_server_drain(h.server, free_on_empty, &h);
	http_reply(h.kept[0], 200, NULL, "busy", 4);
	WAIT(&h, c.is_eof);
	client_close(&c);
	WAIT(&h, h.empty == 1);
}

static void on_drained(struct http_exchange *ex, void *arg)
{
	struct harness *harness = arg;

	(void)ex;
	harness->drained++;
}

static void handle_stream(struct harness *harness, struct http_exchange *ex)
{
	harness_keep(harness, ex);
	http_stream_begin(ex, 200, "text/plain", on_drained, harness);
	assert_int_equal(http_stream_chunk(ex, "hello", 5), 0);
}

static void test_stream(void **state)
{
	char *part = calloc(1, 32768);
	unsigned parts = 0;

	(void)state;
	memset(part, 'y', 32768);
	begin(handle_stream);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
	/* The reader pauses: the stream must soon pause too, and resume when it reads again. */
	client_read(&c, 0);
	while (http_stream_chunk(h.kept[0], part, 32768) == 0) {
		parts++;
		event_base_loop(h.base, EVLOOP_NONBLOCK);
		assert_true(parts < 1000);
	}
	parts++;
	assert_int_equal(h.drained, 0);
	client_read(&c, 1);
	WAIT(&h, h.drained == 1);
	http_stream_end(h.kept[0]);
	/* Not a search, because megabytes arrive in small pieces. */
	WAIT(&h, !memcmp(c.in.data + c.in.len - 7, "\r\n0\r\n\r\n", 7));
	assert_int_equal(client_count(&c, "8000\r\nyyy"), parts);
	/* The connection can be reused. HEAD: no byte of the body. */
	buf_clear(&c.in);
	SEND(&c, "HEAD /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 2);
	http_stream_end(h.kept[1]);
	WAIT(&h, strstr(client_text(&c), "\r\n\r\n"));
	assert_null(strstr(client_text(&c), "hello"));
	client_close(&c);
	/* HTTP/1.0: the body ends with the connection. */
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.0\r\n\r\n");
	WAIT(&h, h.kept_count == 3);
	http_stream_end(h.kept[2]);
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "Connection: close\r\n\r\nhello"));
	assert_null(strstr(client_text(&c), "chunked"));
	free(part);
}

static char produced[100000];
static int to_produce;

/* Continues only in the callback that says there is room. */
static void produce(struct http_exchange *ex, void *arg)
{
	int full = 0;

	(void)arg;
	while (to_produce && !full) {
		to_produce--;
		full = http_stream_chunk(ex, produced, sizeof(produced));
		assert_true(full >= 0);
	}
	if (!full)
		http_stream_end(ex);
}

static void handle_produce(struct harness *harness, struct http_exchange *ex)
{
	http_stream_begin(ex, 200, "text/plain", produce, harness);
	produce(ex, harness);
}

/* The kernel accepts data as fast as it comes: there is no event to wait for. */
static void test_stream_to_a_fast_reader(void **state)
{
	(void)state;
	memset(produced, 'z', sizeof(produced));
	to_produce = 50;
	begin(handle_produce);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.in.len > 7 && !memcmp(c.in.data + c.in.len - 7, "\r\n0\r\n\r\n", 7));
	assert_int_equal(client_count(&c, "186a0\r\nzzz"), 50);
}

static void test_stream_cut_and_drop(void **state)
{
	(void)state;
	h.handler = handle_stream;
	harness_start(&h);
	/* Dropped: the client can see that the end is missing. */
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "hello"));
	http_drop(h.kept[0]);
	WAIT(&h, c.is_eof);
	assert_null(strstr(client_text(&c), "\r\n0\r\n"));
	client_close(&c);
	/* The client leaves: on_gone is called, and every further chunk reports it. */
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "hello"));
	client_reset(&c);
	WAIT(&h, h.gone == 1);
	assert_int_equal(http_stream_chunk(h.kept[1], "x", 1), -1);
	http_stream_end(h.kept[1]);
	assert_int_equal(harness_counters(&h)->requests_open, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_gone),
		TEST(test_gone_may_end_others),
		TEST(test_half_close_is_answered),
		TEST(test_free_with_open_exchanges),
		TEST(test_drain),
		TEST(test_drain_may_free),
		TEST(test_stream),
		TEST(test_stream_to_a_fast_reader),
		TEST(test_stream_cut_and_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
