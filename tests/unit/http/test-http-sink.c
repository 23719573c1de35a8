/* SPDX-License-Identifier: MIT */
/* Streamed request bodies: in order, bounded, and released whatever happens to the request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-harness.h"

#define LARGE (8u << 20)

struct counted {
	struct http_sink sink;
	size_t len;
	uint32_t sum;
	size_t piece_most;
};

static int made, dropped, taken;
static size_t last_len;
static uint32_t last_sum;
static uint64_t allowed;
static int refuse;

static uint32_t sum_add(uint32_t sum, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)data[i];
	return sum;
}

static void sink_add(struct http_sink *sink, const char *data, size_t len)
{
	struct counted *c = (struct counted *)(void *)sink;

	c->sum = sum_add(c->sum, data, len);
	c->len += len;
	if (len > c->piece_most)
		c->piece_most = len;
}

static void sink_drop(struct http_sink *sink)
{
	dropped++;
	free(sink);
}

static void on_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user)
{
	struct counted *c = calloc(1, sizeof(*c));

	(void)ex;
	(void)user;
	c->sink.add = sink_add;
	c->sink.drop = sink_drop;
	rule->sink = &c->sink;
	rule->max = allowed;
	made++;
	if (refuse) {
		rule->status = 403;
		rule->code = "forbidden";
		rule->message = "No.";
	}
}

static void handle(struct harness *h, struct http_exchange *ex)
{
	struct http_sink *sink = http_exchange_sink(ex);
	struct counted *c = (struct counted *)(void *)sink;
	char text[64];
	size_t len;

	(void)h;
	assert_non_null(sink);
	assert_null(http_exchange_sink(ex));
	assert_string_equal(http_exchange_body(ex, &len), "");
	assert_int_equal(len, 0);
	last_len = c->len;
	last_sum = c->sum;
	assert_true(c->piece_most < LARGE);
	taken++;
	free(c);
	snprintf(text, sizeof(text), "%zu", last_len);
	http_reply(ex, 200, "text/plain", text, strlen(text));
}

/* A handler that never accepts the sink. */
static void handle_blind(struct harness *h, struct http_exchange *ex)
{
	(void)h;
	http_reply(ex, 200, NULL, NULL, 0);
}

static void start(struct harness *h, handler_fn handler)
{
	made = dropped = taken = refuse = 0;
	allowed = 2 * LARGE;
	harness_init(h);
	h->callbacks.on_head = on_head;
	h->handler = handler;
	harness_start(h);
}

static void large_bodies_come_whole(void **state)
{
	static const char *const heads[] = {
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8388608\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n",
	};
	char *data = malloc(LARGE);
	struct harness h;
	struct client c;
	uint32_t sum;

	(void)state;
	for (size_t i = 0; i < LARGE; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	sum = sum_add(0, data, LARGE);
	start(&h, handle);
	client_open(&h, &c);
	for (int k = 0; k < 2; k++) {
		size_t at = 0;

		client_send(&c, heads[k], strlen(heads[k]));
		while (at < LARGE) {
			size_t n = LARGE - at < 100000 ? LARGE - at : 100000;

			client_send(&c, data + at, n);
			at += n;
		}
		if (k)
			SEND(&c, "\r\n0\r\n\r\n");
		WAIT(&h, taken == k + 1);
		assert_int_equal(last_len, LARGE);
		assert_int_equal(last_sum, sum);
	}
	WAIT(&h, client_count(&c, "8388608") == 2);
	client_close(&c);
	harness_stop(&h);
	assert_int_equal(made, 2);
	assert_int_equal(dropped, 0);
	free(data);
}

static void each_is_dropped_once(void **state)
{
	struct harness h;
	struct client c;

	(void)state;
	/* the client disconnects, with a FIN and with a reset */
	start(&h, handle);
	for (int k = 0; k < 2; k++) {
		client_open(&h, &c);
		SEND(&c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc");
		WAIT(&h, made == k + 1);
		if (k)
			client_reset(&c);
		else
			client_close(&c);
		WAIT(&h, dropped == k + 1);
	}
	/* too long, and refused at the head */
	allowed = 10;
	client_open(&h, &c);
	SEND(&c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n");
	WAIT(&h, client_count(&c, " 413 ") == 1);
	WAIT(&h, dropped == 3);
	client_close(&c);
	refuse = 1;
	client_open(&h, &c);
	SEND(&c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
	WAIT(&h, client_count(&c, " 403 ") == 1);
	WAIT(&h, dropped == 4);
	client_close(&c);
	/* no handler accepts it */
	refuse = 0;
	h.handler = handle_blind;
	client_open(&h, &c);
	SEND(&c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde");
	WAIT(&h, client_count(&c, " 200 ") == 1);
	WAIT(&h, dropped == 5);
	/* the server is freed during a body */
	SEND(&c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab");
	WAIT(&h, made == 6);
	harness_stop(&h);
	client_close(&c);
	assert_int_equal(dropped, 6);
	assert_int_equal(taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_bodies_come_whole),
		cmocka_unit_test(each_is_dropped_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
