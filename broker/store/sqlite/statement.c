/* SPDX-License-Identifier: MIT */
/* Statements on an open connection, and the beginning of the transaction that they need. */
#include "store/sqlite/internal.h"

/* ---- statements ---------------------------------------------------------------- */

sqlite3_stmt *sqlite_of(const struct statement *stmt)
{
	return ((const struct sqlite_statement *)(const void *)stmt)->stmt;
}

struct statement *sqlite_prepare(struct store *store, const char *sql, struct err *err)
{
	struct sqlite_file *file = store->file;
	struct sqlite_statement *stmt;
	size_t i;

	for (i = 0; i < file->statement_count; i++) {
		if (file->statements[i].sql == sql)
			return &file->statements[i].base;
	}
	if (i == STATEMENTS_MAX) {
		err_set(err, ERR_INTERNAL, "more statements than STATEMENTS_MAX");
		return NULL;
	}
	stmt = &file->statements[i];
	if (sqlite3_prepare_v3(file->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->stmt, NULL)) {
		store_fail(store, "preparing a statement", err);
		return NULL;
	}
	stmt->base.backend = store->backend;
	stmt->sql = sql;
	file->statement_count++;
	return &stmt->base;
}

int sqlite_row(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	switch (sqlite3_step(sqlite_of(stmt))) {
	case SQLITE_ROW:
		return 0;
	case SQLITE_DONE:
		statement_end(stmt);
		return 1;
	default:
		store_fail(store, doing, err);
		statement_end(stmt);
		return -1;
	}
}

/* A statement that returns no rows. */
static int statement_run(struct store *store, struct statement *stmt, const char *doing,
			 struct err *err)
{
	int rc = sqlite_row(store, stmt, doing, err);

	if (rc == 0) {
		statement_end(stmt);
		return err_set(err, ERR_INTERNAL, "%s returned a row", doing);
	}
	return rc < 0 ? -1 : 0;
}

int statement_run_text(struct store *store, const char *sql, const char *doing, struct err *err)
{
	struct statement *stmt = sqlite_prepare(store, sql, err);

	return stmt ? statement_run(store, stmt, doing, err) : -1;
}

int transaction_lock(struct store *store, struct err *err)
{
	struct err own = { 0 };
	int rc = statement_run_text(store, "BEGIN IMMEDIATE", "beginning a transaction", &own);

	if (!rc) {
		store->file->is_open = 1;
		store->file->is_locked_out = 0;
		return 0;
	}
	if (own.kind == ERR_BUSY)
		store->file->is_locked_out = 1;
	if (err)
		*err = own;
	return -1;
}

int transaction_open(struct store *store, struct err *err)
{
	if (!store->file->is_wanted || store->file->is_open)
		return 0;
	return transaction_lock(store, err);
}

int sqlite_run(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	if (transaction_open(store, err)) {
		/* Parameters are bound again on the next use. */
		statement_end(stmt);
		return -1;
	}
	store->file->is_written = 1;
	return statement_run(store, stmt, doing, err);
}

int sqlite_run_one(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	if (sqlite_run(store, stmt, doing, err))
		return -1;
	if (sqlite3_changes(store->file->db) != 1)
		return err_set(err, ERR_NOT_FOUND, "%s: the row does not exist (%s)", store->name,
			       doing);
	return 0;
}

int sqlite_run_new(struct store *store, struct statement *stmt, int index, const char *table,
		   int64_t *ret_n, const char *doing, struct err *err)
{
	(void)table;
	sqlite3_bind_null(sqlite_of(stmt), index);
	if (sqlite_run(store, stmt, doing, err))
		return -1;
	*ret_n = sqlite3_last_insert_rowid(store->file->db);
	return 0;
}

int64_t sqlite_changed(struct store *store, struct statement *stmt, struct err *err)
{
	(void)stmt;
	(void)err;
	return sqlite3_changes(store->file->db);
}

int store_exec(struct store *store, const char *sql, const char *doing, struct err *err)
{
	store->file->is_written = 1;
	return sqlite3_exec(store->file->db, sql, NULL, NULL, NULL) ?
		       store_fail(store, doing, err) :
		       0;
}
