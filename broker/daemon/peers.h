/* SPDX-License-Identifier: MIT */
/*
 * What this daemon knows of the others on its database, and of who owns which account: as last
 * read, at most a second ago. A daemon is alive if its row changes; clocks of different machines
 * are not compared. Any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/daemons.h"
#include "api/relay.h"
#include "store/daemons.h"
#include "store/shards.h"

/* A daemon whose row has not changed for this long is considered dead ... */
#define PEERS_SILENT_MS 3500
/* ... and after this its row may be removed. */
#define PEERS_FORGOTTEN_MS (10 * 60 * 1000)

struct peers;

struct peers *peers_new(const char *self);
void peers_free(struct peers *peers); /* NULL is allowed */

/* ---- one reading, by one thread: begin, the rows in any order, end. `now_ms`: monotonic ---- */

void peers_begin(struct peers *peers, int64_t now_ms);
void peers_saw_daemon(struct peers *peers, const struct store_daemon *row);
void peers_saw_shard(struct peers *peers, const struct shard *row);
/* The database's clock showed `db_ms` at `mono_ms`. */
void peers_saw_clock(struct peers *peers, int64_t db_ms, int64_t mono_ms);
/* From now on others see what was read. Without it the reading failed, and changes nothing. */
void peers_end(struct peers *peers);
/*
 * The next account whose database has lost what was read of it before, from *at on, and the seq that
 * was read; 0: there is no more. By the reading thread.
 */
int64_t peers_lost(struct peers *peers, size_t *at, const char **ret_account);
/* The loss was reported to the database. */
void peers_told(struct peers *peers, const char *account);
/* A daemon that has been silent for PEERS_FORGOTTEN_MS; 0: there is one. */
int peers_forgotten(struct peers *peers, int64_t now_ms, struct store_daemon *ret);
/* Another one that is alive and has the address of this one; 0: there is one. */
int peers_namesake(struct peers *peers, int64_t now_ms, struct store_daemon *ret);

/*
 * This daemon, as the owner, has committed the row as it is. A database that loses its newest commits
 * loses some that nobody has read: only who made them knows. Any thread.
 */
void peers_committed(struct peers *peers, const struct shard *row, int64_t now_ms);
/*
 * The owner has said so with an answer: what it answered is in the commit `seq` or in one before, of a
 * row for which shards_failed_over_at returned `at`. Any thread.
 */
void peers_heard(struct peers *peers, const char *account, int64_t seq, int64_t at, int64_t now_ms);
/* What the owner says with its answers: its newest commit; 0: it has made none. Any thread. */
int64_t peers_newest(struct peers *peers, const char *account, int64_t *ret_at);

/* ---- what it says ---- */

/*
 * Who owns the account. `is_ours`: whether this daemon does, by what it knows itself, which is newer
 * than any row; -1: it knows nothing but the rows.
 */
void peers_route(struct peers *peers, const char *account, int is_ours, int64_t now_ms,
		 struct relay_route *ret);
/* The ids of the daemons that are alive, this one among them; at most `max`. */
size_t peers_living(struct peers *peers, int64_t now_ms, char (*ids)[STORE_DAEMON_ID_SIZE],
		    size_t max);
/* The database's clock, as it was read last; 0: it was not read. */
int64_t peers_clock(struct peers *peers, int64_t now_ms);
/* The highest seq of the account that was read since its last loss was reported; 0: none. */
int64_t peers_seq(struct peers *peers, const char *account);
void peers_each_daemon(struct peers *peers, int64_t now_ms, daemons_fn fn, void *arg);
void peers_each_account(struct peers *peers, int64_t now_ms, daemons_account_fn fn, void *arg);
