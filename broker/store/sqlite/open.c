/* SPDX-License-Identifier: MIT */
/* Opening a file: for writing, for reading, and as a view. */
#include "store/sqlite/internal.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/bug.h"
#include "util/buf.h"
#include "util/text.h"

/*
 * A tool may write beside the daemon. While the daemon waits for the lock, everybody waits;
 * while a tool waits, only its caller.
 */
#define DAEMON_BUSY_MS 1000
#define TOOL_BUSY_MS 15000
#define VIEW_BUSY_MS 5000
#define CACHE_KIB "8192"
/* Up to this size the whole file is checked at start, at about 4 ms per MiB. */
#define CHECK_WHOLE_BYTES (8 * 1024 * 1024)

/* ---- opening ------------------------------------------------------------------------- */

/*
 * A start must not take seconds, so a large file is checked in full only by store_check. The
 * guard has checked that it is not truncated, and every page is checked when it is read
 * (cell_size_check).
 */
static int check_integrity(struct store *store, struct err *err)
{
	struct stat st;

	if (stat(store->name, &st) == 0 && st.st_size > CHECK_WHOLE_BYTES)
		return 0;
	return file_check(store, "PRAGMA quick_check(1)", err);
}

static void sqlite_setup(void)
{
	/* SQLite's memory statistics are unused and cost a lock at each allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* `name` is the path or its URI. */
static int open_named(struct store *store, const char *name, int flags, int busy_ms, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc;

	pthread_once(&once, sqlite_setup);
	rc = sqlite3_open_v2(name, &store->file->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc && !store->file->db)
		return err_set(err, ERR_NO_MEMORY, "cannot open %s", store->name);
	if (rc)
		return store_fail(store, "opening", err);
	sqlite3_extended_result_codes(store->file->db, 1);
	sqlite3_busy_timeout(store->file->db, busy_ms);
	sqlite3_db_config(store->file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(store->file->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(store->file->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (store_functions(store, err))
		return -1;
	return store_exec(store,
			  "PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON; "
			  "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -" CACHE_KIB,
			  "setting up", err);
}

static int open_connection(struct store *store, int flags, int busy_ms, struct err *err)
{
	return open_named(store, store->name, flags, busy_ms, err);
}

/* The pragma succeeds even where WAL is unsupported; its result is the mode in effect. */
static int journal_setup(struct store *store, enum writer writer, struct err *err)
{
	const char *sync = writer == WRITER_UNSYNCED ? "PRAGMA synchronous = OFF" :
						       "PRAGMA synchronous = FULL";
	struct statement *stmt = store_prepare(store, "PRAGMA journal_mode = WAL", err);
	int is_wal;

	if (!stmt || store_exec(store, sync, "setting up", err) ||
	    store_row(store, stmt, "setting up", err))
		return -1;
	is_wal = strcmp(column_string(stmt, 0), "wal") == 0;
	statement_end(stmt);
	if (!is_wal)
		return err_set(err, ERR_REFUSED,
			       "the store %s cannot use a write-ahead log; move it to"
			       " a local disk",
			       store->name);
	return store_exec(store, "PRAGMA wal_autocheckpoint = 4000", "setting up", err);
}

/*
 * A tool migrates an older schema only while no daemon runs: the daemon would continue with
 * statements prepared for the old one.
 */
static int store_migrate(struct store *store, int is_daemon, struct err *err)
{
	int pending, rc;

	if (schema_pending(store, &pending, err))
		return -1;
	if (!pending)
		return 0;
	if (!is_daemon && guard_lock(store->name, &store->file->lock_fd, err))
		return -1;
	rc = schema_migrate(store, err);
	if (!is_daemon) {
		close(store->file->lock_fd);
		store->file->lock_fd = -1;
	}
	return rc;
}

static int check_damaged(struct store *store, struct err *err)
{
	/* `native` may also be an errno. */
	if (err->kind != ERR_IO)
		return -1;
	if ((err->native & 0xff) == SQLITE_NOTADB || (err->native & 0xff) == SQLITE_CORRUPT)
		err_set(err, ERR_REFUSED,
			"the store %s is damaged or not a database; restore it"
			" from a backup",
			store->name);
	return -1;
}

struct store *store_new(const char *path, const struct schema *schema, struct err *err)
{
	struct store *store;

	if (strlen(path) >= sizeof(store->name)) {
		err_set(err, ERR_INVALID, "the store's path is longer than %zu bytes",
			sizeof(store->name) - 1);
		return NULL;
	}
	store = xcalloc(1, sizeof(*store));
	store->backend = &backend_sqlite;
	TEXT_SET(store->name, path);
	store->file = xcalloc(1, sizeof(*store->file));
	store->file->lock_fd = store->file->reserve.fd = -1;
	store->file->content.size = -1;
	store->file->schema = schema;
	return store;
}

/* A tool uses the reserve only if no daemon does; a daemon has secured what a tool needs. */
static int check_room(struct store *store, int is_daemon, struct err *err)
{
	int rc = reserve_check_opening(store, is_daemon, err);

	if (!rc || is_daemon)
		return rc;
	if (guard_lock(store->name, &store->file->lock_fd, NULL))
		return 0;
	rc = reserve_check_opening(store, 1, err);
	close(store->file->lock_fd);
	store->file->lock_fd = -1;
	return rc;
}

int store_open_writer(const char *path, const struct schema *schema, enum writer writer,
		      struct store **ret, struct err *err)
{
	int is_daemon = writer != WRITER_TOOL;
	struct store *store = store_new(path, schema, err);
	struct err own = { 0 };
	int rc;

	if (!store)
		return -1;
	rc = guard_folder(path, &own) || guard_file(path, &own) ||
	     (is_daemon && guard_lock(path, &store->file->lock_fd, &own)) ||
	     check_room(store, is_daemon, &own);
	if (!rc && (open_connection(store, SQLITE_OPEN_READWRITE, TOOL_BUSY_MS, &own) ||
		    shrink_prepare(store, &own) || journal_setup(store, writer, &own) ||
		    check_integrity(store, &own) || store_migrate(store, is_daemon, &own)))
		rc = check_damaged(store, &own);
	store->file->is_watched = is_daemon;
	store->file->tolerates_full = schema == &schema_runs;
	if (!rc)
		rc = guard_unchanged(store, &own);
	if (!rc && is_daemon)
		shrink_enable(store);
	if (!rc)
		sqlite3_busy_timeout(store->file->db, is_daemon ? DAEMON_BUSY_MS : TOOL_BUSY_MS);
	if (rc) {
		if (err)
			*err = own;
		store_close(store);
		return -1;
	}
	*ret = store;
	return 0;
}

static int leases_open(const char *path, const struct env *env, enum store_use use,
		       struct store **ret, struct err *err)
{
	struct err own = { 0 };
	struct store *store;

	if (store_open_writer(path, &schema_leases,
			      use == STORE_TOOL || use == STORE_POLL ? WRITER_TOOL : WRITER_DAEMON,
			      &store, err))
		return -1;
	if (identity_make(store, env, &own) ||
	    (use != STORE_SOURCE && store_moved_check(store, &own))) {
		check_damaged(store, &own);
		if (err)
			*err = own;
		store_close(store);
		return -1;
	}
	store->file->is_tool = use == STORE_TOOL || use == STORE_POLL;
	*ret = store;
	return 0;
}

int store_open_reading(const char *path, const struct schema *schema, struct store **ret,
		       struct err *err)
{
	struct store *store = store_new(path, schema, err);

	if (!store)
		return -1;
	store->reader = 1;
	if (open_connection(store, SQLITE_OPEN_READONLY, DAEMON_BUSY_MS, err)) {
		store_close(store);
		return -1;
	}
	*ret = store;
	return 0;
}

/*
 * Without the guards, which open the file: closing that descriptor would take this process's locks
 * off it, on which SQLite's other connections rely. The daemon's connection has checked it.
 */
static int beside_open(const char *path, struct store **ret, struct err *err)
{
	struct store *store = store_new(path, &schema_leases, err);

	if (!store)
		return -1;
	store->file->is_tool = store->file->tolerates_full = 1;
	if (open_connection(store, SQLITE_OPEN_READWRITE, TOOL_BUSY_MS, err) ||
	    journal_setup(store, WRITER_TOOL, err)) {
		store_close(store);
		return -1;
	}
	*ret = store;
	return 0;
}

/* ---- a view -------------------------------------------------------------------------- */

static int open_uri(struct store *store, const char *query, struct err *err)
{
	auto_buf struct buf uri = { 0 };

	buf_init(&uri, 4 * sizeof(store->name));
	/* An empty authority: the path itself may begin with two slashes. */
	buf_adds(&uri, store->name[0] == '/' ? "file://" : "file:");
	for (const char *c = store->name; *c; c++) {
		if (*c == '/' || isalnum((unsigned char)*c))
			buf_addc(&uri, *c);
		else
			buf_addf(&uri, "%%%02X", (unsigned int)(unsigned char)*c);
	}
	buf_adds(&uri, query);
	return open_named(store, buf_str(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
			  VIEW_BUSY_MS, err);
}

/*
 * Without a log nobody has the store open, and even a reader would create one and could not
 * remove it. So read the file alone, without locks, and check afterwards whether somebody
 * opened it meanwhile.
 */
int store_open_unlocked(struct store *store, struct err *err)
{
	if (stat(store->name, &store->file->seen))
		return err_set_errno(err, errno, "the store %s", store->name);
	store->file->is_unlocked = 1;
	return open_uri(store, "?immutable=1", err);
}

/* Begins the view's snapshot, and reads, so that an error shows here. */
static int snapshot_try(struct store *store, struct err *err)
{
	return store_exec(store, "BEGIN; SELECT count(*) FROM sqlite_schema", "beginning to read",
			  err);
}

static void connection_close(struct store *store)
{
	sqlite3_close(store->file->db);
	store->file->db = NULL;
}

/*
 * With a log. Its index (-shm) is left alone: SQLite uses that of a running daemon, or makes
 * one in memory if the last user has died, so that reading works on a full disk, too. Only if
 * there is no index file does a reader have to make one.
 */
static int open_logged(struct store *store, struct err *err)
{
	if (open_uri(store, "?readonly_shm=1", err) == 0 && snapshot_try(store, NULL) == 0)
		return 0;
	connection_close(store);
	if (reserve_check_opening(store, 0, err) ||
	    open_connection(store, SQLITE_OPEN_READONLY, VIEW_BUSY_MS, err))
		return -1;
	return snapshot_try(store, err);
}

static int unchecked_begin(struct store *store, struct err *err)
{
	if (guard_check(store->name, err) || guard_folder(store->name, err))
		return -1;
	if (file_has_log(store))
		return open_logged(store, err);
	return store_open_unlocked(store, err) ? -1 : snapshot_try(store, err);
}

int store_open_unchecked(const char *path, const struct schema *schema, struct store **ret,
			 struct err *err)
{
	struct store *store = store_new(path, schema, err);
	struct err own = { 0 };

	if (!store)
		return -1;
	store->reader = 1;
	if (unchecked_begin(store, &own)) {
		check_damaged(store, &own);
		if (err)
			*err = own;
		store_close(store);
		return -1;
	}
	*ret = store;
	return 0;
}

static int view_begin(struct store *store, struct err *err)
{
	if (unchecked_begin(store, err) || check_integrity(store, err))
		return -1;
	return schema_readable(store, err);
}

static int view_open(const char *path, struct store **ret, struct err *err)
{
	struct store *store = store_new(path, &schema_leases, err);
	struct err own = { 0 };
	int rc;

	if (!store)
		return -1;
	store->reader = 1;
	rc = view_begin(store, &own);
	if (rc == 0)
		rc = store_moved_check(store, &own);
	if (rc == 0) {
		*ret = store;
		return 0;
	}
	if (own.kind == ERR_NOT_FOUND)
		rc = 1;
	/* A partial change looks like damage. */
	if (!store_view_holds(store))
		rc = err_set(&own, ERR_BUSY, "%s is being written; try again", store->name);
	if (rc < 0) {
		check_damaged(store, &own);
		if (err)
			*err = own;
	}
	store_close(store);
	return rc;
}

int sqlite_open(const char *name, enum store_use use, const struct env *env, struct store **ret,
		struct err *err)
{
	switch (use) {
	case STORE_DAEMON:
	case STORE_TOOL:
	case STORE_POLL:
	case STORE_SOURCE:
		return leases_open(name, env, use, ret, err);
	case STORE_BESIDE:
		return beside_open(name, ret, err);
	case STORE_READER:
		return store_open_reading(name, &schema_leases, ret, err);
	case STORE_VIEW:
		return view_open(name, ret, err);
	}
	BUG_ON(1);
}
