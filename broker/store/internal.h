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

struct store {
	sqlite3 *db;
	char path[256];
	int lock_fd;		/* the daemon's lock, -1 if none */
	int broken;
	int reader;
	int is_wanted;		/* a transaction was asked for: it begins at the first write ... */
	int is_open;		/* ... and has */
	int unwatched;		/* a view that takes no locks, as nobody had the file when it was `seen` */
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
void column_text(sqlite3_stmt *stmt, int index, char *to, size_t room);
#define COLUMN_TEXT(stmt, index, field) column_text((stmt), (index), (field), sizeof(field))

/* guard.c: before SQLite opens it. May others write the folder, is it somebody else's? */
int guard_folder(const char *path, struct err *err);
/* Makes the file with mode 0600, or checks that it has it, is ours and is not cut short. */
int guard_file(const char *path, struct err *err);
/* Checks the same and makes nothing; ERR_NOT_FOUND if there is no such file. */
int guard_seen(const char *path, struct err *err);
/* The daemon's lock, held as long as the descriptor is open; ERR_BUSY while another has it. */
int guard_lock(const char *path, int *ret_fd, struct err *err);

/* schema.c: is there a migration to be made? Refuses a newer file and another program's. */
int schema_pending(struct store *store, int *ret_pending, struct err *err);
int schema_migrate(struct store *store, struct err *err);
/* Can it be read as it is? 0, 1 if there is none yet; -1 also for an older one. */
int schema_readable(struct store *store, struct err *err);
/* Do the sums and references that the schema keeps agree with the rows? */
int schema_check(struct store *store, struct err *err);
/* identity.c: on the first open makes the instance id, the signing key and the account key. */
int identity_make(struct store *store, const struct env *env, struct err *err);
