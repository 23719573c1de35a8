/* SPDX-License-Identifier: MIT */
/* The server with valid requests: order, responses, refusals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-fixture.h"
#include "util/alloc.h"

static void test_answers_and_keeps_alive(void **state)
{
	(void)state;
	h.config.answer_fields = "X-Content-Type-Options: nosniff\r\n";
	begin(NULL);
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
}

static void test_every_cut_of_a_request(void **state)
{
	static const char request[] = "POST /cut HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 3\r\n\r\nabc";

	(void)state;
	begin(NULL);
	for (size_t i = 1; i < sizeof(request) - 1; i++) {
		client_send(&c, request, i);
		WAIT(&h, harness_counters(&h)->bytes_in % (sizeof(request) - 1) == i);
		client_send(&c, request + i, sizeof(request) - 1 - i);
		WAIT(&h, client_count(&c, "POST /cut abc") == i);
	}
}

static void handle_codes(struct harness *harness, struct http_exchange *ex)
{
	const char *path = http_exchange_head(ex)->path;

	(void)harness;
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
	(void)state;
	begin(handle_codes);
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
}

static void handle_header(struct harness *harness, struct http_exchange *ex)
{
	char *big = malloc(5001);

	(void)harness;
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
	struct err err;

	(void)state;
	begin(handle_header);
	SEND(&c, "GET /x HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "\r\n\r\n{}"));
	assert_non_null(strstr(client_text(&c), "\r\nRetry-After: 7\r\nWWW-Authenticate: "
	"Bearer\r\n\r\n"));
	assert_null(strstr(client_text(&c), "Bad"));
	client_close(&c);
	/* The same for the fields in the configuration. */
	h.config.answer_fields = "X-A: b\r\nno colon\r\n";
	assert_null(http_server_new(h.base, &h.config, &h.callbacks, &h, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	h.config.answer_fields = "";
	h.config.hosts = (const char *const[]){ "good.example", "bad/host" };
	h.config.host_count = 2;
	assert_null(http_server_new(h.base, &h.config, &h.callbacks, &h, &err));
}

static void test_b027_b054_close(void **state)
{
	static const char *const closing[] = {
		"GET /x HTTP/1.0\r\n\r\n",
		"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		("GET /x HTTP/1.1\r\nHost: localhost\r\n"
		 "Connection: close, keep-alive, Authorization\r\n\r\n"),
	};

	(void)state;
	harness_start(&h);
	for (size_t i = 0; i < ARRAY_LEN(closing); i++) {
		client_open(&h, &c);
		client_send(&c, closing[i], strlen(closing[i]));
		WAIT(&h, c.is_eof);
		assert_int_equal(c.error, 0);
		assert_non_null(strstr(client_text(&c), "Connection: close\r\n"));
		assert_non_null(strstr(client_text(&c), "GET /x "));
		client_close(&c);
	}
}

/* Responses leave in the order of the requests, whatever the order in which they are made. */
static void test_b217_order_of_deferred_answers(void **state)
{
	static const unsigned order[] = { 3, 1, 7, 0, 2, 6, 5, 4 };
	char at[8];

	(void)state;
	begin(harness_keep);
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
}

static void test_b217_queue_is_bounded(void **state)
{
	struct buf all;
	unsigned ended = 0;

	(void)state;
	h.handler = harness_keep;
	harness_start(&h);
	buf_init(&all, 1 << 20);
	for (int i = 0; i < 100; i++)
		buf_addf(&all, "GET /%d HTTP/1.1\r\n" GET_FIELDS, i);
	client_open(&h, &c);
	client_send(&c, all.data, all.len);
	while (ended < 100) {
		char body[16];

		/* It stops at 8 and continues one by one as responses leave. */
		WAIT(&h, h.kept_count == (ended + 8 < 100 ? ended + 8 : 100));
		event_base_loop(h.base, EVLOOP_NONBLOCK);
		assert_true(h.kept_count - ended <= 8);
		snprintf(body, sizeof(body), "<%u>", ended);
		http_reply(h.kept[ended++], 200, "text/plain", body, strlen(body));
	}
	WAIT(&h, strstr(client_text(&c), "<99>"));
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 100);
	buf_fini(&all);
}

