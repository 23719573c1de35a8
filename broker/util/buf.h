/* SPDX-License-Identifier: MIT */
/*
 * A byte string that grows up to a stated maximum. `data` is always terminated
 * by a NUL that `len` does not count, so it can be printed. Once an append
 * would pass the maximum the buffer is marked `overflow`, keeps what it has,
 * and every later append does nothing: the owner asks once, at the end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;	/* owned; "" while nothing was appended is not guaranteed: use buf_str */
	size_t len;
	size_t room;	/* bytes allocated */
	size_t max;	/* most bytes `len` may reach */
	int overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);	/* takes a zeroed one too */
void buf_clear(struct buf *b);	/* empty and reusable; keeps the memory */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addi(struct buf *b, int64_t value);	/* decimal */
const char *buf_str(const struct buf *b);	/* borrowed; never NULL */
char *buf_take(struct buf *b);			/* the caller frees; b is empty after */

/* What buf_reserve() does where there is not room enough, or may be none. */
char *buf_reserve_more(struct buf *b, size_t len);

/*
 * For a writer that knows how much it will append: room for `len` more bytes, which
 * buf_grow() makes part of the buffer once they are filled in. NULL: they would pass the
 * maximum.
 */
static inline char *buf_reserve(struct buf *b, size_t len)
{
	/* What is allocated may be more than the maximum. */
	if (len < b->room - b->len && len <= b->max - b->len && !b->overflow)
		return b->data + b->len;
	return buf_reserve_more(b, len);
}

static inline void buf_grow(struct buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = '\0';
}

#define auto_buf __attribute__((cleanup(buf_fini)))
