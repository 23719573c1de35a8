/* SPDX-License-Identifier: MIT */
/*
 * A key that another lease also uses is handed over to that lease, in one transaction. The
 * lease that created the key can then complete its cleanup; the last user deletes the key. So no
 * cleanup waits for other leases, and no lease counts against the limits because of a key, which
 * is free.
 */
#include "engine/internal.h"

/* The heir's row, which only used the key, becomes the owner's. */
static int key_inherit(struct core *core, const struct lease *from, const struct resource *r,
		       int64_t heir, struct err *err)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_INHERIT,
		.u.handover = { .row = heir, .from = r, .from_lease = from->id },
	};
	struct lease_aggregate *a;
	struct resource row;

	if (store_resource_by_n(core->store, heir, &row, err))
		return -1;
	a = core_lease(core, row.lease, err);
	return a ? core_apply(core, a, &event, NULL, err) : -1;
}

int core_handover(struct core *core, struct lease_aggregate *a, struct err *err)
{
	const struct resource *r = NULL;

	while ((r = lease_next_handover(a, r)) != NULL) {
		struct lease_event event = {
			.kind = LEASE_EVENT_HAND_OVER, .u.handover.row = r->n,
		};
		struct resource_users users;

		if (store_resource_users(core->store, r->account, r->kind, r->id, a->lease.n, &users, err))
			return -1;
		if (!users.heir && !users.owners)
			continue;
		if ((users.heir && key_inherit(core, &a->lease, r, users.heir, err)) ||
		    core_apply(core, a, &event, NULL, err))
			return -1;
	}
	return 0;
}
