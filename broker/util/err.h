/* SPDX-License-Identifier: MIT */
/*
 * One error type for the whole tree: a value, no allocation, safe to hand from
 * thread to thread. A function that can fail returns 0 or -1 and takes the
 * error object as its last parameter; on -1 it has filled it, and no output has
 * changed. `err` may be NULL where the caller does not care.
 */
#pragma once

#include <stdarg.h>

enum err_kind {
	ERR_NONE = 0,
	ERR_INVALID,	/* the input is wrong; the text says what is allowed */
	ERR_NOT_FOUND,
	ERR_REFUSED,	/* understood, and not allowed */
	ERR_CONFLICT,	/* it contradicts what is there */
	ERR_BUSY,	/* may work later */
	ERR_IO,		/* the disk, the network, the system */
	ERR_NO_MEMORY,
	ERR_INTERNAL,	/* a bug of ours */
};

struct err {
	enum err_kind kind;
	int native;		/* errno, HTTP status or SQLite code; 0 when there is none */
	char text[256];		/* one sentence, no newline */
};

/* Always returns -1, so that `return err_set(...)` is one line. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As err_set, with errno kept in `native` and its text appended. */
int err_set_errno(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts context before the text of an error on its way up. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
