/* SPDX-License-Identifier: MIT */
/* Shared by the files of the store on SQLite. Not included elsewhere. */
#pragma once

#include <sqlite3.h>
#include <sys/stat.h>

#include "store/rows.h"

#define STATEMENTS_MAX 160
#define STORE_FILES 4	     /* the database, its log, the log's index, the lock */
#define STORE_INDEX_WORDS 12 /* the header of the log's index, see data_version.c */

/* The schema of a file; `application` identifies the kind of file in its header. */
struct schema {
	int application;
	const char *const *migrations; /* version N of the file is what the first N make */
	int newest;
	/* The part of a migration that needs code, within its transaction; NULL: none. */
	int (*finish)(struct store *store, int64_t version, struct err *err);
	const struct schema_check *checks; /* for schema_check */
	size_t check_count;
};
struct schema_check {
	const char *what;
	const char *sql; /* counts the wrong rows */
};
extern const struct schema schema_leases, schema_runs;
#define SCHEMA_LEASE_CHECKS 11
extern const struct schema_check schema_lease_checks[SCHEMA_LEASE_CHECKS];

/* How far the log has been written to the database: see data_version.c. */
struct log_checkpoint {
	uint32_t begun, done; /* frames: equal unless a checkpoint runs or has failed */
	uint32_t salt;	      /* changes when the log begins anew */
};

/* The members of struct store that are SQLite's. */
struct sqlite_file {
	sqlite3 *db;
	const struct schema *schema;
	int lock_fd;	    /* the daemon's lock, -1 if none */
	int tolerates_full; /* after a transaction that found the disk full, the next may succeed */
	int is_locked_out; /* the last attempt to begin a transaction found another process's lock */
	int is_undone;	   /* a full disk has undone the open transaction */
	struct reserve {
		int is_kept;	     /* room is secured before each transaction ... */
		int has_file;	     /* ... with the help of the file */
		int fd;		     /* of the file; -1: none */
		int64_t size;	     /* of the file when it is whole */
		int64_t held;	     /* bytes in the file */
		int64_t log_end;     /* the log's blocks are allocated up to here */
		int64_t frames;	     /* in the log, when last looked at */
		int64_t index_count; /* allocated parts of the log's index */
		int is_low, is_used_up;
	} reserve;
	int is_wanted;	/* a transaction was requested: it begins with the first write ... */
	int is_open;	/* ... and has */
	int is_written; /* the open transaction has written */
	/* Of a daemon: the files that it opened, see guard_unchanged. */
	struct store_file {
		int is_seen;
		dev_t device;
		ino_t inode;
	} files[STORE_FILES];
	int is_watched;
	int is_tool;	 /* its transactions look whether the store was moved */
	int is_unlocked; /* a view without locks: nobody had the file open at `seen` */
	struct stat seen;
	struct { /* the database as last written by a process that uses the log: guard_written */
		int64_t size;
		struct timespec at;
		struct log_checkpoint checkpoint;
	} content;
	const uint32_t
		*index; /* data_version.c: the header of the log's index; NULL until it is mapped */
	uint32_t seen_index[STORE_INDEX_WORDS];
	uint64_t data_version;
	struct sqlite_statement {
		struct statement base; /* first: the room holds a pointer to it */
		const char *sql;
		sqlite3_stmt *stmt;
	} statements[STATEMENTS_MAX];
	size_t statement_count;
};

/* ---- failure.c ---- */

/* Sets `err` from the connection's last error, and store_broken if it breaks the store; -1. */
int store_fail(struct store *store, const char *doing, struct err *err);
/* Was the connection's last error a full disk? */
int failure_is_full(const struct store *store);

/* ---- reserve.c ---- */

/*
 * Before SQLite opens the file: is there room for what opening writes? `may_give`: no daemon
 * runs, and the reserve of the last one may be used. -1: no.
 */
int reserve_check_opening(struct store *store, int may_give, struct err *err);
/* Gives back what opening the database at `path`, beside this one, takes, if there is no room. */
void reserve_lend(struct store *store, const char *path);
/* Room is secured before each transaction from now on, without a reserve. */
void reserve_watch(struct store *store);
/* Secures the room for a transaction. -1: there is none, ERR_BUSY. */
int reserve_secure(struct store *store, struct err *err);
void reserve_close(struct store *store);

/* ---- data_version.c: the index of the log ---- */

/* Part `n` of the index, mapped; NULL: none. */
uint32_t *index_map(struct store *store, int64_t n);
/* The number of frames in the log; -1: unknown. */
int64_t log_frames(struct store *store);
/* The size of the database in pages, with what the log holds; -1: unknown. */
int64_t log_pages(struct store *store);
/* -1: unknown. */
int log_checkpoint(struct store *store, struct log_checkpoint *ret);

/* ---- statement.c ---- */

/* SQLite's own statement. */
sqlite3_stmt *sqlite_of(const struct statement *stmt);
int store_exec(struct store *store, const char *sql, const char *doing, struct err *err);
/* Prepares, and runs as store_run does, but in no transaction. */
int statement_run_text(struct store *store, const char *sql, const char *doing, struct err *err);
/* Takes the write lock. ERR_BUSY: another process holds it. */
int transaction_lock(struct store *store, struct err *err);
/* transaction.c: -1 if it was moved to another database. */
int store_moved_check(struct store *store, struct err *err);
/* The same, if a transaction was requested that has not begun: reads need none. */
int transaction_open(struct store *store, struct err *err);

