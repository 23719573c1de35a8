/* SPDX-License-Identifier: MIT */
#include "sim/table.h"

#include <stdint.h>
#include <string.h>

#include "util/alloc.h"

static size_t hash_key(const char *s)
{
	uint64_t h = 14695981039346656037ULL;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ULL;
	return (size_t)(h ^ (h >> 32));
}

static struct table_slot *slot_of(const struct table *table, const char *key)
{
	size_t i = hash_key(key) & (table->room - 1);

	while (table->slots[i].key && strcmp(table->slots[i].key, key))
		i = (i + 1) & (table->room - 1);
	return &table->slots[i];
}

static void table_grow(struct table *table)
{
	struct table old = *table;

	table->room = old.room ? old.room * 2 : 64;
	table->slots = xcalloc(table->room, sizeof(*table->slots));
	for (size_t i = 0; i < old.room; i++) {
		if (old.slots[i].key)
			*slot_of(table, old.slots[i].key) = old.slots[i];
	}
	free(old.slots);
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->room; i++)
		free(table->slots[i].key);
	free(table->slots);
	*table = (struct table){ 0 };
}

size_t *table_find(const struct table *table, const char *key)
{
	struct table_slot *slot = table->room ? slot_of(table, key) : NULL;

	return slot && slot->key ? &slot->value : NULL;
}

size_t *table_put(struct table *table, const char *key, size_t value)
{
	struct table_slot *slot;

	if (table->count * 4 >= table->room * 3)
		table_grow(table);
	slot = slot_of(table, key);
	if (!slot->key) {
		slot->key = xstrdup(key);
		slot->value = value;
		table->count++;
	}
	return &slot->value;
}
