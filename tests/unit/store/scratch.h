/* SPDX-License-Identifier: MIT */
/*
 * A fresh store in a folder of its own for each test, with the fault VFS under it. With
 * LESSOR_TEST_STORE=postgresql it is an empty database of a server that the program starts.
 */
#pragma once

#include "store/store.h"
#include "util/env.h"

extern char folder[64];
extern char path[96]; /* or the URL */
extern struct env env;
extern struct store *store;	/* the open one; NULL while a test has it closed */
extern struct store *runs;	/* its runs' file; NULL before scratch_open_runs */

int scratch_setup(void **state);
int scratch_teardown(void **state);
struct store *scratch_open(void);
void scratch_open_runs(void);
/* Both. */
void scratch_close(void);
struct lease scratch_lease(const char *id);
void scratch_begin(void);
void scratch_commit(void);
/* Ends a transaction whose last write is expected to fail, now (`rc` -1) or at the commit. */
int scratch_end(int rc, struct err *err);
/* In a transaction of its own. */
struct lease scratch_insert(const char *id);
