/* SPDX-License-Identifier: MIT */
/* The table of functions of the store on PostgreSQL. */
#include "store/postgres/internal.h"
#include "store/postgres/shard_internal.h"

#include <stdlib.h>

static void pg_close(struct store *store)
{
	struct pg_connection *c = pg_of(store);

	if (c->binding && c->binding->close)
		c->binding->close(c->binding, c);
	pg_session_end(c);
	for (int i = 0; i < c->host_count; i++)
		pg_attempt_drop(c->attempts[i]);
	free(c->attempts);
	for (size_t i = 0; i < PG_STATEMENTS; i++)
		pg_statement_free(c->statements[i]);
	pg_options_free(c->options);
	free(c->queue);
	free(c);
}

/* ---- what SQLite does otherwise ------------------------------------------------------------- */

static int view_holds(const struct store *store)
{
	(void)store;
	return 1;
}

static int check(struct store *store, struct err *err)
{
	return pg_schema_check(pg_of(store), err);
}

/* The disk is the server's. */
static int reserve_keep(struct store *store, struct err *err)
{
	(void)store;
	(void)err;
	return 0;
}

static int is_shared(const struct store *store)
{
	(void)store;
	return 1;
}

/* Others write, too, and nothing cheap tells. */
static uint64_t data_version(struct store *store)
{
	(void)store;
	return 0;
}

static uint64_t session(const struct store *store)
{
	return pg_of(store)->session;
}

static int touch_many(struct store *store, const int64_t n[], const int64_t ms[], size_t count,
		      struct err *err)
{
	/* In one order, so that two batches cannot wait for each other; each row once. */
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO beat(lease, touched_ms) SELECT n, max(ms)"
			      " FROM unnest(?1, ?2) AS beats(n, ms) GROUP BY n ORDER BY n"
			      " ON CONFLICT (lease) DO UPDATE SET touched_ms = excluded.touched_ms",
			      err);

	if (!stmt)
		return -1;
	pg_bind_numbers(stmt, 1, n, count);
	pg_bind_numbers(stmt, 2, ms, count);
	return store_run(store, stmt, "recording heartbeats", err);
}

/*
 * The order of events is that of the transactions that wrote them (event_order.c). Below the oldest
 * transaction that still runs nothing is added; of an index in this order, the last entry is that
 * one's neighbour.
 */
/* clang-format off */
#define COMMIT "event.commit_xid"
#define EVENT \
	"SELECT CAST(CAST(" COMMIT " AS text) AS bigint), event.n, event.lease, event.at_ms," \
	" event.kind, event.text"
#define PLACE(commit, n) "(CAST(CAST(" commit " AS text) AS xid8), " n ")"

static const char event_last[] =
	"SELECT CAST(CAST(commit_xid AS text) AS bigint), n FROM event"
	" WHERE commit_xid < (SELECT CAST(CAST(CAST(CAST(pg_snapshot_xmin(pg_current_snapshot())"
	" AS text) AS bigint) + event_offset AS text) AS xid8) FROM lessor_schema)"
	" ORDER BY commit_xid DESC, n DESC LIMIT 1";
static const char event_at[] =
	EVENT " FROM event WHERE (commit_xid, n) = " PLACE("?1", "?2");
static const char event_feed[] =
	EVENT ", CASE WHEN lease.n IS NULL THEN 0 WHEN " VISIBLE "THEN 1 ELSE 0 END,"
	" coalesce(lease.id, ''), coalesce(lease.slug, ''), coalesce(lease.account, '')"
	" FROM event LEFT JOIN lease ON lease.n = event.lease"
	" WHERE (" COMMIT ", event.n) > " PLACE("?1", "?5")
	" AND (" COMMIT ", event.n) <= " PLACE("?6", "?7")
	" ORDER BY " COMMIT ", event.n LIMIT ?8";
/* clang-format on */

const struct backend backend_postgres = {
	.view_holds = view_holds,
	.close = pg_close,
	.check = check,
	.reserve_keep = reserve_keep,
	.is_shared = is_shared,
	.shards = &shard_backend_postgres,
	.state = pg_state,
	.data_version = data_version,
	.session = session,
	.begin = pg_begin,
	.begin_at_write = pg_begin_at_write,
	.is_written = pg_is_written,
	.commit = pg_commit,
	.rollback = pg_rollback,
	.savepoint = pg_savepoint,
	.savepoint_keep = pg_savepoint_keep,
	.savepoint_undo = pg_savepoint_undo,
	.snapshot_begin = pg_snapshot_begin,
	.snapshot_end = pg_snapshot_end,
	.touch_many = touch_many,
	.create_lock = pg_create_lock,
	.event_last = event_last,
	.event_at = event_at,
	.event_feed = event_feed,
	.prepare = pg_prepare,
	.run = pg_run,
	.run_one = pg_run_one,
	.run_new = pg_run_new,
	.changed = pg_changed,
	.row = pg_row,
	.end = pg_end,
	.bind_number = pg_bind_number,
	.bind_text = pg_bind_text,
	.bind_blob = pg_bind_blob,
	.bind_null = pg_bind_null,
	.column_number = pg_column_number,
	.column_data = pg_column_data,
	.column_text = pg_column_data,
};
