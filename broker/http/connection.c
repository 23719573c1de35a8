/* SPDX-License-Identifier: MIT */
/*
 * One connection: passes requests to the handler, sends the answers in order, enforces
 * deadlines. All work happens in connection_turn(), which runs when input arrives, output has
 * drained, or connection_wake() was called: it parses, writes once, and sets what to wait for
 * next. So no function that a handler can call destroys a connection or calls a handler.
 * Reading and writing: transport.c.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "http/internal.h"
#include "util/alloc.h"

void connection_destroy(struct http_connection *conn)
{
	struct http_server *server = conn->server;
	struct exchange_list queue = TAILQ_HEAD_INITIALIZER(queue);
	struct http_socket *socket;
	struct http_exchange *ex;

	TAILQ_REMOVE(&server->connections, conn, link);
	admission_leave(conn);
	if (conn->is_woken)
		TAILQ_REMOVE(&server->woken, conn, wake_link);
	server->counters.connections_open--;
	if (conn->is_tls && !conn->is_broken && conn->phase != PHASE_HANDSHAKE)
		tls_send_close_notify(conn->transport.bev);
	transport_close(&conn->transport);
	if (conn->reading)
		exchange_release(conn->reading);
	TAILQ_CONCAT(&queue, &conn->queue, link);
	socket = conn->socket;
	free(conn);
	if (server->accept_paused & (ACCEPT_PAUSED_TCP | ACCEPT_PAUSED_UNIX)) {
		server->accept_paused &= ~(ACCEPT_PAUSED_TCP | ACCEPT_PAUSED_UNIX);
		listener_update_all(server);
	}
	if (TAILQ_EMPTY(&server->connections)) {
		event_del(server->tick_event);
		if (server->is_draining)
			event_active(server->wake_event, EV_TIMEOUT, 0);
	}
	/* last, because this calls handlers, which may end these or any other exchanges */
	while ((ex = TAILQ_FIRST(&queue)) != NULL) {
		TAILQ_REMOVE(&queue, ex, link);
		exchange_detach(ex);
	}
	exchange_notify_detached(server);
	socket_free(socket);
}

void connection_close_all(struct http_server *server)
{
	while (!TAILQ_EMPTY(&server->connections))
		connection_destroy(TAILQ_FIRST(&server->connections));
}

void connection_wake(struct http_connection *conn)
{
	struct http_server *server = conn->server;

	if (conn->is_busy || conn->is_woken)
		return;
	conn->is_woken = 1;
	if (TAILQ_EMPTY(&server->woken))
		event_active(server->wake_event, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&server->woken, conn, wake_link);
}

static void queue_push(struct http_connection *conn, struct http_exchange *ex)
{
	ex->state = EXCHANGE_OPEN;
	TAILQ_INSERT_TAIL(&conn->queue, ex, link);
	conn->queue_len++;
	conn->server->counters.requests_open++;
}

/*
 * Removes exchanges that have ended from the head of the queue, and flushes held answers up to
 * and including the first exchange that is still open.
 */
void connection_advance(struct http_connection *conn)
{
	struct http_exchange *ex;

	while ((ex = TAILQ_FIRST(&conn->queue)) != NULL && !conn->is_closing) {
		if (ex->held) {
			evbuffer_add_buffer(conn->output, ex->held);
			evbuffer_free(ex->held);
			ex->held = NULL;
		}
		if (ex->state != EXCHANGE_ENDED)
			break;
		TAILQ_REMOVE(&conn->queue, ex, link);
		conn->queue_len--;
		if (ex->close) {
			conn->is_closing = 1;
			conn->parse_off = 1;
			/* a client that did not request the close may have sent more */
			conn->linger |= !ex->head->close;
		}
		exchange_release(ex);
	}
	if (!conn->queue_len)
		conn->upgrade_hold = 0;
}

static void connection_unpack(struct http_connection *conn)
{
	if (!conn->reading || !conn->reading->packed)
		return;
	exchange_unpack(conn->reading);
	http_parser_resume(&conn->parser, conn->reading->head);
}

