/* SPDX-License-Identifier: MIT */
/*
 * Two daemons as far as clients see them, A and B, in one process: two HTTP servers on loopback,
 * each with an api of its own, on one database. Who owns the account is what the test says; the
 * engine that carries changes out is the same, so that only the way of a request differs. Between A
 * and B is a proxy, which remembers what passed and can lose answers.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>

#include "unit/test.h"
#include "api/api.h"
#include "api/auth.h"
#include "api/peer.h"
#include "api/relay.h"
#include "http/server.h"

#define PAIR_LEASE "cbx_0123456789ab"

struct daemon_node {
	struct http_server *server;
	struct api *api;
	struct store *reader;
	struct relay_config relay;
	struct relay_route route; /* what it believes of the account */
	char address[64];
	uint64_t requests; /* that reached it */
	uint64_t sought;   /* how often requests that wait asked for an owner */
	int64_t newest;	   /* its newest commit; 0: it says nothing */
	int64_t heard;	   /* what the other one said of its own */
};

struct proxy {
	struct event *listener;
	char address[64];
	uint16_t to;
	char sent[16384]; /* from A to B, of the last connection */
	size_t sent_len;
	int loses; /* connections are cut instead of answered ... */
	int lost;  /* ... and so many were */
};

/* An answer of A or B. */
struct told {
	int is_there, status;
	char etag[64], retry_after[64];
	char body[8192];
	json_t *json;
};

struct pair {
	struct event_base *base;
	struct event *guard;
	int is_late;
	struct daemon_node a, b;
	struct proxy proxy;
	struct peer_client *client;
	struct fleet *fleet;
	char alice[TOKEN_TEXT_SIZE], admin[TOKEN_TEXT_SIZE];
	int is_admin; /* who asks: the admin instead of alice */
};

extern struct pair pair;
/* For the next pair_setup: how long requests wait for an owner. */
extern int64_t pair_wait_ms;
/* For the next pair_setup: how long answers may go unread; 0: as by default. */
extern uint32_t pair_write_ms;
/* Added to the monotonic clock from now on. */
void pair_clock_skip(int64_t ms);
/* Another connection for writing to the database; the caller closes it. */
struct store *pair_store(void);

int pair_setup(void **state);
int pair_teardown(void **state);
#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

/* B owns the account, and both know it; A reaches B through the proxy. Also: A owns it; nobody. */
void pair_owner_is_b(void);
void pair_owner_is_a(void);
void pair_owner_is_nobody(void);
/* Sends a request; `told` is filled later. `fields` "": none, else one line of the head. */
void pair_begin(const struct daemon_node *node, struct told *told, const char *method,
		const char *target, const char *fields, const char *body);
/* The same, and waits for the answer. */
void pair_ask(const struct daemon_node *node, struct told *told, const char *method,
	      const char *target, const char *body);
const char *told_text(const struct told *told, const char *a, const char *b);
void told_clear(struct told *told);
/*
 * Sends a message on a new control socket of A, and waits for the answer to it, of this type; static.
 */
const char *pair_control(const char *message, const char *type);
/* Sends bytes to B as they are; returns the status of the answer, 0: none. */
int pair_raw(const char *bytes, size_t len);

#define PAIR_WAIT(condition)                                                       \
	do {                                                                       \
		pair_wait_begin();                                                 \
		while (!(condition)) {                                             \
			event_base_loop(pair.base, EVLOOP_ONCE);                   \
			if (pair.is_late)                                          \
				fail_msg("timed out waiting for: %s", #condition); \
		}                                                                  \
	} while (0)
void pair_wait_begin(void);
