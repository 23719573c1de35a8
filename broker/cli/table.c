/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/text.h"
#include "util/alloc.h"

struct table {
	struct libscols_table *scols;
	size_t columns;
	size_t rows;
};

struct table *table_new(const char *const *headings)
{
	struct table *table = xcalloc(1, sizeof(*table));
	int tty = isatty(STDOUT_FILENO);
	size_t i;

	table->scols = scols_new_table();
	if (!table->scols)
		abort();
	/* Cells are already escaped; libsmartcols would escape the backslashes. */
	scols_table_enable_noencoding(table->scols, 1);
	if (!tty)
		scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER);
	for (i = 0; headings[i]; i++) {
		const char *name = headings[i];
		int flags = 0;

		if (*name == '>') {
			name++;
			flags = SCOLS_FL_RIGHT;
		}
		if (!headings[i + 1] && tty)
			flags |= SCOLS_FL_WRAP;
		if (!scols_table_new_column(table->scols, name, 0, flags))
			abort();
	}
	table->columns = i;
	return table;
}

void table_add(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);
	size_t i;

	if (!line)
		abort();
	for (i = 0; i < table->columns; i++) {
		auto_free char *safe = text_safe(cells[i] && *cells[i] ? cells[i] : "-");

		if (scols_line_set_data(line, i, safe))
			abort();
	}
	table->rows++;
}

size_t table_count(const struct table *table)
{
	return table->rows;
}

void table_print(struct table *table)
{
	if (table->rows)
		scols_print_table(table->scols);
}

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table);
}
