/* SPDX-License-Identifier: MIT */
/* A fresh store in a folder of its own for each test, with the fault VFS under it. */
#pragma once

#include "store/store.h"
#include "util/env.h"

extern char folder[64];
extern char path[96];
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
/* In a transaction of its own. */
struct lease scratch_insert(const char *id);
