/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes one socket; knows nothing of HTTP.
 *
 * Plain: bytes are received into a buffer that all connections share and are used there; only
 * bytes that the owner cannot use yet are copied. Output is written when the owner flushes it;
 * only what the kernel does not accept waits until the socket is writable. So a request costs
 * one system call to read and one to answer, and no epoll_ctl().
 *
 * TLS: a bufferevent reads and writes.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/internal.h"

/* ---- plain ------------------------------------------------------------------------------ */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct transport *t = arg;
	ssize_t n = recv(fd, t->buffer, TRANSPORT_READ_MAX, 0);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	t->fresh = t->buffer;
	t->fresh_len = n > 0 ? (size_t)n : 0;
	t->notify(t->arg, n > 0 ? TRANSPORT_READ : n == 0 ? TRANSPORT_EOF : TRANSPORT_BROKEN);
}

/* Writes what the kernel accepts. -1: the connection failed. */
static int transport_write(struct transport *t)
{
	while (evbuffer_get_length(t->output)) {
		int n = evbuffer_write(t->output, t->fd);

		if (n <= 0)
			return n < 0 && errno != EAGAIN && errno != EINTR ? -1 : 0;
	}
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct transport *t = arg;

	(void)fd;
	(void)what;
	if (transport_write(t))
		t->notify(t->arg, TRANSPORT_BROKEN);
	else if (!evbuffer_get_length(t->output))
		t->notify(t->arg, TRANSPORT_SENT);
}

void transport_poll(struct transport *t)
{
	if (!t->bev)
		on_readable(t->fd, EV_READ, t);
}

static int plain_open(struct transport *t, struct event_base *base)
{
	t->input = evbuffer_new();
	t->output = evbuffer_new();
	t->readable = event_new(base, t->fd, EV_READ | EV_PERSIST, on_readable, t);
	t->writable = event_new(base, t->fd, EV_WRITE | EV_PERSIST, on_writable, t);
	return t->input && t->output && t->readable && t->writable &&
	       event_add(t->readable, NULL) == 0 ? 0 : -1;
}

static void plain_close(struct transport *t)
{
	if (t->readable)
		event_free(t->readable);
	if (t->writable)
		event_free(t->writable);
	if (t->input)
		evbuffer_free(t->input);
	if (t->output)
		evbuffer_free(t->output);
	close(t->fd);
}

/* ---- TLS -------------------------------------------------------------------------------- */

static void on_read(struct bufferevent *bev, void *arg)
{
	struct transport *t = arg;

	(void)bev;
	t->notify(t->arg, TRANSPORT_READ);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct transport *t = arg;

	(void)bev;
	t->notify(t->arg, TRANSPORT_SENT);
}

/*
 * Answers a plain request in its own language. What the peer sent is read first, since closing
 * a socket with unread bytes would reset the connection and lose the answer.
 */
static void plain_refuse(int fd)
{
	static const char answer[] =
		"HTTP/1.1 400 Bad Request\r\n"
		"Content-Type: application/json\r\n"
		"Content-Length: 80\r\n"
		"Connection: close\r\n"
		"\r\n"
		"{\"error\":\"tls_required\",\"message\":\"This port speaks TLS; use an https:// URL.\"}\n";
	char scrap[4096];

	_Static_assert(sizeof(answer) - 1 - 80 == 99, "the length in the answer is right");
	for (int i = 0; i < 16 && recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) > 0; i++)
		;
	(void)!send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct transport *t = arg;

	if (what & BEV_EVENT_ERROR && tls_peer_is_plain(bev))
		plain_refuse(t->fd);
	/* after end of input a TLS bufferevent cannot write either */
	t->notify(t->arg, what & BEV_EVENT_CONNECTED ? TRANSPORT_SECURED : TRANSPORT_BROKEN);
}

static int tls_open(struct transport *t, struct event_base *base, struct ssl_ctx_st *tls)
{
	t->bev = tls_accept(base, tls, t->fd);
	if (!t->bev) {
		close(t->fd);
		return -1;
	}
	t->input = bufferevent_get_input(t->bev);
	t->output = bufferevent_get_output(t->bev);
	bufferevent_setcb(t->bev, on_read, on_write, on_event, t);
	bufferevent_enable(t->bev, EV_READ | EV_WRITE);
	return 0;
}

/* ---- common ----------------------------------------------------------------------------- */

int transport_open(struct transport *t, struct event_base *base, struct ssl_ctx_st *tls)
{
	t->read_on = 1;
	if (tls)
		return tls_open(t, base, tls);
	if (plain_open(t, base)) {
		plain_close(t);
		return -1;
	}
	return 0;
}

void transport_close(struct transport *t)
{
	if (!t->bev) {
		plain_close(t);
		return;
	}
	bufferevent_setcb(t->bev, NULL, NULL, NULL, NULL);
	bufferevent_free(t->bev);
}

size_t transport_input_len(const struct transport *t)
{
	return evbuffer_get_length(t->input) + t->fresh_len;
}

const char *transport_peek(struct transport *t, size_t *ret_len)
{
	*ret_len = evbuffer_get_contiguous_space(t->input);
	if (*ret_len)
		return (const char *)evbuffer_pullup(t->input, (ev_ssize_t)*ret_len);
	*ret_len = t->fresh_len;
	return t->fresh;
}

void transport_use(struct transport *t, size_t len)
{
	if (evbuffer_get_length(t->input)) {
		evbuffer_drain(t->input, len);
	} else {
		t->fresh += len;
		t->fresh_len -= len;
	}
}

void transport_discard(struct transport *t)
{
	evbuffer_drain(t->input, evbuffer_get_length(t->input));
	t->fresh_len = 0;
}

int transport_store(struct transport *t)
{
	int rc = t->fresh_len ? evbuffer_add(t->input, t->fresh, t->fresh_len) : 0;

	t->fresh_len = 0;
	return rc;
}

void transport_set_read(struct transport *t, unsigned on)
{
	if (t->read_on == on)
		return;
	t->read_on = on;
	if (t->bev && on)
		bufferevent_enable(t->bev, EV_READ);
	else if (t->bev)
		bufferevent_disable(t->bev, EV_READ);
	else if (on)
		event_add(t->readable, NULL);
	else
		event_del(t->readable);
}

int transport_flush(struct transport *t)
{
	/* while waiting for the socket, on_writable continues */
	if (t->bev || t->write_on)
		return 0;
	if (transport_write(t))
		return -1;
	if (evbuffer_get_length(t->output) && event_add(t->writable, NULL) == 0)
		t->write_on = 1;
	return 0;
}

void transport_rest(struct transport *t)
{
	if (t->write_on)
		event_del(t->writable);
	t->write_on = 0;
}
