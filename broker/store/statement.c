/* SPDX-License-Identifier: MIT */
/* Statements and transactions on an open connection. */
#include "store/internal.h"

#include <string.h>

#include "util/bug.h"

/* ---- statements ---------------------------------------------------------------- */

sqlite3_stmt *store_prepare(struct store *store, const char *sql, struct err *err)
{
	size_t i;

	for (i = 0; i < store->statement_count; i++) {
		if (store->statements[i].sql == sql)
			return store->statements[i].stmt;
	}
	if (i == STATEMENTS_MAX) {
		err_set(err, ERR_INTERNAL, "more statements than STATEMENTS_MAX");
		return NULL;
	}
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
			       &store->statements[i].stmt, NULL)) {
		store_fail(store, "preparing a statement", err);
		return NULL;
	}
	store->statements[i].sql = sql;
	store->statement_count++;
	return store->statements[i].stmt;
}

int store_row(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err)
{
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 0;
	case SQLITE_DONE:
		sqlite3_reset(stmt);
		return 1;
	default:
		store_fail(store, doing, err);
		sqlite3_reset(stmt);
		return -1;
	}
}

/* A statement that returns no rows. */
static int statement_run(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err)
{
	int rc = store_row(store, stmt, doing, err);

	if (rc == 0) {
		sqlite3_reset(stmt);
		return err_set(err, ERR_INTERNAL, "%s returned a row", doing);
	}
	return rc < 0 ? -1 : 0;
}

static int statement_run_text(struct store *store, const char *sql, const char *doing, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, sql, err);

	return stmt ? statement_run(store, stmt, doing, err) : -1;
}

static int transaction_lock(struct store *store, struct err *err)
{
	struct err own = { 0 };
	int rc = statement_run_text(store, "BEGIN IMMEDIATE", "beginning a transaction", &own);

	if (!rc) {
		store->is_open = 1;
		store->is_locked_out = 0;
		return 0;
	}
	if (own.kind == ERR_BUSY)
		store->is_locked_out = 1;
	if (err)
		*err = own;
	return -1;
}

/* The requested transaction begins with its first write; reads need none. */
static int transaction_open(struct store *store, struct err *err)
{
	if (!store->is_wanted || store->is_open)
		return 0;
	return transaction_lock(store, err);
}

int store_run(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err)
{
	if (transaction_open(store, err)) {
		/* Parameters are bound again on the next use. */
		sqlite3_reset(stmt);
		return -1;
	}
	store->is_written = 1;
	return statement_run(store, stmt, doing, err);
}

int store_exec(struct store *store, const char *sql, const char *doing, struct err *err)
{
	store->is_written = 1;
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) ? store_fail(store, doing, err) : 0;
}

void bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
	sqlite3_bind_text(stmt, index, text ? text : "", -1, SQLITE_STATIC);
}

void column_text(sqlite3_stmt *stmt, int index, char *to, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(stmt, index);
	size_t len = text ? (size_t)sqlite3_column_bytes(stmt, index) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(to, text, len);
	to[len] = '\0';
}

/* ---- transactions ----------------------------------------------------------------- */

int store_broken(const struct store *store)
{
	return store->broken;
}

void store_break(struct store *store)
{
	store->broken = 1;
}

/* May something be written? What breaks the store stays broken. */
static int writable_check(struct store *store, struct err *err)
{
	if (store->broken)
		return err_set(err, ERR_IO, "%s: an earlier write failed", store->path);
	if (guard_unchanged(store, err)) {
		store->broken = 1;
		return -1;
	}
	return 0;
}

int store_begin(struct store *store, struct err *err)
{
	if (store_begin_at_write(store, err))
		return -1;
	if (transaction_lock(store, err)) {
		store->is_wanted = 0;
		return -1;
	}
	return 0;
}

int store_begin_at_write(struct store *store, struct err *err)
{
	BUG_ON(store->is_open);
	if (writable_check(store, err) || reserve_secure(store, err))
		return -1;
	store->is_wanted = 1;
	store->is_written = store->is_undone = 0;
	return 0;
}

int store_is_written(const struct store *store)
{
	return store->is_open && store->is_written;
}

int store_commit(struct store *store, struct err *err)
{
	if (store->broken) {
		store_rollback(store);
		return err_set(err, ERR_IO, "%s: a write of this transaction failed", store->path);
	}
	store->is_wanted = 0;
	if (!store->is_open)
		return 0;
	/* Only the lock was taken, and there is nothing to sync. */
	if (!store->is_written && !store->is_undone) {
		store_rollback(store);
		return 0;
	}
	if (writable_check(store, err)) {
		store_rollback(store);
		return -1;
	}
	store->is_open = 0;
	if (store->is_undone) {
		store_rollback(store);
		return err_set(err, ERR_BUSY, "%s: there was no room for this transaction",
			       store->path);
	}
	if (statement_run_text(store, "COMMIT", "committing", err)) {
		if (!store->tolerates_full || !failure_is_full(store))
			store->broken = 1;
		store_rollback(store);
		return -1;
	}
	guard_written(store);
	return 0;
}

void store_rollback(struct store *store)
{
	store->is_wanted = store->is_open = 0;
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

int store_savepoint(struct store *store, struct err *err)
{
	if (store->is_undone)
		return err_set(err, ERR_BUSY, "%s: there was no room for this transaction",
			       store->path);
	return transaction_open(store, err) || statement_run_text(store, "SAVEPOINT one",
								  "setting a savepoint", err) ?
		       -1 :
		       0;
}

int store_savepoint_keep(struct store *store, struct err *err)
{
	if (statement_run_text(store, "RELEASE one", "releasing a savepoint", err)) {
		store->broken = 1;
		return -1;
	}
	return 0;
}

void store_savepoint_undo(struct store *store)
{
	if (store->tolerates_full && !store->broken && sqlite3_get_autocommit(store->db)) {
		/* A full disk has rolled back the whole transaction. */
		store->is_undone = 1;
		return;
	}
	/* A fatal write error has already rolled everything back. */
	if (statement_run_text(store, "ROLLBACK TO one", "rolling back to a savepoint", NULL) ||
	    statement_run_text(store, "RELEASE one", "rolling back to a savepoint", NULL))
		store->broken = 1;
}

/* ---- snapshots ------------------------------------------------------------------------- */

int store_snapshot_begin(struct store *store, struct err *err)
{
	return statement_run_text(store, "BEGIN", "beginning a snapshot", err);
}

void store_snapshot_end(struct store *store)
{
	statement_run_text(store, "COMMIT", "ending a snapshot", NULL);
}
