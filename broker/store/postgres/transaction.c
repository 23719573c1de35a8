/* SPDX-License-Identifier: MIT */
/*
 * Transactions: what is sent up to a Sync. Nothing is sent before the first command, so that an
 * empty transaction costs nothing.
 */
#include "store/postgres/internal.h"

#include <stdio.h>

#include "util/bug.h"

#define SNAPSHOT "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

static void failure_clear(struct pg_connection *c)
{
	c->failure = (struct err){ .kind = ERR_NONE };
	c->sqlstate[0] = '\0';
	c->failed_at = -1;
	c->is_unconfirmed = 0;
	c->first = c->count + 1;
}

static int failure_give(const struct pg_connection *c, struct err *err)
{
	if (err)
		*err = c->failure;
	return -1;
}

/* A command without parameters. */
static int word_send(struct pg_connection *c, const char *word, const char *doing, struct err *err)
{
	return pg_noted(c, PQsendQueryParams(c->conn, word, 0, NULL, NULL, NULL, NULL, 0), doing,
			err) ?
		       0 :
		       -1;
}

/* What fails if a newer lessord has excluded this one since the store was opened. */
static int schema_fence_send(struct pg_connection *c, struct err *err)
{
	static const char doing[] = "looking at the schema", name[] = "schema";
	struct pg_queued *queued;
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT 1 / count(*) FROM lessor_schema WHERE oldest <= %d",
		 PG_SCHEMA_NEWEST);
	if (c->schema_session != c->session &&
	    !pg_noted(c, PQsendPrepare(c->conn, name, sql, 0, NULL), doing, err))
		return -1;
	c->schema_session = c->session;
	queued = pg_noted(c, PQsendQueryPrepared(c->conn, name, 0, NULL, NULL, NULL, 0), doing, err);
	if (!queued)
		return -1;
	queued->is_schema = 1;
	return 0;
}

static int fence_send(struct pg_connection *c, struct err *err)
{
	struct shard_binding *binding = c->binding;
	int rc;

	if (!binding)
		return schema_fence_send(c, err);
	c->binding = NULL;
	rc = binding->fence(binding, c, err);
	c->binding = binding;
	return rc;
}

int pg_transaction_open(struct pg_connection *c, struct err *err)
{
	if (c->phase == PG_OPEN) {
		if (c->failure.kind)
			return failure_give(c, err);
		return c->conn ? 0 : pg_lose(c, "in a transaction", err);
	}
	if (pg_connected(c, err))
		return -1;
	failure_clear(c);
	if (c->phase == PG_IDLE)
		return 0;
	c->phase = PG_OPEN;
	return c->is_snapshot ? word_send(c, SNAPSHOT, "beginning a snapshot", err) :
				fence_send(c, err);
}

/* ---- the writer ---------------------------------------------------------------------------- */

enum store_state pg_state(const struct store *store)
{
	return pg_of(store)->conn ? STORE_WRITABLE : STORE_AWAY;
}

int pg_begin(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	BUG_ON(c->phase != PG_IDLE);
	if (store->broken)
		return err_set(err, ERR_IO, "%s: an earlier write failed", store->name);
	if (pg_connected(c, err))
		return -1;
	failure_clear(c);
	c->phase = PG_WANTED;
	c->is_snapshot = c->is_written = c->is_written_since = 0;
	c->create_lock = PG_CREATE_UNASKED;
	return 0;
}

int pg_begin_at_write(struct store *store, struct err *err)
{
	return pg_begin(store, err);
}

int pg_is_written(const struct store *store)
{
	const struct pg_connection *c = pg_of(store);

	return c->phase == PG_OPEN && c->is_written;
}

void pg_rollback(struct store *store)
{
	struct pg_connection *c = pg_of(store);
	int is_sent = c->phase == PG_OPEN && c->conn && c->count >= c->first;

	/* After an error the server skips this, too, and has undone everything. */
	if (is_sent && word_send(c, "ROLLBACK", "rolling back", NULL) == 0)
		pg_wait(c, 1, NULL);
	c->phase = PG_IDLE;
	/* A read may have found out that its fence has failed. */
	if (c->failure.kind && c->binding)
		c->binding->refused(c->binding, c);
}

