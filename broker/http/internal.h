/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of broker/http and included nowhere else. Loop thread only.
 *
 *	server ---owns---> listeners, connections, a pool of exchanges
 *	connection -owns-> its transport, the exchange being read, and its queue of
 *	                   exchanges passed to a handler (in order of arrival)
 *	exchange --------> its connection, or NULL after a disconnect
 *
 * Only these may destroy a connection: connection_turn() and connection_tick(), at their
 * end, connection_close_all(), and evict_one(), from the event loop. Everything else marks it
 * and wakes it.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "http/admission.h"
#include "http/exchange.h"
#include "http/parser.h"
#include "http/server.h"
#include "util/buf.h"

struct http_connection;

enum exchange_state {
	EXCHANGE_READING, /* owned by the connection; the handler has not seen it */
	EXCHANGE_OPEN,	  /* owned by the handler */
	EXCHANGE_ENDED,	  /* waits in the queue until its answer may be sent, or is done */
};

#define EXCHANGE_ID_LEN 25

struct http_exchange {
	TAILQ_ENTRY(http_exchange) link; /* in the connection's queue, or the pool */
	struct http_server *server;
	struct http_connection *conn; /* NULL: disconnected */
	enum exchange_state state;
	unsigned close : 1; /* the connection is closed after this answer */
	unsigned is_gone : 1;
	unsigned is_answered : 1;		/* a head was composed */
	unsigned is_streaming : 1;
	unsigned is_chunked : 1;
	unsigned no_content : 1; /* HEAD, 204, 304: no body is sent */
	unsigned drain_owed : 1;
	unsigned is_detached : 1; /* on the server's list `detached` */
	struct evbuffer *held;	  /* the answer while earlier ones are pending; or NULL */
	http_gone_fn on_gone;
	void *gone_arg;
	http_drain_fn on_drain;
	void *drain_arg;
	char *body;
	size_t body_len;
	size_t body_size;
	struct http_sink *sink;			/* or NULL */
	struct buf fields;			/* additional header fields of the answer */
	uint64_t serial;
	char id[EXCHANGE_ID_LEN + 1];
	struct http_peer peer;
	struct http_head *head; /* NULL while packed, or in the pool */
	void *packed;		/* or NULL */
};

TAILQ_HEAD(exchange_list, http_exchange);

/* ---- transport.c: knows none of the others but tls.c ------------------------------------ */

enum transport_event {
	TRANSPORT_READ,	   /* input is available */
	TRANSPORT_SENT,	   /* all output was sent */
	TRANSPORT_SECURED, /* the TLS handshake is done */
	TRANSPORT_EOF,	   /* plain: the client has closed its sending side */
	TRANSPORT_BROKEN,  /* the socket failed */
};

#define TRANSPORT_READ_MAX 4096	/* bytes received at once */

struct transport {
	int fd;					/* owned */
	char *buffer;				/* TRANSPORT_READ_MAX bytes, shared with others */
	/* Called from the loop. May close the transport. */
	void (*notify)(void *arg, enum transport_event news);
	void *arg;
	/* Filled in by transport_open(). */
	struct evbuffer *output;
	/* private */
	struct evbuffer *input; /* input kept between turns */
	const char *fresh;	/* input in the shared buffer, following the kept input */
	size_t fresh_len;
	struct event *readable;			/* plain */
	struct event *writable;
	struct bufferevent *bev;		/* TLS; owns fd and the evbuffers */
	unsigned read_on : 1;
	unsigned write_on : 1; /* plain: waiting until the socket is writable */
};

/* Closes the fd if it fails. `tls` NULL: plain. Reading is on. */
int transport_open(struct transport *t, struct event_base *base, struct ssl_ctx_st *tls);
/* Plain: reads at once what the client may have sent already. May close the transport. */
void transport_poll(struct transport *t);
void transport_close(struct transport *t);
size_t transport_input_len(const struct transport *t);
const char *transport_peek(struct transport *t, size_t *ret_len); /* the start of the input */
void transport_use(struct transport *t, size_t len);		  /* consumes `len` bytes */
void transport_discard(struct transport *t);			  /* consumes all input */
/* Keeps the unused input. Must be called before returning to the event loop. -1: no memory. */
int transport_store(struct transport *t);
void transport_set_read(struct transport *t, unsigned on);
int transport_flush(struct transport *t); /* sends what the kernel accepts. -1: the socket failed */
void transport_rest(struct transport *t); /* no output is left: stop waiting for writability */

