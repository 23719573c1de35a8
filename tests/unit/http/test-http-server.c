/* SPDX-License-Identifier: MIT */
/* What the server does with good requests: order, answers, streams, gone, drain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http-harness.h"
#include "util/alloc.h"

static void test_answers_and_keeps_alive(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.config.answer_fields = "X-Content-Type-Options: nosniff\r\n";
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /a?b HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "GET /a?b "));
	assert_int_equal(strncmp(client_text(&c), "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
	assert_non_null(strstr(client_text(&c), " GMT\r\nContent-Type: text/plain\r\n"
					       "Content-Length: 9\r\n"
					       "X-Content-Type-Options: nosniff\r\n\r\nGET /a?b "));
	SEND(&c, "POST /b HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 5\r\n\r\nhello");
	WAIT(&h, strstr(client_text(&c), "POST /b hello"));
	SEND(&c, "PUT /c HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	WAIT(&h, strstr(client_text(&c), "PUT /c abcde"));
	assert_int_equal(client_count(&c, "Connection:"), 0);
	assert_int_equal(harness_counters(&h)->requests, 3);
	assert_int_equal(harness_counters(&h)->answers[2], 3);
	assert_int_equal(harness_counters(&h)->requests_open, 0);
	assert_int_equal(harness_counters(&h)->connections_accepted, 1);
	client_close(&c);
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	harness_stop(&h);
}

static void test_every_cut_of_a_request(void **state)
{
	static const char request[] = "POST /cut HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 3\r\n\r\nabc";
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	client_open(&h, &c);
	for (size_t i = 1; i < sizeof(request) - 1; i++) {
		client_send(&c, request, i);
		WAIT(&h, harness_counters(&h)->bytes_in % (sizeof(request) - 1) == i);
		client_send(&c, request + i, sizeof(request) - 1 - i);
		WAIT(&h, client_count(&c, "POST /cut abc") == i);
	}
	client_close(&c);
	harness_stop(&h);
}

static void handle_codes(struct harness *h, struct http_exchange *ex)
{
	const char *path = http_exchange_head(ex)->path;

	(void)h;
	if (!strcmp(path, "/204"))
		http_reply(ex, 204, NULL, "ignored", 7);
	else if (!strcmp(path, "/error"))
		http_reply_error(ex, 409, "some_code", "A \"quoted\" text.");
	else if (!strcmp(path, "/none"))
		http_reply(ex, 201, NULL, NULL, 0);
	else if (!strcmp(path, "/bad"))
		http_reply(ex, 99, NULL, NULL, 0);
	else
		http_reply(ex, 299, "a/b", "0123456789", 10);
}

static void test_b110_head_and_bodiless(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = handle_codes;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "HEAD /x HTTP/1.1\r\n" GET_FIELDS "GET /204 HTTP/1.1\r\n" GET_FIELDS
		 "GET /error HTTP/1.1\r\n" GET_FIELDS "GET /none HTTP/1.1\r\n" GET_FIELDS
		 "GET /bad HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "HTTP/1.1 500 Internal Server Error\r\n"));
	assert_non_null(strstr(client_text(&c), "HTTP/1.1 299 \r\n"));
	assert_non_null(strstr(client_text(&c), "Content-Type: a/b\r\nContent-Length: 10\r\n\r\n"
					       "HTTP/1.1 204 No Content\r\nDate: "));
	assert_non_null(strstr(client_text(&c), " GMT\r\n\r\nHTTP/1.1 409 Conflict\r\n"));
	assert_non_null(strstr(client_text(&c), "{\"error\":\"some_code\","
					       "\"message\":\"A \\\"quoted\\\" text.\"}"
					       "HTTP/1.1 201 Created\r\n"));
	assert_non_null(strstr(client_text(&c), "Content-Length: 0\r\n\r\n"));
	client_close(&c);
	harness_stop(&h);
}

static void handle_header(struct harness *h, struct http_exchange *ex)
{
	char *big = malloc(5001);

	(void)h;
	memset(big, 'a', 5000);
	big[5000] = '\0';
	assert_int_equal(http_reply_header(ex, "Retry-After", "7"), 0);
	assert_int_equal(http_reply_header(ex, "X-Bad", "a\r\nSet-Cookie: b"), -1);
	assert_int_equal(http_reply_header(ex, "X-Bad", "a\n"), -1);
	assert_int_equal(http_reply_header(ex, "X-Bad", "a\x7f"), -1);
	assert_int_equal(http_reply_header(ex, "X Bad", "a"), -1);
	assert_int_equal(http_reply_header(ex, "X-Bad\r\n", "a"), -1);
	assert_int_equal(http_reply_header(ex, "", "a"), -1);
	assert_int_equal(http_reply_header(ex, "content-length", "1"), -1);
	assert_int_equal(http_reply_header(ex, "Connection", "close"), -1);
	assert_int_equal(http_reply_header(ex, "X-Bad", big), -1);
	assert_int_equal(http_reply_header(ex, "WWW-Authenticate", "Bearer"), 0);
	assert_int_equal(strlen(http_exchange_id(ex)), 25);
	assert_string_equal(http_exchange_peer(ex)->address, "127.0.0.1");
	assert_true(http_exchange_peer(ex)->is_loopback);
	assert_int_equal(http_exchange_peer(ex)->uid, (uid_t)-1);
	http_reply(ex, 401, "application/json", "{}", 2);
	free(big);
}

static void test_answer_fields_cannot_split(void **state)
{
	struct harness h;
	struct client c;
	struct err err;

	(void)state;
	harness_init(&h);
	h.handler = handle_header;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /x HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "\r\n\r\n{}"));
	assert_non_null(strstr(client_text(&c), "\r\nRetry-After: 7\r\nWWW-Authenticate: "
	"Bearer\r\n\r\n"));
	assert_null(strstr(client_text(&c), "Bad"));
	client_close(&c);
	/* The same for what the configuration gives. */
	h.config.answer_fields = "X-A: b\r\nno colon\r\n";
	assert_null(http_server_new(h.base, &h.config, &h.callbacks, &h, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	h.config.answer_fields = "";
	h.config.hosts = (const char *const[]){ "good.example", "bad/host" };
	h.config.host_count = 2;
	assert_null(http_server_new(h.base, &h.config, &h.callbacks, &h, &err));
	harness_stop(&h);
}

static void test_b027_b054_close(void **state)
{
	static const char *const closing[] = {
		"GET /x HTTP/1.0\r\n\r\n",
		"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		("GET /x HTTP/1.1\r\nHost: localhost\r\n"
		 "Connection: close, keep-alive, Authorization\r\n\r\n"),
	};
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	for (size_t i = 0; i < ARRAY_LEN(closing); i++) {
		struct client c;

		client_open(&h, &c);
		client_send(&c, closing[i], strlen(closing[i]));
		WAIT(&h, c.is_eof);
		assert_int_equal(c.error, 0);
		assert_non_null(strstr(client_text(&c), "Connection: close\r\n"));
		assert_non_null(strstr(client_text(&c), "GET /x "));
		client_close(&c);
	}
	harness_stop(&h);
}

