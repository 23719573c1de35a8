/* SPDX-License-Identifier: MIT */
/*
 * The small text cache of an account, behind lessor_cache_get and _put: parsed
 * catalogues, marks of what is sold out. Bounded; the entry that expires first is
 * evicted first. Its own lock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_CACHE_KEY_MAX 200
#define TEXT_CACHE_VALUE_MAX (256u << 10)

struct text_cache;

struct text_cache *text_cache_new(void);
void text_cache_free(struct text_cache *cache);
/* A copy that the caller frees, NULL if absent or stale. */
char *text_cache_get(struct text_cache *cache, const char *key, int64_t now_mono_ms);
/* NULL forgets. 0, or -1 if key or value are too long. */
int text_cache_put(struct text_cache *cache, const char *key, const char *value,
		   int64_t until_mono_ms);
