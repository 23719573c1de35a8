/* SPDX-License-Identifier: MIT */
/* What the files of the store share. Nobody else includes this. */
#pragma once

#include <sqlite3.h>
#include <sys/stat.h>

#include "store/store.h"

/*
 * Statements are prepared once per connection and found by the address of their
 * text, which is a literal: no parsing and no comparing on the hot path.
 */
#define STATEMENTS_MAX 160
#define STORE_INDEX_WORDS 12	/* the header of the log's index, see data_version.c */

/* What a file consists of: a kind of database, known by a number in its header. */
struct schema {
	int application;
	const char *const *migrations;	/* version N of the file is what the first N make */
	int newest;
	/* What of a migration cannot be said in SQL, in its transaction; NULL: nothing. */
	int (*finish)(struct store *store, int64_t version, struct err *err);
	const struct schema_check *checks;	/* for schema_check */
	size_t check_count;
};
struct schema_check {
	const char *what;
	const char *sql;	/* how many rows are wrong */
};
extern const struct schema schema_leases, schema_runs;

struct store {
	sqlite3 *db;
	const struct schema *schema;
	struct store *leases;	/* of the runs' file: where leases are read, the same thread's; NULL: nowhere */
	char path[256];
	int lock_fd;		/* the daemon's lock, -1 if none */
	int broken;
	int reader;
	int is_wanted;		/* a transaction was asked for: it begins at the first write ... */
	int is_open;		/* ... and has */
	int is_unlocked; /* a view that takes no locks, as nobody had the file when it was `seen` */
	struct stat seen;
	const uint32_t *index;	/* data_version.c: the header of the log's index; NULL until it is mapped */
	uint32_t seen_index[STORE_INDEX_WORDS];
	uint64_t data_version;
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} statements[STATEMENTS_MAX];
	size_t statement_count;
};

/* ---- statement.c ---- */

/* A reset statement of this text; NULL with `err` filled. */
sqlite3_stmt *store_prepare(struct store *store, const char *sql, struct err *err);
/* Fills `err` from the connection's last error, notes whether it breaks the store; returns -1. */
int store_fail(struct store *store, const char *doing, struct err *err);
/* Runs a statement that returns no rows and resets it. */
int store_run(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err);
/* 0 a row is there, 1 no (more) row (statement reset), -1 error (reset). */
int store_row(struct store *store, sqlite3_stmt *stmt, const char *doing, struct err *err);
int store_exec(struct store *store, const char *sql, const char *doing, struct err *err);

void bind_text(sqlite3_stmt *stmt, int index, const char *text);
void column_text(sqlite3_stmt *stmt, int index, char *to, size_t size);
#define COLUMN_TEXT(stmt, index, field) column_text((stmt), (index), (field), sizeof(field))

/* guard.c: before SQLite opens it. May others write the folder, is it somebody else's? */
int guard_folder(const char *path, struct err *err);
/* Makes the file with mode 0600, or checks that it has it, is ours and is not cut short. */
int guard_file(const char *path, struct err *err);
/* Checks the same and makes nothing; ERR_NOT_FOUND if there is no such file. */
int guard_check(const char *path, struct err *err);
/* The daemon's lock, held as long as the descriptor is open; ERR_BUSY while another has it. */
int guard_lock(const char *path, int *ret_fd, struct err *err);

/* schema.c: is there a migration to be made? Refuses a newer file and another program's. */
int schema_pending(struct store *store, int *ret_pending, struct err *err);
int schema_migrate(struct store *store, struct err *err);
/* The only value of a statement that takes nothing. */
int schema_number(struct store *store, const char *sql, int64_t *ret, struct err *err);
/* Is there a run table in the leases' file, as before schema 8? 1, 0, -1. */
int schema_has_runs(struct store *leases, struct err *err);
int schema_drop_runs(struct store *leases, struct err *err);
/* Can it be read as it is? 0, 1 if there is none yet; -1 also for an older one. */
int schema_readable(struct store *store, struct err *err);
/* Do the sums and references that the schema keeps agree with the rows? */
int schema_check(struct store *store, struct err *err);
/* identity.c: on the first open makes the instance id, the signing key and the account key. */
int identity_make(struct store *store, const struct env *env, struct err *err);
/* What is known of this file under a key: 0, 1 nothing, -1. */
int meta_get(struct store *store, const char *key, void *ret, size_t size, int *len,
	     struct err *err);
int meta_put(struct store *store, const char *key, const void *value, size_t len,
	     struct err *err);

/*
 * store.c: for writing, checked and migrated; nothing is made in it yet. WRITER_UNSYNCED is a
 * daemon's whose file somebody else brings to the disk.
 */
enum writer { WRITER_TOOL, WRITER_DAEMON, WRITER_UNSYNCED };
int store_open_writer(const char *path, const struct schema *schema, enum writer writer,
		      struct store **ret, struct err *err);
/*
 * For a look that changes and makes nothing: neither whole nor of this schema, perhaps.
 * ERR_NOT_FOUND if there is no such file.
 */
int store_open_unchecked(const char *path, const struct schema *schema, struct store **ret,
			 struct err *err);
int store_open_reading(const char *path, const struct schema *schema, struct store **ret,
		       struct err *err);
/* run_rows.c: makes known to a connection of the runs' file how to ask whose a lease is. */
int runs_functions(struct store *runs, struct err *err);
/* run_move.c: what runs the leases' file has from before schema 8 go into the runs' file. */
int runs_move(struct store *leases, struct store *runs, const struct env *env, struct err *err);
