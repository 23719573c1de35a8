/* SPDX-License-Identifier: MIT */
/*
 * The small text cache of an account, behind lessor_cache_get and _put: parsed
 * catalogues, marks of what is sold out. Bounded; what is full forgets what
 * would be stale first. Its own lock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MEMO_KEY_MAX 200
#define MEMO_VALUE_MAX (256u << 10)

struct memo;

struct memo *memo_new(void);
void memo_free(struct memo *memo);
/* A copy that the caller frees, NULL if absent or stale. */
char *memo_dup(struct memo *memo, const char *key, int64_t now_mono_ms);
/* NULL forgets. 0, or -1 if key or value are too long. */
int memo_put(struct memo *memo, const char *key, const char *value, int64_t until_mono_ms);