/* Whatever order the answers are made in, they leave in the order of the requests. */
static void test_b217_order_of_deferred_answers(void **state)
{
	static const unsigned order[] = { 3, 1, 7, 0, 2, 6, 5, 4 };
	struct harness h;
	struct client c;
	char at[8];

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
	for (int i = 0; i < 8; i++) {
		char request[64];

		snprintf(request, sizeof(request), "GET /%d HTTP/1.1\r\n" GET_FIELDS, i);
		client_send(&c, request, strlen(request));
	}
	WAIT(&h, h.kept_count == 8);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct http_exchange *ex = h.kept[order[i]];

		snprintf(at, sizeof(at), "<%s>", http_exchange_head(ex)->path);
		if (order[i] == 6) {
			http_stream_begin(ex, 200, "text/plain", NULL, NULL);
			http_stream_chunk(ex, at, strlen(at));
			http_stream_end(ex);
		} else {
			http_reply(ex, 200, "text/plain", at, strlen(at));
		}
	}
	WAIT(&h, strstr(client_text(&c), "</7>"));
	for (int i = 0; i < 7; i++) {
		char next[8];

		snprintf(at, sizeof(at), "</%d>", i);
		snprintf(next, sizeof(next), "</%d>", i + 1);
		assert_true(strstr(client_text(&c), at) < strstr(client_text(&c), next));
	}
	assert_int_equal(harness_counters(&h)->requests_open, 0);
	client_close(&c);
	harness_stop(&h);
}

