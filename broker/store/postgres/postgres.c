/* SPDX-License-Identifier: MIT */
/* The table of functions of the store on PostgreSQL, and how its stores are opened. */
#include "store/postgres/internal.h"
#include "store/postgres/shard_internal.h"

#include <stdlib.h>

#include "store/postgres/module.h"
#include "util/bug.h"

/* The advisory lock of creates, of all daemons of this database. */
#define CREATE_LOCK INT64_C(0x6c6573736f7201)

static void pg_close(struct store *store)
{
	struct pg_connection *c = pg_of(store);

	if (c->binding && c->binding->close)
		c->binding->close(c->binding, c);
	pg_disconnect(c);
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

static int create_lock(struct store *store, struct err *err)
{
	struct statement *stmt = store_prepare(store, "SELECT pg_advisory_xact_lock(?1)", err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, CREATE_LOCK);
	return store_run(store, stmt, "waiting for other creates", err);
}

const struct backend backend_postgres = {
	.view_holds = view_holds,
	.close = pg_close,
	.check = check,
	.reserve_keep = reserve_keep,
	.is_shared = is_shared,
	.shards = &shard_backend_postgres,
	.state = pg_state,
	.data_version = data_version,
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
	.create_lock = create_lock,
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

/* ---- opening --------------------------------------------------------------------------------- */

static int writer_begin(struct pg_connection *c, const struct env *env, struct err *err)
{
	return pg_schema_make(c, err) || identity_make(&c->store, env, err) ? -1 : 0;
}

/* 0; 1: a database without a schema; -1. */
static int schema_begin(struct pg_connection *c, const struct env *env, struct err *err)
{
	if (pg_connect(c, err))
		return -1;
	return c->store.reader ? pg_schema_readable(c, err) : writer_begin(c, env, err);
}

static int open_store(const char *name, enum store_use use, const struct env *env,
		      struct store **ret, struct err *err)
{
	struct pg_connection *c = pg_new(name, NULL, use, err);
	int rc;

	if (!c)
		return -1;
	c->store.backend = &backend_postgres;
	rc = schema_begin(c, env, err);
	if (rc == 1 && use == STORE_READER)
		rc = err_set(err, ERR_NOT_FOUND, "%s: there is no store in this database",
			     c->store.name);
	if (rc)
		pg_close(&c->store);
	else
		*ret = &c->store;
	return rc;
}

/* The same database, and a connection of its own: its commits wait for nobody. */
static int open_runs(struct store *leases, const struct env *env, struct store **ret,
		     int *ret_is_lost, struct err *err)
{
	struct pg_connection *c = pg_new(NULL, pg_of(leases), STORE_DAEMON, err);

	(void)env;
	BUG_ON(!c);
	*ret_is_lost = 0;
	c->store.backend = &backend_postgres;
	c->is_tolerant = 1;
	if (pg_connect(c, err)) {
		pg_close(&c->store);
		return -1;
	}
	*ret = &c->store;
	return 0;
}

static int open_runs_reader(const char *name, struct store **ret, struct err *err)
{
	return open_store(name, STORE_READER, NULL, ret, err);
}

static int is_missing(const char *name)
{
	(void)name;
	return 0;
}

static const struct opener opener = {
	.open = open_store,
	.open_runs = open_runs,
	.open_runs_reader = open_runs_reader,
	.is_missing = is_missing,
	.survey = pg_survey,
};

const struct store_module lessord_store_module = {
	.abi = STORE_MODULE_ABI,
	.backend_size = sizeof(struct backend),
	.opener = &opener,
	.log_forward = log_forward,
};
