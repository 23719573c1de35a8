/* SPDX-License-Identifier: MIT */
/*
 * Tables on standard output; the only file that uses libsmartcols. Cells are escaped here.
 * Nothing is truncated: on a terminal the last column wraps, elsewhere lines have any length.
 */
#pragma once

#include <stddef.h>

struct table;

/* `headings` ends with NULL; one that begins with '>' is right-aligned, for numbers. */
struct table *table_new(const char *const *headings);
/* Adds a row with one cell for each heading; NULL and "" are printed as "-". */
void table_add(struct table *table, const char *const *cells);
size_t table_count(const struct table *table);
void table_print(struct table *table); /* nothing without rows */
void table_free(struct table *table);