static void test_b217_queue_is_bounded(void **state)
{
	struct harness h;
	struct client c;
	struct buf all;
	unsigned ended = 0;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	buf_init(&all, 1 << 20);
	for (int i = 0; i < 100; i++)
		buf_addf(&all, "GET /%d HTTP/1.1\r\n" GET_FIELDS, i);
	client_open(&h, &c);
	client_send(&c, all.data, all.len);
	while (ended < 100) {
		char body[16];

		/* It stops at 8 and goes on when there is room, one by one. */
		WAIT(&h, h.kept_count == (ended + 8 < 100 ? ended + 8 : 100));
		event_base_loop(h.base, EVLOOP_NONBLOCK);
		assert_true(h.kept_count - ended <= 8);
		snprintf(body, sizeof(body), "<%u>", ended);
		http_reply(h.kept[ended++], 200, "text/plain", body, strlen(body));
	}
	WAIT(&h, strstr(client_text(&c), "<99>"));
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 100);
	client_close(&c);
	buf_fini(&all);
	harness_stop(&h);
}

/* Bytes that one connection cannot parse yet survive the reads of another. */
static void test_b217_queues_beside_each_other(void **state)
{
	struct harness h;
	struct client c[2];
	struct buf all;
	unsigned ended = 0;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	buf_init(&all, 1 << 20);
	for (int k = 0; k < 2; k++) {
		client_open(&h, &c[k]);
		buf_clear(&all);
		for (int i = 0; i < 100; i++)
			buf_addf(&all, "GET /%c%d HTTP/1.1\r\n" GET_FIELDS, 'a' + k, i);
		client_send(&c[k], all.data, all.len);
	}
	for (; ended < 200; ended++) {
		char body[16];

		WAIT(&h, h.kept_count > ended);
		snprintf(body, sizeof(body), "<%s>", http_exchange_head(h.kept[ended])->path);
		http_reply(h.kept[ended], 200, "text/plain", body, strlen(body));
	}
	for (int k = 0; k < 2; k++) {
		WAIT(&h, strstr(client_text(&c[k]), k ? "</b99>" : "</a99>"));
		for (int i = 0; i < 100; i++) {
			char body[16];

			snprintf(body, sizeof(body), "</%c%d>", 'a' + k, i);
			assert_int_equal(client_count(&c[k], body), 1);
		}
		assert_int_equal(client_count(&c[k], "HTTP/1.1 200 OK"), 100);
		client_close(&c[k]);
	}
	buf_fini(&all);
	harness_stop(&h);
}

static void test_b217_hundred_at_once(void **state)
{
	struct harness h;
	struct client c;
	struct buf all;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	buf_init(&all, 1 << 20);
	for (int i = 0; i < 100; i++)
		buf_addf(&all, "GET /%d HTTP/1.1\r\n" GET_FIELDS, i);
	client_open(&h, &c);
	client_send(&c, all.data, all.len);
	WAIT(&h, strstr(client_text(&c), "GET /99 "));
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 100);
	client_close(&c);
	buf_fini(&all);
	harness_stop(&h);
}

static void test_b074_error_after_good_ones(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
		 "GET /b HTTP/1.1\r\n" GET_FIELDS "{rubbish secret}\r\n\r\n"
		 "GET /hidden HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, harness_counters(&h)->refusals[HTTP_REFUSED_LINE] == 1);
	assert_int_equal(h.kept_count, 2);
	http_reply(h.kept[1], 200, NULL, "second", 6);
	http_reply(h.kept[0], 200, NULL, "first", 5);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_true(strstr(client_text(&c), "first") < strstr(client_text(&c), "second"));
	assert_true(strstr(client_text(&c), "second") < strstr(client_text(&c), "HTTP/1.1 400 "));
	assert_int_equal(client_count(&c, "HTTP/1.1 "), 3);
	assert_non_null(strstr(client_text(&c), "Connection: close\r\n"));
	assert_non_null(strstr(client_text(&c), "{\"error\":\"bad_request_line\",\"message\":\""));
	assert_null(strstr(client_text(&c), "secret"));
	client_close(&c);
	harness_stop(&h);
}

/* The client still sends a megabyte: it must see the answer, not a reset. */
static void test_error_answer_survives_more_input(void **state)
{
	struct harness h;
	struct client c;
	char *more = malloc(1 << 20);

	(void)state;
	memset(more, 'x', 1 << 20);
	harness_init(&h);
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n");
	client_send(&c, more, 1 << 20);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_non_null(strstr(client_text(&c), "HTTP/1.1 413 Content Too Large\r\n"));
	assert_int_equal(h.requests, 0);
	client_close(&c);
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	free(more);
	harness_stop(&h);
}

