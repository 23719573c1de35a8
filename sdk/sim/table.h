/* SPDX-License-Identifier: MIT */
/*
 * From strings to numbers. Entries are never removed; the keys are copied.
 */
#pragma once

#include <stddef.h>

struct table {
	struct table_slot {
		char *key;
		size_t value;
	} *slots;
	size_t count, room;
};

void table_fini(struct table *table);	/* takes a zeroed one, leaves an empty one */
/* The number of a key; NULL: it is not there. */
size_t *table_find(const struct table *table, const char *key);
/* As above; a key that is not there is put there with `value`. Valid until the next put. */
size_t *table_put(struct table *table, const char *key, size_t value);
