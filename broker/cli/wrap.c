/* SPDX-License-Identifier: MIT */
#include "cli/wrap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "util/buf.h"

#define WIDTH_MIN 20
#define WIDTH_DEFAULT 80
#define WIDTH_MAX 10000
#define TEXT_MAX (1024 * 1024)

size_t wrap_width(FILE *to)
{
	const char *text = getenv("COLUMNS");
	struct winsize size = { 0 };
	long width = 0;

	if (!isatty(fileno(to)))
		return 0;
	if (text)
		width = strtol(text, NULL, 10);
	if ((width <= 0 || width > WIDTH_MAX) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width <= 0 || width > WIDTH_MAX)
		width = WIDTH_DEFAULT;
	return width < WIDTH_MIN ? WIDTH_MIN : (size_t)width;
}

/* The columns of the first `len` bytes. */
static size_t columns_of(const char *text, size_t len)
{
	mbstate_t state = { 0 };
	size_t columns = 0;

	while (len) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, len, &state);
		int width;

		if (n == 0 || n > len) { /* not valid in this locale: a column for each byte */
			memset(&state, 0, sizeof(state));
			n = 1;
			width = 1;
		} else {
			width = wcwidth(c);
		}
		columns += width > 0 ? (size_t)width : 0;
		text += n;
		len -= n;
	}
	return columns;
}

size_t wrap_columns(const char *text)
{
	return columns_of(text, strlen(text));
}

size_t wrap_longest_word(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t len = strcspn(text, " ");
		size_t columns = columns_of(text, len);

		longest = columns > longest ? columns : longest;
		text += len + strspn(text + len, " ");
	}
	return longest;
}

char *wrap_words(const char *text, size_t width, size_t indent)
{
	size_t at = 0; /* the column */
	struct buf out;

	buf_init(&out, TEXT_MAX);
	while (*text) {
		size_t space = strspn(text, " ");
		size_t len = strcspn(text + space, " ");
		size_t columns = columns_of(text + space, len);

		if (at && at + space > indent && len && at + space + columns > width) {
			buf_addc(&out, '\n');
			for (at = 0; at < indent; at++)
				buf_addc(&out, ' ');
			text += space;
			space = 0;
		}
		buf_add(&out, text, space + len);
		at += space + columns;
		text += space + len;
	}
	return buf_take(&out);
}
