/* SPDX-License-Identifier: MIT */
/*
 * Everything a person reads passes through here. What a server sent may hold
 * terminal control sequences, so a line is escaped as a whole: no caller can
 * forget one field of it.
 */
#pragma once

#include <stdio.h>

#include "util/buf.h"

/*
 * Appends `s` with control characters (C0, DEL, C1), bytes that are no UTF-8
 * and characters that reorder text written as \n, \x1b, \u202e. NULL adds nothing.
 */
void text_escape(struct buf *out, const char *s);
char *text_safe(const char *s);		/* the same as a new string; the caller frees */

/* One escaped line and its newline. `fmt` must not hold a newline itself. */
void text_say(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `lessor: ` and a line on standard error. */
void text_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* `s` as one word for a POSIX shell; the caller frees. */
char *text_shell(const char *s);
