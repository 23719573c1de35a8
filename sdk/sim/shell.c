/* SPDX-License-Identifier: MIT */
#include "sim/shell.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "sim/box/boxes.h"
#include "sim/conn.h"
#include "sim/out.h"
#include "sim/query.h"
#include "util/alloc.h"

#define WAIT_DEFAULT_MS 10000

/* A pending request: held by the cloud, or waiting for a condition. */
struct pending {
	LIST_ENTRY(pending) link;
	struct shell *shell;
	struct conn *conn; /* NULL: the client has disconnected */
	struct event *timer;
	uint64_t ticket;		/* 0: a wait */
	char *target;			/* of a wait */
};

struct shell {
	struct cloud *cloud;
	struct event_base *base;
	struct evconnlistener *listener, *admin;
	struct ssl_ctx_st *tls; /* of `listener`, or NULL; borrowed */
	struct event *signals[2], *tick;
	struct conn_owner owner;
	struct sockaddr_in address; /* of the listener, to reopen it */
	int virtual_clock;
	int64_t speed, epoch_ms, started_ms, ahead_ms;
	LIST_HEAD(, pending) pending;
	size_t waits;
	struct boxes *boxes;		/* or NULL */
};

static int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t shell_now_ms(const struct shell *shell)
{
	int64_t passed = shell->virtual_clock ? 0 : monotonic_ms() - shell->started_ms;

	return shell->epoch_ms + passed * shell->speed + shell->ahead_ms;
}

static void timer_set(struct event *timer, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(timer, &tv);
}

static void pending_free(struct pending *p)
{
	LIST_REMOVE(p, link);
	p->shell->waits -= !p->ticket;
	if (p->conn)
		conn_set_pending(p->conn, NULL);
	event_free(p->timer);
	free(p->target);
	free(p);
}

static struct pending *pending_new(struct shell *shell, struct conn *conn, uint64_t ticket,
	event_callback_fn fn)
{
	struct pending *p = xcalloc(1, sizeof(*p));

	p->shell = shell;
	p->conn = conn;
	p->ticket = ticket;
	p->timer = evtimer_new(shell->base, fn, p);
	LIST_INSERT_HEAD(&shell->pending, p, link);
	shell->waits += !ticket;
	conn_set_pending(conn, p);
	return p;
}

static void answer_json(struct conn *conn, int status, struct buf *body)
{
	struct cloud_response r;

	cloud_response_init(&r);
	r.status = status;
	cloud_response_add_header(&r, "Content-Type", "application/json");
	r.body_len = body->len;
	r.body = buf_take(body);
	conn_answer(conn, &r);
}

static void answer_number(struct conn *conn, int status, const char *key, int64_t value)
{
	struct buf body;

	buf_init(&body, 4096);
	out_begin(&body, '{');
	out_key_int(&body, key, value);
	out_end(&body, '}');
	answer_json(conn, status, &body);
}

static void answer_error(struct conn *conn, const char *text)
{
	struct buf body;

	buf_init(&body, 4096);
	out_begin(&body, '{');
	out_key_str(&body, "error", text);
	out_end(&body, '}');
	answer_json(conn, 400, &body);
}

static void answer_wait(struct pending *p, int met)
{
	struct conn *conn = p->conn;
	int64_t now = shell_now_ms(p->shell);
	struct buf body;

	pending_free(p);
	buf_init(&body, 4096);
	out_begin(&body, '{');
	out_key_bool(&body, "met", met);
	out_key_int(&body, "now_ms", now);
	out_end(&body, '}');
	answer_json(conn, met ? 200 : 408, &body);
}

/* After each change: answers the waits whose conditions now hold. */
static void check_waits(struct shell *shell)
{
	struct pending *p, *next;
	int64_t due, ms;

	boxes_sync(shell->boxes, shell->cloud);
	if (!shell->waits && !shell->boxes)
		return;
	for (p = LIST_FIRST(&shell->pending); p; p = next) {
		next = LIST_NEXT(p, link);
		if (!p->ticket && cloud_wait_met(shell->cloud, shell_now_ms(shell), p->target,
			NULL) > 0) {
			/* An answer can free other connections and their waits. */
			answer_wait(p, 1);
			next = LIST_FIRST(&shell->pending);
		}
	}
	due = cloud_next_ms(shell->cloud);
	if ((!shell->waits && !shell->boxes) || due == INT64_MAX || shell->virtual_clock)
		return;
	ms = (due - shell_now_ms(shell)) / shell->speed + 1;
	timer_set(shell->tick, ms > 0 ? ms : 0);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct shell *shell = arg;

	(void)fd;
	(void)what;
	cloud_advance(shell->cloud, shell_now_ms(shell));
	check_waits(shell);
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer_wait(arg, 0);
}

