/* SPDX-License-Identifier: MIT */
#include "api/slug.h"

#include <stdio.h>
#include <string.h>

#include "util/alloc.h"
#include "util/hash.h"

int slug_normalize(const char *text, char out[48])
{
	size_t len = 0;
	int gap = 0;

	for (; *text; text++) {
		char c = *text;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (strchr("-_. ", c)) {
			gap = len > 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			return -1;
		if (len + 1 + (size_t)gap > SLUG_MAX)
			return -1;
		if (gap) {
			out[len++] = '-';
			gap = 0;
		}
		out[len++] = c;
	}
	out[len] = '\0';
	return len > 0 ? 0 : -1;
}

void slug_generate(const char *lease_id, char out[48])
{
	static const char *const adjectives[] = { "amber", "blue", "brisk", "coral", "crimson",
		"golden", "harbor", "jade", "pearl", "quick", "silver", "swift", "tidal",
		"violet" };
	static const char *const nouns[] = { "barnacle", "crab", "crayfish", "hermit", "krill",
		"lobster", "prawn", "shrimp" };
	uint32_t hash = hash_fnv32(lease_id, strlen(lease_id));

	snprintf(out, 48, "%s-%s", adjectives[hash % ARRAY_LEN(adjectives)],
		 nouns[hash / ARRAY_LEN(adjectives) % ARRAY_LEN(nouns)]);
}
