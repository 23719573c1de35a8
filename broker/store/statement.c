/* SPDX-License-Identifier: MIT */
/* Statements on an open connection, and the beginning of the transaction that they need. */
#include "store/internal.h"

#include <string.h>

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

int statement_run_text(struct store *store, const char *sql, const char *doing, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, sql, err);

	return stmt ? statement_run(store, stmt, doing, err) : -1;
}

int transaction_lock(struct store *store, struct err *err)
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

int transaction_open(struct store *store, struct err *err)
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