/* Executes a held request, even if the client has disconnected. */
static void resume_pending(struct pending *p)
{
	struct shell *shell = p->shell;
	struct conn *conn = p->conn;
	uint64_t ticket = p->ticket;
	struct cloud_response r;

	pending_free(p);
	cloud_response_init(&r);
	if (cloud_resume(shell->cloud, shell_now_ms(shell), ticket, &r)) {
		/* The cloud has been reset meanwhile. */
		r.wire.head_cut = 0;
		r.wire.end = CLOUD_END_CLOSE;
	}
	if (conn)
		conn_answer(conn, &r);
	else if (r.wire.signal_pid > 1)
		kill((pid_t)r.wire.signal_pid, r.wire.signal_number);
	cloud_response_fini(&r);
}

static void on_hold_over(evutil_socket_t fd, short what, void *arg)
{
	struct shell *shell = ((struct pending *)arg)->shell;

	(void)fd;
	(void)what;
	resume_pending(arg);
	check_waits(shell);
}

static void start_hold(struct shell *shell, struct conn *conn, struct cloud_response *r)
{
	struct pending *p = pending_new(shell, conn, r->wire.ticket, on_hold_over);

	if (r->wire.signal_pid > 1)
		kill((pid_t)r->wire.signal_pid, r->wire.signal_number);
	if (r->wire.hold_ms >= 0)
		timer_set(p->timer, r->wire.hold_ms);
	cloud_response_fini(r);
}

static void serve_wait(struct shell *shell, struct conn *conn, const struct cloud_request *request)
{
	struct query query;
	struct pending *p;
	struct err err = { 0 };
	int64_t ms;

	if (cloud_wait_met(shell->cloud, shell_now_ms(shell), request->target, &err) < 0) {
		answer_error(conn, err.text);
		return;
	}
	query_parse(request->target, &query);
	ms = query_get_int(&query, "timeout_ms", WAIT_DEFAULT_MS);
	query_fini(&query);
	p = pending_new(shell, conn, 0, on_wait_over);
	p->target = xstrdup(request->target);
	timer_set(p->timer, ms >= 0 ? ms : WAIT_DEFAULT_MS);
	check_waits(shell);
}

/* {"ms":1000}, or {"next":true}: to the next event. */
static void serve_advance(struct shell *shell, struct conn *conn, const json_t *body)
{
	int64_t ms = json_integer_value(json_object_get(body, "ms"));
	int64_t due = cloud_next_ms(shell->cloud);
	int64_t now = shell_now_ms(shell);

	if (json_is_true(json_object_get(body, "next")))
		ms = due == INT64_MAX || due < now ? 0 : due - now;
	if (ms < 0 || ms > 100LL * 366 * 86400 * 1000) {
		answer_error(conn, "time cannot go backwards");
		return;
	}
	shell->ahead_ms += ms;
	cloud_advance(shell->cloud, shell_now_ms(shell));
	answer_number(conn, 200, "now_ms", shell_now_ms(shell));
}

/* {"ticket":1}; without: all held requests. */
static void serve_release(struct shell *shell, struct conn *conn, const json_t *body)
{
	uint64_t ticket = (uint64_t)json_integer_value(json_object_get(body, "ticket"));
	struct pending *p, *next;
	int64_t count = 0;

	for (p = LIST_FIRST(&shell->pending); p; p = next) {
		next = LIST_NEXT(p, link);
		if (!p->ticket || (ticket && p->ticket != ticket))
			continue;
		resume_pending(p);
		next = LIST_FIRST(&shell->pending);
		count++;
	}
	answer_number(conn, 200, "released", count);
}

static void serve_boxes(struct shell *shell, struct conn *conn)
{
	struct buf body;

	if (!shell->boxes) {
		answer_error(conn, "this needs --boxes");
		return;
	}
	boxes_sync(shell->boxes, shell->cloud);
	buf_init(&body, 1 << 20);
	boxes_write(shell->boxes, &body);
	answer_json(conn, 200, &body);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
	int len, void *arg)
{
	struct shell *shell = arg;
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	int remote = in->sin_family != AF_INET || ntohl(in->sin_addr.s_addr) >> 24 != 127;

	(void)len;
	conn_new(shell->base, fd, remote, listener == shell->admin ? NULL : shell->tls,
		 &shell->owner);
}

static struct evconnlistener *open_listener(struct shell *shell)
{
	return evconnlistener_new_bind(shell->base, on_accept, shell,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 1024,
		(struct sockaddr *)&shell->address, sizeof(shell->address));
}

/* {"open":false}: new connections are refused. */
static void serve_listener(struct shell *shell, struct conn *conn, const json_t *body)
{
	int open = json_is_true(json_object_get(body, "open"));

	if (!shell->admin) {
		answer_error(conn, "this needs --admin-listen");
		return;
	}
	if (!open && shell->listener) {
		evconnlistener_free(shell->listener);
		shell->listener = NULL;
	}
	if (open && !shell->listener)
		shell->listener = open_listener(shell);
	answer_number(conn, open && !shell->listener ? 500 : 200, "open", shell->listener != NULL);
}