/* ---- connections ------------------------------------------------------------------------ */

enum connection_phase {
	PHASE_NONE, /* no input is expected of the client */
	PHASE_HANDSHAKE,
	PHASE_FIRST, /* the first request head, counted from the accept */
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_IDLE,
	PHASE_SOCKET, /* upgraded; see websocket.h */
	PHASE_LINGER,
};

struct http_connection {
	TAILQ_ENTRY(http_connection) link;
	TAILQ_ENTRY(http_connection) wake_link;
	TAILQ_ENTRY(http_connection) place_link; /* admission.c's, like the next five */
	struct client_group *group;
	enum connection_place place;
	uint64_t placed_at; /* ms of server_now() */
	TAILQ_ENTRY(http_connection) unread_link;
	size_t unread; /* bytes of answers, as counted by admission.c */
	struct http_server *server;
	struct transport transport;
	struct evbuffer *output; /* the transport's */
	enum connection_phase phase;
	uint64_t read_deadline;			/* ms of server_now(); 0: none */
	uint64_t write_deadline;
	struct http_exchange *reading;		/* or NULL between requests */
	struct exchange_list queue;
	uint32_t queue_len;
	uint32_t request_count;
	unsigned is_used : 1;			/* a request has arrived since admission_update() */
	unsigned is_busy : 1;			/* inside connection_turn() */
	unsigned is_woken : 1;			/* on the server's wake list */
	unsigned is_tls : 1;
	unsigned is_broken : 1;			/* the socket failed */
	unsigned is_eof : 1;			/* the client has closed its sending side */
	unsigned parse_off : 1;			/* no more requests: input is discarded */
	unsigned is_closing : 1;		/* the last answer is in the output */
	unsigned linger : 1;			/* the client may still be sending */
	unsigned is_shut : 1;			/* our sending side is closed */
	unsigned continue_owed : 1; /* a 100 Continue is due after the earlier answers */
	unsigned upgrade_hold : 1;  /* see the end of http/exchange.h */
	struct http_socket *socket;		/* once upgraded; owned */
	struct http_parser parser;
	struct http_peer peer;
};

struct http_listener {
	TAILQ_ENTRY(http_listener) link;
	struct http_server *server;
	struct event *event;
	int fd;
	int is_unix;
	int purpose;
	uint16_t port;
	struct ssl_ctx_st *tls;			/* a reference of its own, or NULL */
	char *name;
	char *unlink_path;			/* or NULL */
	dev_t unlink_dev; /* the socket file is ours only while it has this inode */
	ino_t unlink_ino;
};

TAILQ_HEAD(listener_list, http_listener);

enum log_kind { LOG_ACCEPT_FAILED, LOG_ACCEPT_FULL, LOG_EVICTED, LOG_KIND_COUNT };

#define DATE_LINE_LEN 37
#define HEADS_SPARE_MAX 32

struct http_server {
	struct event_base *base;
	struct http_config config;
	struct http_callbacks callbacks;
	void *user;
	struct http_counters counters;
	uint64_t now;				/* ms, monotonic; see server_now() */
	uint64_t next_serial;
	uint32_t boot; /* random; first half of request ids */
	char *answer_fields;
	size_t answer_fields_len;
	char **hosts;
	size_t host_count;
	char *foreign[HTTP_HOSTS_REMEMBERED]; /* names reported; NULL: unused */
	unsigned foreign_next;		      /* the place of the next one */
	uint64_t foreign_at;		      /* when the last one was reported */
	time_t date_second;
	char date_line[DATE_LINE_LEN + 1];	/* with CRLF */
	struct admission admission;
	struct listener_list listeners;
	struct event *accept_timer;
	int reserve_fd; /* closed to accept one client when descriptors run out */
	unsigned accept_paused;			/* ACCEPT_PAUSED_* */
	uint64_t logged_at[LOG_KIND_COUNT];
	struct connection_list connections;
	struct connection_list woken;
	struct event *wake_event;
	struct event *tick_event;
	struct exchange_list detached; /* disconnected; their handlers are not notified yet */
	struct exchange_list pool;
	unsigned pool_len;
	struct http_head *heads[HEADS_SPARE_MAX]; /* unused */
	unsigned head_count;
	uint64_t exchanges_live;		/* not in the pool */
	int is_draining;
	int is_dead; /* freed, except for exchanges that handlers still own */
	void (*on_empty)(void *user);
	void *empty_arg;
	char buffer[TRANSPORT_READ_MAX]; /* shared by all transports */
};

