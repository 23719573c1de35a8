/* SPDX-License-Identifier: MIT */
/*
 * A byte string that grows up to a maximum. `data` ends with a NUL that `len` does not count.
 * An append that would exceed the maximum sets `overflow` and changes nothing, and so does
 * every later one: the owner checks once, at the end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* owned; may be NULL while empty: use buf_str */
	size_t len;
	size_t room;	/* bytes allocated */
	size_t max;	/* maximum of `len` */
	int overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);  /* also a zeroed one */
void buf_clear(struct buf *b); /* empties it and keeps the memory */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addi(struct buf *b, int64_t value);	/* decimal */
const char *buf_str(const struct buf *b);	/* borrowed; never NULL */
char *buf_take(struct buf *b);			/* the caller frees; b is then empty */

/* The slow path of buf_reserve(). */
char *buf_reserve_more(struct buf *b, size_t len);

/*
 * For a writer that knows how much it will append: space for `len` more bytes, which buf_grow()
 * adds once they are filled in. NULL: they would exceed the maximum.
 */
static inline char *buf_reserve(struct buf *b, size_t len)
{
	/* More than the maximum may be allocated. */
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
