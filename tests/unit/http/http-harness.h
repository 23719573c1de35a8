/* SPDX-License-Identifier: MIT */
/*
 * A server and its clients on one event base in one thread. A test waits for a condition: the
 * loop runs until it is true, or the test fails after five seconds. Nothing sleeps.
 */
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "unit/test.h"
#include "http/server.h"
#include "util/buf.h"
#include "util/err.h"

#define KEPT_MAX 256

struct harness;

typedef void (*handler_fn)(struct harness *h, struct http_exchange *ex);

struct harness {
	struct event_base *base;
	struct event *guard;
	struct http_server *server;
	struct http_config config;	/* change it between init and start */
	struct http_callbacks callbacks;
	handler_fn handler;		/* harness_echo by default */
	uint16_t port;
	unsigned requests;
	struct http_exchange *kept[KEPT_MAX];	/* by harness_keep; NULL once ended */
	unsigned kept_count;
	unsigned gone; /* calls of on_gone for kept exchanges */
	unsigned drained;
	unsigned logs;
	unsigned crowded; /* answers asked for by on_crowded */
	unsigned foreign; /* calls of on_foreign_host */
	char foreign_host[128];
	unsigned empty;
	int is_late; /* the guard timer has fired */
};

struct client {
	struct harness *h;
	int fd;				/* -1 with TLS */
	struct event *event;
	struct bufferevent *bev;	/* with TLS */
	struct buf in;
	int is_eof;			/* FIN, reset, or a TLS error */
	int error;			/* errno of a reset */
	int is_connected;		/* TLS handshake done */
};

void harness_init(struct harness *h);
void harness_start(struct harness *h);		/* a server, and 127.0.0.1 on any port */
void harness_start_unbound(struct harness *h);	/* without the listener */
void harness_stop(struct harness *h);		/* further calls do nothing */
const struct http_counters *harness_counters(struct harness *h);
uint64_t harness_ms(void);

/* Handlers. */
void harness_echo(struct harness *h, struct http_exchange *ex);	/* METHOD target body */
void harness_keep(struct harness *h,
		  struct http_exchange *ex); /* keeps the exchange, with on_gone */
void harness_keep_trusted(struct harness *h, struct http_exchange *ex); /* of owner 1 */

void harness_wait_begin(struct harness *h);
void harness_step(struct harness *h);

#define WAIT(h, condition)                                                         \
	do {                                                                       \
		harness_wait_begin(h);                                             \
		while (!(condition)) {                                             \
			harness_step(h);                                           \
			if ((h)->is_late)                                          \
				fail_msg("timed out waiting for: %s", #condition); \
		}                                                                  \
	} while (0)

void client_open(struct harness *h, struct client *c);
void client_open_fd(struct harness *h, struct client *c, int fd);
void client_close(struct client *c);	/* FIN; the client may be closed already */
void client_reset(struct client *c);	/* RST */
void client_read(struct client *c, int on);
void client_send(struct client *c, const char *data, size_t len);
#define SEND(c, literal) client_send(c, literal, sizeof(literal) - 1)
const char *client_text(struct client *c);
unsigned client_count(struct client *c, const char *text); /* number of occurrences received */

#define GET_FIELDS "Host: localhost\r\n\r\n"
