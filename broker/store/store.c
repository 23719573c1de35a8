/* SPDX-License-Identifier: MIT */
/* The connection: opening, checking, views. */
#include "store/internal.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"
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

/* Runs a checking pragma; the first problem goes to `err`. */
static int check_pragma(struct store *store, const char *pragma, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, pragma, err);

	if (!stmt || store_row(store, stmt, "checking the integrity", err))
		return -1;
	if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		err_set(err, ERR_REFUSED,
			"the store %s is damaged: %.100s; restore it from a backup", store->path,
			(const char *)sqlite3_column_text(stmt, 0));
	else
		err = NULL;
	sqlite3_reset(stmt);
	return err ? -1 : 0;
}

/*
 * A start must not take seconds, so a large file is checked in full only by store_check. The
 * guard has checked that it is not truncated, and every page is checked when it is read
 * (cell_size_check).
 */
static int check_integrity(struct store *store, struct err *err)
{
	struct stat st;

	if (stat(store->path, &st) == 0 && st.st_size > CHECK_WHOLE_BYTES)
		return 0;
	return check_pragma(store, "PRAGMA quick_check(1)", err);
}

int store_check(struct store *store, struct err *err)
{
	struct err own = { 0 };

	if (check_pragma(store, "PRAGMA integrity_check(1)", &own) || schema_check(store, &own)) {
		if (err)
			*err = own;
		return -1;
	}
	return 0;
}

static void sqlite_setup(void)
{
	/* SQLite's memory statistics are unused and cost a lock at each allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* `name` is the path or its URI. */
static int open_named(struct store *store, const char *name, int flags, int busy_ms,
		      struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc;

	pthread_once(&once, sqlite_setup);
	rc = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc && !store->db)
		return err_set(err, ERR_NO_MEMORY, "cannot open %s", store->path);
	if (rc)
		return store_fail(store, "opening", err);
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_timeout(store->db, busy_ms);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	return store_exec(store, "PRAGMA cell_size_check = ON; PRAGMA foreign_keys = ON; "
			  "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -" CACHE_KIB,
			  "setting up", err);
}

static int open_connection(struct store *store, int flags, int busy_ms, struct err *err)
{
	return open_named(store, store->path, flags, busy_ms, err);
}

/* The pragma succeeds even where WAL is unsupported; its result is the mode in effect. */
static int journal_setup(struct store *store, enum writer writer, struct err *err)
{
	const char *sync = writer == WRITER_UNSYNCED ? "PRAGMA synchronous = OFF"
						     : "PRAGMA synchronous = FULL";
	sqlite3_stmt *stmt = store_prepare(store, "PRAGMA journal_mode = WAL", err);
	int is_wal;

	if (!stmt || store_exec(store, sync, "setting up", err) || store_row(store, stmt, "setting up", err))
		return -1;
	is_wal = strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
	sqlite3_reset(stmt);
	if (!is_wal)
		return err_set(err, ERR_REFUSED,
			       "the store %s cannot use a write-ahead log; move it to"
			       " a local disk",
			       store->path);
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
	if (!is_daemon && guard_lock(store->path, &store->lock_fd, err))
		return -1;
	rc = schema_migrate(store, err);
	if (!is_daemon) {
		close(store->lock_fd);
		store->lock_fd = -1;
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
			store->path);
	return -1;
}

struct store *store_new(const char *path, const struct schema *schema, struct err *err)
{
	struct store *store;

	if (strlen(path) >= sizeof(store->path)) {
		err_set(err, ERR_INVALID, "the store's path is longer than %zu bytes", sizeof(store->path) - 1);
		return NULL;
	}
	store = xcalloc(1, sizeof(*store));
	store->lock_fd = store->reserve.fd = -1;
	store->content.size = -1;
	store->schema = schema;
	TEXT_SET(store->path, path);
	return store;
}

