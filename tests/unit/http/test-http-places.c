/* SPDX-License-Identifier: MIT */
/* Who gets a place when there are more clients than places, and who loses one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http-fixture.h"
#include "util/alloc.h"

#define PLACES 64
/* Of 64: 3 are kept for the Unix socket, 16 for known clients, 8 for new ones. */
#define UNKNOWN_MOST (PLACES - 3 - 16)
#define TCP_MOST (PLACES - 3)
#define KNOWN_MOST (TCP_MOST - 8)

#define UNIX_PATH "test-http-places.sock"

static struct client many[400];

#define BIG ((size_t)16 << 20)

static void stream(struct harness *harness, struct http_exchange *ex)
{
	static char big[BIG];

	harness_keep(harness, ex);
	http_stream_begin(ex, 200, NULL, NULL, NULL);
	http_stream_chunk(ex, big, sizeof(big));
}

/*
 * "/trust/N" shows a token of owner N; "/keep/N" does, and is not answered; "/big/N" does, and is
 * answered with more than the kernel's buffers hold; "/stream/N" the same without an end.
 */
static void handle(struct harness *harness, struct http_exchange *ex)
{
	static char big[BIG];
	const char *path = http_exchange_head(ex)->path;
	int refused = 0;

	if (!strncmp(path, "/trust/", 7) || !strncmp(path, "/keep/", 6) ||
	    !strncmp(path, "/big/", 5) || !strncmp(path, "/stream/", 8))
		refused = http_exchange_trust(ex, (uint64_t)atoi(strchr(path + 1, '/') + 1));
	if (refused) {
		http_reply_close(ex);
		http_reply_error(ex, 503, "busy", HTTP_BUSY_MESSAGE);
	} else if (!strncmp(path, "/keep/", 6))
		harness_keep(harness, ex);
	else if (!strncmp(path, "/stream/", 8))
		stream(harness, ex);
	else if (!strncmp(path, "/big/", 5))
		http_reply(ex, 200, NULL, big, sizeof(big));
	else
		harness_echo(harness, ex);
}

static void places_begin(void)
{
	struct err err;

	if (h.config.max_connections > PLACES)
		h.config.max_connections = PLACES;
	h.handler = handle;
	harness_start(&h);
	if (!http_listen_unix(h.server, UNIX_PATH, (gid_t)-1, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i].fd = -1;
}

static void places_end(void)
{
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		client_close(&many[i]);
	/* the handlers still own these */
	for (unsigned i = 0; i < h.kept_count; i++) {
		if (h.kept[i])
			http_drop(h.kept[i]);
	}
}

/* From 127.0.0.`last`. */
static void open_from(struct client *client, unsigned last)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(0x7f000000u | last) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(h.port);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	client_open_fd(&h, client, fd);
}

static void open_unix(struct client *client)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = UNIX_PATH };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	client_open_fd(&h, client, fd);
}

static uint64_t accepted(void)
{
	return harness_counters(&h)->connections_accepted;
}

/* Sends a request and waits for its answer. */
static void ask(struct client *client, const char *path)
{
	char text[200];
	size_t before = client->in.len;

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" GET_FIELDS, path);
	client_send(client, text, strlen(text));
	WAIT(&h, client->is_eof || (client->in.len > before && strstr(client_text(client), path)));
	assert_false(client->is_eof);
}

static void open_silent(unsigned first, unsigned count, unsigned address)
{
	for (unsigned i = first; i < first + count; i++) {
		uint64_t before = accepted();

		open_from(&many[i], address);
		WAIT(&h, accepted() == before + 1);
	}
}

static unsigned closed(unsigned first, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = first; i < first + count; i++)
		n += many[i].is_eof != 0;
	return n;
}

/* Row H2: silent clients without a token lock nobody out, neither over TCP nor the Unix socket. */
static void test_h2_silent_clients_make_room(void **state)
{
	struct client known, local, fresh;

	(void)state;
	places_begin();
	client_open(&h, &known);
	ask(&known, "/trust/1");
	open_silent(0, 400, 2);
	assert_int_equal(harness_counters(&h)->connections_by[HTTP_CLIENT_UNKNOWN], UNKNOWN_MOST);
	assert_int_equal(harness_counters(&h)->evicted_half_read[HTTP_CLIENT_UNKNOWN],
			 400 - UNKNOWN_MOST);
	WAIT(&h, closed(0, 400) == 400 - UNKNOWN_MOST);
	/* the oldest go first */
	assert_int_equal(closed(0, 400 - UNKNOWN_MOST), 400 - UNKNOWN_MOST);
	open_from(&fresh, 2);
	ask(&fresh, "/fresh");
	open_unix(&local);
	ask(&local, "/local");
	ask(&known, "/trust/1/again");
	assert_int_equal(harness_counters(&h)->accept_full, 0);
	client_close(&known);
	client_close(&local);
	client_close(&fresh);
	places_end();
}

