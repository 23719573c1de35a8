/* SPDX-License-Identifier: MIT */
/* Changes with whom a lease is shared. Allowed to whoever may change the lease. */
#include "engine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

struct share_list {
	struct store_share *list;
	size_t count;
	const struct engine_request *drop;
};

/* Keeps a share that is not in the list to remove. */
static void share_keep(void *arg, const struct store_share *share)
{
	struct share_list *shares = arg;

	for (size_t i = 0; i < shares->drop->share_count; i++) {
		if (!strcmp(shares->drop->shares[i].name, share->name))
			return;
	}
	shares->list = xrealloc(shares->list, (shares->count + 1) * sizeof(*shares->list));
	shares->list[shares->count++] = *share;
}

static int shares_drop(struct core *core, struct engine_request *r, const struct lease *l,
		       struct err *err)
{
	struct share_list shares = { .drop = r };
	int64_t updated_ms;
	char by[128];
	int rc = store_share_each(core->store, l->n, share_keep, &shares, &updated_ms, by, err);

	if (!rc)
		rc = store_share_replace(core->store, l, shares.list, shares.count, core_now(core),
					 r->caller.owner, err);
	free(shares.list);
	return rc;
}

int core_request_share(struct core *core, struct engine_request *r, struct err *err)
{
	const struct lease_aggregate *a = request_find_lease(core, r);
	const struct lease *l;
	char note[256];
	int rc;

	if (!a)
		return 0;
	l = &a->lease;
	if (r->share == SHARE_DROP)
		rc = shares_drop(core, r, l, err);
	else
		rc = store_share_replace(core->store, l, r->shares,
					 r->share == SHARE_PUT ? r->share_count : 0,
					 core_now(core), r->caller.owner, err);
	snprintf(note, sizeof(note), "shares changed by %s", r->caller.owner);
	if (rc || store_event_add(core->store, l->n, core_now(core), "lease.shared", note, err))
		return -1;
	r->result = RESULT_OK;
	r->lease = *l;
	return 0;
}
