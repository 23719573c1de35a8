/* SPDX-License-Identifier: MIT */
/*
 * Compression of run logs, which are highly repetitive. Optimised for speed; the result is
 * never larger than the input plus the tag. Inside the room only. Any thread.
 */
#pragma once

#include <stddef.h>

#define PACK_LEN_MAX (1u << 20) /* maximum input, bytes */

/* Maximum size of the packed form of `len` bytes. */
size_t pack_bound(size_t len);
/* Returns the number of bytes written to `out`. `len` is at most PACK_LEN_MAX. */
size_t pack_encode(const void *data, size_t len, unsigned char *out);
/* The unpacked size, -1 if pack_encode did not write this. */
long pack_len(const unsigned char *packed, size_t len);
/* Writes exactly that many bytes to `out`; -1: damaged. */
int pack_decode(const unsigned char *packed, size_t len, char *out);
