/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 2048
#define INPUT_FIRST (16 * 1024)
#define INPUT_MAX (64 * 1024 * 1024)
#define EVENTS_AT_ONCE 128

struct conn {
	int fd;		 /* -1: connect before the next request */
	int is_waiting;	 /* for a response */
	int wants_write; /* epoll watches for writability */
	int64_t sent_us;
	char head[HEAD_MAX];
	struct iovec out[2]; /* the unsent part of head and body */
	char *in;
	size_t in_len, in_size;
	size_t head_len, body_len; /* of the response; head_len 0: not yet known */
	int status, is_last;
};

struct load {
	int epoll, port;
	int clients;
	struct conn *conns;
	load_answer_fn fn;
	void *arg;
};

void load_die(const char *fmt, ...)
{
	va_list ap;

	fputs("lives: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

int64_t load_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- connecting ------------------------------------------------------------------ */

static void conn_watch(struct load *load, struct conn *c, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(load->epoll, operation, c->fd, &event))
		load_die("epoll_ctl: %s", strerror(errno));
	c->wants_write = (events & EPOLLOUT) != 0;
}

/* On loopback, connect() completes at once, or as soon as the server accepts. */
static void conn_open(struct load *load, struct conn *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)load->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		load_die("connecting to port %d: %s", load->port, strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	conn_watch(load, c, EPOLL_CTL_ADD, EPOLLIN);
}

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

struct load *load_new(int port, int clients, load_answer_fn fn, void *arg)
{
	struct load *load = calloc(1, sizeof(*load));
	struct rlimit files;

	/* 1,000 clients exceed the usual limit. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (!load || !(load->conns = calloc((size_t)clients, sizeof(*load->conns))))
		load_die("out of memory");
	load->port = port;
	load->clients = clients;
	load->fn = fn;
	load->arg = arg;
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < clients; i++) {
		struct conn *c = &load->conns[i];

		c->in_size = INPUT_FIRST;
		c->in = malloc(c->in_size);
		if (!c->in)
			load_die("out of memory");
		conn_open(load, c);
	}
	return load;
}

void load_free(struct load *load)
{
	for (int i = 0; i < load->clients; i++) {
		conn_close(&load->conns[i]);
		free(load->conns[i].in);
	}
	close(load->epoll);
	free(load->conns);
	free(load);
}

/* ---- sending --------------------------------------------------------------------- */

static void conn_write(struct load *load, struct conn *c)
{
	while (c->out[0].iov_len || c->out[1].iov_len) {
		ssize_t sent = writev(c->fd, c->out, 2);

		if (sent < 0 && errno == EAGAIN) {
			if (!c->wants_write)
				conn_watch(load, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return;
		}
		if (sent < 0)
			load_die("sending a request: %s", strerror(errno));
		for (int i = 0; i < 2; i++) {
			size_t part = (size_t)sent < c->out[i].iov_len ? (size_t)sent :
									 c->out[i].iov_len;

			c->out[i].iov_base = (char *)c->out[i].iov_base + part;
			c->out[i].iov_len -= part;
			sent -= (ssize_t)part;
		}
	}
	if (c->wants_write)
		conn_watch(load, c, EPOLL_CTL_MOD, EPOLLIN);
}

void load_send(struct load *load, int client, const char *head, const char *body, size_t len)
{
	struct conn *c = &load->conns[client];
	size_t head_len = strlen(head);

	if (c->is_waiting || head_len >= sizeof(c->head))
		load_die("client %d: request while another is pending, or too long", client);
	if (c->fd < 0)
		conn_open(load, c);
	memcpy(c->head, head, head_len);
	c->out[0] = (struct iovec){ c->head, head_len };
	c->out[1] = (struct iovec){ (void *)(uintptr_t)body, body ? len : 0 };
	c->in_len = c->head_len = c->body_len = 0;
	c->is_waiting = 1;
	c->sent_us = load_now_us();
	conn_write(load, c);
}

/* ---- receiving ------------------------------------------------------------------- */

/* The line ends with "\r\n". */
static void read_field(struct conn *c, const char *line, int *has_length)
{
	if (!strncasecmp(line, "Content-Length:", 15)) {
		c->body_len = (size_t)strtoul(line + 15, NULL, 10);
		*has_length = 1;
	} else if (!strncasecmp(line, "Connection: close", 17)) {
		c->is_last = 1;
	} else if (!strncasecmp(line, "Transfer-Encoding:", 18)) {
		load_die("response with a Transfer-Encoding, which is not supported here");
	}
}

static void read_head(struct conn *c)
{
	const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	const char *line;
	int has_length = 0;

	if (!end)
		return;
	if (c->in_len < 12 || strncmp(c->in, "HTTP/1.", 7))
		load_die("not an HTTP response: %.60s", c->in);
	c->status = (int)strtol(c->in + 9, NULL, 10);
	c->is_last = 0;
	for (line = strstr(c->in, "\r\n") + 2; line < end; line = strstr(line, "\r\n") + 2)
		read_field(c, line, &has_length);
	if (!has_length)
		load_die("response (%d) without Content-Length", c->status);
	c->head_len = (size_t)(end + 4 - c->in);
}

static void grow(struct conn *c)
{
	if (c->in_len + 1 < c->in_size)
		return;
	c->in_size *= 2;
	c->in = c->in_size > INPUT_MAX ? NULL : realloc(c->in, c->in_size);
	if (!c->in)
		load_die("response too long");
}

/* Returns 1 when the response is complete. */
static int conn_read(struct conn *c)
{
	ssize_t got;

	grow(c);
	got = read(c->fd, c->in + c->in_len, c->in_size - c->in_len - 1);
	if (got < 0 && errno == EAGAIN)
		return 0;
	/* The server may close an idle connection, but not one with a pending request. */
	if (got <= 0 && !c->is_waiting) {
		conn_close(c);
		return 0;
	}
	if (got <= 0)
		load_die("connection closed before the response: %s",
			 got ? strerror(errno) : "closed");
	c->in_len += (size_t)got;
	c->in[c->in_len] = '\0';
	if (!c->head_len)
		read_head(c);
	if (!c->head_len || c->in_len < c->head_len + c->body_len)
		return 0;
	if (!c->is_waiting || c->in_len > c->head_len + c->body_len)
		load_die("unexpected bytes outside a response");
	return 1;
}

static void conn_event(struct load *load, struct conn *c, uint32_t events)
{
	struct load_answer answer;

	if (events & EPOLLOUT)
		conn_write(load, c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !conn_read(c))
		return;
	answer = (struct load_answer){ .status = c->status, .body = c->in + c->head_len,
				       .len = c->body_len,
				       .took_us = load_now_us() - c->sent_us };
	c->is_waiting = 0;
	if (c->is_last)
		conn_close(c);
	load->fn(load->arg, (int)(c - load->conns), &answer);
}

void load_run(struct load *load, int wait_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(load->epoll, events, EVENTS_AT_ONCE, wait_ms);

	if (count < 0 && errno != EINTR)
		load_die("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < count; i++)
		conn_event(load, events[i].data.ptr, events[i].events);
}
