/* SPDX-License-Identifier: MIT */
/*
 * A connection that was upgraded to a WebSocket (RFC 6455): text messages in both
 * directions, pings, and closing with codes. Loop thread only.
 *
 * Ownership. http_websocket_accept() ends its exchange. The socket belongs to its
 * connection. A handler may use the pointer until it calls http_socket_close() or
 * on_closed is called, whichever comes first; after that no callback is called.
 *
 * Deadlines. A client that was silent for ping_ms is pinged; one that was silent for
 * idle_ms, or reads nothing for the server's write_ms, is disconnected.
 * http_server_drain() closes sockets with code 1001.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "http/frame.h"

struct http_socket;

struct http_socket_handler {
	/* A text message: UTF-8, NUL-terminated, valid during the call. */
	void (*on_text)(struct http_socket *socket, const char *text, size_t len, void *arg);
	/*
	 * Called once after http_socket_send() returned 1, when all output was sent. May be
	 * NULL.
	 */
	void (*on_drain)(struct http_socket *socket, void *arg);
	/* The client closed the socket, violated the protocol, or disconnected. */
	void (*on_closed)(struct http_socket *socket, void *arg);
};

struct http_socket_config {
	size_t message_max;	/* 65536: larger messages close the socket with 1009 */
	size_t output_max;	/* 65536: see http_socket_send */
	uint32_t ping_ms;	/* 45000 */
	uint32_t idle_ms;	/* 300000 */
};

void http_socket_config_init(struct http_socket_config *config);	/* the defaults above */

/*
 * Is the head a valid handshake? Returns 0, or the status to answer, with code and message.
 * 426, if it is not a WebSocket handshake or has another version: that answer needs Upgrade
 * and Sec-WebSocket-Version fields.
 */
int http_websocket_refusal(const struct http_head *head, const char **ret_code,
			   const char **ret_message);
/*
 * Answers 101 and ends the exchange. Call after http_websocket_refusal() returned 0. NULL: it
 * was answered with an error, or the client is gone. Everything is copied.
 */
struct http_socket *http_websocket_accept(struct http_exchange *ex,
					  const struct http_socket_handler *handler,
					  const struct http_socket_config *config, void *arg);

/*
 * 0: sent or queued; 1: queued, but more than output_max is unsent: wait for on_drain; -1: the
 * socket is closing.
 */
int http_socket_send(struct http_socket *socket, const char *text, size_t len);
void http_socket_close(struct http_socket *socket, uint16_t code);
