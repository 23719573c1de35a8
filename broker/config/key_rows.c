/* SPDX-License-Identifier: MIT */
/* Keys whose values are strings: rows of an array, or one. */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"

int names_add(const char *value, char *rows, size_t size, int *count, int max, value_text_fn copy,
	      struct err *err)
{
	char item[128];
	int more;

	while ((more = value_next(&value, item, sizeof(item), err)) > 0) {
		char *row = rows + (size_t)*count * size;

		if (*count == max)
			return err_set(err, ERR_INVALID, "more than %d items", max);
		if (copy(item, size, row, err) < 0)
			return -1;
		for (int i = 0; i < *count; i++) {
			if (strcmp(rows + (size_t)i * size, row) == 0)
				return err_set(err, ERR_INVALID, "duplicate item '%s'", row);
		}
		++*count;
	}
	return more;
}

/* One row of an array of strings. */
int row_show(const char *rows, size_t row_size, int count, int i, char *out, size_t size)
{
	if (i >= count)
		return 0;
	snprintf(out, size, "%s", rows + (size_t)i * row_size);
	return 1;
}

int word_show(const char *word, int i, char *out, size_t size)
{
	return row_show(word, 0, 1, i, out, size);
}
