/* SPDX-License-Identifier: MIT */
/* The functions of the store that its backend does, and the values of statements. Opening: open.c. */
#include <string.h>

#include "store/rows.h"

int store_view_holds(const struct store *store)
{
	return store->backend->view_holds(store);
}

void store_close(struct store *store)
{
	if (store)
		store->backend->close(store);
}

int store_check(struct store *store, struct err *err)
{
	return store->backend->check(store, err);
}

int store_reserve_keep(struct store *store, struct err *err)
{
	return store->backend->reserve_keep(store, err);
}

int store_is_shared(const struct store *store)
{
	return store->backend->is_shared(store);
}

int store_touch_many(struct store *store, const int64_t n[], const int64_t touched_ms[],
		     size_t count, struct err *err)
{
	return count ? store->backend->touch_many(store, n, touched_ms, count, err) : 0;
}

int store_create_lock(struct store *store, struct err *err)
{
	return store->backend->create_lock(store, err);
}

void store_runs_use(struct store *runs, struct store *leases)
{
	runs->leases = leases;
}

/* ---- transactions ------------------------------------------------------------------------- */

int store_broken(const struct store *store)
{
	return store->broken;
}

void store_break(struct store *store)
{
	store->broken = 1;
}

enum store_state store_state(const struct store *store)
{
	return store->backend->state(store);
}

uint64_t store_session(const struct store *store)
{
	return store->backend->session ? store->backend->session(store) : 0;
}

uint64_t store_data_version(struct store *store)
{
	return store->backend->data_version(store);
}

int store_begin(struct store *store, struct err *err)
{
	return store->backend->begin(store, err);
}

int store_begin_at_write(struct store *store, struct err *err)
{
	return store->backend->begin_at_write(store, err);
}

int store_is_written(const struct store *store)
{
	return store->backend->is_written(store);
}

int store_commit(struct store *store, struct err *err)
{
	return store->backend->commit(store, err);
}

void store_rollback(struct store *store)
{
	store->backend->rollback(store);
}

int store_savepoint(struct store *store, struct err *err)
{
	return store->backend->savepoint(store, err);
}

int store_savepoint_keep(struct store *store, struct err *err)
{
	return store->backend->savepoint_keep(store, err);
}

void store_savepoint_undo(struct store *store)
{
	store->backend->savepoint_undo(store);
}

int store_snapshot_begin(struct store *store, struct err *err)
{
	return store->backend->snapshot_begin(store, err);
}

void store_snapshot_end(struct store *store)
{
	store->backend->snapshot_end(store);
}

/* ---- statements --------------------------------------------------------------------------- */

struct statement *store_prepare(struct store *store, const char *sql, struct err *err)
{
	return store->backend->prepare(store, sql, err);
}

int store_run(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	return store->backend->run(store, stmt, doing, err);
}

int store_run_one(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	return store->backend->run_one(store, stmt, doing, err);
}

int store_run_new(struct store *store, struct statement *stmt, int index, const char *table,
		  int64_t *ret_n, const char *doing, struct err *err)
{
	return store->backend->run_new(store, stmt, index, table, ret_n, doing, err);
}

int64_t store_changed(struct store *store, struct statement *stmt, struct err *err)
{
	return store->backend->changed(store, stmt, err);
}

int store_row(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	return store->backend->row(store, stmt, doing, err);
}

void statement_end(struct statement *stmt)
{
	stmt->backend->end(stmt);
}

/* ---- values ------------------------------------------------------------------------------- */

void bind_number(struct statement *stmt, int index, int64_t value)
{
	stmt->backend->bind_number(stmt, index, value);
}

void bind_text(struct statement *stmt, int index, const char *text)
{
	stmt->backend->bind_text(stmt, index, text ? text : "");
}

void bind_text_or_null(struct statement *stmt, int index, const char *text)
{
	if (text)
		bind_text(stmt, index, text);
	else
		bind_null(stmt, index);
}

void bind_blob(struct statement *stmt, int index, const void *data, size_t len)
{
	stmt->backend->bind_blob(stmt, index, data, len);
}

void bind_null(struct statement *stmt, int index)
{
	stmt->backend->bind_null(stmt, index);
}

int64_t column_number(const struct statement *stmt, int index)
{
	return stmt->backend->column_number(stmt, index);
}

int column_int(const struct statement *stmt, int index)
{
	return (int)column_number(stmt, index);
}

const char *column_data(const struct statement *stmt, int index, size_t *ret_len)
{
	return stmt->backend->column_data(stmt, index, ret_len);
}

const char *column_string(const struct statement *stmt, int index)
{
	size_t len;
	const char *text = stmt->backend->column_text(stmt, index, &len);

	return text ? text : "";
}

void column_text(const struct statement *stmt, int index, char *to, size_t size)
{
	size_t len = 0;
	const char *text = stmt->backend->column_text(stmt, index, &len);

	if (!text)
		len = 0;
	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(to, text, len);
	to[len] = '\0';
}
