/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1.1 server: listeners, connections, deadlines, limits, counters. It knows nothing
 * of what it serves: a handler answers the requests (http/exchange.h).
 *
 * Threads. Everything runs on the thread of the event base, takes no lock and never blocks.
 * The caller creates the base like this:
 *
 *	struct event_config *c = event_config_new();
 *	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
 *	base = event_base_new_with_config(c);
 *
 * Do not set EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST if other threads open descriptors: the
 * changelist removes a closed descriptor from epoll one iteration late, when another thread
 * may already have reused its number. Leaving it out costs nothing, since a connection's
 * events are rarely switched off and on here. http_server_new() ignores SIGPIPE unless the
 * program has a disposition of its own for it.
 *
 * The phases of a connection, with their deadlines (absolute, for the whole phase):
 *
 *	accepted -> [TLS handshake: handshake_ms]
 *	         -> head: head_ms      exceeded: 408 and close; no input: close
 *	         -> body: body_ms      exceeded: 408 and close
 *	         -> the handler        no deadline; the handler's responsibility
 *	         -> answer: write_ms   from the first unsent byte to the last; exceeded: close
 *	         -> idle: idle_ms      exceeded: close
 *	         -> head ...
 *	         -> [after an error: linger_ms, discarding input, so that the client receives
 *	            the answer and not a reset]
 *
 * Deadlines are checked every `tick_ms`, so they fire up to one tick late.
 *
 * Back-pressure. A connection is neither read nor parsed while `queue_max` of its requests
 * wait for their answers, or more than `output_max` bytes are unsent.
 *
 * Places. At most `max_connections` are open. A client is one of three:
 *
 *	unknown  over TCP, and has not shown a valid token yet (http_exchange_trust); counted
 *	         by address, of which an IPv6 /64 is one
 *	known    over TCP, and has; counted by the owner of the token
 *	unix     over a Unix socket; counted by user
 *
 * Some places are kept: 1/32 and at most 64 for unix, 1/4 for known clients, and 1/8 for those
 * who have not had the time to show a token. Within these bounds anybody may have any place.
 *
 * When a client connects and there is no place for it, another connection is evicted:
 *
 *	1. of an unknown client, as long as these have more than the 1/8: of the address that
 *	   holds most, and of its connections the one that has been half-read longest, or else
 *	   idle longest. Half-read is whatever waits for the client: a TLS handshake, a head, a
 *	   body, an answer that it does not read
 *	2. of a known client: of the owner that holds most, what has been idle longest, or else
 *	   half-read longest; but nothing that has been so for less than `spare_idle_ms`, because
 *	   a request may be under way
 *	3. of a unix client, likewise, as long as these have more than their share
 *	4. of an unknown client
 *
 * A connection with a request that a handler works on, and a WebSocket, are never evicted, except
 * while a stream waits for its client to read; so the handlers limit how many requests of an owner
 * may wait for something. If only such connections are left, accepting pauses, and on_crowded asks
 * the handlers to answer early what merely waits. There is no limit for an address by itself: all
 * clients may come from one proxy, which then has all places.
 *
 * Until there is room, half of the 1/8 stays free for new clients: a request with the token of an
 * owner who has more places than known clients have on average is answered 503.
 *
 * Answers that clients do not read take memory: at most `unread_max` bytes in all. Beyond that,
 * connections are closed: of the address, owner or user with most, those that have waited longest
 * for their client to read. A deadline (write_ms) ends the others.
 *
 * What an evicted client sees: 503 with "Retry-After: 1" if it has sent part of a request in
 * plain; and the end of the connection.
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
	uint32_t body_ms;		/* 20000; a body rule may override it */
	uint32_t write_ms;		/* 20000 */
	uint32_t idle_ms;		/* 30000 */
	uint32_t linger_ms;		/* 1000 */
	uint32_t tick_ms;		/* 250; at most a quarter of the shortest deadline */
	uint32_t accept_retry_ms;	/* 200: pause after running out of descriptors */
	uint32_t max_connections;	/* 1024; at least 8. See "Places" */
	uint32_t spare_idle_ms;		/* 1000 */
	uint32_t max_requests;		/* 10000 per connection, then it is closed */
	uint32_t queue_max;		/* 8 */
	size_t output_max;		/* 65536 */
	size_t stream_max;		/* 65536 */
	size_t unread_max;		/* 128 MiB; of all connections. See "Places" */
	/*
	 * Host names allowed in addition to "localhost", "127.0.0.1", "[::1]" and the
	 * addresses of the listeners; without port (any port is allowed), IPv6 in brackets.
	 * Over TCP, a request for another host is answered 421. Copied.
	 */
	const char *const *hosts;
	size_t host_count;
	int any_host; /* 1: do not check the host */
	/* Header lines for every answer, each with its CRLF; default "". Copied. */
	const char *answer_fields;
};

