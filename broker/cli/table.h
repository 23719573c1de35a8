/* SPDX-License-Identifier: MIT */
/*
 * Tables on standard output; the only file that uses libsmartcols. Cells are escaped here.
 * Nothing is truncated. Elsewhere than on a terminal a row is a line of any length. On a terminal
 * too narrow for that, cells wrap between words; if their longest words do not fit, columns are
 * left out, which standard error says; if that is not enough, each row becomes a paragraph.
 */
#pragma once

#include <stddef.h>

struct table;

/*
 * `headings` ends with NULL. Before the name may stand one or more '~': the column may be left
 * out, the one with the most first, of equals the last; then a '>': right-aligned, for numbers.
 */
struct table *table_new(const char *const *headings);
/* Adds a row with one cell for each heading; NULL and "" are printed as "-". */
void table_add(struct table *table, const char *const *cells);
size_t table_count(const struct table *table);
void table_print(struct table *table); /* nothing without rows */
void table_free(struct table *table);
