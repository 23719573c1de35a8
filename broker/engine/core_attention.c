/* SPDX-License-Identifier: MIT */
/*
 * A blocked account and its leases: each that has something to do says that it
 * cannot and why, in its row, so that every list, metric and log knows; when the
 * account is proven again, they go on at once.
 */
#include "engine/core_internal.h"

#include <inttypes.h>
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

/* Of an account that nobody has configured any more: whatever is left of it waits for that. */
static void missing_say(struct lease *l, struct lease_outcome *out)
{
	char reason[128];

	if (l->attention[0] || l->cleanup == CLEANUP_DONE)
		return;
	snprintf(reason, sizeof(reason), "account %s is not in the configuration any more; nothing "
		 "can be done for it", l->account);
	lease_attention_set(l, LESSOR_CLASS_ACCOUNT, reason);
	out->changed = 1;
	lease_note_add(out, "lease.attention", "%s", l->attention);
}

/* In words that its owner may read. */
static void blocked_say(struct core_account *a, struct lease *l, const struct lease_facts *facts,
			struct lease_outcome *out)
{
	if (!a)
		missing_say(l, out);
	else
		lease_blocked(l, account_is_fenced(a->account) ? "is fenced and an operator must look" :
			      "is blocked and an operator must look", facts, out);
}

void core_blocked_say(struct core *core, struct lease *l, const struct lease_facts *facts,
		      struct lease_outcome *out)
{
	struct core_account *a = core_account_find(core, l->account);

	if (!a || account_is_blocked(a->account, NULL, 0))
		blocked_say(a, l, facts, out);
}

void core_lease_blocked(struct core *core, int64_t n)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;
	struct lease l;

	if (load(core, n, &l, &facts))
		return;
	blocked_say(core_account_find(core, l.account), &l, &facts, &out);
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

/* Tells each of its leases; *count goes up by their number. */
static int missing_leases(struct core *core, const char *account, int64_t *count, struct err *err)
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
		for (int i = 0; i < page.count; i++)
			core_lease_blocked(core, page.n[i]);
		*count += page.count;
		list.before_n = page.count ? page.n[page.count - 1] : 0;
	} while (page.count == PAGE);
	return 0;
}

int core_missing_init(struct core *core, struct err *err)
{
	struct names names = { .core = core };
	int rc = store_account_each(core->store, name_add, &names, err);
	int64_t count = 0;

	for (size_t i = 0; i < names.count && !rc; i++)
		rc = missing_leases(core, names.list[i], &count, err);
	free(names.list);
	if (count)
		log_error(NULL, "leases of accounts that are not configured: %" PRId64 "; nothing can be "
			  "done for them until they are: lessor list --attention", count);
	return rc;
}
