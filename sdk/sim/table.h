/* SPDX-License-Identifier: MIT */
/*
 * A hash table from strings to numbers. Keys are copied; entries are never removed.
 */
#pragma once

#include <stddef.h>

struct table {
	struct table_slot {
		char *key;
		size_t value;
	} * slots;
	size_t count, room;
};

void table_fini(struct table *table); /* accepts a zeroed table, leaves an empty one */
/* The number of a key; NULL: not found. */
size_t *table_find(const struct table *table, const char *key);
/* The same, but adds a missing key with `value`. Valid until the next put. */
size_t *table_put(struct table *table, const char *key, size_t value);
