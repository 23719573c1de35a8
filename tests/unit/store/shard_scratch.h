/* SPDX-License-Identifier: MIT */
/* A PostgreSQL server for each test program, and owners of accounts in it. */
#pragma once

#include "driver/postgres_pair.h"
#include "store/shards.h"
#include "store/store.h"
#include "util/env.h"

#define TTL_MS 400 /* short, so that a takeover is */

extern struct postgres_pair pair;
extern struct pg_proxy proxy; /* before the primary */
extern struct env env;

/* For a group: the server, its databases and the proxy. */
int shard_group_setup(void **state);
int shard_group_teardown(void **state);
/* For each test: a database of its own, whose name is in `database`. */
extern char database[32];
int shard_setup(void **state);
int shard_teardown(void **state);

/* A daemon's store; shard_teardown closes what is still open. */
struct store *shard_store(const struct pg_proxy *by);
void shard_store_close(struct store *store);
/* Claims `account` with a fresh nonce. As shard_claim, but errors fail the test. */
int shard_take(struct store *store, struct shard *ret);
/* Repeats that until the account is ours, for at most `patience_ms`. How long it took. */
int64_t shard_take_over(struct store *store, int64_t patience_ms, struct shard *ret);
extern struct shard_claim shard_terms; /* for the next claims: account and so on */
void shard_nonce(char ret[SHARD_NONCE_CHARS + 1]);

/* A transaction that writes `value`. */
int shard_write(struct store *store, int64_t value, struct err *err);
/* Its parts: it is open, and has written. */
void shard_write_begin(struct store *store, int64_t value);
/* What is committed there; 0: nothing. */
int64_t shard_value(enum pair_server which);
/* A column of the account's row. */
int64_t shard_column(enum pair_server which, const char *name);

/* From the next connection to `database` on, its clock is one that shard_clock_step sets. */
void shard_clock_fake(void);
void shard_clock_step(int seconds);
