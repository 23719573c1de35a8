/* SPDX-License-Identifier: MIT */
/*
 * An append-only JSON writer to a buf, without a tree or allocations of its own. It writes
 * commas; the caller is responsible for correct nesting. Responses use this instead of jansson
 * (0.3 us instead of 32 us for a lease); jansson parses input. `key` is NULL inside an array.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct jsonw {
	struct buf *out;
	int comma; /* write one before the next value */
};

void jsonw_init(struct jsonw *w, struct buf *out);
void jsonw_object(struct jsonw *w, const char *key);	/* opens {...} */
void jsonw_end_object(struct jsonw *w);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_end_array(struct jsonw *w);
void jsonw_text(struct jsonw *w, const char *key, const char *value);	/* NULL writes null */
void jsonw_text_if(struct jsonw *w, const char *key, const char *value); /* nothing if NULL or "" */
void jsonw_int(struct jsonw *w, const char *key, int64_t value);	 /* digits only */
void jsonw_int_text(struct jsonw *w, const char *key, int64_t value);	/* "22" */
void jsonw_bool(struct jsonw *w, const char *key, int value);
void jsonw_null(struct jsonw *w, const char *key);
/* micros / 1e6 with up to six decimals, exact. */
void jsonw_micros(struct jsonw *w, const char *key, int64_t micros);
/* RFC 3339 in UTC with milliseconds, 2026-08-21T10:00:00.000Z; nothing if ms is 0. */
void jsonw_time(struct jsonw *w, const char *key, int64_t ms);
/* `json` must be one complete JSON value. */
void jsonw_raw(struct jsonw *w, const char *key, const char *json);