/* Queues an error answer and stops taking requests from this client. */
static void connection_refuse(struct http_connection *conn, enum http_refusal why)
{
	struct http_exchange *ex;

	connection_unpack(conn);
	ex = conn->reading ? conn->reading : exchange_acquire(conn);
	conn->reading = NULL;
	conn->parse_off = 1;
	conn->linger = 1;
	conn->continue_owed = 0;
	ex->close = 1;
	queue_push(conn, ex);
	reply_refusal(ex, why);
}

/* Refuses a request for the handler's reason, before its body is read. */
static void head_refuse(struct http_connection *conn, const struct http_body_rule *rule)
{
	struct http_exchange *ex = conn->reading;
	char retry[12];

	conn->reading = NULL;
	conn->parse_off = 1;
	conn->linger = 1;
	ex->close = 1;
	queue_push(conn, ex);
	if (rule->retry_s) {
		snprintf(retry, sizeof(retry), "%u", (unsigned)rule->retry_s);
		http_reply_header(ex, "Retry-After", retry);
	}
	if (rule->field)
		http_reply_header(ex, rule->field, rule->field_value);
	http_reply_error(ex, rule->status, rule->code, rule->message);
}

/* Asks the handler about the head. Returns -1 when the request was refused. */
static int head_check(struct http_connection *conn, struct http_body_rule *ret_rule)
{
	struct http_server *server = conn->server;
	struct http_exchange *ex = conn->reading;
	const struct http_head *head = ex->head;

	*ret_rule = (struct http_body_rule){
		.max = server->config.limits.body_max,
		.deadline_ms = server->config.body_ms,
	};
	if (!server->config.any_host && !conn->peer.is_unix && head->host &&
	    !server_allows_host(server, head->host, head->host_len)) {
		server_foreign_host(server, head->host, head->host_len);
		connection_refuse(conn, HTTP_REFUSED_HOST_FOREIGN);
		return -1;
	}
	if (server->callbacks.on_head &&
	    (head->framing != HTTP_FRAMING_NONE || http_parser_refusal(&conn->parser)))
		server->callbacks.on_head(ex, ret_rule, server->user);
	ex->sink = ret_rule->sink;
	if (ret_rule->is_trusted && admission_trust(conn, ret_rule->owner)) {
		ret_rule->status = 503;
		ret_rule->code = "busy";
		ret_rule->message = HTTP_BUSY_MESSAGE;
		ret_rule->retry_s = 2;
	}
	if (!ret_rule->status)
		return 0;
	head_refuse(conn, ret_rule);
	return -1;
}

/* Returns -1 when the request was refused. */
static int connection_head(struct http_connection *conn)
{
	const struct http_head *head = conn->reading->head;
	struct http_body_rule rule;

	if (head_check(conn, &rule))
		return -1;
	if (head->framing == HTTP_FRAMING_NONE)
		return 0;
	http_parser_allow_body(&conn->parser, rule.max);
	conn->phase = PHASE_BODY;
	conn->read_deadline = conn->server->now + rule.deadline_ms;
	/* do not ask for a body that will be refused for its length */
	conn->continue_owed = head->expect_continue &&
			      (head->framing == HTTP_FRAMING_CHUNKED || head->length <= rule.max);
	return 0;
}

/* The parser has refused the request. */
static void connection_refused(struct http_connection *conn)
{
	enum http_refusal why = http_parser_refusal(&conn->parser);
	struct http_body_rule rule;

	/* The head is whole; a path or method that does not exist needs no length. */
	if (why == HTTP_REFUSED_LENGTH_NEEDED && head_check(conn, &rule))
		return;
	connection_refuse(conn, why);
}

