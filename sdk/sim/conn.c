/* SPDX-License-Identifier: MIT */
#include "sim/conn.h"

#include <event2/buffer.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sim/tls.h"
#include "util/alloc.h"
#include "util/buf.h"

#define HEAD_MAX (64 * 1024)
#define BODY_MAX (8 * 1024 * 1024)

enum conn_state {
	CONN_READING, /* between requests or within one */
	CONN_WAITING, /* the owner has the request */
	CONN_SENDING,
	CONN_HANGING, /* nothing more is sent */
};

struct conn {
	LIST_ENTRY(conn) link;
	struct bufferevent *bev;
	const struct conn_owner *owner;
	void *pending;
	enum conn_state state;
	int remote;
	int is_tls;
	unsigned requests;	/* read so far */
	int last;		/* close after this request: by the client, or HTTP/1.0 */
	int asked_continue;
	struct cloud_response response;
	struct event *timer;   /* for delays and drips */
	struct evbuffer *rest; /* of a dripped response */
};

static LIST_HEAD(, conn) conns = LIST_HEAD_INITIALIZER(conns);

/* A parsed request head. */
struct head {
	char method[32];
	char *target, *authorization, *host;
	int64_t length;		/* -1: chunked */
	int close, expect;
};

static void head_fini(struct head *head)
{
	free(head->target);
	free(head->authorization);
	free(head->host);
}

static void conn_free(struct conn *conn)
{
	if (conn->pending)
		conn->owner->closed(conn->owner->arg, conn->pending);
	LIST_REMOVE(conn, link);
	cloud_response_fini(&conn->response);
	if (conn->timer)
		event_free(conn->timer);
	evbuffer_free(conn->rest);
	bufferevent_free(conn->bev);
	free(conn);
}

void conn_free_all(void)
{
	while (!LIST_EMPTY(&conns))
		conn_free(LIST_FIRST(&conns));
}

void conn_set_pending(struct conn *conn, void *pending)
{
	conn->pending = pending;
}

static void conn_reset(struct conn *conn)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(bufferevent_getfd(conn->bev), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	conn_free(conn);
}

static void read_header(struct head *head, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value = colon ? colon + 1 : NULL;
	const char *end = line + len;
	auto_free char *text = NULL;
	size_t name;

	if (!colon)
		return;
	name = (size_t)(colon - line);
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	text = xstrndup(value, (size_t)(end - value));
	if (name == 14 && !strncasecmp(line, "Content-Length", name)) {
		head->length = strtoll(text, NULL, 10);
	} else if (name == 17 && !strncasecmp(line, "Transfer-Encoding", name)) {
		head->length = -1;
	} else if (name == 13 && !strncasecmp(line, "Authorization", name)) {
		free(head->authorization);
		head->authorization = take(text);
	} else if (name == 4 && !strncasecmp(line, "Host", name)) {
		free(head->host);
		head->host = take(text);
	} else if (name == 10 && !strncasecmp(line, "Connection", name)) {
		head->close = strcasestr(text, "close") != NULL;
	} else if (name == 6 && !strncasecmp(line, "Expect", name)) {
		head->expect = 1;
	}
}

/* -1: not a valid request. */
static int read_head(const char *text, size_t len, struct head *head)
{
	const char *end = memmem(text, len, "\r\n", 2);
	const char *space = memchr(text, ' ', (size_t)(end - text));
	const char *target = space ? space + 1 : NULL;
	const char *version = target ? memchr(target, ' ', (size_t)(end - target)) : NULL;

	if (!version || space == text || (size_t)(space - text) >= sizeof(head->method)
	    || *target != '/' || end - version != 9 || strncmp(version, " HTTP/1.", 8))
		return -1;
	memcpy(head->method, text, (size_t)(space - text));
	head->target = xstrndup(target, (size_t)(version - target));
	head->close = version[8] == '0';
	for (const char *at = end + 2; at < text + len;) {
		const char *next = memmem(at, (size_t)(text + len - at), "\r\n", 2);

		if (!next)
			break;
		read_header(head, at, (size_t)(next - at));
		at = next + 2;
	}
	return head->length < -1 || head->length > BODY_MAX ? -1 : 0;
}

