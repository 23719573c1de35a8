/* SPDX-License-Identifier: MIT */
/*
 * A blocked account and its leases: each that has something to do says that it
 * cannot and why, in its row, so that every list, metric and log knows; when the
 * account is proven again, they go on at once.
 */
#include "engine/core_internal.h"

#include <string.h>

#include "util/alloc.h"
#include "util/log.h"

#define PAGE 256

static void event(struct core *core, int64_t n,
		  void (*change)(struct lease *l, const struct lease_facts *facts,
				 struct lease_outcome *out))
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;
	struct err err = { 0 };
	struct lease l;

	if (store_lease_by_n(core->store, n, &l, &err) || core_facts(core, &l, NULL, &facts, &err))
		return;
	change(&l, &facts, &out);
	if (out.changed && core_apply(core, &l, &out, &err))
		log_error(LOG_FIELDS({ "lease", l.id }, { "error", err.text }),
			  "lease %s: what its account does to it could not be recorded", l.id);
}

void core_lease_blocked(struct core *core, int64_t n)
{
	event(core, n, lease_blocked);
}

void core_account_blocked(struct core *core, struct core_account *a)
{
	for (int which = 0; which < 2; which++) {
		for (struct ready *r = a->first[which]; r; r = r->next)
			core_lease_blocked(core, r->n);
	}
}

struct page {
	int64_t n[PAGE];
	int count;
};

static int page_add(void *arg, const struct lease *l)
{
	struct page *page = arg;

	page->n[page->count++] = l->n;
	return page->count == PAGE;
}

void core_account_unblocked(struct core *core, struct core_account *a)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = -1, .cleanup = -1, .attention = 1,
		.account = a->account->config.name, .limit = PAGE,
	};
	struct page page;

	do {
		page.count = 0;
		if (store_lease_each(core->store, &list, page_add, &page, NULL))
			return;
		for (int i = 0; i < page.count; i++)
			event(core, page.n[i], lease_unblocked);
		list.before_n = page.count ? page.n[page.count - 1] : 0;
	} while (page.count == PAGE);
}
