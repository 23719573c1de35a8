/* SPDX-License-Identifier: MIT */
/* Ownership of accounts: the backend's part of it, and the columns that belong to the owner. */
#include "store/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/rows.h"
#include "util/bug.h"
#include "util/text.h"

/* By the database's clock. */
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

int64_t shard_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the backend's part -------------------------------------------------------------------- */

/* The daemon's lock on its file is ownership of all accounts. */
static int claim_alone(const struct shard_claim *claim, struct shard *ret)
{
	memset(ret, 0, sizeof(*ret));
	TEXT_SET(ret->account, claim->account);
	TEXT_SET(ret->owner, claim->nonce);
	TEXT_SET(ret->address, claim->address);
	ret->epoch = 1;
	ret->expires_ms = INT64_MAX;
	return 0;
}

int shard_claim(struct store *store, const struct shard_claim *claim, struct shard *ret,
		struct err *err)
{
	const struct shard_backend *shards = store->backend->shards;

	BUG_ON(strlen(claim->nonce) != SHARD_NONCE_CHARS);
	return shards ? shards->claim(store, claim, ret, err) : claim_alone(claim, ret);
}

int shard_renew(struct store *store, struct err *err)
{
	return store->backend->shards ? store->backend->shards->renew(store, err) : 0;
}

int shard_yield(struct store *store, struct err *err)
{
	return store->backend->shards ? store->backend->shards->yield(store, err) : 0;
}

const struct shard *store_shard(const struct store *store)
{
	return store->backend->shards ? store->backend->shards->owned(store) : NULL;
}

int store_is_lost(const struct store *store)
{
	return store->backend->shards ? store->backend->shards->is_lost(store) : 0;
}

int64_t shard_deadline_mono_ms(const struct store *store)
{
	return store->backend->shards ? store->backend->shards->deadline_ms(store) : INT64_MAX;
}

int shard_freeze(struct store *store, const char *reason, struct err *err)
{
	return store->backend->shards ? store->backend->shards->freeze(store, reason, err) : 0;
}

int shard_thaw(struct store *store, const char *frozen, struct err *err)
{
	return store->backend->shards ? store->backend->shards->thaw(store, frozen, err) : 0;
}

int shard_thaws_by_itself(const struct shard *row)
{
	return shards_failed_over_at(row) >= 0;
}

int shard_presume(struct store *store, int64_t ms, struct err *err)
{
	return store->backend->shards ? store->backend->shards->presume(store, ms, err) : 0;
}

int shard_gen_put(struct store *store, int64_t gen, struct err *err)
{
	return store->backend->shards ? store->backend->shards->gen_put(store, gen, err) : 0;
}

int shard_credit(struct store *store, struct err *err)
{
	return store->backend->shards ? store->backend->shards->credit(store, err) : 0;
}

int shard_tell(struct store *store, const struct shard_standing *standing, struct err *err)
{
	return store->backend->shards ? store->backend->shards->tell(store, standing, err) : 0;
}

/* ---- all rows -------------------------------------------------------------------------------- */

int shard_is_held(const struct shard *row)
{
	/* INT64_MAX: without end, as all that are in a file. */
	return row->owner[0] && row->expires_ms >= row->now_ms &&
	       (row->expires_ms == INT64_MAX || row->expires_ms - row->now_ms <= SHARD_TTL_MOST_MS);
}

int shards_make(struct store *store, const char *const *accounts, size_t count, struct err *err)
{
	if (!store->backend->shards || !count)
		return 0;
	if (store_begin(store, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct statement *stmt =
			store_prepare(store,
				      "INSERT INTO shard(account) VALUES(?1) ON CONFLICT(account) DO NOTHING",
				      err);

		if (stmt)
			bind_text(stmt, 1, accounts[i]);
		if (!stmt || store_run(store, stmt, "adding an account", err)) {
			store_rollback(store);
			return -1;
		}
	}
	return store_commit(store, err);
}

int64_t shards_failed_over_at(const struct shard *row)
{
	size_t len = strlen(SHARD_FAILED_OVER);

	return strncmp(row->frozen, SHARD_FAILED_OVER, len) ? -1 :
							      strtoll(row->frozen + len, NULL, 10);
}

int shards_doubt(struct store *store, const char *account, int64_t seen_seq, int64_t presume_ms,
		 struct err *err)
{
	struct statement *stmt;

	if (!store->backend->shards)
		return 0;
	if (store_begin(store, err))
		return -1;
	/* In the statement: by now it may be another failover, or none. */
	stmt = store_prepare(store,
			     "UPDATE shard SET frozen = '" SHARD_LOST_SEEN "', presumed_until_ms ="
			     " greatest(presumed_until_ms, " NOW " + ?3) WHERE account = ?1"
			     " AND CASE WHEN frozen = '' THEN 0"
			     " WHEN frozen LIKE '" SHARD_FAILED_OVER "%' THEN"
			     " substr(frozen, length('" SHARD_FAILED_OVER "') + 1)::bigint"
			     " ELSE ?2 END < ?2",
			     err);
	if (stmt) {
		bind_text(stmt, 1, account);
		bind_number(stmt, 2, seen_seq);
		bind_number(stmt, 3, presume_ms);
	}
	if (!stmt || store_run(store, stmt, "telling that a database has lost changes", err)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static void row_read(const struct statement *stmt, struct shard *row)
{
	memset(row, 0, sizeof(*row));
	COLUMN_TEXT(stmt, 0, row->account);
	COLUMN_TEXT(stmt, 1, row->owner);
	COLUMN_TEXT(stmt, 2, row->address);
	row->epoch = column_number(stmt, 3);
	row->seq = column_number(stmt, 4);
	COLUMN_TEXT(stmt, 5, row->frozen);
	row->gen = column_number(stmt, 6);
	row->since_ms = column_number(stmt, 7);
	row->renewed_ms = column_number(stmt, 8);
	row->expires_ms = column_number(stmt, 9);
	row->presumed_until_ms = column_number(stmt, 10);
	row->now_ms = column_number(stmt, 11);
	/* An owner of an older version says nothing, and leaves what the one before it said. */
	if (column_number(stmt, 12) != row->epoch)
		return;
	row->standing.is_fenced = column_number(stmt, 13) != 0;
	row->standing.blocked_class = (uint32_t)column_number(stmt, 14);
	COLUMN_TEXT(stmt, 15, row->standing.why);
	row->standing.verified_ms = column_number(stmt, 16);
}

int shards_each(struct store *store, shard_fn fn, void *arg, struct err *err)
{
	struct statement *stmt;
	struct shard row;
	int rc;

	if (!store->backend->shards)
		return 0;
	stmt = store_prepare(store,
			     "SELECT account, owner, address, epoch, seq, frozen, gen, since_ms,"
			     " renewed_ms, expires_ms, presumed_until_ms,"
			     " " NOW ", told_epoch, is_fenced, blocked_class, blocked, verified_ms"
			     " FROM shard ORDER BY account",
			     err);
	if (!stmt)
		return -1;
	while (!(rc = store_row(store, stmt, "reading who owns the accounts", err))) {
		row_read(stmt, &row);
		fn(arg, &row);
	}
	return rc < 0 ? -1 : 0;
}