static int is_for_shell(struct shell *shell, struct conn *conn, const struct cloud_request *request)
{
	static const struct {
		const char *path;
		void (*fn)(struct shell *shell, struct conn *conn, const json_t *body);
	} endpoints[] = {
		{ "/_sim/advance", serve_advance },
		{ "/_sim/release", serve_release },
		{ "/_sim/listener", serve_listener },
	};
	size_t len = strcspn(request->target, "?");
	json_t *body;

	if (strncmp(request->target, "/_sim/", 6) || request->remote)
		return 0;
	if (len == 10 && !strncmp(request->target, "/_sim/wait", len)) {
		serve_wait(shell, conn, request);
		return 1;
	}
	if (!strcmp(request->target, "/_sim/boxes")) {
		serve_boxes(shell, conn);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		if (strcmp(endpoints[i].path, request->target) || strcmp(request->method, "POST"))
			continue;
		body = json_loadb(request->body, request->body_len, 0, NULL);
		endpoints[i].fn(shell, conn, body);
		json_decref(body);
		return 1;
	}
	return 0;
}

static void on_request(void *arg, struct conn *conn, const struct cloud_request *request)
{
	struct shell *shell = arg;
	struct cloud_response r;

	if (!is_for_shell(shell, conn, request)) {
		cloud_response_init(&r);
		cloud_handle(shell->cloud, shell_now_ms(shell), request, &r);
		/* Before the response: a client that reads `off` must find the machine off. */
		boxes_sync(shell->boxes, shell->cloud);
		if (r.wire.ticket)
			start_hold(shell, conn, &r);
		else
			conn_answer(conn, &r);
	}
	check_waits(shell);
}

/* The wait of a disconnected client ends; a held request is still executed. */
static void on_closed(void *arg, void *pending)
{
	struct pending *p = pending;

	(void)arg;
	p->conn = NULL;
	if (!p->ticket)
		pending_free(p);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(((struct shell *)arg)->base);
}

static int port_of(const struct evconnlistener *listener)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	if (!listener || getsockname(evconnlistener_get_fd((struct evconnlistener *)listener),
		(struct sockaddr *)&in, &len))
		return 0;
	return ntohs(in.sin_port);
}

static struct evconnlistener *listen_on(struct shell *shell, const char *address, struct err *err)
{
	struct evconnlistener *listener;
	const char *colon = strrchr(address, ':');
	auto_free char *host = colon ? xstrndup(address, (size_t)(colon - address)) : NULL;
	int64_t port;

	shell->address = (struct sockaddr_in){ .sin_family = AF_INET };
	if (!colon || number_parse(colon + 1, &port) || port > 65535
	    || inet_pton(AF_INET, host, &shell->address.sin_addr) != 1) {
		err_set(err, ERR_INVALID, "'%s' is not an address like 127.0.0.1:0", address);
		return NULL;
	}
	shell->address.sin_port = htons((uint16_t)port);
	listener = open_listener(shell);
	if (!listener)
		err_set_errno(err, errno, "cannot listen on %s", address);
	return listener;
}

struct shell *shell_new(struct cloud *cloud, const struct shell_config *config, struct err *err)
{
	struct shell *shell = xcalloc(1, sizeof(*shell));
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	shell->cloud = cloud;
	shell->tls = config->tls;
	shell->virtual_clock = config->virtual_clock;
	shell->speed = config->speed > 0 ? config->speed : 1;
	shell->epoch_ms = config->epoch_ms ? config->epoch_ms
		: (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
	shell->started_ms = monotonic_ms();
	shell->owner = (struct conn_owner){ on_request, on_closed, shell };
	shell->base = event_base_new();
	shell->tick = evtimer_new(shell->base, on_tick, shell);
	shell->signals[0] = evsignal_new(shell->base, SIGTERM, on_signal, shell);
	shell->signals[1] = evsignal_new(shell->base, SIGINT, on_signal, shell);
	event_add(shell->signals[0], NULL);
	event_add(shell->signals[1], NULL);
	signal(SIGPIPE, SIG_IGN);
	if (config->boxes) {
		shell->boxes = boxes_new(shell->base, config->box_user, err);
		if (!shell->boxes) {
			shell_free(shell);
			if (err)
				err->kind = SHELL_NO_BOXES;
			return NULL;
		}
	}
	if (config->admin_listen)
		shell->admin = listen_on(shell, config->admin_listen, err);
	if (shell->admin || !config->admin_listen)
		shell->listener = listen_on(shell, config->listen, err);
	if (!shell->listener) {
		shell_free(shell);
		return NULL;
	}
	/* It must reopen on the same port. */
	shell->address.sin_port = htons((uint16_t)shell_port(shell));
	return shell;
}

void shell_free(struct shell *shell)
{
	if (!shell)
		return;
	conn_free_all();
	while (!LIST_EMPTY(&shell->pending))
		pending_free(LIST_FIRST(&shell->pending));
	boxes_free(shell->boxes);
	if (shell->listener)
		evconnlistener_free(shell->listener);
	if (shell->admin)
		evconnlistener_free(shell->admin);
	event_free(shell->tick);
	event_free(shell->signals[0]);
	event_free(shell->signals[1]);
	event_base_free(shell->base);
	free(shell);
}

int shell_port(const struct shell *shell)
{
	return port_of(shell->listener);
}

int shell_admin_port(const struct shell *shell)
{
	return port_of(shell->admin);
}

void shell_run(struct shell *shell)
{
	event_base_dispatch(shell->base);
}
