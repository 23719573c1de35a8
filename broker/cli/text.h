/* SPDX-License-Identifier: MIT */
/*
 * Output for users. Responses may contain terminal control sequences, so each line is escaped
 * as a whole; callers cannot forget a field.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "util/buf.h"

/*
 * Appends `s`, with control characters (C0, DEL, C1), invalid UTF-8 and characters that
 * reorder text written as \n, \x1b, \u202e. NULL appends nothing.
 */
void text_escape(struct buf *out, const char *s);
char *text_safe(const char *s);		/* the same as a new string; the caller frees */
/* The same of a formatted text; the caller frees. */
char *text_vsafe(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Prints one escaped line and a newline. `fmt` must not contain newlines. */
void text_print(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, but not for commands to copy, in lines that fit a terminal; from the second on with `indent` spaces. */
void text_fold(FILE *to, size_t indent, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same to standard error, after `lessor: `: why the command fails. */
void text_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, after `lessor: warning: `; the command continues. */
void text_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The last text_error, unescaped; "" if there was none. */
const char *text_last_error(void);

/* `s` quoted as one word for a POSIX shell; the caller frees. */
char *text_shell(const char *s);
