/* SPDX-License-Identifier: MIT */
/*
 * The daemons that use the database: each writes a row of its own every second, and reads those of
 * the others. Which account a daemon owns is in shards.h. A file has one daemon, and no rows.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define STORE_DAEMON_ID_SIZE 33
#define STORE_PEER_KEY_SIZE 32
/* The newest schema of the leases that this version knows, of whatever database. */
#define STORE_SCHEMA 17

struct store_daemon {
	char id[STORE_DAEMON_ID_SIZE]; /* 32 hex digits, random, new at each start */
	char address[128];	       /* "https://HOST:PORT", where the others reach it */
	char version[32];	       /* of the program */
	int64_t schema;		       /* the newest one that it knows */
	int64_t started_ms;	       /* by its own clock, like the next */
	int64_t seen_ms;	       /* when it last wrote the row */
};

/* Each in a transaction of its own. */
int store_daemon_put(struct store *store, const struct store_daemon *daemon, struct err *err);
/* Only if the row is as it was read; it may have been written again. */
int store_daemon_drop(struct store *store, const struct store_daemon *daemon, struct err *err);

typedef void (*store_daemon_fn)(void *arg, const struct store_daemon *daemon);
int store_daemon_each(struct store *store, store_daemon_fn fn, void *arg, struct err *err);

/* The key with which daemons sign requests to each other; derived from the signing key. */
int store_peer_key(struct store *store, unsigned char ret[STORE_PEER_KEY_SIZE], struct err *err);
