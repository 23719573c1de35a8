/* SPDX-License-Identifier: MIT */
#include "provider/memo.h"

#include <pthread.h>
#include <string.h>

#include "util/alloc.h"

#define MEMO_ENTRIES_MAX 256
#define MEMO_BYTES_MAX (2u << 20)

struct entry {
	char *key;
	char *value;
	size_t bytes;
	int64_t until_mono_ms;
};

/* `lock` guards everything. */
struct memo {
	pthread_mutex_t lock;
	struct entry entries[MEMO_ENTRIES_MAX];
	size_t count;
	size_t bytes;
};

struct memo *memo_new(void)
{
	struct memo *memo = xcalloc(1, sizeof(*memo));

	pthread_mutex_init(&memo->lock, NULL);
	return memo;
}

static void entry_drop(struct memo *memo, size_t i)
{
	memo->bytes -= memo->entries[i].bytes;
	free(memo->entries[i].key);
	free(memo->entries[i].value);
	memo->entries[i] = memo->entries[--memo->count];
}

void memo_free(struct memo *memo)
{
	if (!memo)
		return;
	while (memo->count > 0)
		entry_drop(memo, memo->count - 1);
	pthread_mutex_destroy(&memo->lock);
	free(memo);
}

static size_t entry_find(const struct memo *memo, const char *key)
{
	size_t i = 0;

	while (i < memo->count && strcmp(memo->entries[i].key, key) != 0)
		i++;
	return i;
}

char *memo_dup(struct memo *memo, const char *key, int64_t now_mono_ms)
{
	char *value = NULL;

	pthread_mutex_lock(&memo->lock);
	size_t i = entry_find(memo, key);
	if (i < memo->count) {
		if (memo->entries[i].until_mono_ms > now_mono_ms)
			value = xstrdup(memo->entries[i].value);
		else
			entry_drop(memo, i);
	}
	pthread_mutex_unlock(&memo->lock);
	return value;
}

static void entry_drop_first_stale(struct memo *memo)
{
	size_t first = 0;

	for (size_t i = 1; i < memo->count; i++) {
		if (memo->entries[i].until_mono_ms < memo->entries[first].until_mono_ms)
			first = i;
	}
	entry_drop(memo, first);
}

int memo_put(struct memo *memo, const char *key, const char *value, int64_t until_mono_ms)
{
	size_t bytes = strlen(key) + (value ? strlen(value) : 0);

	if (strlen(key) > MEMO_KEY_MAX || bytes > MEMO_VALUE_MAX)
		return -1;
	pthread_mutex_lock(&memo->lock);
	size_t i = entry_find(memo, key);
	if (i < memo->count)
		entry_drop(memo, i);
	if (value) {
		while (memo->count == MEMO_ENTRIES_MAX || memo->bytes + bytes > MEMO_BYTES_MAX)
			entry_drop_first_stale(memo);
		memo->entries[memo->count++] = (struct entry){ .key = xstrdup(key),
							       .value = xstrdup(value),
							       .bytes = bytes,
							       .until_mono_ms = until_mono_ms };
		memo->bytes += bytes;
	}
	pthread_mutex_unlock(&memo->lock);
	return 0;
}
