/* SPDX-License-Identifier: MIT */
/* The table of functions of the store on SQLite, and the values of its statements. */
#include "store/sqlite/internal.h"

/* One daemon holds the file's lock. */
static int is_shared(const struct store *store)
{
	(void)store;
	return 0;
}

static int create_lock(struct store *store, struct err *err)
{
	(void)store;
	(void)err;
	return 0;
}

static int touch_many(struct store *store, const int64_t n[], const int64_t ms[], size_t count,
		      struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (store_touch(store, n[i], ms[i], err))
			return -1;
	}
	return 0;
}

static void end(struct statement *stmt)
{
	sqlite3_reset(sqlite_of(stmt));
}

static void number_bind(struct statement *stmt, int index, int64_t value)
{
	sqlite3_bind_int64(sqlite_of(stmt), index, value);
}

static void text_bind(struct statement *stmt, int index, const char *text)
{
	sqlite3_bind_text(sqlite_of(stmt), index, text, -1, SQLITE_STATIC);
}

static void blob_bind(struct statement *stmt, int index, const void *data, size_t len)
{
	sqlite3_bind_blob64(sqlite_of(stmt), index, data, len, SQLITE_STATIC);
}

static void null_bind(struct statement *stmt, int index)
{
	sqlite3_bind_null(sqlite_of(stmt), index);
}

static int64_t number_of(const struct statement *stmt, int index)
{
	return sqlite3_column_int64(sqlite_of(stmt), index);
}

static const char *text_of(const struct statement *stmt, int index, size_t *ret_len)
{
	const char *text = (const char *)sqlite3_column_text(sqlite_of(stmt), index);

	*ret_len = text ? (size_t)sqlite3_column_bytes(sqlite_of(stmt), index) : 0;
	return text;
}

static const char *data_of(const struct statement *stmt, int index, size_t *ret_len)
{
	const char *blob;

	if (sqlite3_column_type(sqlite_of(stmt), index) != SQLITE_BLOB)
		return text_of(stmt, index, ret_len);
	blob = sqlite3_column_blob(sqlite_of(stmt), index);
	*ret_len = blob ? (size_t)sqlite3_column_bytes(sqlite_of(stmt), index) : 0;
	return blob;
}

/* A commit of SQLite's has no number: 0. */
#define EVENT "SELECT 0, event.n, event.lease, event.at_ms, event.kind, event.text"

static const char event_last[] = "SELECT 0, max(n) FROM event HAVING max(n) > 0";
static const char event_at[] = EVENT " FROM event WHERE ?1 = 0 AND n = ?2";
/* clang-format off */
static const char event_feed[] =
	EVENT ", CASE WHEN lease.n IS NULL THEN 0 WHEN " VISIBLE "THEN 1 ELSE 0 END,"
	" lease.id, lease.slug, lease.account"
	" FROM event LEFT JOIN lease ON lease.n = event.lease"
	" WHERE event.n > ?5 AND event.n <= ?7 ORDER BY event.n LIMIT ?8";
/* clang-format on */

const struct backend backend_sqlite = {
	.view_holds = sqlite_view_holds,
	.close = sqlite_close,
	.check = sqlite_check,
	.reserve_keep = sqlite_reserve_keep,
	.is_shared = is_shared,
	.state = sqlite_state,
	.data_version = sqlite_data_version,
	.begin = sqlite_begin,
	.begin_at_write = sqlite_begin_at_write,
	.is_written = sqlite_is_written,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.savepoint = sqlite_savepoint,
	.savepoint_keep = sqlite_savepoint_keep,
	.savepoint_undo = sqlite_savepoint_undo,
	.snapshot_begin = sqlite_snapshot_begin,
	.snapshot_end = sqlite_snapshot_end,
	.touch_many = touch_many,
	.create_lock = create_lock,
	.event_last = event_last,
	.event_at = event_at,
	.event_feed = event_feed,
	.prepare = sqlite_prepare,
	.run = sqlite_run,
	.run_one = sqlite_run_one,
	.run_new = sqlite_run_new,
	.changed = sqlite_changed,
	.row = sqlite_row,
	.end = end,
	.bind_number = number_bind,
	.bind_text = text_bind,
	.bind_blob = blob_bind,
	.bind_null = null_bind,
	.column_number = number_of,
	.column_data = data_of,
	.column_text = text_of,
};
