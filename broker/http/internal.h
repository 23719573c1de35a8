/* SPDX-License-Identifier: MIT */
/*
 * What the files of this room share; nobody else includes it. Loop thread only.
 *
 *	server ---owns---> listeners, connections, a pool of exchanges
 *	connection -owns-> its transport, the exchange being read, and its queue of
 *			   exchanges that a handler has or had (in the order of arrival)
 *	exchange --------> its connection, or NULL once that is gone
 *
 * Who may destroy a connection: connection_turn() and connection_tick(), at their
 * end, connection_close_idle() and connection_close_all(). Everything else marks it and
 * wakes it.
 */
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "http/exchange.h"
#include "http/parser.h"
#include "http/server.h"
#include "util/buf.h"

struct http_connection;

enum exchange_state {
	EXCHANGE_READING,	/* the connection's; the handler has not seen it */
	EXCHANGE_OPEN,		/* the handler's */
	EXCHANGE_ENDED,		/* waits in the queue for its turn to be sent, or is done */
};

#define EXCHANGE_ID_LEN 25

struct http_exchange {
	TAILQ_ENTRY(http_exchange) link;	/* of the connection's queue, or the pool */
	struct http_server *server;
	struct http_connection *conn;		/* NULL: gone */
	enum exchange_state state;
	unsigned close : 1;			/* the connection ends with this answer */
	unsigned is_gone : 1;
	unsigned is_answered : 1;		/* a head was composed */
	unsigned is_streaming : 1;
	unsigned is_chunked : 1;
	unsigned no_content : 1;		/* HEAD, 204, 304: no byte of a body is sent */
	unsigned drain_owed : 1;
	unsigned is_detached : 1;		/* on the server's list of that name */
	struct evbuffer *held;			/* the answer, while others go first; or NULL */
	http_gone_fn on_gone;
	void *gone_arg;
	http_drain_fn on_drain;
	void *drain_arg;
	char *body;
	size_t body_len;
	size_t body_size;
	struct http_sink *sink;			/* or NULL */
	struct buf fields;			/* extra field lines of the answer */
	uint64_t serial;
	char id[EXCHANGE_ID_LEN + 1];
	struct http_peer peer;
	struct http_head head;
};

TAILQ_HEAD(exchange_list, http_exchange);

/* ---- transport.c: knows none of the others but tls.c ------------------------------------ */

enum transport_event {
	TRANSPORT_READ,	   /* there is input */
	TRANSPORT_SENT,	   /* all output was taken */
	TRANSPORT_SECURED, /* the TLS handshake is done */
	TRANSPORT_EOF,	   /* plain: the client has closed its sending side */
	TRANSPORT_BROKEN,  /* nothing can be sent or received */
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
	struct evbuffer *input;			/* stored input */
	const char *fresh;			/* in the buffer, comes after what is stored */
	size_t fresh_len;
	struct event *readable;			/* plain */
	struct event *writable;
	struct bufferevent *bev;		/* TLS; owns fd and the evbuffers */
	unsigned read_on : 1;
	unsigned write_on : 1;			/* plain: waiting for the socket */
};

/* Closes the fd if it fails. `tls` NULL: plain. Reading is on. */
int transport_open(struct transport *t, struct event_base *base, struct ssl_ctx_st *tls);
void transport_close(struct transport *t);
size_t transport_input_len(const struct transport *t);
const char *transport_peek(struct transport *t, size_t *ret_len);	/* the first bytes of the input */
void transport_use(struct transport *t, size_t len);			/* drops so many of them */
void transport_discard(struct transport *t);				/* drops all input */
/* Stores what is left of the input. Due before control returns to the loop. -1: no memory. */
int transport_store(struct transport *t);
void transport_set_read(struct transport *t, unsigned on);
int transport_flush(struct transport *t);	/* sends what the kernel takes. -1: broken */
void transport_rest(struct transport *t);	/* no output is left: stop waiting for the socket */

/* ---- connections ------------------------------------------------------------------------ */

enum connection_phase {
	PHASE_NONE,		/* nothing is expected of the client */
	PHASE_HANDSHAKE,
	PHASE_FIRST,		/* the first head, from the accept on */
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_IDLE,
	PHASE_SOCKET,		/* upgraded; see websocket.h */
	PHASE_LINGER,
};

struct http_connection {
	TAILQ_ENTRY(http_connection) link;
	TAILQ_ENTRY(http_connection) wake_link;
	struct http_server *server;
	struct transport transport;
	struct evbuffer *output;		/* of the transport */
	enum connection_phase phase;
	uint64_t read_deadline;			/* ms of server_now(); 0: none */
	uint64_t write_deadline;
	struct http_exchange *reading;		/* or NULL between requests */
	struct exchange_list queue;
	uint32_t queue_len;
	uint32_t request_count;
	unsigned is_busy : 1;			/* inside connection_turn() */
	unsigned is_woken : 1;			/* on the server's wake list */
	unsigned is_tls : 1;
	unsigned is_broken : 1;			/* nothing can be sent or received */
	unsigned is_eof : 1;			/* the client has closed its sending side */
	unsigned parse_off : 1;			/* no request is taken; input is discarded */
	unsigned is_closing : 1;		/* the last answer is in the output */
	unsigned linger : 1;			/* the client may still be sending */
	unsigned is_shut : 1;			/* our sending side is closed; lingering */
	unsigned continue_owed : 1;		/* a 100 is to be sent when its turn comes */
	unsigned upgrade_hold : 1;		/* see http/exchange.h, at the end */
	struct http_socket *socket;		/* once upgraded; owned */
	struct http_parser parser;
	struct http_peer peer;
};