/* 1: decoded a complete chunked body of *ret_used bytes into `out`; 0: incomplete; -1: invalid. */
static int read_chunks(const char *text, size_t len, struct buf *out, size_t *ret_used)
{
	const char *at = text, *end = text + len;

	for (;;) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		char *digits;
		unsigned long size;

		if (!eol)
			return 0;
		size = strtoul(at, &digits, 16);
		if (digits == at || size > BODY_MAX)
			return -1;
		at = eol + 2;
		if (!size) {
			/* Skip trailers up to an empty line. */
			for (eol = memmem(at, (size_t)(end - at), "\r\n", 2); eol && eol != at;
			     eol = memmem(at, (size_t)(end - at), "\r\n", 2))
				at = eol + 2;
			*ret_used = (size_t)(at + 2 - text);
			return eol ? 1 : 0;
		}
		if ((size_t)(end - at) < size + 2)
			return 0;
		buf_add(out, at, size);
		at += size + 2;
	}
}

static void deliver_request(struct conn *conn, const struct head *head, const char *body, size_t len)
{
	const char *scheme = conn->is_tls ? "https" : "http";
	auto_free char *origin = head->host ? xasprintf("%s://%s", scheme, head->host) : NULL;
	struct cloud_request request = {
		.method = head->method,
		.target = head->target,
		.origin = origin,
		.authorization = head->authorization,
		.body = body,
		.body_len = len,
		.reused = conn->requests > 0,
		.remote = conn->remote,
	};

	conn->requests++;
	conn->last = head->close;
	conn->asked_continue = 0;
	conn->state = CONN_WAITING;
	conn->owner->request(conn->owner->arg, conn, &request);
}

static void ask_for_body(struct conn *conn, const struct head *head)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!head->expect || conn->asked_continue)
		return;
	conn->asked_continue = 1;
	bufferevent_write(conn->bev, go_on, sizeof(go_on) - 1);
}

/* Reads one request if it is complete. */
static void conn_read(struct conn *conn)
{
	struct evbuffer *in = bufferevent_get_input(conn->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	struct head head = { 0 };
	struct buf body;
	size_t have, size, used;
	const char *text;
	int rc;

	if (end.pos < 0 || end.pos > HEAD_MAX) {
		if (evbuffer_get_length(in) > HEAD_MAX)
			conn_free(conn);
		return;
	}
	size = (size_t)end.pos + 4;
	have = evbuffer_get_length(in);
	text = (const char *)evbuffer_pullup(in, -1);
	rc = read_head(text, size - 2, &head);
	buf_init(&body, BODY_MAX);
	used = head.length > 0 ? (size_t)head.length : 0;
	if (!rc && head.length < 0)
		rc = read_chunks(text + size, have - size, &body, &used) - 1;
	else if (!rc && have - size < used)
		rc = 1;
	else if (!rc)
		buf_add(&body, text + size, used);
	/* rc: 0 complete, 1 or -1 incomplete, otherwise invalid */
	if (!rc) {
		evbuffer_drain(in, size + used);
		deliver_request(conn, &head, buf_str(&body), body.len);
	} else if (rc == 1 || (rc == -1 && head.length == -1 && head.target)) {
		ask_for_body(conn, &head);
	} else {
		conn_free(conn);
	}
	buf_fini(&body);
	head_fini(&head);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;

	(void)bev;
	if (conn->state == CONN_READING)
		conn_read(conn);
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 412, "Precondition Failed" },
		{ 422, "Unprocessable Entity" },
		{ 423, "Locked" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Status";
}

/* The real time, not that of the simulated cloud: clients compare it with their own clock. */
static void write_date(struct evbuffer *out)
{
	time_t now = time(NULL);
	struct tm parts;
	char date[64];

	gmtime_r(&now, &parts);
	evutil_date_rfc1123(date, sizeof(date), &parts);
	evbuffer_add_printf(out, "Date: %s\r\n", date);
}

static void write_head(const struct conn *conn, struct evbuffer *out)
{
	const struct cloud_response *r = &conn->response;
	int bodiless = r->status == 204 || r->status == 304;

	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", r->status, reason_of(r->status));
	for (size_t i = 0; i < r->header_count; i++)
		evbuffer_add_printf(out, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
	if (r->wire.chunked)
		evbuffer_add_printf(out, "Transfer-Encoding: chunked\r\n");
	else if (r->wire.declared >= 0)
		evbuffer_add_printf(out, "Content-Length: %lld\r\n", (long long)r->wire.declared);
	else if (!bodiless || r->body_len)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", r->body_len);
	write_date(out);
	if (conn->last)
		evbuffer_add_printf(out, "Connection: close\r\n");
	evbuffer_add(out, "\r\n", 2);
}

/* A truncated chunked body ends within its only chunk. */
static void write_body(const struct cloud_response *r, struct evbuffer *out)
{
	size_t len = r->wire.body_cut >= 0 ? (size_t)r->wire.body_cut : r->body_len;

	if (!r->wire.chunked) {
		evbuffer_add(out, r->body, len);
		return;
	}
	if (r->body_len)
		evbuffer_add_printf(out, "%zx\r\n", r->body_len);
	evbuffer_add(out, r->body, len);
	if (r->wire.body_cut < 0)
		evbuffer_add_printf(out, "%s0\r\n\r\n", r->body_len ? "\r\n" : "");
}

static void write_interim(struct evbuffer *out, int count)
{
	for (int i = 0; i < count; i++)
		evbuffer_add_printf(out, "HTTP/1.1 103 Early Hints\r\n\r\n");
}

static void build_answer(struct conn *conn, struct evbuffer *out)
{
	const struct cloud_response *r = &conn->response;
	struct evbuffer *head = evbuffer_new();

	write_interim(out, r->wire.interim > 0 ? r->wire.interim : 0);
	write_head(conn, head);
	if (r->wire.head_cut >= 0) {
		evbuffer_remove_buffer(head, out, (size_t)r->wire.head_cut);
	} else {
		evbuffer_add_buffer(out, head);
		write_body(r, out);
		if (r->wire.stray) {
			write_head(conn, out);
			write_body(r, out);
		}
	}
	evbuffer_free(head);
}

/* Everything was passed to the kernel. */
static void conn_finish(struct conn *conn)
{
	struct cloud_wire wire = conn->response.wire;

	if (wire.signal_pid > 1 && wire.signal_late)
		kill((pid_t)wire.signal_pid, wire.signal_number);
	if (wire.end == CLOUD_END_RESET) {
		conn_reset(conn);
	} else if (wire.end == CLOUD_END_HANG) {
		conn->state = CONN_HANGING;
	} else if (wire.end == CLOUD_END_CLOSE || conn->last) {
		if (conn->is_tls && wire.end != CLOUD_END_CLOSE)
			tls_say_end(conn->bev);
		conn_free(conn);
	} else {
		cloud_response_fini(&conn->response);
		conn->state = CONN_READING;
		conn_read(conn);
	}
}

static void arm_timer(struct conn *conn, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(conn->timer, &tv);
}

static void drip_answer(struct conn *conn)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);

	evbuffer_remove_buffer(conn->rest, out, conn->response.wire.drip_bytes);
	if (evbuffer_get_length(conn->rest))
		arm_timer(conn, conn->response.wire.drip_ms);
}

