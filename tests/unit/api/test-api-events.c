/* SPDX-License-Identifier: MIT */
/* GET /v1/events of clients that are silent or slow, over a real connection. */
#include "pair.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "store/store.h"
#include "util/buf.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yBg7v5l4r0p8C0kq1J3m8ZkqX5b5w5y5e5r5t5y5u x"
#define CREATE "{\"slug\":\"my-box\",\"serverType\":\"small\",\"sshPublicKey\":\"" KEY "\"}"
#define WRITE_MS 300
#define EVENTS 16000 /* more than the buffers on the way hold, which the kernel enlarges */
#define RECEIVE_BYTES 4096
#define COMMENT ": nothing new\n\n"

static int64_t lease_n;

static void lease_make(void)
{
	const struct store_scope all = { .all = 1 };
	struct store *tool = pair_store();
	struct told told;
	struct lease l;

	pair_owner_is_a();
	pair_begin(&pair.a, &told, "POST", "/v1/leases", "Prefer: respond-async", CREATE);
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 201);
	assert_int_equal(store_lease_visible(tool, told_text(&told, "lease", "id"), &all, &l, NULL),
			 0);
	lease_n = l.n;
	told_clear(&told);
	store_close(tool);
}

/* Events "test.NAME" with the texts 0 to `count` - 1. */
static void events_write(const char *name, int count)
{
	struct store *tool = pair_store();

	assert_int_equal(store_begin(tool, NULL), 0);
	for (int i = 0; i < count; i++) {
		char kind[40], text[256];

		snprintf(kind, sizeof(kind), "test.%s", name);
		snprintf(text, sizeof(text), "%d %0230d", i, 0);
		assert_int_equal(store_event_add(tool, lease_n, 1000, kind, text, NULL), 0);
	}
	assert_int_equal(store_commit(tool, NULL), 0);
	store_close(tool);
}

/* ---- a client ------------------------------------------------------------------------------ */

struct client {
	struct bufferevent *bev;
	struct buf in; /* the whole answer, without the lines around its chunks */
	char last_id[64];
	int next;    /* the number of the next event of the test that has to come */
	size_t read; /* of `in`, up to the end of the last whole event */
	int is_over;
};

/* An event whose lines are all there. */
static void event_read(struct client *c, const char *event, const char *end)
{
	const char *id = strstr(event, "id: "), *type = strstr(event, "\"type\":\"test.many\"");

	if (id && id < end)
		snprintf(c->last_id, sizeof(c->last_id), "%.*s", (int)strcspn(id + 4, "\n"), id + 4);
	if (!type || type > end)
		return;
	/* None is missing, and none comes twice. */
	assert_int_equal(atoi(strstr(type, "\"message\":\"") + strlen("\"message\":\"")), c->next);
	c->next++;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *c = arg;
	const char *end;

	while (evbuffer_get_length(in)) {
		char data[4096];
		int len = evbuffer_remove(in, data, sizeof(data));

		buf_add(&c->in, data, (size_t)len);
	}
	assert_false(c->in.overflow);
	while ((end = strstr(buf_str(&c->in) + c->read, "\n\n")) != NULL) {
		event_read(c, buf_str(&c->in) + c->read, end);
		c->read = (size_t)(end + 2 - buf_str(&c->in));
	}
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
	struct client *c = arg;

	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
		on_read(bev, c);
		c->is_over = 1;
	}
}

static void client_open(struct client *c, const char *after)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port =
					  htons((uint16_t)atoi(strrchr(pair.a.address, ':') + 1)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = RECEIVE_BYTES;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	evutil_make_socket_nonblocking(fd);
	buf_init(&c->in, 64 << 20);
	c->read = 0;
	c->is_over = 0;
	c->bev = bufferevent_socket_new(pair.base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(c->bev, on_read, NULL, on_end, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	evbuffer_add_printf(bufferevent_get_output(c->bev),
			    "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			    "Authorization: Bearer %s\r\n%s%s%s\r\n",
			    pair.alice, *after ? "Last-Event-ID: " : "", after,
			    *after ? "\r\n" : "");
	PAIR_WAIT(strstr(buf_str(&c->in), "event: hello"));
}

static void client_close(struct client *c)
{
	bufferevent_free(c->bev);
	buf_fini(&c->in);
}

/* ---- tests --------------------------------------------------------------------------------- */

static int comments(const struct client *c)
{
	int count = 0;

	for (const char *s = buf_str(&c->in); (s = strstr(s, COMMENT)) != NULL; s++)
		count++;
	return count;
}

static void silence_is_broken_every_15_s(void **state)
{
	struct client first = { .next = 0 }, second = { .next = 0 };

	(void)state;
	lease_make();
	client_open(&first, "");
	pair_clock_skip(7000);
	client_open(&second, "");
	/* Silence begins with the last event; the other stream shows when a turn is over. */
	for (int i = 1; i <= 2; i++) {
		pair_clock_skip(8000);
		PAIR_WAIT(comments(&first) == i);
		assert_int_equal(comments(&second), i - 1);
		pair_clock_skip(7000);
		PAIR_WAIT(comments(&second) == i);
		assert_int_equal(comments(&first), i);
	}
	events_write("one", 1);
	PAIR_WAIT(strstr(buf_str(&first.in), "test.one"));
	PAIR_WAIT(strstr(buf_str(&second.in), "test.one"));
	pair_clock_skip(8000);
	events_write("two", 1);
	PAIR_WAIT(strstr(buf_str(&first.in), "test.two"));
	assert_int_equal(comments(&first), 2);
	client_close(&first);
	client_close(&second);
}

static void who_does_not_read_is_cut_off_and_goes_on(void **state)
{
	struct client c = { .next = 0 };

	(void)state;
	lease_make();
	client_open(&c, "");
	bufferevent_disable(c.bev, EV_READ);
	events_write("many", EVENTS);
	PAIR_WAIT(http_server_counters(pair.a.server)->closed_slow_reader == 1);
	/* What was on its way still comes; the last event is cut off somewhere. */
	bufferevent_enable(c.bev, EV_READ);
	PAIR_WAIT(c.is_over);
	assert_in_range(c.next, 1, EVENTS - 1);
	client_close(&c);
	client_open(&c, c.last_id);
	PAIR_WAIT(c.next == EVENTS);
	assert_int_equal(http_server_counters(pair.a.server)->closed_slow_reader, 1);
	client_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(silence_is_broken_every_15_s),
		PAIR_TEST(who_does_not_read_is_cut_off_and_goes_on),
	};

	pair_write_ms = WRITE_MS;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
