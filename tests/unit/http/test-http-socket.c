/* SPDX-License-Identifier: MIT */
/* Upgraded connections: handshake, messages, pings, closes, timeouts, slow readers, shutdown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-fixture.h"
#include "http/websocket.h"

#define HANDSHAKE "GET /s HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n" \
	"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static struct http_socket *sockets[8];
static unsigned opened, closed, drained;
static char last[70000];
static unsigned texts;
static struct http_socket_config config;
static uint16_t close_on_text;

static void on_text(struct http_socket *socket, const char *text, size_t len, void *arg)
{
	(void)arg;
	texts++;
	memcpy(last, text, len + 1);
	if (close_on_text)
		http_socket_close(socket, close_on_text);
	else
		http_socket_send(socket, text, len);
}

static void on_drain(struct http_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	drained++;
}

static void on_closed(struct http_socket *socket, void *arg)
{
	(void)socket;
	(void)arg;
	closed++;
}

static const struct http_socket_handler handler = { on_text, on_drain, on_closed };

static void handle(struct harness *harness, struct http_exchange *ex)
{
	const char *code, *message;
	int status = http_websocket_refusal(http_exchange_head(ex), &code, &message);

	if (status)
		http_reply_error(ex, status, code, message);
	else
		sockets[opened] = http_websocket_accept(ex, &handler, &config, harness);
	opened += !status && sockets[opened];
}

#define SOCKET_TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

static void reset(void)
{
	opened = closed = drained = texts = close_on_text = 0;
	memset(sockets, 0, sizeof(sockets));
	http_socket_config_init(&config);
	h.config.tick_ms = 5;
	h.handler = handle;
}

static int setup(void **state)
{
	fixture_setup(state);
	reset();
	harness_start(&h);
	return 0;
}

static void open_socket(struct harness *harness, struct client *client)
{
	unsigned before = opened;

	client_open(harness, client);
	SEND(client, HANDSHAKE);
	WAIT(harness, strstr(client_text(client), "\r\n\r\n"));
	assert_non_null(strstr(client_text(client), "HTTP/1.1 101 Switching Protocols\r\n"));
	assert_non_null(strstr(client_text(client),
			       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_int_equal(opened, before + 1);
	buf_clear(&client->in);
}

static void frame(struct client *client, unsigned flags, const char *payload, size_t len)
{
	unsigned char head[FRAME_HEAD_SIZE + 4];
	size_t n = frame_head(0, len, head);

	head[0] = (unsigned char)flags;
	head[1] |= 0x80;
	memset(head + n, 0, 4); /* an all-zero mask is valid */
	client_send(client, (const char *)head, n + 4);
	client_send(client, payload, len);
}
#define FRAME(client, flags, text) frame((client), (flags), (text), sizeof(text) - 1)

static int is_in(const struct client *client, const char *bytes, size_t len)
{
	return client->in.len >= len && memmem(client->in.data, client->in.len, bytes, len) != NULL;
}
#define IS_IN(client, bytes) is_in((client), (bytes), sizeof(bytes) - 1)

static void test_talk(void **state)
{
	(void)state;
	open_socket(&h, &c);
	FRAME(&c, 0x81, "hello");
	WAIT(&h, IS_IN(&c, "\x81\x05hello"));
	FRAME(&c, 0x01, "in ");
	FRAME(&c, 0x89, "are you there");
	FRAME(&c, 0x80, "two");
	WAIT(&h, IS_IN(&c, "\x8a\x0d" "are you there\x81\x06in two"));
	assert_int_equal(texts, 2);
	assert_int_equal(harness_counters(&h)->requests_open, 0);
	/* A close is answered with a close, and then the connection ends. */
	FRAME(&c, 0x88, "\x03\xe8");
	WAIT(&h, IS_IN(&c, "\x88\x02\x03\xe8") && c.is_eof);
	assert_int_equal(closed, 1);
	client_close(&c);
	harness_stop(&h);
	assert_int_equal(closed, 1);
}

/* Bytes in the same packet after the handshake are parsed as messages. */
static void test_no_gap(void **state)
{
	static const char hello[] = HANDSHAKE "\x81\x82\0\0\0\0hi";

	(void)state;
	client_open(&h, &c);
	client_send(&c, hello, sizeof(hello) - 1);
	WAIT(&h, IS_IN(&c, "\x81\x02hi"));
	client_close(&c);
	WAIT(&h, closed == 1);
}

