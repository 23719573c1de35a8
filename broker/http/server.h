/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1.1 server: listeners, connections, deadlines, limits, counters. It
 * knows nothing of what it serves: requests go to a handler (http/exchange.h).
 *
 * Thread. Everything here runs on the thread that runs the event base, takes no
 * lock and never blocks. The base is the caller's; make it like this:
 *
 *	struct event_config *c = event_config_new();
 *	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
 *	base = event_base_new_with_config(c);
 *
 * Without EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST, where other threads open descriptors
 * too: the list takes a closed descriptor out of epoll a loop's turn late, when its
 * number may be another thread's already. Nothing is lost: a connection's events are
 * seldom turned off and on here. http_server_new() ignores SIGPIPE if nobody else has
 * set it.
 *
 * What a connection goes through, and the deadline (absolute, in total) of each part:
 *
 *	accepted -> [TLS handshake: handshake_ms]
 *	         -> head: head_ms      over: 408 and close; silent: close
 *	         -> body: body_ms      over: 408 and close
 *	         -> the handler        no deadline here: the handler's own affair
 *	         -> answer: write_ms   from the first unsent byte to the last; over: close
 *	         -> idle: idle_ms      over: close
 *	         -> head ...
 *	         -> [after an error: linger_ms, input discarded, so that the client sees the
 *	            answer and not a reset]
 *
 * Deadlines are looked at every `tick_ms`, so they come up to one tick late.
 *
 * Back-pressure. A connection is neither read nor parsed while `queue_max` requests
 * of it wait for their answers, or more than `output_max` bytes are unsent.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/exchange.h"
#include "http/parser.h"

struct err;
struct event_base;
struct ssl_ctx_st;
struct http_server;
struct http_listener;

struct http_config {
	struct http_limits limits;
	uint32_t handshake_ms;		/* 5000 */
	uint32_t head_ms;		/* 10000 */
	uint32_t body_ms;		/* 20000; a body rule may set another */
	uint32_t write_ms;		/* 20000 */
	uint32_t idle_ms;		/* 30000 */
	uint32_t linger_ms;		/* 1000 */
	uint32_t tick_ms;		/* 250; cut to a quarter of the shortest deadline */
	uint32_t accept_retry_ms;	/* 200: pause after EMFILE and the like */
	uint32_t max_connections;	/* 1024; at the limit nothing is accepted ... */
	uint32_t spare_idle_ms;		/* 1000: ... but one idle for so long makes room */
	uint32_t max_requests;		/* 10000 on one connection, then it is closed */
	uint32_t queue_max;		/* 8 */
	size_t output_max;		/* 65536 */
	size_t stream_max;		/* 65536 */
	/*
	 * Host names allowed beside "localhost", "127.0.0.1", "[::1]" and the addresses
	 * of the listeners; without port (any port is allowed), IPv6 in brackets. A
	 * request for another host over TCP is answered 421. Copied.
	 */
	const char *const *hosts;
	size_t host_count;
	int any_host;			/* 1: no such check */
	/* Field lines for every answer, each with its CRLF; "" is the default. Copied. */
	const char *answer_fields;
};

void http_config_init(struct http_config *config);	/* the defaults above */

enum http_log_level { HTTP_LOG_WARNING, HTTP_LOG_NOTICE };

/*
 * What may be decided once the head is known and before the body is taken. The
 * defaults are filled in. To refuse, set `status` (400 to 599), `code` and
 * `message` (static text): the body is not read, and the connection is closed.
 */
struct http_body_rule {
	uint64_t max;		/* bytes */
	uint32_t deadline_ms;
	struct http_sink *sink;	/* NULL: into memory. The exchange's, whatever is decided here */
	int status;
	const char *code;
	const char *message;
};

struct http_callbacks {
	/* A complete request. See http/exchange.h for who owns it. Needed. */
	void (*on_request)(struct http_exchange *ex, void *user);
	/*
	 * A head with a body behind it. May be NULL. It may only look: the exchange is not
	 * the handler's yet and must not be answered or kept.
	 */
	void (*on_head)(const struct http_exchange *ex, struct http_body_rule *rule, void *user);
	/* One sentence, no input in it, at most one a second of a kind. May be NULL. */
	void (*on_log)(enum http_log_level level, const char *text, void *user);
};

