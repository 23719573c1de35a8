/* SPDX-License-Identifier: MIT */
/* Texts of fixed size, as the records have them. */
#pragma once

#include <string.h>

/* Copies and terminates; what does not fit is cut, NULL is "". */
static inline void text_set(char *to, size_t size, const char *from)
{
	size_t len = from ? strlen(from) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memmove(to, from, len);
	to[len] = '\0';
}

/* For an array, whose size the compiler knows. */
#define TEXT_SET(field, from) text_set((field), sizeof(field), (from))
