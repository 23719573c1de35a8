/* SPDX-License-Identifier: MIT */
#include "api/cache.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/hash.h"
#include "util/text.h"

struct slot {
	uint64_t version;	/* 0: empty */
	char id[24];
	int64_t epoch;
	struct caller caller;
	struct buf answer;
};

/* Direct-mapped by id: a later entry replaces the one in its slot. */
struct cache {
	struct slot slots[CACHE_SLOTS];
};

struct cache *cache_new(void)
{
	return xcalloc(1, sizeof(struct cache));
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		buf_fini(&cache->slots[i].answer);
	free(cache);
}

static size_t slot_of(const char *id)
{
	return hash_fnv32(id, strlen(id)) % CACHE_SLOTS;
}

static int is_same_caller(const struct caller *a, const struct caller *b)
{
	return a->role == b->role && !strcmp(a->owner, b->owner) && !strcmp(a->org, b->org);
}

const struct buf *cache_find(const struct cache *cache, uint64_t version,
			     const struct caller *caller, const char *id, int64_t *ret_epoch)
{
	const struct slot *slot = &cache->slots[slot_of(id)];

	if (!version || slot->version != version || strcmp(slot->id, id) ||
	    !is_same_caller(&slot->caller, caller))
		return NULL;
	*ret_epoch = slot->epoch;
	return &slot->answer;
}

void cache_put(struct cache *cache, uint64_t version, const struct caller *caller, const char *id,
	       int64_t epoch, const struct buf *answer)
{
	struct slot *slot = &cache->slots[slot_of(id)];

	if (!version || answer->overflow || answer->len > CACHE_ENTRY_MAX ||
	    strlen(id) >= sizeof(slot->id))
		return;
	slot->version = version;
	slot->epoch = epoch;
	TEXT_SET(slot->id, id);
	slot->caller = *caller;
	slot->answer.max = CACHE_ENTRY_MAX;
	buf_clear(&slot->answer);
	buf_add(&slot->answer, answer->data, answer->len);
}
