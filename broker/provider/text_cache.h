/* SPDX-License-Identifier: MIT */
/*
 * The text cache of an account, behind lessor_cache_get and lessor_cache_put: parsed
 * catalogues, notes on what is sold out. Bounded; evicts the entry that expires first. Has its
 * own lock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_CACHE_KEY_MAX 200
#define TEXT_CACHE_VALUE_MAX (256u << 10)

struct text_cache;

struct text_cache *text_cache_new(void);
void text_cache_free(struct text_cache *cache);
/* Returns a copy that the caller frees; NULL if absent or expired. */
char *text_cache_get(struct text_cache *cache, const char *key, int64_t now_mono_ms);
/* `value` NULL removes the entry. Returns 0, or -1 if key or value are too long. */
int text_cache_put(struct text_cache *cache, const char *key, const char *value,
		   int64_t until_mono_ms);
