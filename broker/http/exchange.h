/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer, as a handler sees them. Loop thread only.
 *
 * Ownership. on_request() is handed the exchange and owns it until it ends it, at
 * once or at any later time on the same thread. Exactly one of these ends it:
 *
 *	http_reply()		the whole answer
 *	http_stream_end()	the end of an answer begun with http_stream_begin()
 *	http_drop()		no answer, or no more of it: the connection is closed
 *
 * After that the pointer is dead. Until then the head, the body, the peer and the
 * id stay as they are, even when the client is gone or the server was freed.
 *
 * Gone. When the client closes its side or the connection breaks before the
 * exchange has ended, on_gone (if one was set) is called once. The exchange is
 * still the handler's and must still be ended; answering it is harmless. (A client
 * that only closed its sending side still gets the answer; the two cannot be told
 * apart, so a handler that stops work on on_gone gives that client nothing.) While
 * `queue_max` requests wait on the connection, or one that asked for an upgrade, it is
 * not read, and a disconnect is noticed late.
 *
 * Nothing here calls back into the handler: on_gone, on_drain and the next
 * on_request are always called from the event loop, never from inside a function
 * of this file, except that on_request may be followed by the next one at once
 * when it has returned.
 *
 * Order. Requests of one connection may be pipelined and ended in any order: the
 * answers are held back and leave in the order of the requests.
 *
 * HEAD is answered like GET: give the body, it is counted and not sent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/parser.h"

struct http_exchange;

struct http_peer {
	char address[64];	/* "192.0.2.1", "2001:db8::1", "unix" */
	uint16_t port;		/* 0 for Unix */
	int is_unix;
	int is_tls;
	int is_loopback;	/* TCP from 127.0.0.0/8 or ::1 */
	/* Of a Unix peer, by SO_PEERCRED; (uid_t)-1, (gid_t)-1 and 0 for others. */
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

const struct http_head *http_exchange_head(const struct http_exchange *ex);
/* The whole body, decoded; a NUL follows it that *ret_len does not count. Never NULL. */
const char *http_exchange_body(const struct http_exchange *ex, size_t *ret_len);
/*
 * Where a body goes that is too large to be kept whole: in pieces, in their order, as they
 * arrive. Set by on_head (http/server.h); http_exchange_body is empty then. Until the
 * handler takes it, it is the exchange's, which drops it when no request comes of it.
 */
struct http_sink {
	void (*add)(struct http_sink *sink, const char *data, size_t len);
	void (*drop)(struct http_sink *sink);	/* frees it */
};
/* The handler's from here on; NULL if there is none, or it was taken. */
struct http_sink *http_exchange_sink(struct http_exchange *ex);
const struct http_peer *http_exchange_peer(const struct http_exchange *ex);
/* Our own id of the request, unique in time and among processes: 25 characters. */
const char *http_exchange_id(struct http_exchange *ex);
int http_exchange_is_gone(const struct http_exchange *ex);

typedef void (*http_gone_fn)(struct http_exchange *ex, void *arg);
/* NULL takes it back. If the client is gone already it is not called: ask first. */
void http_exchange_on_gone(struct http_exchange *ex, http_gone_fn on_gone, void *arg);

/*
 * Adds a field to the answer, before http_reply() or http_stream_begin(). Returns
 * -1, and adds nothing, when the name is not a token or is one the server writes
 * itself (Connection, Content-Length, Content-Type, Date, Transfer-Encoding), when
 * the value holds a control character, or when 4096 bytes are exceeded.
 */
int http_reply_header(struct http_exchange *ex, const char *name, const char *value);

/*
 * Answers and ends the exchange. `status` is 200 to 599; 204 and 304 are sent
 * without a body and without Content-Length. `body` is copied; it may be NULL with
 * len 0. `content_type` may be NULL: then there is no such field.
 */
void http_reply(struct http_exchange *ex, int status, const char *content_type,
		const char *body, size_t len);

/*
 * Answers {"error":code,"message":message} and ends the exchange. Both are ours,
 * never the client's text; `code` is snake_case. `message` is escaped.
 */
void http_reply_error(struct http_exchange *ex, int status, const char *code,
		      const char *message);

/* As the next answer, but the connection is closed after it. Call before it. */
void http_reply_close(struct http_exchange *ex);

/*
 * An answer of unknown length, chunked (for a 1.0 client: until the close). After
 * http_stream_chunk() returned 1, more than `stream_max` bytes are unsent: stop,
 * and go on when on_drain is called (once, when all was sent). A handler that does
 * not stop is not cut off, but its memory grows. -1: the client is gone, the bytes
 * were dropped. on_drain may be NULL.
 */
typedef void (*http_drain_fn)(struct http_exchange *ex, void *arg);
void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
		       http_drain_fn on_drain, void *arg);
int http_stream_chunk(struct http_exchange *ex, const char *data, size_t len);
void http_stream_end(struct http_exchange *ex);

/* Ends the exchange without (the rest of) an answer and closes the connection. */
void http_drop(struct http_exchange *ex);

/*
 * Taking the connection over after a 101: http/websocket.h. head->upgrade says what the
 * client asked; a connection with an upgrade request reads nothing beyond it until it was
 * answered.
 */
