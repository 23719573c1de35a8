/* SPDX-License-Identifier: MIT */
/*
 * Moves the runs of a leases' file from before schema 8 to the runs' file. Each run is
 * copied with all its parts in one transaction, unless a run with its id is already there;
 * once all are on disk, their tables are dropped from the leases' file in one transaction.
 * So a crash at any point leaves each run in at least one of the files, and once in the
 * runs' file.
 */
#include "store/sqlite/internal.h"
#include "store/runs.h"

#include "util/alloc.h"

/* Approximate amount copied between two commits. */
#define BATCH_BYTES (16 << 20)

#define RUN_COLUMNS \
	"id, owner, org, label, started_ms, lease, slug, account, target, windows_mode, class," \
	" server_type, phase, blocked_stage, retry_likely, state, finished, event_ms, ended_ms," \
	" sync_ms, command_ms, has_exit_code, exit_code, log_bytes, log_truncated, event_count," \
	" event_bytes, bytes, command"
#define RUN_COLUMN_COUNT 29

/* The parts of a run: the columns after its row number. */
static const struct {
	const char *read, *write;
	int columns;
} pieces[] = {
	{ "SELECT lease FROM run_lease WHERE run = ?1", "INSERT INTO run_lease VALUES(?1, ?2)", 1 },
	{ "SELECT seq, at_ms, fields FROM run_event WHERE run = ?1",
	  "INSERT INTO run_event VALUES(?1, ?2, ?3, ?4)", 3 },
	{ "SELECT at_ms, data FROM run_sample WHERE run = ?1",
	  "INSERT INTO run_sample VALUES(?1, ?2, ?3)", 2 },
	{ "SELECT data FROM run_results WHERE run = ?1", "INSERT INTO run_results VALUES(?1, ?2)", 1 },
	{ "SELECT data FROM run_receipt WHERE run = ?1", "INSERT INTO run_receipt VALUES(?1, ?2)", 1 },
	{ "SELECT part, data FROM run_log WHERE run = ?1",
	  "INSERT INTO run_log VALUES(?1, ?2, ?3)", 2 },
};

/* Copies each row of `from` into `to`, starting at parameter `first`. */
static int copy_rows(struct store *leases, struct statement *from, struct store *runs,
		     struct statement *to, int columns, int first, struct err *err)
{
	int rc;

	while ((rc = store_row(leases, from, "reading runs to move", err)) == 0) {
		for (int i = 0; i < columns; i++)
			sqlite3_bind_value(sqlite_of(to), first + i,
					   sqlite3_column_value(sqlite_of(from), i));
		if (store_run(runs, to, "moving a run", err)) {
			statement_end(from);
			return -1;
		}
	}
	sqlite3_clear_bindings(sqlite_of(to));
	return rc < 0 ? -1 : 0;
}

static int copy_pieces(struct store *leases, int64_t old_n, struct store *runs, int64_t n,
		       struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct statement *from = store_prepare(leases, pieces[i].read, err);
		struct statement *to = from ? store_prepare(runs, pieces[i].write, err) : NULL;

		if (!to)
			return -1;
		bind_number(from, 1, old_n);
		bind_number(to, 1, n);
		if (copy_rows(leases, from, runs, to, pieces[i].columns, 2, err))
			return -1;
	}
	return 0;
}

/* Is there a run with that id? 1, 0, -1. */
static int is_there(struct store *runs, const char *id, struct err *err)
{
	struct statement *stmt = store_prepare(runs, "SELECT 1 FROM run WHERE id = ?1", err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	rc = store_row(runs, stmt, "looking for a run", err);
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : rc == 0;
}

static int copy_run(struct store *leases, int64_t old_n, struct store *runs, struct err *err)
{
	struct statement *from = store_prepare(leases,
					       "SELECT " RUN_COLUMNS " FROM run WHERE n = ?1", err);
	struct statement *to =
		!from ? NULL :
			store_prepare(runs,
				      "INSERT INTO run(" RUN_COLUMNS ") VALUES("
				      "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
				      " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				      err);

	if (!to)
		return -1;
	bind_number(from, 1, old_n);
	if (copy_rows(leases, from, runs, to, RUN_COLUMN_COUNT, 1, err))
		return -1;
	return copy_pieces(leases, old_n, runs, sqlite3_last_insert_rowid(runs->file->db), err);
}

/* The next run after *n. 0 with its row, id and size; 1 none; -1. */
static int next_run(struct store *leases, int64_t *n, char id[RUN_ID_SIZE], int64_t *ret_bytes,
		    struct err *err)
{
	struct statement *stmt = store_prepare(leases,
					       "SELECT n, id, bytes FROM run WHERE n > ?1"
					       " ORDER BY n LIMIT 1",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, *n);
	rc = store_row(leases, stmt, "reading runs to move", err);
	if (rc)
		return rc;
	*n = column_number(stmt, 0);
	column_text(stmt, 1, id, RUN_ID_SIZE);
	*ret_bytes = column_number(stmt, 2);
	statement_end(stmt);
	return 0;
}

/* Copies one transaction's worth after *n. 0 there may be more, 1 done, -1. */
static int copy_batch(struct store *leases, struct store *runs, int64_t *n, struct err *err)
{
	int64_t copied = 0, bytes;
	char id[RUN_ID_SIZE];
	int rc = 0;

	if (store_begin(runs, err))
		return -1;
	while (copied < BATCH_BYTES && (rc = next_run(leases, n, id, &bytes, err)) == 0) {
		int known = is_there(runs, id, err);

		if (known < 0 || (!known && copy_run(leases, *n, runs, err))) {
			rc = -1;
			break;
		}
		if (!known)
			copied += bytes;
	}
	if (rc < 0) {
		store_rollback(runs);
		return -1;
	}
	return store_commit(runs, err) ? -1 : rc;
}

int runs_move(struct store *leases, struct store *runs, const struct env *env, struct err *err)
{
	int there = schema_has_runs(leases, err);
	int64_t n = 0;
	int rc = 0;

	if (there <= 0)
		return there;
	while (rc == 0) {
		rc = copy_batch(leases, runs, &n, err);
		env_point(env, "runs-copied");
	}
	if (rc < 0 || store_begin(leases, err))
		return -1;
	if (schema_drop_runs(leases, err)) {
		store_rollback(leases);
		return -1;
	}
	if (store_commit(leases, err))
		return -1;
	env_point(env, "runs-moved");
	return 0;
}
