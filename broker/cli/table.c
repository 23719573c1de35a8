/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "cli/wrap.h"
#include "util/alloc.h"
#include "util/buf.h"

#define SHORT_MAX 14 /* columns of a cell that stays on one line */
#define LINES_MAX 5  /* of a row, while there are columns to leave out */

struct table_column {
	char *name;
	int is_number;
	size_t spare; /* how soon it is left out; 0: never */
	int is_hidden;
	size_t natural; /* columns of the longest cell */
	size_t word;	/* of the longest word */
	size_t least;	/* how narrow it may become */
	size_t width;	/* what it gets */
};

struct table {
	struct table_column *columns;
	size_t column_count;
	char **cells; /* row by row, escaped */
	size_t cell_count;
};

struct table *table_new(const char *const *headings)
{
	struct table *table = xcalloc(1, sizeof(*table));

	for (size_t i = 0; headings[i]; i++) {
		const char *name = headings[i];
		struct table_column *column;

		table->columns = xgrow(table->columns, i, sizeof(*table->columns));
		column = &table->columns[i];
		*column = (struct table_column){ .spare = strspn(name, "~") };
		name += column->spare;
		column->is_number = *name == '>';
		column->name = xstrdup(name + column->is_number);
		column->natural = wrap_columns(column->name);
		column->word = column->natural;
		table->column_count++;
	}
	return table;
}

void table_add(struct table *table, const char *const *cells)
{
	for (size_t i = 0; i < table->column_count; i++) {
		char *safe = text_safe(cells[i] && *cells[i] ? cells[i] : "-");
		struct table_column *column = &table->columns[i];
		size_t natural = wrap_columns(safe), word = wrap_longest_word(safe);

		column->natural = natural > column->natural ? natural : column->natural;
		column->word = word > column->word ? word : column->word;
		table->cells = xgrow(table->cells, table->cell_count, sizeof(*table->cells));
		table->cells[table->cell_count++] = safe;
	}
}

size_t table_count(const struct table *table)
{
	return table->cell_count / table->column_count;
}

/* ---- widths ---------------------------------------------------------------- */

/* The width of the table with one space between the columns. */
static size_t width_of(const struct table *table, size_t (*width)(const struct table_column *))
{
	size_t sum = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (!table->columns[i].is_hidden)
			sum += width(&table->columns[i]) + (sum != 0);
	}
	return sum;
}

static size_t natural_width(const struct table_column *column)
{
	return column->natural;
}

static size_t least_width(const struct table_column *column)
{
	return column->least;
}

static size_t given_width(const struct table_column *column)
{
	return column->width;
}

/* The one to leave out next; NULL: none. */
static struct table_column *column_spared(struct table *table)
{
	struct table_column *found = NULL;

	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];

		if (!column->is_hidden && column->spare && (!found || column->spare >= found->spare))
			found = column;
	}
	return found;
}

/* Column by column to where most lines are needed, so that rows are low. */
static void widths_grow(struct table *table, size_t width)
{
	for (size_t used = width_of(table, given_width); used < width; used++) {
		struct table_column *next = NULL;

		for (size_t i = 0; i < table->column_count; i++) {
			struct table_column *column = &table->columns[i];

			if (column->is_hidden || column->width >= column->natural)
				continue;
			if (!next || column->natural * next->width > next->natural * column->width)
				next = column;
		}
		if (!next)
			return;
		next->width++;
	}
}

static int is_high(const struct table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (!table->columns[i].is_hidden &&
		    table->columns[i].natural > table->columns[i].width * LINES_MAX)
			return 1;
	}
	return 0;
}

/* `whole`: numbers, times and the like do not wrap. 0, or -1 if the columns do not fit. */
static int widths_try(struct table *table, size_t width, int whole)
{
	size_t i;

	for (i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];

		column->is_hidden = 0;
		column->least = whole && (column->is_number || column->natural <= SHORT_MAX) ?
					column->natural :
					column->word;
	}
	for (;;) {
		struct table_column *spared = column_spared(table);

		if (width_of(table, least_width) <= width) {
			for (i = 0; i < table->column_count; i++)
				table->columns[i].width = table->columns[i].least;
			widths_grow(table, width);
			if (!spared || !is_high(table))
				return 0;
		}
		if (!spared)
			return -1;
		spared->is_hidden = 1;
	}
}

