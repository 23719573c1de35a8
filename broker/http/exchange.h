/* SPDX-License-Identifier: MIT */
/*
 * A request and its answer, as a handler sees them. Loop thread only.
 *
 * Ownership. on_request() receives the exchange and owns it until it ends it, immediately
 * or later on the same thread. Exactly one of these ends it:
 *
 *	http_reply()		the whole answer
 *	http_stream_end()	the end of an answer begun with http_stream_begin()
 *	http_drop()		no answer, or no more of it: the connection is closed
 *
 * After that the pointer is invalid. Until then head, body, peer and id stay unchanged,
 * even if the client disconnects or the server is freed.
 *
 * Disconnection. If the client closes its side or the connection fails before the exchange
 * has ended, on_gone (if set) is called once. The handler still owns the exchange and must
 * end it; answering is harmless. (A client that closed only its sending side still gets the
 * answer. The two cases cannot be distinguished, so a handler that stops working on on_gone
 * sends such a client nothing.) While `queue_max` requests wait on the connection, or one
 * that asked for an upgrade, the server does not read from it and notices a disconnect late.
 *
 * Callbacks. Functions of this file never call the handler: on_gone, on_drain and the next
 * on_request are called from the event loop, except that the next on_request may follow as
 * soon as the current one has returned.
 *
 * Order. The requests of a connection may be pipelined and ended in any order: answers are
 * held back and sent in the order of the requests.
 *
 * HEAD is answered like GET: pass the body; it is counted and not sent.
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
	int purpose;		/* as set for the listener */
	/* From SO_PEERCRED for a Unix peer; (uid_t)-1, (gid_t)-1 and 0 for others. */
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

const struct http_head *http_exchange_head(const struct http_exchange *ex);
/* The whole decoded body, followed by a NUL that *ret_len does not count. Never NULL. */
const char *http_exchange_body(const struct http_exchange *ex, size_t *ret_len);
/*
 * Receives, in order and as they arrive, the pieces of a body that is too large to be kept
 * in memory. Set by on_head (http/server.h); http_exchange_body is empty then. The exchange
 * owns the sink until the handler takes it, and drops it if the request is never completed.
 */
struct http_sink {
	void (*add)(struct http_sink *sink, const char *data, size_t len);
	void (*drop)(struct http_sink *sink);	/* frees it */
};
/* Passes the sink to the handler; NULL if there is none, or it was taken already. */
struct http_sink *http_exchange_sink(struct http_exchange *ex);
const struct http_peer *http_exchange_peer(const struct http_exchange *ex);
/* The server's id for the request, unique over time and processes: 25 characters. */
const char *http_exchange_id(struct http_exchange *ex);
int http_exchange_is_gone(const struct http_exchange *ex);
/*
 * The client has shown a valid token: the connection now has one of the places of known clients
 * (http/server.h). `owner` identifies the owner of the token. -1: the owner has more than its
 * share of them, and none is left: answer 503, and close the connection (http_reply_close).
 */
int http_exchange_trust(struct http_exchange *ex, uint64_t owner);

typedef void (*http_gone_fn)(struct http_exchange *ex, void *arg);
/* NULL removes it. Not called if the client is gone already: check first. */
void http_exchange_on_gone(struct http_exchange *ex, http_gone_fn on_gone, void *arg);

/*
 * Adds a header field to the answer; call before http_reply() or http_stream_begin().
 * Returns -1, and adds nothing, if the name is not a token or is one that the server writes
 * itself (Connection, Content-Length, Content-Type, Date, Transfer-Encoding), if the value
 * contains a control character, or if the fields would exceed 4096 bytes.
 */
int http_reply_header(struct http_exchange *ex, const char *name, const char *value);

/*
 * Answers and ends the exchange. `status` is 200 to 599; 204 and 304 are sent
 * without a body and without Content-Length. `body` is copied; it may be NULL with
 * len 0. `content_type` NULL omits the field.
 */
void http_reply(struct http_exchange *ex, int status, const char *content_type,
		const char *body, size_t len);

/*
 * Answers {"error":code,"message":message} and ends the exchange. Both must be fixed
 * texts, never the client's; `code` is snake_case. `message` is escaped.
 */
void http_reply_error(struct http_exchange *ex, int status, const char *code,
		      const char *message);

/* Closes the connection after the next answer. Call before answering. */
void http_reply_close(struct http_exchange *ex);

/*
 * An answer of unknown length: chunked, or for a 1.0 client until the connection closes.
 * http_stream_chunk() returns 1 if more than `stream_max` bytes are unsent: stop, and
 * continue when on_drain is called (once, when all was sent). A handler that does not stop
 * is not interrupted, but the buffer grows. It returns -1 if the client is gone and the
 * bytes were dropped. on_drain may be NULL.
 */
typedef void (*http_drain_fn)(struct http_exchange *ex, void *arg);
void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
		       http_drain_fn on_drain, void *arg);
int http_stream_chunk(struct http_exchange *ex, const char *data, size_t len);
void http_stream_end(struct http_exchange *ex);

/* Ends the exchange without an answer, or without the rest of it, and closes the connection. */
void http_drop(struct http_exchange *ex);

/*
 * Taking over the connection with a 101: http/websocket.h. head->upgrade is set if the
 * client asked for it. Nothing beyond an upgrade request is read until it was answered.
 */