/* Only the address that holds most loses connections: what is half-read, then what is idle. */
static void test_h2_the_address_with_most_pays(void **state)
{
	(void)state;
	places_begin();
	open_silent(0, 10, 2);
	open_silent(10, UNKNOWN_MOST - 10, 3);
	ask(&many[10], "/idle");
	ask(&many[11], "/idle");
	SEND(&many[12], "GET /half HTTP/1.1\r\nHost: loc");
	ask(&many[10], "/idle/again"); /* now many[11] has been idle longest */
	/* one more of each of many addresses */
	for (unsigned i = 0; i < UNKNOWN_MOST - 10 - 11; i++)
		open_silent(100 + i, 1, 10 + i);
	WAIT(&h, closed(10, UNKNOWN_MOST - 10) == UNKNOWN_MOST - 10 - 11);
	assert_int_equal(closed(0, 10) + closed(100, UNKNOWN_MOST - 10 - 11), 0);
	assert_int_equal(closed(12, UNKNOWN_MOST - 10 - 11), UNKNOWN_MOST - 10 - 11);
	/* one that had begun is told; silent ones see the end of the connection */
	assert_non_null(strstr(client_text(&many[12]), "HTTP/1.1 503 "));
	assert_non_null(strstr(client_text(&many[12]), "Retry-After: 1\r\n"));
	assert_int_equal(many[13].in.len, 0);
	assert_int_equal(harness_counters(&h)->evicted_idle[HTTP_CLIENT_UNKNOWN], 0);
	places_end();
}

static void test_h3_idle_unknown_clients_make_room(void **state)
{
	struct client fresh;

	(void)state;
	places_begin();
	for (unsigned i = 0; i < UNKNOWN_MOST; i++) {
		open_silent(i, 1, 2);
		ask(&many[i], "/idle");
	}
	ask(&many[0], "/idle/again");
	open_from(&fresh, 2);
	ask(&fresh, "/fresh");
	WAIT(&h, many[1].is_eof);
	assert_int_equal(closed(0, UNKNOWN_MOST), 1);
	assert_int_equal(harness_counters(&h)->evicted_idle[HTTP_CLIENT_UNKNOWN], 1);
	client_close(&fresh);
	places_end();
}