/* Gives each column its width; 0: as much as it needs. -1 if they do not fit. */
static int widths_choose(struct table *table, size_t width)
{
	if (width && width_of(table, natural_width) > width)
		return widths_try(table, width, 1) && widths_try(table, width, 0) ? -1 : 0;
	for (size_t i = 0; i < table->column_count; i++)
		table->columns[i].width = table->columns[i].natural;
	return 0;
}

static void hidden_print(const struct table *table)
{
	struct buf names;

	buf_init(&names, 4096);
	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].is_hidden)
			buf_addf(&names, "%s%s", names.len ? ", " : "", table->columns[i].name);
	}
	if (names.len)
		text_print(stderr, "not shown in this width: %s", buf_str(&names));
	buf_fini(&names);
}

/* ---- printing -------------------------------------------------------------- */

/* A paragraph for each row, with a line for each cell. */
static void paragraphs_print(const struct table *table, size_t width)
{
	size_t indent = 0, i;

	for (i = 0; i < table->column_count; i++) {
		size_t columns = wrap_columns(table->columns[i].name) + 1;

		indent = columns > indent ? columns : indent;
	}
	for (i = 0; i < table->cell_count; i++) {
		const char *name = table->columns[i % table->column_count].name;
		auto_free char *line = xasprintf("%-*s%s", (int)indent, name, table->cells[i]);
		auto_free char *lines = wrap_words(line, width, indent);

		if (i && i % table->column_count == 0)
			putchar('\n');
		printf("%s\n", lines);
	}
}

static struct libscols_column *column_make(struct libscols_table *scols,
					   const struct table_column *column)
{
	struct libscols_column *made;
	int flags = column->is_number ? SCOLS_FL_RIGHT : 0;

	/* Cells are wrapped beforehand, where the library would break words. */
	if (column->width < column->natural)
		flags |= SCOLS_FL_WRAP;
	made = scols_table_new_column(scols, column->name, 0, flags);
	if (!made ||
	    (flags & SCOLS_FL_WRAP &&
	     scols_column_set_wrapfunc(made, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL)))
		abort();
	return made;
}

static void grid_print(const struct table *table, size_t width)
{
	struct libscols_table *scols = scols_new_table();
	struct libscols_line *line = NULL;
	size_t place = 0;

	if (!scols)
		abort();
	/* Cells are already escaped; libsmartcols would escape the backslashes. */
	scols_table_enable_noencoding(scols, 1);
	scols_table_set_termforce(scols, width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (width)
		scols_table_set_termwidth(scols, width);
	for (size_t i = 0; i < table->column_count; i++) {
		if (!table->columns[i].is_hidden)
			column_make(scols, &table->columns[i]);
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		const struct table_column *column = &table->columns[i % table->column_count];
		auto_free char *lines = NULL;

		if (i % table->column_count == 0) {
			line = scols_table_new_line(scols, NULL);
			place = 0;
		}
		if (column->is_hidden)
			continue;
		lines = wrap_words(table->cells[i], column->width, 0);
		if (!line ||
		    scols_line_set_data(line, place++,
					column->width < column->natural ? lines : table->cells[i]))
			abort();
	}
	scols_print_table(scols);
	scols_unref_table(scols);
}

void table_print(struct table *table)
{
	size_t width = wrap_width(stdout);

	if (!table->cell_count)
		return;
	fflush(stdout);
	if (widths_choose(table, width)) {
		paragraphs_print(table, width);
		return;
	}
	grid_print(table, width);
	fflush(stdout);
	hidden_print(table);
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->column_count; i++)
		free(table->columns[i].name);
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->columns);
	free(table->cells);
	free(table);
}