void http_config_init(struct http_config *config); /* sets the defaults above */

enum http_log_level { HTTP_LOG_WARNING, HTTP_LOG_NOTICE };

/*
 * What on_head may decide before the body is read. The defaults are filled in. To refuse
 * the request, set `status` (400 to 599), `code` and `message` (texts that stay valid until the
 * next call of on_head), and perhaps a header field: the body is not read, and the connection is
 * closed.
 */
struct http_body_rule {
	uint64_t max;		/* bytes */
	uint32_t deadline_ms;
	struct http_sink *sink; /* NULL: keep the body in memory. The exchange owns it */
	int status;
	uint32_t retry_s; /* of a Retry-After field; 0: none */
	const char *code;
	const char *message;
	const char *field; /* the name of one more field; NULL: none */
	char field_value[64];
	int is_trusted; /* 1: the client is known, as by http_exchange_trust(owner) */
	uint64_t owner;
};

struct http_callbacks {
	/* A complete request; for its ownership see http/exchange.h. Required. */
	void (*on_request)(struct http_exchange *ex, void *user);
	/*
	 * A request head that a body follows; also that of a POST or PUT which states no length,
	 * which is answered 411 unless on_head refuses it for another reason. May be NULL. The
	 * exchange is not the handler's yet: it must be neither answered nor kept.
	 */
	void (*on_head)(const struct http_exchange *ex, struct http_body_rule *rule, void *user);
	/*
	 * One sentence without client input; at most one per kind and second, or minute. May be
	 * NULL.
	 */
	void (*on_log)(enum http_log_level level, const char *text, void *user);
	/*
	 * A request was answered 421: its host name is not allowed. `host` is client input, made
	 * harmless: 1 to 100 visible ASCII characters. At most once per name for the last
	 * HTTP_HOSTS_REMEMBERED names, and beyond that many names at most once a minute. May be
	 * NULL.
	 */
	void (*on_foreign_host)(const char *host, void *user);
	/*
	 * Known clients have so many requests open that there is no place for others: `count`
	 * answers that wait for something to happen should be given now, and their connections
	 * closed. Called from the event loop. May be NULL.
	 */
	void (*on_crowded)(unsigned count, void *user);
};

#define HTTP_HOSTS_REMEMBERED 32
/* For a request that http_exchange_trust() rejects. */
#define HTTP_BUSY_MESSAGE "Too many open connections of this owner; try again."

enum http_client_kind {
	HTTP_CLIENT_UNKNOWN,
	HTTP_CLIENT_KNOWN,
	HTTP_CLIENT_UNIX,
	HTTP_CLIENT_COUNT
};

