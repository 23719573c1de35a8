/* SPDX-License-Identifier: MIT */
/*
 * The leases of a blocked account. Each lease that has work to do records in its row that it
 * is blocked and why, so that lists, metrics and the log show it. Once the account is verified
 * again, they continue at once.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

static int lease_block(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	static const struct lease_event event = { .kind = LEASE_EVENT_BLOCKED };
	int64_t *count = arg;

	if (count)
		++*count;
	return core_apply(core, a, &event, NULL, err);
}

void core_lease_blocked(struct core *core, int64_t n)
{
	struct lease_aggregate *a = core_lease(core, n, NULL);

	/* A failed write marks the store broken; the commit then fails. */
	if (a)
		lease_block(NULL, core, a, NULL);
}

void core_account_blocked(struct core *core, struct core_account *a)
{
	for (int which = 0; which < QUEUE_COUNT; which++) {
		const struct queued_owner *o;
		const struct queued_lease *queued;

		STAILQ_FOREACH(o, &a->queues[which], link) {
			TAILQ_FOREACH(queued, &o->leases, link)
				core_lease_blocked(core, queued->n);
		}
	}
}

static int lease_unblock(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_UNBLOCKED,
				     .u.is_start = *(const int *)arg };

	return core_apply(core, a, &event, NULL, err);
}

void core_account_unblocked(struct core *core, struct core_account *a, int is_start)
{
	capacity_changed(core);
	core_lease_each(core,
			(struct store_list){
				.state = -1,
				.cleanup = -1,
				.attention = 1,
				.account = a->account->config.name,
			},
			lease_unblock, &is_start, NULL);
}

struct account_names {
	struct core *core;
	char (*list)[32];
	size_t count;
};

static int name_add(void *arg, const char *account)
{
	struct account_names *names = arg;

	if (core_account_find(names->core, account))
		return 0;
	names->list = xrealloc(names->list, (names->count + 1) * sizeof(*names->list));
	TEXT_SET(names->list[names->count++], account);
	return 0;
}

int core_missing_init(struct core *core, struct err *err)
{
	struct account_names names = { .core = core };
	int64_t count = 0;
	int rc;

	if (core->config.missing)
		rc = name_add(&names, core->config.missing);
	else if (core_only_account(core))
		return 0; /* the others are not this engine's */
	else
		rc = store_account_each(core->store, name_add, &names, err);

	for (size_t i = 0; i < names.count && !rc; i++)
		rc = core_lease_each(core,
				     (struct store_list){
					     .state = -1,
					     .cleanup = -1,
					     .open = 1,
					     .account = names.list[i],
				     },
				     lease_block, &count, err);
	free(names.list);
	if (count)
		log_error(NULL,
			  "leases of accounts that are not configured: %" PRId64
			  "; none can be cleaned up until its account is configured again; see: "
			  "lessor list --attention",
			  count);
	return rc;
}
