/* SPDX-License-Identifier: MIT */
/* Strings in arrays of fixed size. */
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
