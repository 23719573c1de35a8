/* SPDX-License-Identifier: MIT */
/*
 * Texts made small: what runs print is four fifths repetition. Quick rather than small,
 * and never larger than it was but for the tag. Inside the room only. Any thread.
 */
#pragma once

#include <stddef.h>

#define PACK_LEN_MAX (1u << 20)		/* of what is packed at once */

/* Room for the packed form of `len` bytes. */
size_t pack_bound(size_t len);
/* Returns how much of `out` it takes. `len` is at most PACK_LEN_MAX. */
size_t pack_encode(const void *data, size_t len, unsigned char *out);
/* How many bytes come of it, -1: it is nothing that pack() wrote. */
long pack_len(const unsigned char *packed, size_t len);
/* Fills exactly that many; -1: it is damaged. */
int pack_decode(const unsigned char *packed, size_t len, char *out);