TAILQ_HEAD(connection_list, http_connection);

struct http_listener {
	TAILQ_ENTRY(http_listener) link;
	struct http_server *server;
	struct event *event;
	int fd;
	int is_unix;
	uint16_t port;
	struct ssl_ctx_st *tls;			/* a reference of its own, or NULL */
	char *name;
	char *unlink_path;			/* or NULL */
	dev_t unlink_dev;			/* the socket file is ours only while it is this */
	ino_t unlink_ino;
};

TAILQ_HEAD(listener_list, http_listener);

enum log_kind { LOG_ACCEPT_FAILED, LOG_ACCEPT_FULL, LOG_KIND_COUNT };

#define DATE_LINE_LEN 37

struct http_server {
	struct event_base *base;
	struct http_config config;
	struct http_callbacks callbacks;
	void *user;
	struct http_counters counters;
	uint64_t now;				/* ms, monotonic; see server_now() */
	uint64_t next_serial;
	uint32_t boot;				/* random; the first half of request ids */
	char *answer_fields;
	size_t answer_fields_len;
	char **hosts;
	size_t host_count;
	time_t date_second;
	char date_line[DATE_LINE_LEN + 1];	/* with CRLF */
	struct listener_list listeners;
	struct event *accept_timer;
	int reserve_fd;				/* given up to accept one when none is left */
	unsigned accept_paused;			/* ACCEPT_PAUSED_* */
	uint64_t logged_at[LOG_KIND_COUNT];
	struct connection_list connections;
	struct connection_list woken;
	struct event *wake_event;
	struct event *tick_event;
	struct exchange_list detached; /* the connection is gone; not told yet */
	struct exchange_list pool;
	unsigned pool_len;
	uint64_t exchanges_live;		/* not in the pool */
	int is_draining;
	int is_dead;				/* freed, but for exchanges a handler still has */
	void (*on_empty)(void *user);
	void *empty_arg;
	char buffer[TRANSPORT_READ_MAX];	/* of all transports */
};

#define ACCEPT_PAUSED_FULL 1u
#define ACCEPT_PAUSED_EXHAUSTED 2u

/* server.c */
uint64_t server_now(struct http_server *server);	/* reads the clock; coarse */
const char *server_date_line(struct http_server *server);
int server_allows_host(const struct http_server *server, const char *host, size_t len);
void server_add_host(struct http_server *server, const char *host);
void server_log(struct http_server *server, enum log_kind kind, const char *text);
void server_release(struct http_server *server);	/* frees a dead one when it was the last */

/* listener.c */
void listener_close(struct http_listener *listener);
/* Call after accept_paused was changed. */
void listener_update_all(struct http_server *server);
void listener_retry(evutil_socket_t fd, short what, void *arg);

/* tls.c */
void tls_prepare(struct ssl_ctx_st *ctx);
void tls_ref(struct ssl_ctx_st *ctx);
void tls_unref(struct ssl_ctx_st *ctx);			/* takes NULL */
struct bufferevent *tls_accept(struct event_base *base, struct ssl_ctx_st *ctx, int fd);
void tls_send_close_notify(struct bufferevent *bev); /* close_notify, without waiting */

/* connection.c */
void connection_open(struct http_server *server, int fd, const struct http_peer *peer,
		     struct ssl_ctx_st *tls);
void connection_turn(struct http_connection *conn);	/* may destroy it */
void connection_tick(struct http_connection *conn, uint64_t now);	/* may destroy it */
void connection_wake(struct http_connection *conn);
void connection_advance(struct http_connection *conn);	/* sends what has its turn now */
void connection_close_all(struct http_server *server);
/* Closes the one that has been idle for longest, and long enough; 0 when there is none. */
int connection_close_idle(struct http_server *server);

/* exchange.c */
struct http_exchange *exchange_acquire(struct http_connection *conn);
void exchange_release(struct http_exchange *ex);	/* to the pool */
void exchange_free(struct http_exchange *ex);		/* one that the pool had */
int exchange_add_body(struct http_exchange *ex, const char *data, size_t len);
void exchange_end(struct http_exchange *ex);		/* the handler, or a refusal, is done */
void exchange_detach(struct http_exchange *ex);		/* its connection goes away */
void exchange_notify_detached(struct http_server *server); /* calls handlers */
void exchange_notify_gone(struct http_exchange *ex);
int exchange_is_first(const struct http_exchange *ex);

/* websocket.c: what connection.c asks of an upgraded one */
struct http_socket;
size_t socket_feed(struct http_socket *socket, const char *data, size_t len);
int socket_needs_drain(const struct http_socket *socket);
void socket_drained(struct http_socket *socket);
uint32_t socket_tick_ms(const struct http_socket *socket);
int socket_tick(struct http_socket *socket, uint64_t now);	/* -1: it was silent for too long */
void socket_go_away(struct http_socket *socket);
void socket_free(struct http_socket *socket);	/* tells its handler; takes NULL */

/* reply.c */
void reply_refusal(struct http_exchange *ex, enum http_refusal why);
