/* SPDX-License-Identifier: MIT */
/*
 * The names of all tables and columns: what every backend's schema has in common, for what handles
 * all of them alike. A test compares it with each schema. Inside the room only.
 */
#pragma once

#include <stddef.h>

enum table_place {
	TABLE_OF_LEASES,
	TABLE_OF_RUNS,	  /* in SQLite, in the runs' file */
	TABLE_OF_TOTALS,  /* follows from the leases, by triggers */
	TABLE_OF_DAEMONS, /* who runs at the moment */
};

/*
 * Columns are separated by spaces. "name#" is a number, "name@" a blob, "name" a text; after "name@"
 * a "?" means that it may be NULL.
 */
struct store_table {
	const char *name;
	enum table_place place;
	int is_numbered; /* its key is a row number, from store_run_new */
	const char *key; /* the columns of its primary key */
	const char *rest;
};

#define TABLES 30
extern const struct store_table tables[TABLES];

enum column_type { COLUMN_NUMBER, COLUMN_TEXT_TYPE, COLUMN_BLOB };
#define COLUMN_NAME_SIZE 32
struct column {
	char name[COLUMN_NAME_SIZE];
	enum column_type type;
	int is_nullable;
};
#define TABLE_COLUMNS_MAX 80

/* The columns of the key, then the others. Their number. */
size_t table_columns(const struct store_table *table, struct column ret[TABLE_COLUMNS_MAX],
		     size_t *ret_key_count);
