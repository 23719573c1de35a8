/* SPDX-License-Identifier: MIT */
/*
 * The table of ownership, for those who do not own: each daemon reads it every second, to learn who
 * owns what, which accounts are free, and the highest seq of each, which a claim needs to notice
 * that the database has lost something (shard_claim.seen_seq). Works on any connection, of any
 * thread. With SQLite there is no such table: nothing is made, and nothing is found.
 *
 * The table in PostgreSQL; times are in ms since 1970 by the database's clock:
 *
 *   CREATE TABLE shard(
 *     account text PRIMARY KEY,
 *     owner text NOT NULL DEFAULT '',              the nonce of the claim; '': nobody
 *     address text NOT NULL DEFAULT '',
 *     epoch bigint NOT NULL DEFAULT 0,
 *     seq bigint NOT NULL DEFAULT 0,
 *     db_id text NOT NULL DEFAULT '',              system id/timeline at the claim
 *     backend_pid bigint NOT NULL DEFAULT 0,
 *     since_ms bigint NOT NULL DEFAULT 0,
 *     watched_ms bigint NOT NULL DEFAULT 0,        until then nobody is owed time
 *     renewed_ms bigint NOT NULL DEFAULT 0,
 *     expires_ms bigint NOT NULL DEFAULT 0,
 *     presumed_until_ms bigint NOT NULL DEFAULT 0,
 *     frozen text NOT NULL DEFAULT '',
 *     gen bigint NOT NULL DEFAULT 0,
 *     told_epoch bigint NOT NULL DEFAULT 0,        the claim of which the following is told
 *     is_fenced bigint NOT NULL DEFAULT 0,
 *     blocked_class bigint NOT NULL DEFAULT 0,
 *     blocked text NOT NULL DEFAULT '',
 *     verified_ms bigint NOT NULL DEFAULT 0) WITH (fillfactor = 20);
 *
 * Leases are credited with a gap in transactions after the one that measured it. So each one moves
 * `watched_ms` no further than to the renewal before it, a claim leaves both, and while a gap is owed
 * only the transaction that says that it is credited moves it (shard_credit): an owner that dies in
 * between leaves the whole gap to the next.
 *
 * A row is updated with each commit of its owner, so most of a page stays free for its versions.
 */
#pragma once

#include <stddef.h>

#include "store/shard.h"

/* Makes the rows that these accounts do not have yet. Not within a transaction. */
int shards_make(struct store *store, const char *const *accounts, size_t count, struct err *err);
typedef void (*shard_fn)(void *arg, const struct shard *row);
/* All rows, by account, with `now_ms`; gap_ms and gaps_ms are 0. `row` is valid during the call. */
int shards_each(struct store *store, shard_fn fn, void *arg, struct err *err);
/*
 * Why claims freeze an account. After the first comes the seq that the row had; the account goes on
 * by itself if nothing is ahead of the database and no daemon has seen a higher one of the time
 * before. The second ends with an operator.
 */
#define SHARD_FAILED_OVER "the database has failed over since the last claim, at change "
#define SHARD_LOST_SEEN "the database has lost changes that a daemon has seen in it"
/* The seq in the first reason; -1: it is not frozen, or for another reason. */
int64_t shards_failed_over_at(const struct shard *row);
/*
 * This daemon has seen `seen_seq`, and less later: if the row is not frozen, or had less at its
 * failover, it is frozen until an operator decides, and permits are presumed for `presume_ms`. Not
 * within a transaction. Any connection.
 */
int shards_doubt(struct store *store, const char *account, int64_t seen_seq, int64_t presume_ms,
		 struct err *err);
/* Is the row held by somebody whose time is not up? */
int shard_is_held(const struct shard *row);
