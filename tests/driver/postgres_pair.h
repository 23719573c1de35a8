/* SPDX-License-Identifier: MIT */
/*
 * A throw-away PostgreSQL server for tests, and a standby that follows it through a proxy, so that a
 * test can cut it off, let it fall behind and promote it. Both listen on Unix sockets only; a test
 * connects through pg_proxy_control.h, or by pair_url. They end with the test program, however that
 * ends.
 *
 * The role `lessor` owns its databases and may do nothing else, as in production.
 */
#pragma once

#include <stddef.h>

#include "driver/pg_proxy_control.h"

enum pair_server { PAIR_PRIMARY, PAIR_STANDBY };

struct postgres_pair {
	char folder[64];
	char bin[128];
	struct pg_proxy link; /* from the standby to the primary; its messages are acks */
	int has_standby;
	int guard; /* a process that ends the servers ... */
	int alive; /* ... when this is closed */
};

/* Is a server installed, and may this user run it? */
int pair_possible(void);
/* Starts the primary. Anything that fails here fails the test. */
void pair_start(struct postgres_pair *pair);
/* Adds the standby, by pg_basebackup: asynchronous, until pair_sync. */
void pair_standby_add(struct postgres_pair *pair);
void pair_stop(struct postgres_pair *pair);

/* A new database of the role lessor. */
void pair_database(struct postgres_pair *pair, const char *name);
/* As superuser; one value, or "". `ret` may be NULL. */
void pair_sql(struct postgres_pair *pair, enum pair_server which, const char *database, char *ret,
	      size_t size, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Commits wait for the standby from now on, or (0) do not. Returns when that is so. */
void pair_sync(struct postgres_pair *pair, int is_on);
/* The standby gets nothing more from the primary. */
void pair_cut(struct postgres_pair *pair);
/* The standby takes writes when this returns; the primary runs on. */
void pair_promote(struct postgres_pair *pair);

/* The server's socket, for pg_proxy_start and "target". */
void pair_socket(const struct postgres_pair *pair, enum pair_server which, char *ret, size_t size);
/* As role lessor. `proxy` NULL: by the socket. */
void pair_url(const struct postgres_pair *pair, const struct pg_proxy *proxy, const char *database,
	      char *ret, size_t size);