static void connection_request(struct http_connection *conn)
{
	struct http_server *server = conn->server;
	struct http_exchange *ex = conn->reading;

	conn->reading = NULL;
	/* the request is complete: from here no deadline applies until the answer */
	conn->phase = PHASE_NONE;
	conn->read_deadline = 0;
	conn->continue_owed = 0;
	conn->request_count++;
	conn->is_used = 1;
	if (ex->head->close || conn->request_count >= server->config.max_requests) {
		ex->close = 1;
		conn->parse_off = 1;
	}
	conn->upgrade_hold = ex->head->upgrade != 0;
	queue_push(conn, ex);
	server->counters.requests++;
	server->callbacks.on_request(ex, server->user);
}

/* May more input be parsed? A request that has begun is always read to its end. */
static int connection_can_parse(const struct http_connection *conn)
{
	const struct http_server *server = conn->server;

	if (conn->parse_off || conn->is_broken)
		return 0;
	if (conn->socket)
		return evbuffer_get_length(conn->output) <= server->config.output_max;
	if (conn->reading && http_parser_is_started(&conn->parser))
		return 1;
	return conn->queue_len < server->config.queue_max && !conn->upgrade_hold &&
	       !server->is_draining &&
	       evbuffer_get_length(conn->output) <= server->config.output_max;
}

/* Feeds input to the parser, up to the end of a request. Returns how many bytes were used. */
static size_t connection_feed(struct http_connection *conn, const char *data, size_t len)
{
	struct http_span body;
	size_t all = 0;

	for (;;) {
		size_t used;
		enum http_step step = http_parser_feed(&conn->parser, data + all, len - all, &used,
						       &body);

		all += used;
		switch (step) {
		case HTTP_STEP_MORE:
			return all;
		case HTTP_STEP_HEAD:
			if (connection_head(conn))
				return len;
			break;
		case HTTP_STEP_BODY:
			conn->continue_owed = 0;
			if (exchange_add_body(conn->reading, body.at, body.len)) {
				conn->is_broken = 1;
				return len;
			}
			break;
		case HTTP_STEP_DONE:
			connection_request(conn);
			return all;
		case HTTP_STEP_REFUSED:
			connection_refused(conn);
			return len;
		}
	}
}

static void connection_parse(struct http_connection *conn)
{
	while (connection_can_parse(conn)) {
		size_t len, used;
		const char *data = transport_peek(&conn->transport, &len);

		if (!len)
			break;
		if (conn->socket) {
			used = socket_feed(conn->socket, data, len);
			conn->server->counters.bytes_in += used;
			transport_use(&conn->transport, used);
			continue;
		}
		if (!conn->reading) {
			conn->reading = exchange_acquire(conn);
			http_parser_begin(&conn->parser, conn->reading->head,
					  &conn->server->config.limits);
		}
		connection_unpack(conn);
		used = connection_feed(conn, data, len);
		conn->server->counters.bytes_in += used;
		transport_use(&conn->transport, used);
	}
	if (conn->parse_off)
		transport_discard(&conn->transport);
}

static void connection_flush(struct http_connection *conn)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (conn->continue_owed && !conn->queue_len) {
		conn->continue_owed = 0;
		evbuffer_add(conn->output, go_on, sizeof(go_on) - 1);
	}
	if (!conn->is_broken && transport_flush(&conn->transport))
		conn->is_broken = 1;
}

/* Is an on_drain call due? */
static int connection_needs_drain(const struct http_connection *conn)
{
	const struct http_exchange *ex = TAILQ_FIRST(&conn->queue);

	if (conn->socket)
		return socket_needs_drain(conn->socket) && !conn->is_broken && !conn->is_closing &&
		       !evbuffer_get_length(conn->output);
	return ex && ex->drain_owed && ex->state == EXCHANGE_OPEN && !conn->is_broken &&
	       !evbuffer_get_length(conn->output);
}

static void connection_drained(struct http_connection *conn)
{
	struct http_exchange *ex = TAILQ_FIRST(&conn->queue);

	if (!connection_needs_drain(conn))
		return;
	if (conn->socket) {
		socket_drained(conn->socket);
		return;
	}
	ex->drain_owed = 0;
	if (ex->on_drain)
		ex->on_drain(ex, ex->drain_arg);
}