/* Counters since the start, and gauges where marked. Read them on the loop thread. */
struct http_counters {
	uint64_t connections_open;	/* gauge */
	uint64_t connections_by[HTTP_CLIENT_COUNT]; /* gauges */
	uint64_t connections_accepted;
	uint64_t connections_tls;	/* handshakes completed */
	uint64_t connections_tls_failed;
	uint64_t requests_open;		/* gauge: passed to a handler and not ended */
	uint64_t requests;		/* passed to a handler */
	uint64_t answers[6];		/* by status / 100, refusals included; [0] is unused */
	uint64_t refusals[HTTP_REFUSAL_COUNT];
	uint64_t gone; /* exchanges whose client disconnected before the answer */
	uint64_t closed_idle;
	uint64_t evicted_half_read[HTTP_CLIENT_COUNT];
	uint64_t evicted_idle[HTTP_CLIENT_COUNT];
	uint64_t refused_share; /* requests of owners with more than their share of the places */
	uint64_t evicted_unread[HTTP_CLIENT_COUNT]; /* at unread_max */
	uint64_t closed_silent;		/* no byte of a request, or no handshake, in time */
	uint64_t closed_slow_reader;
	uint64_t accept_full;	/* pauses of accepting because every place was busy */
	uint64_t accept_failed; /* pauses after running out of descriptors */
	uint64_t bytes_in;
	uint64_t bytes_out; /* queued for sending */
};

/*
 * Copies both structs; `user` is borrowed and passed to every callback. Returns NULL with
 * *err on failure (an invalid host name or answer field).
 */
struct http_server *http_server_new(struct event_base *base, const struct http_config *config,
				    const struct http_callbacks *callbacks, void *user,
				    struct err *err);

/*
 * Closes everything immediately. Calls on_gone for exchanges that have not ended; these
 * remain valid and must still be ended. Accepts NULL. Call before freeing the base; of
 * this server's callbacks only on_empty may call it.
 */
void http_server_free(struct http_server *server);

/*
 * Opens a TCP listener on a numeric address; port 0 means any. `tls` NULL means plain;
 * otherwise takes a reference to it and disables TLS below 1.2, renegotiation and any ALPN
 * but http/1.1 in it. Refuses to listen in plain on an address that is not loopback, unless
 * `plain_behind_proxy` states that a proxy does TLS. The listener is borrowed: the server
 * owns and closes it. NULL on error.
 */
struct http_listener *http_listen_tcp(struct http_server *server, const char *address,
				      uint16_t port, struct ssl_ctx_st *tls,
				      int plain_behind_proxy, struct err *err);

/*
 * Opens a Unix socket with mode 0660, and group `gid` unless it is (gid_t)-1. Replaces the
 * socket of a dead process; a live socket, or a file that is not a socket, is an error.
 * Closing unlinks the socket if it is still the one created here.
 */
struct http_listener *http_listen_unix(struct http_server *server, const char *path, gid_t gid,
				       struct err *err);

/*
 * Uses a socket that is listening already (socket activation), TCP or Unix. On success the
 * server closes it at the end, and never unlinks it. The rule about plain TCP applies.
 */
struct http_listener *http_listen_fd(struct http_server *server, int fd, struct ssl_ctx_st *tls,
				     int plain_behind_proxy, struct err *err);

/* "127.0.0.1:8080", "[::1]:8080" or the path; borrowed. */
const char *http_listener_name(const struct http_listener *listener);
uint16_t http_listener_port(const struct http_listener *listener);	/* 0 for Unix */
/* A number for the handlers (http_peer), of connections that are accepted from now on; it is 0 before. */
void http_listener_set_purpose(struct http_listener *listener, int purpose);
/* Replaces the certificates, for connections accepted from now on. TLS listeners only. */
void http_listener_set_tls(struct http_listener *listener, struct ssl_ctx_st *tls);

/*
 * Graceful stop: closes the listeners, closes idle connections, lets requests that
 * have begun finish with "Connection: close". on_empty is called from the event
 * loop when no connection is left (always, once; also when there is none now).
 * There is no deadline here beyond the phases': http_server_free() is the axe.
 */
void http_server_drain(struct http_server *server, void (*on_empty)(void *user), void *user);

/* How many connections http_config.max_connections has become. */
uint32_t http_server_max_connections(const struct http_server *server);
const struct http_counters *http_server_counters(const struct http_server *server);
