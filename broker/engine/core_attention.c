/* SPDX-License-Identifier: MIT */
/*
 * A blocked account and its leases: each that has something to do says that it
 * cannot and why, in its row, so that every list, metric and log knows; when the
 * account is proven again, they go on at once.
 */
#include "engine/core_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define PAGE 256

static int load(struct core *core, int64_t n, struct lease *l, struct lease_facts *facts)
{
	struct err err = { 0 };

	return store_lease_by_n(core->store, n, l, &err) || core_facts(core, l, NULL, facts, &err) ?
	       -1 : 0;
}

static void apply(struct core *core, struct lease *l, const struct lease_outcome *out)
{
	struct err err = { 0 };

	if (out->changed && core_apply(core, l, out, &err))
		log_error(LOG_FIELDS({ "lease", l->id }, { "error", err.text }),
			  "lease %s: what its account does to it could not be recorded", l->id);
}

/* In words that its owner may read. */
static const char *why(const struct core_account *a)
{
	return !a ? "is not in the configuration any more; nothing can be done for it" :
	       account_is_fenced(a->account) ? "is fenced and an operator must look" :
					       "is blocked and an operator must look";
}

void core_blocked_say(struct core *core, struct lease *l, const struct lease_facts *facts,
		      struct lease_outcome *out)
{
	struct core_account *a = core_account_find(core, l->account);

	if (!a || account_is_blocked(a->account, NULL, 0))
		lease_blocked(l, why(a), facts, out);
}

void core_lease_blocked(struct core *core, int64_t n)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;
	struct lease l;

	if (load(core, n, &l, &facts))
		return;
	lease_blocked(&l, why(core_account_find(core, l.account)), &facts, &out);
	apply(core, &l, &out);
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
		for (int i = 0; i < page.count; i++) {
			struct lease_outcome out = { 0 };
			struct lease_facts facts;
			struct lease l;

			if (load(core, page.n[i], &l, &facts))
				continue;
			lease_unblocked(&l, &facts, &out);
			apply(core, &l, &out);
		}
		list.before_n = page.count ? page.n[page.count - 1] : 0;
	} while (page.count == PAGE);
}

int core_account_has_open(struct core *core, const struct core_account *a)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = -1, .cleanup = -1, .open = 1,
		.account = a->account->config.name, .limit = 1,
	};
	struct page page = { .count = 0 };

	return store_lease_each(core->store, &list, page_add, &page, NULL) == 0 && page.count > 0;
}

/* A lease of an account that nobody configured any more: it is told, and counted. */
static int missing_add(struct core *core, int64_t n)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;
	struct lease l;

	if (load(core, n, &l, &facts))
		return -1;
	if (!(core->missing_count & (core->missing_count - 1)))
		core->missing = xrealloc(core->missing, (core->missing_count ? core->missing_count * 2 :
							  1) * sizeof(*core->missing));
	core->missing[core->missing_count++] = n;
	if (!lease_is_live(&l) || l.attention[0]) {
		lease_blocked(&l, why(NULL), &facts, &out);
	} else {
		char reason[128];

		snprintf(reason, sizeof(reason), "account %s %s", l.account, why(NULL));
		lease_attention_set(&l, LESSOR_CLASS_ACCOUNT, reason);
		out.changed = 1;
		lease_note_add(&out, "lease.attention", "%s", l.attention);
	}
	apply(core, &l, &out);
	return 0;
}

struct names {
	struct core *core;
	char (*list)[32];
	size_t count;
};

static int name_add(void *arg, const char *account)
{
	struct names *names = arg;

	if (core_account_find(names->core, account))
		return 0;
	names->list = xrealloc(names->list, (names->count + 1) * sizeof(*names->list));
	TEXT_SET(names->list[names->count++], account);
	return 0;
}

static int missing_leases(struct core *core, const char *account, struct err *err)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = -1, .cleanup = -1, .open = 1, .account = account,
		.limit = PAGE,
	};
	struct page page;

	do {
		page.count = 0;
		if (store_lease_each(core->store, &list, page_add, &page, err) < 0)
			return -1;
		for (int i = 0; i < page.count; i++) {
			if (missing_add(core, page.n[i]))
				return -1;
		}
		list.before_n = page.count ? page.n[page.count - 1] : 0;
	} while (page.count == PAGE);
	return 0;
}

int core_missing_init(struct core *core, struct err *err)
{
	struct names names = { .core = core };
	int rc = store_account_each(core->store, name_add, &names, err);

	for (size_t i = 0; i < names.count && !rc; i++)
		rc = missing_leases(core, names.list[i], err);
	free(names.list);
	if (core->missing_count)
		log_error(NULL, "%zu leases belong to accounts that are not configured; nothing can be done "
			  "for them until they are: lessor list --attention", core->missing_count);
	return rc;
}
