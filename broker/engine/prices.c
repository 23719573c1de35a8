/* SPDX-License-Identifier: MIT */
/*
 * Prices in memory: the engine of an account is the only one that replaces them, and each lease
 * asks for the same few, within transactions that others may wait for.
 */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/hash.h"
#include "util/text.h"

/* Of so many combinations at most; another one takes the place of what was there. */
#define PRICES 64

struct known_price {
	char account[32], type[32], location[32];
	int is_asked;
	int is_none; /* the store has none */
	struct store_price price;
};

static struct known_price *price_slot(struct core *core, const char *account, const char *type,
				      const char *location)
{
	uint32_t hash = hash_fnv32(account, strlen(account)) * 31 +
			hash_fnv32(type, strlen(type)) * 7 + hash_fnv32(location, strlen(location));

	if (!core->prices)
		core->prices = xcalloc(PRICES, sizeof(*core->prices));
	return &core->prices[hash % PRICES];
}

static int is_asked(const struct known_price *known, const char *account, const char *type,
		    const char *location)
{
	return known->is_asked && strcmp(known->account, account) == 0 &&
	       strcmp(known->type, type) == 0 && strcmp(known->location, location) == 0;
}

int core_price_get(struct core *core, const char *account, const char *type, const char *location,
		   struct store_price *ret, struct err *err)
{
	struct known_price *known = price_slot(core, account, type, location);

	if (!is_asked(known, account, type, location)) {
		int rc = store_price_get(core->store, account, type, location, &known->price, err);

		known->is_asked = rc >= 0;
		if (rc < 0)
			return -1;
		known->is_none = rc;
		TEXT_SET(known->account, account);
		TEXT_SET(known->type, type);
		TEXT_SET(known->location, location);
	}
	if (known->is_none)
		return 1;
	*ret = known->price;
	return 0;
}

void core_prices_fini(struct core *core)
{
	free(core->prices);
	core->prices = NULL;
}
