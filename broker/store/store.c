/* SPDX-License-Identifier: MIT */
/*
 * The connection: opening, checking, transactions, and what every statement
 * needs.
 */
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
 * A tool may write beside the daemon. The daemon holds up everybody while it
 * waits, a tool only its caller.
 */
#define DAEMON_BUSY_MS 1000
#define TOOL_BUSY_MS 5000
#define CACHE_KIB "8192"
/* Up to this size the whole file is checked at start: about 4 ms for each MiB. */
#define CHECK_WHOLE_BYTES (8 * 1024 * 1024)

/* ---- statements ---------------------------------------------------------------- */

/*
 * After one of these nobody knows what is on the disk: SQLite would go on after
 * a failed fsync as if nothing had been.
 */
static int breaks(int code)
{
	switch (code & 0xff) {
	case SQLITE_IOERR:
	case SQLITE_FULL:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return 1;
	default:
		return 0;
	}
}

int store_fail(struct store *store, const char *doing, struct err *err)
{
	int code = sqlite3_extended_errcode(store->db);
	enum err_kind kind = ERR_IO;

	if (!store->reader && breaks(code))
		store->broken = 1;
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		kind = ERR_CONFLICT;
	else if ((code & 0xff) == SQLITE_BUSY)
		kind = ERR_BUSY;
	err_set(err, kind, "%s: %s: %s (%d)", store->path, doing, sqlite3_errmsg(store->db), code);
	if (err)
		err->native = code;
	return -1;
}

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
static int run(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err)
{
	int rc = store_row(store, stmt, doing, err);

	if (rc == 0) {
		sqlite3_reset(stmt);
		return err_set(err, ERR_INTERNAL, "%s returned a row", doing);
	}
	return rc < 0 ? -1 : 0;
}

static int run_text(struct store *store, const char *sql, const char *doing, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, sql, err);

	return stmt ? run(store, stmt, doing, err) : -1;
}

/* The transaction that was asked for begins with its first write: reads need none. */
static int open_transaction(struct store *store, struct err *err)
{
	if (!store->is_wanted || store->is_open)
		return 0;
	if (run_text(store, "BEGIN IMMEDIATE", "beginning", err))
		return -1;
	store->is_open = 1;
	return 0;
}

int store_run(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err)
{
	if (open_transaction(store, err)) {
		/* What was bound is bound again the next time. */
		sqlite3_reset(stmt);
		return -1;
	}
	return run(store, stmt, doing, err);
}

int store_exec(struct store *store, const char *sql, const char *doing, struct err *err)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) ? store_fail(store, doing, err) : 0;
}

void bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
	sqlite3_bind_text(stmt, index, text ? text : "", -1, SQLITE_STATIC);
}

void column_text(sqlite3_stmt *stmt, int index, char *to, size_t room)
{
	const char *text = (const char *)sqlite3_column_text(stmt, index);
	size_t len = text ? (size_t)sqlite3_column_bytes(stmt, index) : 0;

	if (len >= room)
		len = room - 1;
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

int store_begin(struct store *store, struct err *err)
{
	if (store->broken)
		return err_set(err, ERR_IO, "%s: a write has failed before", store->path);
	if (run_text(store, "BEGIN IMMEDIATE", "beginning", err))
		return -1;
	store->is_open = 1;
	return 0;
}

int store_begin_at_write(struct store *store, struct err *err)
{
	if (store->broken)
		return err_set(err, ERR_IO, "%s: a write has failed before", store->path);
	store->is_wanted = 1;
	return 0;
}

int store_is_written(const struct store *store)
{
	return store->is_open;
}

int store_commit(struct store *store, struct err *err)
{
	if (store->broken) {
		store_rollback(store);
		return err_set(err, ERR_IO, "%s: a write of this transaction has failed", store->path);
	}
	store->is_wanted = 0;
	if (!store->is_open)
		return 0;
	store->is_open = 0;
	if (run_text(store, "COMMIT", "committing", err)) {
		store->broken = 1;
		store_rollback(store);
		return -1;
	}
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
	return open_transaction(store, err) || run_text(store, "SAVEPOINT one", "marking", err) ? -1 : 0;
}

int store_savepoint_keep(struct store *store, struct err *err)
{
	if (run_text(store, "RELEASE one", "keeping", err)) {
		store->broken = 1;
		return -1;
	}
	return 0;
}

void store_savepoint_undo(struct store *store)
{
	/* A write that failed hard has rolled everything back itself. */
	if (run_text(store, "ROLLBACK TO one", "undoing", NULL) ||
	    run_text(store, "RELEASE one", "undoing", NULL))
		store->broken = 1;
}

/* ---- reading at one moment ------------------------------------------------------------- */

int store_snapshot_begin(struct store *store, struct err *err)
{
	return run_text(store, "BEGIN", "beginning to read", err);
}

void store_snapshot_end(struct store *store)
{
	run_text(store, "COMMIT", "ending to read", NULL);
}

/* ---- opening ------------------------------------------------------------------------- */

/* The first complaint of a checking pragma, in `err`. */
static int check_pragma(struct store *store, const char *pragma, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, pragma, err);

	if (!stmt || store_row(store, stmt, "checking the integrity", err))
		return -1;
	if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		err_set(err, ERR_REFUSED, "the store %s is damaged: %.100s; restore a backup of it",
			store->path, (const char *)sqlite3_column_text(stmt, 0));
	else
		err = NULL;
	sqlite3_reset(stmt);
	return err ? -1 : 0;
}