static void conn_send(struct conn *conn)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);
	int drips = conn->response.wire.drip_bytes > 0;

	conn->state = CONN_SENDING;
	if (conn->response.wire.interim < 0) {
		write_interim(out, 64);
		return;
	}
	build_answer(conn, drips ? conn->rest : out);
	if (drips)
		drip_answer(conn);
	/* Without data there will be no write callback. */
	if (!evbuffer_get_length(out) && !evbuffer_get_length(conn->rest))
		conn_finish(conn);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->state == CONN_SENDING)
		drip_answer(conn);
	else
		conn_send(conn);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct conn *conn = arg;

	if (conn->state != CONN_SENDING || evbuffer_get_length(bufferevent_get_output(bev)))
		return;
	if (conn->response.wire.interim < 0)
		write_interim(bufferevent_get_output(bev), 64);
	else if (!evbuffer_get_length(conn->rest))
		conn_finish(conn);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		conn_free(arg);
}

void conn_answer(struct conn *conn, struct cloud_response *response)
{
	conn->pending = NULL;
	conn->response = *response;
	cloud_response_init(response);
	if (conn->response.wire.signal_pid > 1 && !conn->response.wire.signal_late)
		kill((pid_t)conn->response.wire.signal_pid, conn->response.wire.signal_number);
	if (conn->response.wire.delay_ms > 0)
		arm_timer(conn, conn->response.wire.delay_ms);
	else
		conn_send(conn);
}

void conn_new(struct event_base *base, int fd, int remote, struct ssl_ctx_st *tls,
	      const struct conn_owner *owner)
{
	struct bufferevent *bev = tls ? tls_accept(base, tls, fd) :
					bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	struct conn *conn;
	int on = 1;

	if (!bev) {
		close(fd);
		return;
	}
	conn = xcalloc(1, sizeof(*conn));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn->owner = owner;
	conn->remote = remote;
	conn->bev = bev;
	conn->is_tls = tls != NULL;
	conn->timer = evtimer_new(base, on_timer, conn);
	conn->rest = evbuffer_new();
	cloud_response_init(&conn->response);
	LIST_INSERT_HEAD(&conns, conn, link);
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, HEAD_MAX + BODY_MAX + 4096);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
}
