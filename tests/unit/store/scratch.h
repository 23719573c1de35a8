/* SPDX-License-Identifier: MIT */
/*
 * A fresh store for each test: a file in a folder of its own, with the fault VFS under it
 * (scratch_file.c), or a database of a PostgreSQL server (scratch_postgres.c).
 */
#pragma once

#include "store/store.h"
#include "util/env.h"

extern char folder[64];
extern char path[256]; /* the store's name */
extern struct env env;
extern struct store *store;	/* the open one; NULL while a test has it closed */
extern struct store *runs;	/* its runs' file; NULL before scratch_open_runs */

/*
 * 0: PostgreSQL. An error of a write may show with the commit, and what a savepoint began is not
 * undone alone.
 */
int scratch_is_file(void);
int scratch_setup(void **state);
int scratch_teardown(void **state);
struct store *scratch_open(void);
void scratch_open_runs(void);
/* Both. */
void scratch_close(void);
struct lease scratch_lease(const char *id);
void scratch_begin(void);
void scratch_commit(void);
/* In a transaction of its own. */
struct lease scratch_insert(const char *id);
