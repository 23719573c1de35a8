/* SPDX-License-Identifier: MIT */
/* Strings in arrays of fixed size, and what may stand around a value. */
#pragma once

#include <string.h>

/* Copies and terminates `from`, truncated if necessary; NULL is "". */
static inline void text_set(char *to, size_t size, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memmove(to, from, len);
	to[len] = '\0';
}

/* text_set for an array of known size. */
#define TEXT_SET(field, from) text_set((field), sizeof(field), (from))

/*
 * Moves `*text`, which has `len` bytes, past a UTF-8 byte order mark, which editors on Windows
 * write, and returns the length of the rest.
 */
static inline size_t text_skip_mark(const char **text, size_t len)
{
	if (len < 3 || memcmp(*text, "\xef\xbb\xbf", 3) != 0)
		return len;
	*text += 3;
	return len - 3;
}

/*
 * Moves `*text`, which has `len` bytes, past a byte order mark and leading blanks, tabs and
 * line ends, and returns the length without those and the trailing ones. Tokens and keys are
 * often pasted, or written by other systems, with these around them.
 */
static inline size_t text_trim(const char **text, size_t len)
{
	const char *from;

	len = text_skip_mark(text, len);
	from = *text;
	while (len > 0 && strchr(" \t\r\n", from[len - 1]) && from[len - 1])
		len--;
	while (len > 0 && strchr(" \t\r\n", *from) && *from)
		from++, len--;
	*text = from;
	return len;
}