#define ACCEPT_PAUSED_TCP 1u /* no place for one more over TCP */
#define ACCEPT_PAUSED_UNIX 2u
#define ACCEPT_PAUSED_EXHAUSTED 4u

/* server.c */
uint64_t server_now(struct http_server *server); /* coarse monotonic clock */
const char *server_date_line(struct http_server *server);
int server_allows_host(const struct http_server *server, const char *host, size_t len);
/* Reports a host name that is not allowed, if that is due: on_foreign_host. */
void server_foreign_host(struct http_server *server, const char *host, size_t len);
void server_add_host(struct http_server *server, const char *host);
void server_log(struct http_server *server, enum log_kind kind, const char *text);
void server_release(struct http_server *server); /* frees a dead server with its last exchange */

/* listener.c */
void listener_close(struct http_listener *listener);
/* Call after changing accept_paused. */
void listener_update_all(struct http_server *server);
void listener_retry(evutil_socket_t fd, short what, void *arg);

/* tls.c */
void tls_prepare(struct ssl_ctx_st *ctx);
void tls_ref(struct ssl_ctx_st *ctx);
void tls_unref(struct ssl_ctx_st *ctx); /* accepts NULL */
struct bufferevent *tls_accept(struct event_base *base, struct ssl_ctx_st *ctx, int fd);
/* After a failed handshake: did the peer send a plain HTTP request? */
int tls_peer_is_plain(struct bufferevent *bev);
void tls_send_close_notify(struct bufferevent *bev); /* does not wait for the client's */

/* connection.c */
/* `key`: see admission_enter() */
void connection_open(struct http_server *server, int fd, const struct http_peer *peer, uint64_t key,
		     struct ssl_ctx_st *tls);
void connection_turn(struct http_connection *conn);	/* may destroy it */
void connection_tick(struct http_connection *conn, uint64_t now);	/* may destroy it */
void connection_wake(struct http_connection *conn);
void connection_advance(struct http_connection *conn); /* sends answers whose turn has come */
void connection_close_all(struct http_server *server);
void connection_destroy(struct http_connection *conn); /* for admission.c, see above */

/* exchange.c */
struct http_exchange *exchange_acquire(struct http_connection *conn);
void exchange_release(struct http_exchange *ex);	/* to the pool */
void exchange_free(struct http_exchange *ex);		/* one from the pool */
/*
 * Packs the head of a request that is being read until more of it arrives: most clients send a
 * head at once, and one that does not must not hold the memory of the largest.
 */
void exchange_pack(struct http_exchange *ex);
void exchange_unpack(struct http_exchange *ex); /* does nothing to one that is not packed */
int exchange_add_body(struct http_exchange *ex, const char *data, size_t len);
void exchange_end(struct http_exchange *ex);	/* the handler or a refusal has ended it */
void exchange_detach(struct http_exchange *ex); /* its connection is being destroyed */
/* calls on_gone of the detached exchanges */
void exchange_notify_detached(struct http_server *server);
void exchange_notify_gone(struct http_exchange *ex);
int exchange_is_first(const struct http_exchange *ex);

/* websocket.c: called by connection.c for an upgraded connection */
struct http_socket;
size_t socket_feed(struct http_socket *socket, const char *data, size_t len);
int socket_needs_drain(const struct http_socket *socket);
void socket_drained(struct http_socket *socket);
uint32_t socket_tick_ms(const struct http_socket *socket);
/* -1: the client was silent for too long */
int socket_tick(struct http_socket *socket, uint64_t now);
void socket_go_away(struct http_socket *socket);
void socket_free(struct http_socket *socket); /* calls on_closed; accepts NULL */

/* reply.c */
void reply_refusal(struct http_exchange *ex, enum http_refusal why);
