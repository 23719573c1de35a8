/* SPDX-License-Identifier: MIT */
/*
 * The error type of the whole tree: a value without allocations, which may be passed between
 * threads. A function that can fail returns 0 or -1 and has `err` as its last parameter; on -1
 * it has filled it and changed no output. `err` may be NULL.
 */
#pragma once

#include <stdarg.h>

enum err_kind {
	ERR_NONE = 0,
	ERR_INVALID, /* invalid input; the text says what is allowed */
	ERR_NOT_FOUND,
	ERR_REFUSED,  /* valid, but not permitted */
	ERR_CONFLICT, /* contradicts the current state */
	ERR_BUSY,     /* may succeed later */
	ERR_IO,	      /* the disk, the network, the system */
	ERR_NO_MEMORY,
	ERR_INTERNAL, /* a bug in lessor */
};

struct err {
	enum err_kind kind;
	int native;	/* errno, HTTP status or SQLite code; 0: none */
	char text[512]; /* one sentence, no newline */
};

/* Returns -1, for `return err_set(...)`. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As err_set; also stores errno in `native` and appends its text. */
int err_set_errno(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prefixes the text with context. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
