/* SPDX-License-Identifier: MIT */
/* A new list of prices: also for the bills that began without one, and for what they take of months. */
#include "engine/internal.h"

struct incomplete {
	struct core *core;
	struct core_account *account;
};

static void incomplete_add(void *arg, int64_t n)
{
	struct incomplete *in = arg;

	if (in->account)
		core_charge_again(in->core, in->account, n);
}

int core_prices_replace(struct core *core, const char *account, const struct store_price *prices,
			size_t count, struct err *err)
{
	struct incomplete in = { core, core_account_find(core, account) };

	core_prices_fini(core);
	return store_costs_incomplete_each(core->store, account, incomplete_add, &in, err) ||
			       store_prices_replace(core->store, account, prices, count,
						    core_now(core), err) ||
			       store_costs_complete(core->store, account, err) ?
		       -1 :
		       0;
}
