/* SPDX-License-Identifier: MIT */
/*
 * The one file that knows libsmartcols. Cells are escaped here. Nothing is ever
 * cut: on a terminal the last column wraps, elsewhere lines are as long as they are.
 */
#pragma once

#include <stddef.h>

struct table;

/* `headings` ends with NULL; one that begins with '>' is a column of numbers. */
struct table *table_new(const char *const *headings);
/* One cell for each heading; NULL or "" is shown as "-". */
void table_add(struct table *table, const char *const *cells);
size_t table_count(const struct table *table);
void table_print(struct table *table);	/* to standard output; nothing without a row */
void table_free(struct table *table);