/* Bytes that one connection cannot parse yet survive the reads of another. */
static void test_b217_queues_beside_each_other(void **state)
{
	struct client both[2];
	struct buf all;
	unsigned ended = 0;

	(void)state;
	h.handler = harness_keep;
	harness_start(&h);
	buf_init(&all, 1 << 20);
	for (int k = 0; k < 2; k++) {
		client_open(&h, &both[k]);
		buf_clear(&all);
		for (int i = 0; i < 100; i++)
			buf_addf(&all, "GET /%c%d HTTP/1.1\r\n" GET_FIELDS, 'a' + k, i);
		client_send(&both[k], all.data, all.len);
	}
	for (; ended < 200; ended++) {
		char body[16];

		WAIT(&h, h.kept_count > ended);
		snprintf(body, sizeof(body), "<%s>", http_exchange_head(h.kept[ended])->path);
		http_reply(h.kept[ended], 200, "text/plain", body, strlen(body));
	}
	for (int k = 0; k < 2; k++) {
		WAIT(&h, strstr(client_text(&both[k]), k ? "</b99>" : "</a99>"));
		for (int i = 0; i < 100; i++) {
			char body[16];

			snprintf(body, sizeof(body), "</%c%d>", 'a' + k, i);
			assert_int_equal(client_count(&both[k], body), 1);
		}
		assert_int_equal(client_count(&both[k], "HTTP/1.1 200 OK"), 100);
		client_close(&both[k]);
	}
	buf_fini(&all);
}

static void test_b217_hundred_at_once(void **state)
{
	struct buf all;

	(void)state;
	harness_start(&h);
	buf_init(&all, 1 << 20);
	for (int i = 0; i < 100; i++)
		buf_addf(&all, "GET /%d HTTP/1.1\r\n" GET_FIELDS, i);
	client_open(&h, &c);
	client_send(&c, all.data, all.len);
	WAIT(&h, strstr(client_text(&c), "GET /99 "));
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 100);
	buf_fini(&all);
}

static void test_b074_error_after_good_ones(void **state)
{
	(void)state;
	begin(harness_keep);
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
}

/* The answer is plain, by which a TLS client recognises a plain port. */
static void text_8_tls_to_a_plain_port(void **state)
{
	static const char hello[] = "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";

	(void)state;
	harness_start(&h);
	client_open(&h, &c);
	client_send(&c, hello, sizeof(hello) - 1);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(harness_counters(&h)->refusals[HTTP_REFUSED_TLS], 1);
	assert_non_null(strstr(client_text(&c), "HTTP/1.1 400 "));
	assert_non_null(strstr(client_text(&c), "{\"error\":\"plain_http\",\"message\":\"This port "
						"speaks plain HTTP; use an http:// URL.\"}"));
}

/* The client still sends a megabyte: it must see the response, not a reset. */
static void test_error_answer_survives_more_input(void **state)
{
	char *more = malloc(1 << 20);

	(void)state;
	memset(more, 'x', 1 << 20);
	begin(NULL);
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n");
	client_send(&c, more, 1 << 20);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_non_null(strstr(client_text(&c), "HTTP/1.1 413 Content Too Large\r\n"));
	assert_int_equal(h.requests, 0);
	client_close(&c);
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	free(more);
}

static void test_b051_continue(void **state)
{
	(void)state;
	begin(harness_keep);
	/* The 100 waits behind a response that is still pending. */
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
	/* A client that sends the body at once gets no 100. */
	SEND(&c, "POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
		 "Content-Length: 4\r\n\r\nbody");
	WAIT(&h, h.kept_count == 3);
	http_reply(h.kept[2], 200, NULL, "three", 5);
	WAIT(&h, strstr(client_text(&c), "three"));
	assert_int_equal(client_count(&c, "100 Continue"), 1);
}

static void check_refused(const char *request, const char *status)
{
	client_open(&h, &c);
	client_send(&c, request, strlen(request));
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(strncmp(client_text(&c), status, strlen(status)), 0);
	assert_int_equal(client_count(&c, "HTTP/1.1 "), 1);
	assert_non_null(strstr(client_text(&c), "Connection: close\r\n"));
	client_close(&c);
}

