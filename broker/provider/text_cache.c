/* SPDX-License-Identifier: MIT */
#include "provider/text_cache.h"

#include <pthread.h>
#include <string.h>

#include "util/alloc.h"

#define TEXT_CACHE_ENTRIES_MAX 256
#define TEXT_CACHE_BYTES_MAX (2u << 20)

struct cache_entry {
	char *key;
	char *value;
	size_t bytes;
	int64_t until_mono_ms;
};

/* `lock` guards all members. */
struct text_cache {
	pthread_mutex_t lock;
	struct cache_entry entries[TEXT_CACHE_ENTRIES_MAX];
	size_t count;
	size_t bytes;
};

struct text_cache *text_cache_new(void)
{
	struct text_cache *cache = xcalloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static void entry_drop(struct text_cache *cache, size_t i)
{
	cache->bytes -= cache->entries[i].bytes;
	free(cache->entries[i].key);
	free(cache->entries[i].value);
	cache->entries[i] = cache->entries[--cache->count];
}

void text_cache_free(struct text_cache *cache)
{
	if (!cache)
		return;
	while (cache->count > 0)
		entry_drop(cache, cache->count - 1);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static size_t entry_find(const struct text_cache *cache, const char *key)
{
	size_t i = 0;

	while (i < cache->count && strcmp(cache->entries[i].key, key) != 0)
		i++;
	return i;
}

char *text_cache_get(struct text_cache *cache, const char *key, int64_t now_mono_ms)
{
	char *value = NULL;

	pthread_mutex_lock(&cache->lock);
	size_t i = entry_find(cache, key);
	if (i < cache->count) {
		if (cache->entries[i].until_mono_ms > now_mono_ms)
			value = xstrdup(cache->entries[i].value);
		else
			entry_drop(cache, i);
	}
	pthread_mutex_unlock(&cache->lock);
	return value;
}

static void entry_drop_first_stale(struct text_cache *cache)
{
	size_t first = 0;

	for (size_t i = 1; i < cache->count; i++) {
		if (cache->entries[i].until_mono_ms < cache->entries[first].until_mono_ms)
			first = i;
	}
	entry_drop(cache, first);
}

int text_cache_put(struct text_cache *cache, const char *key, const char *value,
		   int64_t until_mono_ms)
{
	size_t bytes = strlen(key) + (value ? strlen(value) : 0);

	if (strlen(key) > TEXT_CACHE_KEY_MAX || bytes > TEXT_CACHE_VALUE_MAX)
		return -1;
	pthread_mutex_lock(&cache->lock);
	size_t i = entry_find(cache, key);
	if (i < cache->count)
		entry_drop(cache, i);
	if (value) {
		while (cache->count == TEXT_CACHE_ENTRIES_MAX ||
		       cache->bytes + bytes > TEXT_CACHE_BYTES_MAX)
			entry_drop_first_stale(cache);
		cache->entries[cache->count++] = (struct cache_entry){ .key = xstrdup(key),
							       .value = xstrdup(value),
							       .bytes = bytes,
							       .until_mono_ms = until_mono_ms };
		cache->bytes += bytes;
	}
	pthread_mutex_unlock(&cache->lock);
	return 0;
}