static void test_b051_continue(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
	/* It waits for its turn behind an answer that is still owed. */
	SEND(&c, "GET /first HTTP/1.1\r\n" GET_FIELDS);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
		 "Content-Length: 4\r\n\r\n");
	WAIT(&h, h.kept_count == 1);
	event_base_loop(h.base, EVLOOP_NONBLOCK);
	http_reply(h.kept[0], 200, NULL, "one", 3);
	WAIT(&h, strstr(client_text(&c), "oneHTTP/1.1 100 Continue\r\n\r\n"));
	SEND(&c, "body");
	WAIT(&h, h.kept_count == 2);
	http_reply(h.kept[1], 200, NULL, "two", 3);
	WAIT(&h, strstr(client_text(&c), "two"));
	/* Who does not wait is not told. */
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
		 "Content-Length: 4\r\n\r\nbody");
	WAIT(&h, h.kept_count == 3);
	http_reply(h.kept[2], 200, NULL, "three", 5);
	WAIT(&h, strstr(client_text(&c), "three"));
	assert_int_equal(client_count(&c, "100 Continue"), 1);
	client_close(&c);
	harness_stop(&h);
}

static void check_refused(struct harness *h, const char *request, const char *status)
{
	struct client c;

	client_open(h, &c);
	client_send(&c, request, strlen(request));
	WAIT(h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(strncmp(client_text(&c), status, strlen(status)), 0);
	assert_int_equal(client_count(&c, "HTTP/1.1 "), 1);
	assert_non_null(strstr(client_text(&c), "Connection: close\r\n"));
	client_close(&c);
}

static void test_b052_b053_b113_refusals(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	h.config.hosts = (const char *const[]){ "broker.example" };
	h.config.host_count = 1;
	harness_start(&h);
	check_refused(&h, "POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
			  "Content-Length: 65537\r\n\r\n", "HTTP/1.1 413 ");
	check_refused(&h, "GET /a HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n",
		      "HTTP/1.1 417 ");
	check_refused(&h, "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421 ");
	check_refused(&h, "GET /a HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "HTTP/1.1 "
	"421 ");
	check_refused(&h, "GET /a HTTP/1.1\r\nHost: localhos\r\n\r\n", "HTTP/1.1 421 ");
	check_refused(&h, "CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
			  "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 501 ");
	assert_int_equal(h.requests, 0);
	/* HEAD gets no body with its error either. */
	check_refused(&h, "HEAD /a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421 ");
	check_refused(&h, "GET /a HTTP/1.1\r\nHost: Broker.Example:99\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 200 ");
	assert_int_equal(h.requests, 1);
	harness_stop(&h);
}

static void on_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user)
{
	const struct http_head *head = http_exchange_head(ex);

	(void)user;
	if (!strcmp(head->path, "/upload"))
		rule->max = 4 << 20;
	if (!strcmp(head->path, "/small"))
		rule->max = 3;
	if (!http_head_known(head, HTTP_FIELD_AUTHORIZATION) && !strcmp(head->path, "/upload")) {
		rule->status = 401;
		rule->code = "unauthorized";
		rule->message = "No.";
	}
}

static void handle_length(struct harness *h, struct http_exchange *ex)
{
	char text[32];
	size_t len;

	(void)h;
	http_exchange_body(ex, &len);
	snprintf(text, sizeof(text), "length=%zu", len);
	http_reply(ex, 200, NULL, text, strlen(text));
}

static void test_b068_body_rule(void **state)
{
	struct harness h;
	struct client c;
	char *body = malloc(4 << 20);

	(void)state;
	memset(body, 'x', 4 << 20);
	harness_init(&h);
	h.callbacks.on_head = on_head;
	h.handler = handle_length;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "PUT /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\n"
		 "Content-Length: 4194304\r\n\r\n");
	client_send(&c, body, 4 << 20);
	WAIT(&h, strstr(client_text(&c), "length=4194304"));
	SEND(&c, "PUT /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
	WAIT(&h, strstr(client_text(&c), "length=3"));
	client_close(&c);
	check_refused(&h, "PUT /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd",
		      "HTTP/1.1 413 ");
	check_refused(&h, "PUT /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
	"chunked\r\n\r\n"
			  "2\r\nab\r\n2\r\ncd\r\n", "HTTP/1.1 413 ");
	check_refused(&h, "PUT /upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
			  "Content-Length: 4000000\r\n\r\n", "HTTP/1.1 401 ");
	free(body);
	harness_stop(&h);
}

