/* SPDX-License-Identifier: MIT */
/*
 * Appends JSON to a buffer. Whether a comma is needed follows from the last byte, so there is
 * no state other than the text.
 */
#pragma once

#include <stdint.h>

#include "util/buf.h"

void out_begin(struct buf *b, char bracket); /* '{' or '[' */
void out_end(struct buf *b, char bracket);   /* '}' or ']' */
void out_key(struct buf *b, const char *key);
void out_str(struct buf *b, const char *s); /* NULL: null */
void out_int(struct buf *b, int64_t n);
void out_bool(struct buf *b, int yes);
void out_null(struct buf *b);
void out_raw(struct buf *b, const char *json); /* a value that already is JSON */
void out_time(struct buf *b, int64_t ms);      /* RFC 3339 in UTC, in quotes */

/* "key": value */
void out_key_str(struct buf *b, const char *key, const char *s);
void out_key_int(struct buf *b, const char *key, int64_t n);
void out_key_bool(struct buf *b, const char *key, int yes);
void out_key_null(struct buf *b, const char *key);
void out_key_raw(struct buf *b, const char *key, const char *json);
void out_key_time(struct buf *b, const char *key, int64_t ms);
void out_key_begin(struct buf *b, const char *key, char bracket);