/*
 * A start may not take seconds, so a large file is looked at whole only by
 * store_check. The guard has seen that it is not cut short, and every page is
 * checked when it is read (cell_size_check).
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
	/* Nobody asks for SQLite's own statistics; keeping them takes a lock at each allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* `name` is the path, or the URI of it. */
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

/* Asking for WAL succeeds even where there can be none; the answer says what it is now. */
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
		return err_set(err, ERR_REFUSED, "the store %s cannot have a write-ahead log; put it on"
			       " a local disk", store->path);
	return store_exec(store, "PRAGMA wal_autocheckpoint = 4000", "setting up", err);
}

/*
 * A tool that finds an older schema changes it only while no daemon runs: the
 * daemon would go on with statements made for the old one.
 */
static int migrate(struct store *store, int is_daemon, struct err *err)
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
	if ((err->native & 0xff) == SQLITE_NOTADB || (err->native & 0xff) == SQLITE_CORRUPT)
		err_set(err, ERR_REFUSED, "the store %s is damaged or no database at all; restore a"
			" backup of it", store->path);
	return -1;
}

static struct store *store_new(const char *path, const struct schema *schema, struct err *err)
{
	struct store *store;

	if (strlen(path) >= sizeof(store->path)) {
		err_set(err, ERR_INVALID, "the store's path is longer than %zu bytes", sizeof(store->path) - 1);
		return NULL;
	}
	store = xcalloc(1, sizeof(*store));
	store->lock_fd = -1;
	store->schema = schema;
	TEXT_SET(store->path, path);
	return store;
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
	     (is_daemon && guard_lock(path, &store->lock_fd, &own));
	if (!rc && (open_connection(store, SQLITE_OPEN_READWRITE,
				    is_daemon ? DAEMON_BUSY_MS : TOOL_BUSY_MS, &own) ||
		    journal_setup(store, writer, &own) || check_integrity(store, &own) ||
		    migrate(store, is_daemon, &own)))
		rc = check_damaged(store, &own);
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

/*
 * Where there is no log nobody has the store open, and even a reader would make one and
 * could not take it away again. So it reads the file alone, and takes no locks: whether
 * somebody came meanwhile is looked at afterwards.
 */
static int open_unwatched(struct store *store, struct err *err)
{
	auto_buf struct buf uri = { 0 };

	if (stat(store->path, &store->seen))
		return err_set_errno(err, errno, "the store %s", store->path);
	store->unwatched = 1;
	buf_init(&uri, 4 * sizeof(store->path));
	buf_adds(&uri, "file:");
	for (const char *c = store->path; *c; c++) {
		if (*c == '/' || isalnum((unsigned char)*c))
			buf_addc(&uri, *c);
		else
			buf_addf(&uri, "%%%02X", (unsigned int)(unsigned char)*c);
	}
	buf_adds(&uri, "?immutable=1");
	return open_named(store, buf_str(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
			  TOOL_BUSY_MS, err);
}

static int look_begin(struct store *store, struct err *err)
{
	if (guard_seen(store->path, err) || guard_folder(store->path, err))
		return -1;
	if (has_log(store) ? open_connection(store, SQLITE_OPEN_READONLY, TOOL_BUSY_MS, err)
			   : open_unwatched(store, err))
		return -1;
	return store_exec(store, "BEGIN", "beginning", err);
}

int store_open_look(const char *path, const struct schema *schema, struct store **ret,
		    struct err *err)
{
	struct store *store = store_new(path, schema, err);
	struct err own = { 0 };

	if (!store)
		return -1;
	store->reader = 1;
	if (look_begin(store, &own)) {
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
	if (look_begin(store, err) || check_integrity(store, err))
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
	/* Half of a change looks like damage. */
	if (!store_view_holds(store))
		rc = err_set(&own, ERR_BUSY, "others keep writing to %s; try again", store->path);
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

	return !store->unwatched ||
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
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}