/* A tool uses the reserve only if no daemon does; a daemon has secured what a tool needs. */
static int check_room(struct store *store, int is_daemon, struct err *err)
{
	int rc = reserve_check_opening(store, is_daemon, err);

	if (!rc || is_daemon)
		return rc;
	if (guard_lock(store->path, &store->lock_fd, NULL))
		return 0;
	rc = reserve_check_opening(store, 1, err);
	close(store->lock_fd);
	store->lock_fd = -1;
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
	     (is_daemon && guard_lock(path, &store->lock_fd, &own)) ||
	     check_room(store, is_daemon, &own);
	if (!rc && (open_connection(store, SQLITE_OPEN_READWRITE, TOOL_BUSY_MS, &own) ||
		    journal_setup(store, writer, &own) || check_integrity(store, &own) ||
		    store_migrate(store, is_daemon, &own)))
		rc = check_damaged(store, &own);
	store->is_watched = is_daemon;
	store->tolerates_full = schema == &schema_runs;
	if (!rc)
		rc = guard_unchanged(store, &own);
	if (!rc)
		sqlite3_busy_timeout(store->db, is_daemon ? DAEMON_BUSY_MS : TOOL_BUSY_MS);
	if (rc) {
		if (err)
			*err = own;
		store_close(store);
		return -1;
	}
	*ret = store;
	return 0;
}

static int open_leases(const char *path, const struct env *env, enum writer writer,
		       struct store **ret, struct err *err)
{
	struct err own = { 0 };
	struct store *store;

	if (store_open_writer(path, &schema_leases, writer, &store, err))
		return -1;
	if (identity_make(store, env, &own)) {
		check_damaged(store, &own);
		if (err)
			*err = own;
		store_close(store);
		return -1;
	}
	*ret = store;
	return 0;
}

int store_open(const char *path, const struct env *env, struct store **ret, struct err *err)
{
	return open_leases(path, env, WRITER_DAEMON, ret, err);
}

int store_open_tool(const char *path, const struct env *env, struct store **ret, struct err *err)
{
	return open_leases(path, env, WRITER_TOOL, ret, err);
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

int store_open_reader(const char *path, struct store **ret, struct err *err)
{
	return store_open_reading(path, &schema_leases, ret, err);
}

/* ---- a view -------------------------------------------------------------------------- */

static int has_log(const struct store *store)
{
	auto_free char *log = xasprintf("%s-wal", store->path);
	struct stat st;

	return lstat(log, &st) == 0;
}

static int open_uri(struct store *store, const char *query, struct err *err)
{
	auto_buf struct buf uri = { 0 };

	buf_init(&uri, 4 * sizeof(store->path));
	/* An empty authority: the path itself may begin with two slashes. */
	buf_adds(&uri, store->path[0] == '/' ? "file://" : "file:");
	for (const char *c = store->path; *c; c++) {
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
	if (stat(store->path, &store->seen))
		return err_set_errno(err, errno, "the store %s", store->path);
	store->is_unlocked = 1;
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
	sqlite3_close(store->db);
	store->db = NULL;
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
	if (guard_check(store->path, err) || guard_folder(store->path, err))
		return -1;
	if (has_log(store))
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

int store_open_view(const char *path, struct store **ret, struct err *err)
{
	struct store *store = store_new(path, &schema_leases, err);
	struct err own = { 0 };
	int rc;

	if (!store)
		return -1;
	store->reader = 1;
	rc = view_begin(store, &own);
	if (rc == 0) {
		*ret = store;
		return 0;
	}
	if (own.kind == ERR_NOT_FOUND)
		rc = 1;
	/* A partial change looks like damage. */
	if (!store_view_holds(store))
		rc = err_set(&own, ERR_BUSY, "%s is being written; try again", store->path);
	if (rc < 0) {
		check_damaged(store, &own);
		if (err)
			*err = own;
	}
	store_close(store);
	return rc;
}

int store_view_holds(const struct store *store)
{
	struct stat now;

	return !store->is_unlocked ||
	       (!has_log(store) && stat(store->path, &now) == 0 &&
		now.st_ino == store->seen.st_ino && now.st_size == store->seen.st_size &&
		now.st_mtim.tv_sec == store->seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == store->seen.st_mtim.tv_nsec);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->statement_count; i++)
		sqlite3_finalize(store->statements[i].stmt);
	sqlite3_close(store->db);
	reserve_close(store);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}
