/* SPDX-License-Identifier: MIT */
/* Transactions of the writer, savepoints, and snapshots of a reader. */
#include "store/sqlite/internal.h"
#include "util/bug.h"

/* ---- transactions ----------------------------------------------------------------- */

/* May something be written? What breaks the store stays broken. */
static int writable_check(struct store *store, struct err *err)
{
	if (store->broken)
		return err_set(err, ERR_IO, "%s: an earlier write failed", store->name);
	if (guard_unchanged(store, err)) {
		store->broken = 1;
		return -1;
	}
	return 0;
}

/* A store that was moved to another database (move.c) is not used again. */
int store_moved_check(struct store *store, struct err *err)
{
	char target[sizeof(store->name)];

	if (meta_text(store, "moved", target, sizeof(target), err))
		return -1;
	if (!target[0])
		return 0;
	return err_set(err, ERR_REFUSED,
		       "the store %s was moved to %s by lessord migrate and is no longer used; "
		       "name that database in the configuration, as url in [store]",
		       store->name, target);
}

int sqlite_begin(struct store *store, struct err *err)
{
	if (store_begin_at_write(store, err))
		return -1;
	if (transaction_lock(store, err)) {
		store->file->is_wanted = 0;
		return -1;
	}
	/* A tool keeps nobody from moving the file, and may have waited for that. */
	if (store->file->is_tool && store_moved_check(store, err)) {
		store_rollback(store);
		return -1;
	}
	return 0;
}

int sqlite_begin_at_write(struct store *store, struct err *err)
{
	BUG_ON(store->file->is_open);
	if (writable_check(store, err) || reserve_secure(store, err))
		return -1;
	store->file->is_wanted = 1;
	store->file->is_written = store->file->is_undone = 0;
	return 0;
}

int sqlite_is_written(const struct store *store)
{
	return store->file->is_open && store->file->is_written;
}

int sqlite_commit(struct store *store, struct err *err)
{
	if (store->broken) {
		store_rollback(store);
		return err_set(err, ERR_IO, "%s: a write of this transaction failed", store->name);
	}
	store->file->is_wanted = 0;
	if (!store->file->is_open)
		return 0;
	/* Only the lock was taken, and there is nothing to sync. */
	if (!store->file->is_written && !store->file->is_undone) {
		store_rollback(store);
		return 0;
	}
	if (writable_check(store, err)) {
		store_rollback(store);
		return -1;
	}
	store->file->is_open = 0;
	if (store->file->is_undone) {
		store_rollback(store);
		return err_set(err, ERR_BUSY, "%s: there was no room for this transaction",
			       store->name);
	}
	if (statement_run_text(store, "COMMIT", "committing", err)) {
		if (!store->file->tolerates_full || !failure_is_full(store))
			store->broken = 1;
		store_rollback(store);
		return -1;
	}
	guard_written(store);
	return 0;
}

void sqlite_rollback(struct store *store)
{
	store->file->is_wanted = store->file->is_open = 0;
	if (!sqlite3_get_autocommit(store->file->db))
		sqlite3_exec(store->file->db, "ROLLBACK", NULL, NULL, NULL);
}

int sqlite_savepoint(struct store *store, struct err *err)
{
	if (store->file->is_undone)
		return err_set(err, ERR_BUSY, "%s: there was no room for this transaction",
			       store->name);
	return transaction_open(store, err) || statement_run_text(store, "SAVEPOINT one",
								  "setting a savepoint", err) ?
		       -1 :
		       0;
}

int sqlite_savepoint_keep(struct store *store, struct err *err)
{
	if (statement_run_text(store, "RELEASE one", "releasing a savepoint", err)) {
		store->broken = 1;
		return -1;
	}
	return 0;
}

void sqlite_savepoint_undo(struct store *store)
{
	if (store->file->tolerates_full && !store->broken &&
	    sqlite3_get_autocommit(store->file->db)) {
		/* A full disk has rolled back the whole transaction. */
		store->file->is_undone = 1;
		return;
	}
	/* A fatal write error has already rolled everything back. */
	if (statement_run_text(store, "ROLLBACK TO one", "rolling back to a savepoint", NULL) ||
	    statement_run_text(store, "RELEASE one", "rolling back to a savepoint", NULL))
		store->broken = 1;
}

/* ---- snapshots ------------------------------------------------------------------------- */

int sqlite_snapshot_begin(struct store *store, struct err *err)
{
	return statement_run_text(store, "BEGIN", "beginning a snapshot", err);
}

void sqlite_snapshot_end(struct store *store)
{
	statement_run_text(store, "COMMIT", "ending a snapshot", NULL);
}