static void test_max_requests(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.config.max_requests = 3;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /1 HTTP/1.1\r\n" GET_FIELDS "GET /2 HTTP/1.1\r\n" GET_FIELDS
		 "GET /3 HTTP/1.1\r\n" GET_FIELDS "GET /4 HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(h.requests, 3);
	assert_int_equal(client_count(&c, "Connection: close"), 1);
	client_close(&c);
	harness_stop(&h);
}

static void test_gone(void **state)
{
	struct harness h;
	struct client c;
	size_t len;

	(void)state;
	harness_init(&h);
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
	/* What was read stays, and answering does no harm. */
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
	harness_stop(&h);
}

static void end_other(struct http_exchange *ex, void *arg)
{
	struct harness *h = arg;

	h->gone++;
	/* Both at once, from within a callback. */
	for (int i = 0; i < 2; i++)
		http_reply(h->kept[i], 200, NULL, "x", 1);
	(void)ex;
}

static void test_gone_may_end_others(void **state)
{
	for (int reset = 0; reset < 2; reset++) {
		struct harness h;
		struct client c;

		(void)state;
		harness_init(&h);
		h.handler = harness_keep;
		harness_start(&h);
		client_open(&h, &c);
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
		harness_stop(&h);
	}
}

static void test_half_close_is_answered(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	shutdown(c.fd, SHUT_WR);
	WAIT(&h, h.gone == 1);
	http_reply(h.kept[0], 200, NULL, "late", 4);
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "\r\n\r\nlate"));
	client_close(&c);
	/* B072: what is not complete has no effect. */
	client_open(&h, &c);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc");
	shutdown(c.fd, SHUT_WR);
	WAIT(&h, c.is_eof);
	assert_int_equal(h.kept_count, 1);
	assert_string_equal(client_text(&c), "");
	client_close(&c);
	harness_stop(&h);
}

static void test_free_with_open_exchanges(void **state)
{
	struct harness h;
	struct client c;
	size_t len;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
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
	client_close(&c);
	harness_stop(&h);
}

static void on_empty(void *user)
{
	((struct harness *)user)->empty++;
}

static void test_drain(void **state)
{
	struct harness h;
	struct client idle, busy, sending, silent;

	(void)state;
	harness_init(&h);
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
	harness_stop(&h);
	/* With nobody there it is called too, from the loop. */
	harness_init(&h);
	harness_start(&h);
	http_server_drain(h.server, on_empty, &h);
	assert_int_equal(h.empty, 0);
	WAIT(&h, h.empty == 1);
	harness_stop(&h);
}

static void free_on_empty(void *user)
{
	struct harness *h = user;

	http_server_free(h->server);
	h->server = NULL;
	h->empty++;
}

static void test_drain_may_free(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /b HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	http_server_drain(h.server, free_on_empty, &h);
	http_reply(h.kept[0], 200, NULL, "busy", 4);
	WAIT(&h, c.is_eof);
	client_close(&c);
	WAIT(&h, h.empty == 1);
	harness_stop(&h);
}

/* Until an upgrade was answered, what comes behind it is not taken for a request. */
static void test_b055_upgrade(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = harness_keep;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
		 "Upgrade: websocket\r\n\r\nGET /next HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 1);
	event_base_loop(h.base, EVLOOP_NONBLOCK);
	assert_int_equal(h.kept_count, 1);
	assert_true(http_exchange_head(h.kept[0])->upgrade);
	http_reply(h.kept[0], 404, NULL, "no", 2);
	WAIT(&h, h.kept_count == 2);
	http_reply(h.kept[1], 200, NULL, "yes", 3);
	WAIT(&h, strstr(client_text(&c), "yes"));
	client_close(&c);
	harness_stop(&h);
}

static void on_drained(struct http_exchange *ex, void *arg)
{
	struct harness *h = arg;

	(void)ex;
	h->drained++;
}

static void handle_stream(struct harness *h, struct http_exchange *ex)
{
	harness_keep(h, ex);
	http_stream_begin(ex, 200, "text/plain", on_drained, h);
	assert_int_equal(http_stream_chunk(ex, "hello", 5), 0);
}