/* All output was sent. Returns 1 if the connection must be destroyed now. */
static int connection_finish(struct http_connection *conn)
{
	if (conn->is_eof || !conn->linger)
		return 1;
	if (conn->is_shut)
		return 0;
	if (conn->is_tls)
		tls_send_close_notify(conn->transport.bev);
	shutdown(conn->transport.fd, SHUT_WR);
	conn->is_shut = 1;
	conn->phase = PHASE_LINGER;
	conn->read_deadline = conn->server->now + conn->server->config.linger_ms;
	return 0;
}

/* Sets the phase: what to wait for, and the deadline. */
static void connection_set_phase(struct http_connection *conn, size_t unsent)
{
	const struct http_config *config = &conn->server->config;
	enum connection_phase phase = PHASE_NONE;
	uint32_t wait = 0;

	if (conn->phase == PHASE_LINGER || conn->phase == PHASE_HANDSHAKE)
		return;
	if (conn->socket) {
		if (conn->phase != PHASE_SOCKET)
			conn->read_deadline = conn->server->now + socket_tick_ms(conn->socket);
		conn->phase = PHASE_SOCKET;
		return;
	}
	if (conn->reading && http_parser_is_started(&conn->parser)) {
		if (conn->phase == PHASE_BODY || conn->phase == PHASE_FIRST)
			return;
		phase = PHASE_HEAD;
		wait = config->head_ms;
	} else if (!conn->queue_len && !conn->parse_off && !unsent) {
		if (conn->phase == PHASE_FIRST)
			return;
		phase = PHASE_IDLE;
		wait = config->idle_ms;
	}
	if (phase == conn->phase)
		return;
	conn->phase = phase;
	conn->read_deadline = wait ? conn->server->now + wait : 0;
}

/* Returns 1 if the connection must be destroyed. */
static int connection_settle(struct http_connection *conn)
{
	struct http_server *server = conn->server;
	size_t unsent = evbuffer_get_length(conn->output);

	if (conn->is_broken)
		return 1;
	if (unsent) {
		if (!conn->write_deadline)
			conn->write_deadline = server->now + server->config.write_ms;
	} else {
		conn->write_deadline = 0;
		transport_rest(&conn->transport);
		if (conn->is_closing || (!conn->queue_len && (conn->is_eof || conn->parse_off))) {
			if (connection_finish(conn))
				return 1;
		} else if (server->is_draining && !conn->queue_len &&
			   !(conn->reading && http_parser_is_started(&conn->parser))) {
			return 1;
		}
	}
	connection_set_phase(conn, unsent);
	/* keep reading while discarding: this detects that the client has disconnected */
	transport_set_read(&conn->transport,
			   !conn->is_eof && (conn->parse_off || connection_can_parse(conn)));
	return 0;
}

void connection_turn(struct http_connection *conn)
{
	int more;

	server_now(conn->server);
	conn->is_busy = 1;
	if (conn->socket && conn->server->is_draining)
		socket_go_away(conn->socket);
	do {
		connection_parse(conn);
		connection_flush(conn);
		connection_drained(conn);
		/* a drained stream may have produced output, and requests may fit again */
		connection_flush(conn);
		more = connection_can_parse(conn) && transport_input_len(&conn->transport);
	} while (more);
	if (transport_store(&conn->transport))
		conn->is_broken = 1;
	if (conn->reading && !conn->reading->packed)
		exchange_pack(conn->reading);
	conn->is_busy = 0;
	if (connection_settle(conn)) {
		connection_destroy(conn);
		return;
	}
	admission_update(conn);
	if (connection_needs_drain(conn))
		/* its output was sent already, so no event will continue the stream */
		connection_wake(conn);
}

