/* SPDX-License-Identifier: MIT */
/* A new list of prices: also for the bills that began without one, and for what they take of months. */
#include "engine/internal.h"

#include <stdlib.h>

#include "util/alloc.h"

struct incomplete {
	int64_t *n;
	size_t count;
};

static void incomplete_add(void *arg, int64_t n)
{
	struct incomplete *leases = arg;

	leases->n = xgrow(leases->n, leases->count, sizeof(*leases->n));
	leases->n[leases->count++] = n;
}

/* Their bills have a price now, and so has what they take of the months. */
static int incomplete_charge(struct core *core, const struct incomplete *leases, struct err *err)
{
	for (size_t i = 0; i < leases->count; i++) {
		struct lease_aggregate *a = core_lease(core, leases->n[i], err);

		if (!a || core_terms_complete(core, a, err) || core_charges_write(core, a, 0, err))
			return -1;
	}
	return 0;
}

int core_prices_replace(struct core *core, const char *account, const struct store_price *prices,
			size_t count, struct err *err)
{
	struct incomplete leases = { 0 };
	int rc;

	core_prices_fini(core);
	rc = store_costs_incomplete_each(core->store, account, incomplete_add, &leases, err) ||
			     store_prices_replace(core->store, account, prices, count,
						  core_now(core), err) ||
			     store_costs_complete(core->store, account, err) ||
			     incomplete_charge(core, &leases, err) ?
		     -1 :
		     0;
	free(leases.n);
	return rc;
}
