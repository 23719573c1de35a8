/* SPDX-License-Identifier: MIT */
/*
 * The messages of an upgraded connection. Reading, writing and destruction work as for HTTP
 * (connection.c).
 */
#include "http/websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"
#include "util/alloc.h"
#include "util/hash.h"

/* RFC 6455, section 1.3 */
#define ACCEPT_SALT "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_LEN 24	/* 16 bytes in base64 */
#define KEY_TAIL "=="

struct http_socket {
	struct http_connection *conn;
	struct http_socket_handler handler;
	struct http_socket_config config;
	void *arg;
	struct frame_parser parser;
	uint64_t received_at; /* server_now() of the client's last input */
	int is_detached;      /* no more callbacks to the handler */
	int drain_owed;
};

void http_socket_config_init(struct http_socket_config *config)
{
	*config = (struct http_socket_config){
		.message_max = 65536, .output_max = 65536, .ping_ms = 45000, .idle_ms = 300000,
	};
}

/* ---- the handshake ------------------------------------------------------------------ */

/* 16 bytes in base64: 22 characters, the last of which has four unused bits, and "==". */
static int key_is_valid(const char *key)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";

	return key && strlen(key) == KEY_LEN && strspn(key, alphabet) == KEY_LEN - 2 &&
	       !strcmp(key + KEY_LEN - 2, KEY_TAIL) && strchr("AQgw", key[KEY_LEN - 3]);
}

int http_websocket_refusal(const struct http_head *head, const char **ret_code,
			   const char **ret_message)
{
	const char *version = http_head_find(head, "sec-websocket-version");

	*ret_code = "websocket_required";
	*ret_message = "This route requires a WebSocket handshake, version 13.";
	if (!head->upgrade || !http_head_lists(head, HTTP_FIELD_UPGRADE, "websocket") ||
	    head->method != HTTP_GET || head->minor < 1)
		return 426;
	if (!version || strcmp(version, "13"))
		return 426;
	*ret_code = "bad_handshake";
	*ret_message = "The WebSocket handshake is malformed.";
	if (!key_is_valid(http_head_find(head, "sec-websocket-key")) || head->close ||
	    head->framing != HTTP_FRAMING_NONE)
		return 400;
	return 0;
}

static int handshake_accept(struct http_exchange *ex)
{
	unsigned char digest[HASH_SHA1_LEN];
	char text[KEY_LEN + sizeof(ACCEPT_SALT)];
	char accept[32];

	snprintf(text, sizeof(text), "%s%s", http_head_find(ex->head, "sec-websocket-key"),
		 ACCEPT_SALT);
	if (hash_sha1(text, strlen(text), digest))
		return -1;
	hash_base64(digest, sizeof(digest), accept);
	if (evbuffer_add_printf(ex->conn->output, "HTTP/1.1 101 Switching Protocols\r\n%s"
				"Upgrade: websocket\r\nConnection: Upgrade\r\n"
				"Sec-WebSocket-Accept: %s\r\n\r\n",
				server_date_line(ex->server), accept) < 0)
		return -1;
	ex->is_answered = 1;
	ex->server->counters.answers[1]++;
	return 0;
}

struct http_socket *http_websocket_accept(struct http_exchange *ex,
					  const struct http_socket_handler *handler,
					  const struct http_socket_config *config, void *arg)
{
	struct http_connection *conn = ex->conn;
	struct http_socket *socket;

	/* a 101 cannot be queued behind other answers, nor the frames that follow it */
	if (!conn || !exchange_is_first(ex) || ex->close || conn->is_eof || ex->is_answered) {
		http_reply_error(ex, 400, "bad_handshake",
				 "A WebSocket handshake must not be pipelined with other requests.");
		return NULL;
	}
	if (handshake_accept(ex)) {
		http_reply_error(ex, 501, "websocket_not_implemented",
				 "WebSockets are not available on this server.");
		return NULL;
	}
	socket = xcalloc(1, sizeof(*socket));
	socket->conn = conn;
	socket->handler = *handler;
	socket->config = *config;
	socket->arg = arg;
	socket->received_at = server_now(conn->server);
	frame_parser_init(&socket->parser, config->message_max);
	conn->socket = socket;
	exchange_end(ex);
	return socket;
}