/* Row H4: known clients that wait leave places for new ones, and early answers are asked for. */
static void test_h4_waiting_requests_are_asked_to_end(void **state)
{
	struct client fresh, local;

	(void)state;
	places_begin();
	for (unsigned i = 0; i < KNOWN_MOST; i++) {
		open_silent(i, 1, 2);
		SEND(&many[i], "GET /keep/1 HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.kept_count == i + 1);
	}
	assert_int_equal(h.crowded, 0);
	open_silent(KNOWN_MOST, 1, 2);
	SEND(&many[KNOWN_MOST], "GET /keep/1 HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == KNOWN_MOST + 1 && h.crowded == 1);
	/* the places of new clients are in use only from here on */
	open_from(&fresh, 2);
	ask(&fresh, "/fresh");
	open_unix(&local);
	ask(&local, "/local");
	assert_int_equal(closed(0, KNOWN_MOST + 1), 0);
	for (unsigned i = KNOWN_MOST + 1; i < KNOWN_MOST + 4; i++) {
		open_silent(i, 1, 2);
		SEND(&many[i], "GET /keep/1 HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.kept_count == i + 1);
	}
	/* half of those places are not for an owner who has so many */
	open_silent(200, 1, 2);
	SEND(&many[200], "GET /keep/1 HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, many[200].is_eof);
	assert_non_null(strstr(client_text(&many[200]), "HTTP/1.1 503 "));
	assert_int_equal(harness_counters(&h)->refused_share, 1);
	for (unsigned i = KNOWN_MOST + 4; i < TCP_MOST; i++) {
		open_silent(i, 1, 2);
		SEND(&many[i], "GET /keep/2 HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.kept_count == i + 1);
	}
	/* there is no idle or half-read one left but `fresh`, which has made room */
	assert_int_equal(harness_counters(&h)->connections_by[HTTP_CLIENT_KNOWN], TCP_MOST);
	client_close(&fresh);
	client_open(&h, &fresh);
	WAIT(&h, harness_counters(&h)->accept_full == 1 && h.crowded > 1);
	/* the Unix socket has its own */
	ask(&local, "/local/again");
	client_close(&local);
	open_unix(&local);
	ask(&local, "/local");
	/* an early answer makes room */
	http_reply_close(h.kept[0]);
	http_reply(h.kept[0], 200, NULL, NULL, 0);
	h.kept[0] = NULL;
	ask(&fresh, "/fresh");
	client_close(&fresh);
	client_close(&local);
	places_end();
}

/* The owner that holds most idle connections loses the one idle longest. */
static void test_h3_known_clients_share_by_owner(void **state)
{
	struct client one;

	(void)state;
	h.config.spare_idle_ms = 0;
	places_begin();
	client_open(&h, &one);
	ask(&one, "/trust/1");
	for (unsigned i = 0; i < KNOWN_MOST + 5; i++) {
		open_silent(i, 1, 2);
		ask(&many[i], "/trust/2");
	}
	WAIT(&h, closed(0, KNOWN_MOST + 5) == 6);
	assert_int_equal(closed(0, 6), 6);
	ask(&one, "/trust/1/again");
	assert_int_equal(harness_counters(&h)->evicted_idle[HTTP_CLIENT_KNOWN], 6);
	client_close(&one);
	places_end();
}

/* A client that does not read its answer counts as half-read. */
static void test_h3_slow_readers_make_room(void **state)
{
	struct client fresh;

	(void)state;
	places_begin();
	open_silent(0, 1, 2);
	client_read(&many[0], 0);
	/* until nothing more fits into the kernel's buffers */
	for (int i = 0; i < 20000 && !h.is_late; i++) {
		static const char get[] = "GET /slow HTTP/1.1\r\n" GET_FIELDS;

		if (send(many[0].fd, get, sizeof(get) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		event_base_loop(h.base, EVLOOP_NONBLOCK);
	}
	open_silent(1, UNKNOWN_MOST - 1, 2);
	open_from(&fresh, 2);
	ask(&fresh, "/fresh");
	client_read(&many[0], 1);
	WAIT(&h, many[0].is_eof);
	assert_int_equal(closed(1, UNKNOWN_MOST - 1), 0);
	client_close(&fresh);
	places_end();
}

/* Not even a stream keeps its place while nobody reads it: 8 places, of which 6 for known ones. */
static void test_h3_unread_streams_make_room(void **state)
{
	(void)state;
	h.config.max_connections = 8;
	h.config.spare_idle_ms = 0;
	places_begin();
	for (unsigned i = 0; i < 7; i++) {
		open_silent(i, 1, 2);
		client_read(&many[i], 0);
		SEND(&many[i], "GET /stream/1 HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.requests == i + 1);
	}
	WAIT(&h, harness_counters(&h)->evicted_half_read[HTTP_CLIENT_KNOWN] == 1 && h.gone == 1);
	client_read(&many[0], 1);
	WAIT(&h, many[0].is_eof);
	open_silent(7, 1, 2);
	ask(&many[7], "/fresh");
	places_end();
}

/* What is not read is bounded over all connections, and the owner with most pays. */
static void test_h3_unread_answers_are_bounded(void **state)
{
	uint64_t shed = 0;

	(void)state;
	h.config.unread_max = 4 * BIG;
	places_begin();
	for (unsigned i = 0; i < 12; i++) {
		open_silent(i, 1, 2);
		client_read(&many[i], 0);
		if (i)
			SEND(&many[i], "GET /big/1 HTTP/1.1\r\n" GET_FIELDS);
		else
			SEND(&many[i], "GET /big/2 HTTP/1.1\r\n" GET_FIELDS);
		WAIT(&h, h.requests == i + 1);
	}
	shed = harness_counters(&h)->evicted_unread[HTTP_CLIENT_KNOWN];
	assert_true(shed >= 12 - 1 - 10 && shed < 11);
	/* the one of the other owner gets all of it */
	client_read(&many[0], 1);
	WAIT(&h, many[0].in.len > BIG);
	assert_false(many[0].is_eof);
	/* the latest of the greedy owner is still there, the first is not */
	client_read(&many[11], 1);
	WAIT(&h, many[11].in.len > BIG);
	client_read(&many[1], 1);
	WAIT(&h, many[1].is_eof);
	assert_true(many[1].in.len < BIG);
	places_end();
}

/* Row F9: a host that is not allowed is reported once, made harmless. */
static void test_f9_foreign_hosts_are_reported_once(void **state)
{
	static const char *const again[] = { "lessor.example.com", "LESSOR.example.com:8443" };
	char text[200];

	(void)state;
	harness_start(&h);
	for (size_t i = 0; i < ARRAY_LEN(again); i++) {
		client_open(&h, &c);
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", again[i]);
		client_send(&c, text, strlen(text));
		WAIT(&h, c.is_eof);
		assert_non_null(strstr(client_text(&c), "HTTP/1.1 421 "));
		assert_null(strstr(client_text(&c), "allowed_hosts"));
		assert_null(strstr(client_text(&c), "example"));
		client_close(&c);
		assert_int_equal(h.foreign, 1);
		assert_string_equal(h.foreign_host, "lessor.example.com");
	}
	/* invented names: the log stays bounded, and so does a name */
	for (int i = 0; i < 100; i++) {
		client_open(&h, &c);
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x%d.%0120d.example\r\n\r\n",
			 i, 0);
		client_send(&c, text, strlen(text));
		WAIT(&h, c.is_eof);
		client_close(&c);
	}
	assert_int_equal(h.foreign, HTTP_HOSTS_REMEMBERED);
	assert_int_equal(strlen(h.foreign_host), 100);
}

static void on_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user)
{
	const struct http_head *head = http_exchange_head(ex);

	(void)user;
	if (!strcmp(head->path, "/read-only")) {
		rule->status = 405;
		rule->code = "method_not_allowed";
		rule->message = "This path does not support the method.";
		rule->field = "Allow";
		snprintf(rule->field_value, sizeof(rule->field_value), "GET, HEAD");
	}
}

/* Row H10: a method that the path lacks is 405, whether the length is stated or not. */
static void test_h10_no_length_for_a_method_that_is_not_there(void **state)
{
	static const struct {
		const char *request, *status;
	} rows[] = {
		{ "POST /read-only HTTP/1.1\r\n" GET_FIELDS, "HTTP/1.1 405 " },
		{ "PUT /read-only HTTP/1.1\r\n" GET_FIELDS, "HTTP/1.1 405 " },
		{ "POST /read-only HTTP/1.1\r\nContent-Length: 9\r\n" GET_FIELDS, "HTTP/1.1 405 " },
		{ "POST /other HTTP/1.1\r\n" GET_FIELDS, "HTTP/1.1 411 " },
		{ "PUT /other HTTP/1.1\r\n" GET_FIELDS, "HTTP/1.1 411 " },
		{ "PUT /read-only HTTP/1.1\r\nHost: elsewhere\r\n\r\n", "HTTP/1.1 421 " },
	};

	(void)state;
	h.callbacks.on_head = on_head;
	harness_start(&h);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		client_open(&h, &c);
		client_send(&c, rows[i].request, strlen(rows[i].request));
		WAIT(&h, c.is_eof);
		assert_int_equal(strncmp(client_text(&c), rows[i].status, strlen(rows[i].status)),
				 0);
		assert_int_equal(strstr(client_text(&c), "Allow: GET, HEAD\r\n") != NULL,
				 strstr(rows[i].status, "405") != NULL);
		client_close(&c);
	}
	assert_int_equal(h.requests, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_h2_silent_clients_make_room),
		TEST(test_h2_the_address_with_most_pays),
		TEST(test_h3_idle_unknown_clients_make_room),
		TEST(test_h4_waiting_requests_are_asked_to_end),
		TEST(test_h3_known_clients_share_by_owner),
		TEST(test_h3_slow_readers_make_room),
		TEST(test_h3_unread_streams_make_room),
		TEST(test_h3_unread_answers_are_bounded),
		TEST(test_f9_foreign_hosts_are_reported_once),
		TEST(test_h10_no_length_for_a_method_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
