/* SPDX-License-Identifier: MIT */
#include "http-harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "util/alloc.h"

uint64_t harness_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_guard(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	((struct harness *)arg)->is_late = 1;
}

static void on_request(struct http_exchange *ex, void *user)
{
	struct harness *h = user;

	h->requests++;
	h->handler(h, ex);
}

static void on_log(enum http_log_level level, const char *text, void *user)
{
	(void)level;
	(void)text;
	((struct harness *)user)->logs++;
}

static void on_foreign_host(const char *host, void *user)
{
	struct harness *h = user;

	h->foreign++;
	snprintf(h->foreign_host, sizeof(h->foreign_host), "%s", host);
}

static void on_crowded(unsigned count, void *user)
{
	((struct harness *)user)->crowded += count;
}

void harness_init(struct harness *h)
{
	*h = (struct harness){ .handler = harness_echo };
	http_config_init(&h->config);
	h->callbacks.on_request = on_request;
	h->callbacks.on_log = on_log;
	h->callbacks.on_foreign_host = on_foreign_host;
	h->callbacks.on_crowded = on_crowded;
}

void harness_start_unbound(struct harness *h)
{
	struct event_config *config = event_config_new();
	struct err err;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	h->base = event_base_new_with_config(config);
	event_config_free(config);
	h->guard = event_new(h->base, -1, 0, on_guard, h);
	h->server = http_server_new(h->base, &h->config, &h->callbacks, h, &err);
	if (!h->server)
		fail_msg("%s", err.text);
}

void harness_start(struct harness *h)
{
	struct err err;
	struct http_listener *l;

	harness_start_unbound(h);
	l = http_listen_tcp(h->server, "127.0.0.1", 0, NULL, 0, &err);
	if (!l)
		fail_msg("%s", err.text);
	h->port = http_listener_port(l);
}

void harness_stop(struct harness *h)
{
	if (!h->base)
		return;
	http_server_free(h->server);
	event_free(h->guard);
	event_base_free(h->base);
	h->base = NULL;
}

const struct http_counters *harness_counters(struct harness *h)
{
	return http_server_counters(h->server);
}

void harness_echo(struct harness *h, struct http_exchange *ex)
{
	const struct http_head *head = http_exchange_head(ex);
	auto_buf struct buf text = { 0 };
	const char *body;
	size_t len;

	(void)h;
	buf_init(&text, 1 << 20);
	body = http_exchange_body(ex, &len);
	buf_addf(&text, "%s %s ", http_method_name(head->method), head->target);
	buf_add(&text, body, len);
	http_reply(ex, 200, "text/plain", text.data, text.len);
}

static void on_gone(struct http_exchange *ex, void *arg)
{
	(void)ex;
	((struct harness *)arg)->gone++;
}

void harness_keep(struct harness *h, struct http_exchange *ex)
{
	assert_true(h->kept_count < KEPT_MAX);
	http_exchange_on_gone(ex, on_gone, h);
	h->kept[h->kept_count++] = ex;
}

void harness_keep_trusted(struct harness *h, struct http_exchange *ex)
{
	http_exchange_trust(ex, 1);
	harness_keep(h, ex);
}

void harness_wait_begin(struct harness *h)
{
	struct timeval late = { .tv_sec = 60 };

	h->is_late = 0;
	event_add(h->guard, &late);
}

void harness_step(struct harness *h)
{
	event_base_loop(h->base, EVLOOP_ONCE);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	char data[16384];
	ssize_t n = read(fd, data, sizeof(data));

	(void)what;
	if (n > 0) {
		buf_add(&c->in, data, (size_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		c->is_eof = 1;
		c->error = n < 0 ? errno : 0;
		event_del(c->event);
	}
}

void client_open_fd(struct harness *h, struct client *c, int fd)
{
	*c = (struct client){ .h = h, .fd = fd };
	buf_init(&c->in, 64 << 20);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	c->event = event_new(h->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_add(c->event, NULL);
}

void client_open(struct harness *h, struct client *c)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(h->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	assert_true(fd >= 0);
	/* the tests send small pieces, which Nagle's algorithm must not delay */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	client_open_fd(h, c, fd);
}

void client_close(struct client *c)
{
	if (c->event)
		event_free(c->event);
	if (c->bev)
		bufferevent_free(c->bev);
	else if (c->fd >= 0)
		close(c->fd);
	c->event = NULL;
	c->bev = NULL;
	c->fd = -1;
	buf_fini(&c->in);
}

void client_reset(struct client *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	client_close(c);
}

void client_read(struct client *c, int on)
{
	if (on)
		event_add(c->event, NULL);
	else
		event_del(c->event);
}

/* Runs the loop until the server has accepted the bytes. */
void client_send(struct client *c, const char *data, size_t len)
{
	if (c->bev) {
		bufferevent_write(c->bev, data, len);
		return;
	}
	harness_wait_begin(c->h);
	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN)
			return;
		harness_step(c->h);
		assert_false(c->h->is_late);
	}
}

const char *client_text(struct client *c)
{
	return buf_str(&c->in);
}

unsigned client_count(struct client *c, const char *text)
{
	unsigned n = 0;

	for (const char *at = client_text(c); (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}
