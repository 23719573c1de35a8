/* SPDX-License-Identifier: MIT */
/* Copying one table from a store to another, and comparing the two. Inside the room only. */
#pragma once

#include "store/rows.h"
#include "store/tables.h"
#include "util/hash.h"

struct table_copy {
	const struct store_table *table;
	struct column columns[TABLE_COLUMNS_MAX];
	size_t count, key_count;
	/* Statements, found by the addresses of these texts. */
	char *first_sql, *next_sql; /* one page of rows, in the order of the key */
	char *insert_sql, *count_sql;
	char *continue_sql; /* PostgreSQL: sets the sequence of row numbers */
	char *analyze_sql;  /* and this counts what is in it, for its plans */
	int64_t rows, mended;
};

void table_copy_init(struct table_copy *copy, const struct store_table *table);
void table_copy_fini(struct table_copy *copy);
/* Writes all rows to `to`, in the caller's transaction. */
int table_copy_run(struct table_copy *copy, struct store *from, struct store *to, struct err *err);
/* Are all rows of both the same? ERR_REFUSED: no. */
int table_copy_verify(const struct table_copy *copy, struct store *from, struct store *to,
		      struct err *err);