/* ---- sending ---------------------------------------------------------------------------- */

static void socket_send_frame(struct http_socket *socket, unsigned opcode, const void *data,
			      size_t len)
{
	struct http_connection *conn = socket->conn;
	unsigned char head[FRAME_HEAD_SIZE];
	size_t head_len = frame_head(opcode, len, head);

	if (evbuffer_add(conn->output, head, head_len) || evbuffer_add(conn->output, data, len))
		conn->is_broken = 1;
	conn->server->counters.bytes_out += head_len + len;
	connection_wake(conn);
}

int http_socket_send(struct http_socket *socket, const char *text, size_t len)
{
	if (socket->conn->is_closing || socket->conn->is_broken)
		return -1;
	socket_send_frame(socket, FRAME_OP_TEXT, text, len);
	if (evbuffer_get_length(socket->conn->output) <= socket->config.output_max)
		return 0;
	socket->drain_owed = 1;
	return 1;
}

/* Sends a close frame as the last output, and stops parsing input. `code` 0: no code. */
static void socket_send_close(struct http_socket *socket, uint16_t code)
{
	const unsigned char payload[] = { (unsigned char)(code >> 8), (unsigned char)code };
	struct http_connection *conn = socket->conn;

	if (conn->is_closing)
		return;
	socket_send_frame(socket, FRAME_OP_CLOSE, payload, code ? sizeof(payload) : 0);
	conn->is_closing = 1;
	conn->parse_off = 1;
	conn->linger = 1;
}

void http_socket_close(struct http_socket *socket, uint16_t code)
{
	socket->is_detached = 1;
	socket_send_close(socket, code);
}

static void socket_notify_closed(struct http_socket *socket)
{
	if (socket->is_detached)
		return;
	socket->is_detached = 1;
	socket->handler.on_closed(socket, socket->arg);
}

/* ---- called by the connection ----------------------------------------------------------- */

static void socket_handle_step(struct http_socket *socket, enum frame_step step)
{
	struct frame_parser *p = &socket->parser;

	switch (step) {
	case FRAME_TEXT:
		if (!socket->is_detached)
			socket->handler.on_text(socket, buf_str(&p->message), p->message.len,
						socket->arg);
		break;
	case FRAME_PING:
		socket_send_frame(socket, FRAME_OP_PONG, p->control, (size_t)p->at);
		break;
	case FRAME_CLOSE:
	case FRAME_BAD:
		socket_send_close(socket, p->code);
		socket_notify_closed(socket);
		break;
	case FRAME_PONG:
	case FRAME_MORE:
		break;
	}
}

/* Feeds input, up to the end of a message. Returns how many bytes were used. */
size_t socket_feed(struct http_socket *socket, const char *data, size_t len)
{
	enum frame_step step;
	size_t used;

	socket->received_at = socket->conn->server->now;
	step = frame_feed(&socket->parser, data, len, &used);
	socket_handle_step(socket, step);
	return step == FRAME_BAD ? len : used;
}

int socket_needs_drain(const struct http_socket *socket)
{
	return socket->drain_owed && !socket->is_detached;
}

void socket_drained(struct http_socket *socket)
{
	socket->drain_owed = 0;
	if (socket->handler.on_drain && !socket->is_detached)
		socket->handler.on_drain(socket, socket->arg);
}

uint32_t socket_tick_ms(const struct http_socket *socket)
{
	return socket->config.ping_ms;
}

int socket_tick(struct http_socket *socket, uint64_t now)
{
	if (now - socket->received_at >= socket->config.idle_ms)
		return -1;
	if (now - socket->received_at >= socket->config.ping_ms && !socket->conn->is_closing)
		socket_send_frame(socket, FRAME_OP_PING, "", 0);
	return 0;
}

void socket_go_away(struct http_socket *socket)
{
	socket_send_close(socket, FRAME_CODE_GOING_AWAY);
	socket_notify_closed(socket);
}

void socket_free(struct http_socket *socket)
{
	if (!socket)
		return;
	socket_notify_closed(socket);
	frame_parser_fini(&socket->parser);
	free(socket);
}