/* It is not committed, and c->failure says why. The memory of the caller is ahead of it. */
static int commit_refused(struct pg_connection *c, struct err *err)
{
	struct shard_binding *binding = c->binding;

	c->store.broken |= !c->is_tolerant;
	if (binding)
		binding->refused(binding, c);
	return failure_give(c, err);
}

static int commit_done(struct pg_connection *c)
{
	struct shard_binding *binding = c->binding;

	if (binding)
		binding->committed(binding, c);
	return 0;
}

/* The connection was lost after the Sync: only the shard's binding can find out what became of it. */
static int commit_unknown(struct pg_connection *c, struct err *err)
{
	struct shard_binding *binding = c->binding;
	struct err own = { 0 };
	int rc;

	pg_session_end(c);
	/* The failure of the connection is not one of the transaction. */
	failure_give(c, &own);
	if (!binding) {
		c->store.broken |= c->is_written && !c->is_tolerant;
		if (err)
			*err = own;
		return c->is_written ? -1 : 0;
	}
	c->binding = NULL;
	rc = binding->resolve(binding, c, &own);
	c->binding = binding;
	if (rc == 1)
		return 0;
	c->store.broken = 1;
	if (err)
		*err = own;
	return -1;
}

int pg_commit(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	if (store->broken) {
		pg_rollback(store);
		return err_set(err, ERR_IO, "%s: a write of this transaction failed", store->name);
	}
	if (c->phase != PG_OPEN) {
		c->phase = PG_IDLE;
		return 0;
	}
	if (c->failure.kind) {
		pg_rollback(store);
		return commit_refused(c, err);
	}
	pg_numbers_ahead(c, 0);
	pg_wait(c, 1, NULL);
	c->phase = PG_IDLE;
	/* The server has said why, or it has not committed: the Sync was answered. */
	if (c->failure.kind && (c->sqlstate[0] || c->conn))
		return commit_refused(c, err);
	if (!c->failure.kind && c->is_unconfirmed)
		err_set(&c->failure, ERR_IO,
			"%s: the server committed a transaction that its standby may not have",
			store->name);
	return c->failure.kind ? commit_unknown(c, err) : commit_done(c);
}

/* ---- savepoints: there are none, so what was written cannot be undone alone ---------------- */

int pg_savepoint(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	if (c->failure.kind)
		return failure_give(c, err);
	c->is_written_since = 0;
	return 0;
}

int pg_savepoint_keep(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	if (!c->failure.kind)
		return 0;
	store->broken |= !c->is_tolerant;
	return failure_give(c, err);
}

void pg_savepoint_undo(struct store *store)
{
	struct pg_connection *c = pg_of(store);

	if (!c->is_written_since)
		return;
	store->broken |= !c->is_tolerant;
	if (!c->failure.kind)
		err_set(&c->failure, ERR_BUSY, "%s: a part of this transaction failed", store->name);
}

/* ---- a reader's snapshot -------------------------------------------------------------------- */

int pg_snapshot_begin(struct store *store, struct err *err)
{
	struct pg_connection *c = pg_of(store);

	BUG_ON(c->phase != PG_IDLE);
	if (pg_connected(c, err))
		return -1;
	failure_clear(c);
	c->phase = PG_WANTED;
	c->is_snapshot = 1;
	return 0;
}

void pg_snapshot_end(struct store *store)
{
	struct pg_connection *c = pg_of(store);
	int is_open = c->phase == PG_OPEN && c->conn;
	int has_failed = c->failure.kind != ERR_NONE;

	c->phase = PG_IDLE;
	c->is_snapshot = 0;
	/* What follows an error is skipped up to the Sync; the BEGIN outlives that. */
	if (is_open && has_failed)
		pg_wait(c, 1, NULL);
	failure_clear(c);
	if (is_open && c->conn && word_send(c, "COMMIT", "ending a snapshot", NULL) == 0)
		pg_wait(c, 1, NULL);
}