static void test_b052_b053_b113_refusals(void **state)
{
	(void)state;
	h.config.hosts = (const char *const[]){ "broker.example" };
	h.config.host_count = 1;
	harness_start(&h);
	check_refused("POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
		      "Content-Length: 65537\r\n\r\n",
		      "HTTP/1.1 413 ");
	check_refused("GET /a HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\n\r\n", "HTTP/1.1 417 ");
	check_refused("GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421 ");
	check_refused("GET /a HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "HTTP/1.1 "
										 "421 ");
	check_refused("GET /a HTTP/1.1\r\nHost: localhos\r\n\r\n", "HTTP/1.1 421 ");
	check_refused("CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
		      "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n",
		      "HTTP/1.1 501 ");
	assert_int_equal(h.requests, 0);
	/* An error response to HEAD has no body either. */
	check_refused("HEAD /a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421 ");
	check_refused("GET /a HTTP/1.1\r\nHost: Broker.Example:99\r\nConnection: close\r\n\r\n",
		      "HTTP/1.1 200 ");
	assert_int_equal(h.requests, 1);
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

static void handle_length(struct harness *harness, struct http_exchange *ex)
{
	char text[32];
	size_t len;

	(void)harness;
	http_exchange_body(ex, &len);
	snprintf(text, sizeof(text), "length=%zu", len);
	http_reply(ex, 200, NULL, text, strlen(text));
}

static void test_b068_body_rule(void **state)
{
	char *body = malloc(4 << 20);

	(void)state;
	memset(body, 'x', 4 << 20);
	h.callbacks.on_head = on_head;
	begin(handle_length);
	SEND(&c, "PUT /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\n"
		 "Content-Length: 4194304\r\n\r\n");
	client_send(&c, body, 4 << 20);
	WAIT(&h, strstr(client_text(&c), "length=4194304"));
	SEND(&c, "PUT /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
	WAIT(&h, strstr(client_text(&c), "length=3"));
	client_close(&c);
	check_refused("PUT /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd",
		      "HTTP/1.1 413 ");
	check_refused("PUT /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
		      "chunked\r\n\r\n"
		      "2\r\nab\r\n2\r\ncd\r\n",
		      "HTTP/1.1 413 ");
	check_refused("PUT /upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
		      "Content-Length: 4000000\r\n\r\n",
		      "HTTP/1.1 401 ");
	free(body);
}

static void test_max_requests(void **state)
{
	(void)state;
	h.config.max_requests = 3;
	begin(NULL);
	SEND(&c, "GET /1 HTTP/1.1\r\n" GET_FIELDS "GET /2 HTTP/1.1\r\n" GET_FIELDS
		 "GET /3 HTTP/1.1\r\n" GET_FIELDS "GET /4 HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(h.requests, 3);
	assert_int_equal(client_count(&c, "Connection: close"), 1);
}

/* Until an upgrade has its response, the bytes after it are not parsed as a request. */
static void test_b055_upgrade(void **state)
{
	(void)state;
	begin(harness_keep);
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
}

static void handle_close(struct harness *harness, struct http_exchange *ex)
{
	(void)harness;
	http_reply_close(ex);
	http_reply(ex, 200, NULL, "bye", 3);
}

static void test_handler_can_close(void **state)
{
	(void)state;
	begin(handle_close);
	SEND(&c, "GET /1 HTTP/1.1\r\n" GET_FIELDS "GET /2 HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.is_eof);
	assert_int_equal(c.error, 0);
	assert_int_equal(client_count(&c, "HTTP/1.1 200 OK"), 1);
	assert_int_equal(h.requests, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_answers_and_keeps_alive),
		TEST(test_every_cut_of_a_request),
		TEST(test_b110_head_and_bodiless),
		TEST(test_answer_fields_cannot_split),
		TEST(test_b027_b054_close),
		TEST(test_b217_order_of_deferred_answers),
		TEST(test_b217_queue_is_bounded),
		TEST(test_b217_queues_beside_each_other),
		TEST(test_b217_hundred_at_once),
		TEST(test_b074_error_after_good_ones),
		TEST(text_8_tls_to_a_plain_port),
		TEST(test_error_answer_survives_more_input),
		TEST(test_b051_continue),
		TEST(test_b052_b053_b113_refusals),
		TEST(test_b068_body_rule),
		TEST(test_max_requests),
		TEST(test_b055_upgrade),
		TEST(test_handler_can_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