static void test_bad_handshakes(void **state)
{
	static const struct {
		int status;
		const char *lines;
	} rows[] = {
		{ 426, "" },
		{ 426, "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\n" },
		{ 426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" },
		{ 426, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" },
		{ 426, "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" },
		{ 400,
		  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" },
		{ 400, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" },
		{ 400, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZB==\r\n" },
		{ 400, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		       "Sec-WebSocket-Key: short\r\n" },
		{ 400,
		  "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[16];

		client_open(&h, &c);
		SEND(&c, "GET /s HTTP/1.1\r\nHost: localhost\r\n");
		client_send(&c, rows[i].lines, strlen(rows[i].lines));
		SEND(&c, "\r\n");
		snprintf(want, sizeof(want), "HTTP/1.1 %d ", rows[i].status);
		WAIT(&h, strstr(client_text(&c), "\r\n\r\n"));
		if (strncmp(client_text(&c), want, strlen(want)))
			fail_msg("row %zu: %.20s", i, client_text(&c));
		client_close(&c);
	}
	assert_int_equal(opened, 0);
}

/* No upgrade while an earlier request is pending. */
static void handle_first_kept(struct harness *harness, struct http_exchange *ex)
{
	if (harness->kept_count)
		handle(harness, ex);
	else
		harness_keep(harness, ex);
}

static void test_not_behind_another(void **state)
{
	(void)state;
	h.handler = handle_first_kept;
	client_open(&h, &c);
	SEND(&c, "GET /1 HTTP/1.1\r\n" GET_FIELDS HANDSHAKE);
	WAIT(&h, h.requests == 2);
	http_reply(h.kept[0], 200, NULL, "first", 5);
	WAIT(&h, strstr(client_text(&c), "bad_handshake"));
	assert_int_equal(opened, 0);
}

static void test_who_breaks_the_rules_is_told(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *close;
	} rows[] = {
		{ "\x81\x02hi", 4, "\x88\x02\x03\xea" },			/* no mask */
		{ "\x82\x82\0\0\0\0hi", 8, "\x88\x02\x03\xeb" },		/* binary */
		{ "\x81\x81\0\0\0\0\xff", 7, "\x88\x02\x03\xef" },		/* not UTF-8 */
		{ "\x81\xff\0\0\0\0\0\1\0\1\0\0\0\0", 14, "\x88\x02\x03\xf1" }, /* too big */
		{ "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35, "\x88\x02\x03\xea" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_socket(&h, &c);
		client_send(&c, rows[i].bytes, rows[i].len);
		WAIT(&h, is_in(&c, rows[i].close, 4) && c.is_eof);
		assert_int_equal(closed, i + 1);
		client_close(&c);
	}
	assert_int_equal(texts, 0);
}

static void test_the_handler_closes(void **state)
{
	struct client d;

	(void)state;
	close_on_text = FRAME_CODE_POLICY;
	open_socket(&h, &c);
	/* The second message is ignored. */
	FRAME(&c, 0x81, "one");
	FRAME(&c, 0x81, "two");
	WAIT(&h, IS_IN(&c, "\x88\x02\x03\xf0") && c.is_eof);
	assert_string_equal(last, "one");
	/* Also outside a callback. */
	open_socket(&h, &d);
	http_socket_close(sockets[1], FRAME_CODE_NORMAL);
	assert_int_equal(http_socket_send(sockets[1], "x", 1), -1);
	WAIT(&h, IS_IN(&d, "\x88\x02\x03\xe8"));
	client_close(&c);
	client_close(&d);
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	/* No close callback for a close of our own. */
	assert_int_equal(closed, 0);
}

static void test_leaving(void **state)
{
	(void)state;
	open_socket(&h, &c);
	client_close(&c);
	WAIT(&h, closed == 1);
	open_socket(&h, &c);
	client_reset(&c);
	WAIT(&h, closed == 2);
	open_socket(&h, &c);
	/* Stopping the server closes the socket. */
	harness_stop(&h);
	assert_int_equal(closed, 3);
	client_close(&c);
}

static void test_silence(void **state)
{
	struct client d;
	uint64_t since;

	(void)state;
	config.ping_ms = 30;
	config.idle_ms = 400;
	open_socket(&h, &c);
	/* A client that answers pings stays; one that does not is disconnected. */
	open_socket(&h, &d);
	since = harness_ms();
	WAIT(&h, IS_IN(&d, "\x89\x00") && IS_IN(&c, "\x89\x00"));
	while (closed == 0) {
		harness_wait_begin(&h);
		harness_step(&h);
		assert_false(h.is_late);
		if (IS_IN(&c, "\x89\x00")) {
			buf_clear(&c.in);
			FRAME(&c, 0x8a, "");
		}
	}
	assert_true(harness_ms() - since >= 350);
	WAIT(&h, d.is_eof);
	assert_false(c.is_eof);
	client_close(&c);
	client_close(&d);
}

static void test_slow_reader(void **state)
{
	static char block[30000];
	int sent = 0;

	(void)state;
	memset(block, 'y', sizeof(block));
	open_socket(&h, &c);
	client_read(&c, 0);
	while (http_socket_send(sockets[0], block, sizeof(block)) == 0) {
		sent++;
		event_base_loop(h.base, EVLOOP_NONBLOCK);
		assert_true(sent < 2000);
	}
	assert_int_equal(drained, 0);
	client_read(&c, 1);
	WAIT(&h, drained == 1);
	client_close(&c);
	WAIT(&h, closed == 1);
	/* A client that reads nothing is disconnected after write_ms. */
	fixture_again();
	reset();
	h.config.write_ms = 100;
	harness_start(&h);
	open_socket(&h, &c);
	client_read(&c, 0);
	while (http_socket_send(sockets[0], block, sizeof(block)) == 0)
		event_base_loop(h.base, EVLOOP_NONBLOCK);
	WAIT(&h, closed == 1);
}

static void on_empty(void *user)
{
	((struct harness *)user)->empty++;
}

static void test_drain(void **state)
{
	(void)state;
	open_socket(&h, &c);
	http_server_drain(h.server, on_empty, &h);
	WAIT(&h, IS_IN(&c, "\x88\x02\x03\xe9"));
	assert_int_equal(closed, 1);
	client_close(&c);
	WAIT(&h, h.empty == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(test_talk),
		SOCKET_TEST(test_no_gap),
		SOCKET_TEST(test_bad_handshakes),
		SOCKET_TEST(test_not_behind_another),
		SOCKET_TEST(test_who_breaks_the_rules_is_told),
		SOCKET_TEST(test_the_handler_closes),
		SOCKET_TEST(test_leaving),
		SOCKET_TEST(test_silence),
		SOCKET_TEST(test_slow_reader),
		SOCKET_TEST(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