void connection_tick(struct http_connection *conn, uint64_t now)
{
	struct http_counters *counters = &conn->server->counters;

	if (conn->write_deadline && now >= conn->write_deadline) {
		counters->closed_slow_reader++;
		conn->is_broken = 1;
		connection_destroy(conn);
		return;
	}
	if (!conn->read_deadline || now < conn->read_deadline)
		return;
	switch (conn->phase) {
	case PHASE_BODY:
		connection_refuse(conn, HTTP_REFUSED_BODY_TIMEOUT);
		break;
	case PHASE_HANDSHAKE:
	case PHASE_FIRST:
	case PHASE_HEAD:
		if (conn->reading && http_parser_is_started(&conn->parser)) {
			connection_refuse(conn, HTTP_REFUSED_HEAD_TIMEOUT);
			break;
		}
		counters->closed_silent++;
		conn->is_broken = 1;
		break;
	case PHASE_SOCKET:
		conn->read_deadline = now + socket_tick_ms(conn->socket);
		if (socket_tick(conn->socket, now) == 0)
			return;
		counters->closed_idle++;
		connection_destroy(conn);
		return;
	case PHASE_IDLE:
		counters->closed_idle++;
		connection_destroy(conn);
		return;
	case PHASE_LINGER:
	case PHASE_NONE:
		connection_destroy(conn);
		return;
	}
	conn->phase = PHASE_NONE;
	conn->read_deadline = 0;
	connection_turn(conn);
}

/* The client has closed its sending side: an incomplete request has no effect. */
static void connection_eof(struct http_connection *conn)
{
	struct http_exchange *ex;

	conn->is_eof = 1;
	conn->parse_off = 1;
	transport_set_read(&conn->transport, 0);
	if (conn->reading)
		exchange_release(conn->reading);
	conn->reading = NULL;
	conn->continue_owed = 0;
	conn->is_busy = 1;
again:
	/* on_gone may end exchanges: restart after each call */
	TAILQ_FOREACH(ex, &conn->queue, link) {
		if (ex->state == EXCHANGE_OPEN && !ex->is_gone) {
			exchange_notify_gone(ex);
			goto again;
		}
	}
	conn->is_busy = 0;
}

static void on_transport_event(void *arg, enum transport_event news)
{
	struct http_connection *conn = arg;
	struct http_server *server = conn->server;

	switch (news) {
	case TRANSPORT_SECURED:
		server->counters.connections_tls++;
		conn->phase = PHASE_FIRST;
		conn->read_deadline = server_now(server) + server->config.head_ms;
		return;
	case TRANSPORT_EOF:
		connection_eof(conn);
		break;
	case TRANSPORT_BROKEN:
		if (conn->phase == PHASE_HANDSHAKE)
			server->counters.connections_tls_failed++;
		conn->is_broken = 1;
		break;
	case TRANSPORT_READ:
	case TRANSPORT_SENT:
		break;
	}
	connection_turn(conn);
}

void connection_open(struct http_server *server, int fd, const struct http_peer *peer, uint64_t key,
		     struct ssl_ctx_st *tls)
{
	struct http_connection *conn = xcalloc(1, sizeof(*conn));

	conn->server = server;
	conn->transport = (struct transport){
		.fd = fd,
		.buffer = server->buffer,
		.notify = on_transport_event,
		.arg = conn,
	};
	conn->peer = *peer;
	conn->is_tls = tls != NULL;
	TAILQ_INIT(&conn->queue);
	if (transport_open(&conn->transport, server->base, tls)) {
		free(conn);
		return;
	}
	conn->output = conn->transport.output;
	conn->phase = tls ? PHASE_HANDSHAKE : PHASE_FIRST;
	conn->read_deadline = server_now(server) +
			      (tls ? server->config.handshake_ms : server->config.head_ms);
	if (TAILQ_EMPTY(&server->connections)) {
		struct timeval tick = {
			.tv_sec = server->config.tick_ms / 1000,
			.tv_usec = (suseconds_t)(server->config.tick_ms % 1000) * 1000,
		};

		event_add(server->tick_event, &tick);
	}
	TAILQ_INSERT_TAIL(&server->connections, conn, link);
	admission_enter(conn, key);
	server->counters.connections_open++;
	server->counters.connections_accepted++;
	/* a client that has sent its request must not lose its place unheard */
	transport_poll(&conn->transport);
}
