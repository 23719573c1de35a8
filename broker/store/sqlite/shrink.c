/* SPDX-License-Identifier: MIT */
/*
 * The leases' file becomes smaller when leases were pruned: page by page, by PRAGMA
 * incremental_vacuum, in the same transactions as everything else. That takes a file that keeps a
 * map of who points to each page (auto_vacuum = INCREMENTAL): a new file is made so, and an older
 * one is copied once by VACUUM, when a daemon starts and the disk has room. VACUUM is one
 * transaction: a crash or a full disk in it changes nothing. Whoever reads meanwhile goes on with
 * what was there before.
 */
#include "store/sqlite/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/sqlite/reserve.h"
#include "util/log.h"

#define INCREMENTAL 2
/* What the log has between two checkpoints anyway. */
#define LOG_MOST "16777216"
/* A larger file would delay the start for too long: about 10 s per GiB. */
#define COPY_MOST (INT64_C(8) << 30)
/* Free pages that stay, for what comes: a sixteenth of the file, and not less than the least. */
#define SPARE_LEAST 64
#define SPARE_SHARE 16

int shrink_prepare(struct store *store, struct err *err)
{
	struct stat st;

	/* Of a file that has content it would take effect with the next VACUUM only. */
	if (store->file->schema != &schema_leases || stat(store->name, &st) || st.st_size)
		return 0;
	return store_exec(store, "PRAGMA auto_vacuum = INCREMENTAL", "setting up", err);
}

/* Not store_exec: what fails here breaks nothing. */
static int try_exec(struct store *store, const char *sql)
{
	return sqlite3_exec(store->file->db, sql, NULL, NULL, NULL) != SQLITE_OK;
}

/* Of temporary files: in memory the copy would take as much of that as the file has. */
static int copy(struct store *store)
{
	int rc = try_exec(store, "PRAGMA temp_store = FILE; PRAGMA auto_vacuum = INCREMENTAL") ||
		 try_exec(store, "VACUUM");

	if (rc)
		log_notice(LOG_FIELDS({ "error", sqlite3_errmsg(store->file->db) },
				      { "event", "store.copy_failed" }),
			   "%s could not be copied, which it takes once to become smaller when leases are "
			   "pruned; the next start tries again",
			   store->name);
	try_exec(store, "PRAGMA temp_store = MEMORY");
	return rc;
}

void shrink_enable(struct store *store)
{
	int64_t mode, room = reserve_room(store);
	struct stat st;

	if (store->file->schema != &schema_leases ||
	    schema_number(store, "PRAGMA auto_vacuum", &mode, NULL) || mode == INCREMENTAL ||
	    stat(store->name, &st))
		return;
	/* The log takes the copy, and then the file; the copy itself may be on the same disk. */
	if (room >= 0 &&
	    (st.st_size > COPY_MOST || room < 2 * (int64_t)st.st_size + RESERVE_BYTES)) {
		log_notice(LOG_FIELDS({ "event", "store.copy_put_off" }),
			   "%s does not become smaller when leases are pruned: it would have to be copied "
			   "once, at a start, which takes %" PRId64 " MiB of free disk%s",
			   store->name, (2 * (int64_t)st.st_size + RESERVE_BYTES) >> 20,
			   st.st_size > COPY_MOST ? ", and too long for a file of this size" : "");
		return;
	}
	log_info(LOG_FIELDS({ "event", "store.copy" }),
		 "copying %s once, so that it can become smaller when leases are pruned",
		 store->name);
	/*
	 * The log holds the copy, and is cut back when it begins anew; not before: of a log that is
	 * truncated as a whole, a power cut may leave the beginning, which is older than the database.
	 */
	if (copy(store) == 0)
		try_exec(store,
			 "PRAGMA wal_checkpoint(PASSIVE); PRAGMA journal_size_limit = " LOG_MOST);
	guard_written(store);
}

int sqlite_shrink(struct store *store, int pages, int *ret_left, struct err *err)
{
	int64_t mode, count, free_count, spare;
	char sql[64];

	*ret_left = 0;
	if (schema_number(store, "PRAGMA auto_vacuum", &mode, err) ||
	    schema_number(store, "PRAGMA page_count", &count, err) ||
	    schema_number(store, "PRAGMA freelist_count", &free_count, err))
		return -1;
	spare = count / SPARE_SHARE > SPARE_LEAST ? count / SPARE_SHARE : SPARE_LEAST;
	if (mode != INCREMENTAL || free_count <= spare)
		return 0;
	if (pages > free_count - spare)
		pages = (int)(free_count - spare);
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", pages);
	if (transaction_open(store, err) || store_exec(store, sql, "shrinking the file", err))
		return -1;
	*ret_left = pages < free_count - spare;
	return 0;
}