static void test_stream(void **state)
{
	struct harness h;
	struct client c;
	char *part = calloc(1, 32768);
	unsigned parts = 0;

	(void)state;
	memset(part, 'y', 32768);
	harness_init(&h);
	h.handler = handle_stream;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"));
	/* The reader stops: so must we, before long, and go on when it reads again. */
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
	/* Not a search: some megabytes came, and come in small pieces. */
	WAIT(&h, !memcmp(c.in.data + c.in.len - 7, "\r\n0\r\n\r\n", 7));
	assert_int_equal(client_count(&c, "8000\r\nyyy"), parts);
	/* The connection is good for more. HEAD: no byte of the body. */
	buf_clear(&c.in);
	SEND(&c, "HEAD /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 2);
	http_stream_end(h.kept[1]);
	WAIT(&h, strstr(client_text(&c), "\r\n\r\n"));
	assert_null(strstr(client_text(&c), "hello"));
	client_close(&c);
	/* 1.0: until the close. */
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.0\r\n\r\n");
	WAIT(&h, h.kept_count == 3);
	http_stream_end(h.kept[2]);
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "Connection: close\r\n\r\nhello"));
	assert_null(strstr(client_text(&c), "chunked"));
	client_close(&c);
	free(part);
	harness_stop(&h);
}

static char produced[100000];
static int to_produce;

/* Goes on only when it is told to, from inside the telling. */
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

static void handle_produce(struct harness *h, struct http_exchange *ex)
{
	http_stream_begin(ex, 200, "text/plain", produce, h);
	produce(ex, h);
}

/* The kernel takes it as fast as it comes: there is no event to wait for. */
static void test_stream_to_a_fast_reader(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	memset(produced, 'z', sizeof(produced));
	to_produce = 50;
	harness_init(&h);
	h.handler = handle_produce;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.in.len > 7 && !memcmp(c.in.data + c.in.len - 7, "\r\n0\r\n\r\n", 7));
	assert_int_equal(client_count(&c, "186a0\r\nzzz"), 50);
	client_close(&c);
	harness_stop(&h);
}

static void test_stream_cut_and_drop(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = handle_stream;
	harness_start(&h);
	/* Dropped: the client sees that the end is missing. */
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "hello"));
	http_drop(h.kept[0]);
	WAIT(&h, c.is_eof);
	assert_null(strstr(client_text(&c), "\r\n0\r\n"));
	client_close(&c);
	/* The client leaves: told, and every further chunk says so. */
	client_open(&h, &c);
	SEND(&c, "GET /s HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "hello"));
	client_reset(&c);
	WAIT(&h, h.gone == 1);
	assert_int_equal(http_stream_chunk(h.kept[1], "x", 1), -1);
	http_stream_end(h.kept[1]);
	assert_int_equal(harness_counters(&h)->requests_open, 0);
	harness_stop(&h);
}

static void handle_close(struct harness *h, struct http_exchange *ex)
{
	(void)h;
	http_reply_close(ex);
	http_reply(ex, 200, NULL, "bye", 3);
}

static void test_handler_can_close(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	harness_init(&h);
	h.handler = handle_close;
	harness_start(&h);
	client_open(&h, &c);
	SEND(&c, "GET /1 HTTP/1.1\r\n" GET_FIELDS "GET /2 HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 1);
	assert_int_equal(h.requests, 1);
	client_close(&c);
	harness_stop(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_and_keeps_alive),
		cmocka_unit_test(test_every_cut_of_a_request),
		cmocka_unit_test(test_b110_head_and_bodiless),
		cmocka_unit_test(test_answer_fields_cannot_split),
		cmocka_unit_test(test_b027_b054_close),
		cmocka_unit_test(test_b217_order_of_deferred_answers),
		cmocka_unit_test(test_b217_queue_is_bounded),
		cmocka_unit_test(test_b217_queues_beside_each_other),
		cmocka_unit_test(test_b217_hundred_at_once),
		cmocka_unit_test(test_b074_error_after_good_ones),
		cmocka_unit_test(test_error_answer_survives_more_input),
		cmocka_unit_test(test_b051_continue),
		cmocka_unit_test(test_b052_b053_b113_refusals),
		cmocka_unit_test(test_b068_body_rule),
		cmocka_unit_test(test_max_requests),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_gone_may_end_others),
		cmocka_unit_test(test_half_close_is_answered),
		cmocka_unit_test(test_free_with_open_exchanges),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_may_free),
		cmocka_unit_test(test_b055_upgrade),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_to_a_fast_reader),
		cmocka_unit_test(test_stream_cut_and_drop),
		cmocka_unit_test(test_handler_can_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
