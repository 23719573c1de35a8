/* SPDX-License-Identifier: MIT */
/*
 * Moving a store and its run history from a file to PostgreSQL. What is there afterwards is compared
 * with what was there before, row by row, before it counts. The file stays as it is, with a mark
 * that it was moved: no lessord uses it again.
 */
#pragma once

#include "store/runs.h"

/*
 * As store_open, as the only daemon; but a store that was moved before is opened, too, since a move
 * that was interrupted is done again.
 */
int store_open_source(const char *path, const struct env *env, struct store **ret, struct err *err);

struct store_move;
/* `from` and `runs`, its runs' file: store_open_source and store_open_runs; `to`: store_open_tool. */
struct store_move *store_move_new(struct store *from, struct store *runs, struct store *to);
/* After the three stores are closed: their statements are of it. NULL is allowed. */
void store_move_free(struct store_move *move);

struct store_move_result {
	int64_t rows, leases, runs; /* copied */
	int64_t mended;		    /* texts that PostgreSQL could not hold as they were */
	int is_repeated;	    /* an earlier move had been completed: nothing was done */
};
/*
 * Once. ERR_REFUSED with a sentence: `to` is not empty, or does not hold what was copied, or `from`
 * was moved elsewhere; nothing has changed then. ERR_BUSY: whether `to` has the data is unknown,
 * and another move with stores that were opened again finds out.
 */
int store_move_run(struct store_move *move, struct store_move_result *ret, struct err *err);
