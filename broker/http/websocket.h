/* SPDX-License-Identifier: MIT */
/*
 * A connection that was upgraded to a WebSocket (RFC 6455): text messages both ways,
 * pings, closes and their codes. Loop thread only, like everything of this room.
 *
 * Ownership. http_websocket_accept() ends its exchange. The socket belongs to its
 * connection; a handler holds the pointer from accept on until it calls http_socket_close()
 * or on_closed is called, whichever comes first: after either it is dead, and no callback
 * comes any more.
 *
 * Deadlines. A client that was silent for ping_ms is asked for a sign of life, and one
 * that was silent for idle_ms is gone. One that takes nothing for the server's write_ms
 * is gone, too. At http_server_drain() sockets are closed with 1001.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "http/frame.h"

struct http_socket;

struct http_socket_handler {
	/* A message, NUL-terminated, UTF-8; until it returns. */
	void (*on_text)(struct http_socket *socket, const char *text, size_t len, void *arg);
	/* After http_socket_send() returned 1, once, when all was sent. May be NULL. */
	void (*on_drain)(struct http_socket *socket, void *arg);
	/* The client closed it, broke the protocol, or is gone. */
	void (*on_closed)(struct http_socket *socket, void *arg);
};

struct http_socket_config {
	size_t message_max;	/* 65536: more is closed with 1009 */
	size_t output_max;	/* 65536: see http_socket_send */
	uint32_t ping_ms;	/* 45000 */
	uint32_t idle_ms;	/* 300000 */
};

void http_socket_config_init(struct http_socket_config *config);	/* the defaults above */

/*
 * Is the head a good handshake? 0; or the status to answer, with what to say. 426 where
 * it is none at all or of another version: Upgrade and Sec-WebSocket-Version belong to
 * that answer.
 */
int http_websocket_refusal(const struct http_head *head, const char **ret_code,
			   const char **ret_message);
/*
 * Answers 101 and ends the exchange, whose handshake was found good. NULL: it was
 * answered with an error, or the client is gone. Everything is copied.
 */
struct http_socket *http_websocket_accept(struct http_exchange *ex,
					  const struct http_socket_handler *handler,
					  const struct http_socket_config *config, void *arg);

/* 0; 1: taken, but more than output_max is unsent: wait for on_drain; -1: it is closing. */
int http_socket_send(struct http_socket *socket, const char *text, size_t len);
void http_socket_close(struct http_socket *socket, uint16_t code);