/* Since the start; gauges are marked. Read them at any time on the loop thread. */
struct http_counters {
	uint64_t connections_open;	/* gauge */
	uint64_t connections_accepted;
	uint64_t connections_tls;	/* handshakes completed */
	uint64_t connections_tls_failed;
	uint64_t requests_open;		/* gauge: handed to a handler and not ended */
	uint64_t requests;		/* handed to a handler */
	uint64_t answers[6];		/* by status / 100, refusals included; [0] is unused */
	uint64_t refusals[HTTP_REFUSAL_COUNT];
	uint64_t gone;			/* exchanges whose client left before the answer */
	uint64_t closed_idle;
	uint64_t closed_at_limit;	/* idle ones, at max_connections */
	uint64_t closed_silent;		/* no byte of a request, or no handshake, in time */
	uint64_t closed_slow_reader;
	uint64_t accept_full;		/* times that max_connections paused accepting */
	uint64_t accept_failed;		/* times that EMFILE and the like paused it */
	uint64_t bytes_in;
	uint64_t bytes_out;		/* handed to connections */
};

/*
 * Both structs are copied; `user` is borrowed and passed to every callback. NULL
 * on error (a bad host name or answer field), with *err filled.
 */
struct http_server *http_server_new(struct event_base *base, const struct http_config *config,
				    const struct http_callbacks *callbacks, void *user,
				    struct err *err);

/*
 * Closes everything now. on_gone is called for exchanges that were not ended, from
 * inside this function; they remain valid, and must still be ended, as ever. Takes
 * NULL. To be called before the base is freed; of the callbacks of this server only
 * on_empty may call it.
 */
void http_server_free(struct http_server *server);

/*
 * A TCP listener on a numeric address, port 0 for any. `tls` may be NULL: plain. It
 * gets a reference of its own, and TLS below 1.2, renegotiation and any ALPN but
 * http/1.1 are switched off in it. A plain listener on an address that is not
 * loopback is refused unless `plain_behind_proxy` says that a proxy does TLS.
 * Borrowed: the server owns and closes it. NULL on error.
 */
struct http_listener *http_listen_tcp(struct http_server *server, const char *address,
				      uint16_t port, struct ssl_ctx_st *tls,
				      int plain_behind_proxy, struct err *err);

/*
 * A Unix socket with mode 0660, and group `gid` unless (gid_t)-1. A socket left
 * behind by a dead process is replaced; one that answers, or anything that is not a
 * socket, is an error. Unlinked at close if it is still ours.
 */
struct http_listener *http_listen_unix(struct http_server *server, const char *path, gid_t gid,
				       struct err *err);

/*
 * A listening socket that is open already (socket activation), of any of the two
 * families. It is closed by the server once this has succeeded; never unlinked.
 * The rule about plain TCP holds here too.
 */
struct http_listener *http_listen_fd(struct http_server *server, int fd, struct ssl_ctx_st *tls,
				     int plain_behind_proxy, struct err *err);

/* "127.0.0.1:8080", "[::1]:8080" or the path. Borrowed. */
const char *http_listener_name(const struct http_listener *listener);
uint16_t http_listener_port(const struct http_listener *listener);	/* 0 for Unix */
/* New certificates: for connections accepted from now on. A TLS listener only. */
void http_listener_set_tls(struct http_listener *listener, struct ssl_ctx_st *tls);

/*
 * Graceful stop: closes the listeners, closes idle connections, lets requests that
 * have begun finish with "Connection: close". on_empty is called from the event
 * loop when no connection is left (always, once; also when there is none now).
 * There is no deadline here beyond the phases': http_server_free() is the axe.
 */
void http_server_drain(struct http_server *server, void (*on_empty)(void *user), void *user);

const struct http_counters *http_server_counters(const struct http_server *server);