/* ---- connection.c ---- */

/* Runs a pragma that checks the database; the first problem goes to `err`. */
int file_check(struct store *store, const char *pragma, struct err *err);
/* Is there a write-ahead log? */
int file_has_log(const struct store *store);

/* ---- the other files ---- */

/* guard.c, before SQLite opens the file: refuses a directory that others may write or own. */
int guard_folder(const char *path, struct err *err);
/* Creates the file with mode 0600, or checks its mode, owner and length. */
int guard_file(const char *path, struct err *err);
/* The same checks without creating it; ERR_NOT_FOUND if there is no such file. */
int guard_check(const char *path, struct err *err);
/*
 * Do the names still lead to the files that the store has open? A file that is removed or
 * replaced meanwhile takes writes, and loses them all with the process. -1: no, ERR_IO.
 */
int guard_unchanged(struct store *store, struct err *err);
/* This process may have written to the database: what it holds now is right. */
void guard_written(struct store *store);
/* The daemon's lock, held as long as the descriptor is open; ERR_BUSY while another has it. */
int guard_lock(const char *path, int *ret_fd, struct err *err);

/* schema.c: is a migration pending? Refuses a newer file and another program's. */
int schema_pending(struct store *store, int *ret_pending, struct err *err);
int schema_migrate(struct store *store, struct err *err);
/* The single value that a statement without parameters returns. */
int schema_number(struct store *store, const char *sql, int64_t *ret, struct err *err);
/* Is there a run table in the leases' file, as before schema 8? 1, 0, -1. */
int schema_has_runs(struct store *leases, struct err *err);
int schema_drop_runs(struct store *leases, struct err *err);
/* Can it be read as it is? 0 yes, 1 empty, -1 no: older, newer or not ours. */
int schema_readable(struct store *store, struct err *err);
/* Checks totals and references against the rows. */
int schema_check(struct store *store, struct err *err);
/*
 * open.c: for writing, checked and migrated, without an identity yet. WRITER_UNSYNCED is a
 * daemon's connection to a file that the caller syncs to disk.
 */
enum writer { WRITER_TOOL, WRITER_DAEMON, WRITER_UNSYNCED };
int store_open_writer(const char *path, const struct schema *schema, enum writer writer,
		      struct store **ret, struct err *err);
/*
 * Read-only, without integrity and schema checks; creates nothing. ERR_NOT_FOUND if there is
 * no such file.
 */
int store_open_unchecked(const char *path, const struct schema *schema, struct store **ret,
			 struct err *err);
/* A connection that is not open yet; NULL if the path is too long. */
struct store *store_new(const char *path, const struct schema *schema, struct err *err);
/* Opens the file alone, read-only and without locks; see store_view_holds. */
int store_open_unlocked(struct store *store, struct err *err);
int store_open_reading(const char *path, const struct schema *schema, struct store **ret,
		       struct err *err);
/* functions.c: registers the SQL function lower_ascii, and lease_is_of for the runs' file. */
int store_functions(struct store *store, struct err *err);
int runs_functions(struct store *runs, struct err *err);
/* run_move.c: moves runs of a leases' file from before schema 8 to the runs' file. */
int runs_move(struct store *leases, struct store *runs, const struct env *env, struct err *err);

/* ---- the functions of opener_sqlite ---- */

int sqlite_open(const char *name, enum store_use use, const struct env *env, struct store **ret,
		struct err *err);
int sqlite_open_runs(struct store *leases, const struct env *env, struct store **ret,
		     int *ret_is_lost, struct err *err);
int sqlite_open_runs_reader(const char *name, struct store **ret, struct err *err);
int sqlite_is_missing(const char *name);
int sqlite_survey(const char *path, const struct store_needs *needs, store_finding_fn fn, void *arg,
		  struct err *err);

/* ---- and of backend_sqlite ---- */

extern const struct backend backend_sqlite;

int sqlite_view_holds(const struct store *store);
void sqlite_close(struct store *store);
int sqlite_check(struct store *store, struct err *err);
int sqlite_reserve_keep(struct store *store, struct err *err);

enum store_state sqlite_state(const struct store *store);
uint64_t sqlite_data_version(struct store *store);
int sqlite_begin(struct store *store, struct err *err);
int sqlite_begin_at_write(struct store *store, struct err *err);
int sqlite_is_written(const struct store *store);
int sqlite_commit(struct store *store, struct err *err);
void sqlite_rollback(struct store *store);
int sqlite_savepoint(struct store *store, struct err *err);
int sqlite_savepoint_keep(struct store *store, struct err *err);
void sqlite_savepoint_undo(struct store *store);
int sqlite_snapshot_begin(struct store *store, struct err *err);
void sqlite_snapshot_end(struct store *store);

struct statement *sqlite_prepare(struct store *store, const char *sql, struct err *err);
int sqlite_run(struct store *store, struct statement *stmt, const char *doing, struct err *err);
int sqlite_run_one(struct store *store, struct statement *stmt, const char *doing, struct err *err);
int sqlite_run_new(struct store *store, struct statement *stmt, int index, const char *table,
		   int64_t *ret_n, const char *doing, struct err *err);
int64_t sqlite_changed(struct store *store, struct statement *stmt, struct err *err);
int sqlite_row(struct store *store, struct statement *stmt, const char *doing, struct err *err);
