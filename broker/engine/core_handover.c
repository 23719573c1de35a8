/* SPDX-License-Identifier: MIT */
/*
 * A key that another lease uses as well is handed over to it, in one transaction: the
 * lease that made it is done, and whoever uses it last deletes it. Nothing waits for
 * a key, and nothing that is free counts as a machine.
 */
#include "engine/core_internal.h"

#include <stdio.h>
#include <string.h>

#include "util/text.h"

/* The heir's row becomes the owner's. */
static int inherit(struct core *core, const struct lease *from, const struct resource *r,
		   int64_t heir, struct err *err)
{
	struct resource row;
	struct lease l;

	if (store_resource_by_n(core->store, heir, &row, err) ||
	    store_lease_by_n(core->store, row.lease, &l, err))
		return -1;
	row.ours = 1;
	row.attempt = r->attempt;
	row.seen_ms = r->seen_ms;
	row.state = l.retained ? LESSOR_STATE_RETAINED : LESSOR_STATE_PRESENT;
	/* The label that it bears counts the epochs of another lease. */
	row.retain_epoch = l.retained && l.epoch > r->retain_epoch ? l.epoch : r->retain_epoch;
	row.label_known = r->label_known;
	row.marked_ms = 0;
	row.changed_ms = core_now(core);
	TEXT_SET(row.name, r->name);
	TEXT_SET(row.signed_lease, r->signed_lease[0] ? r->signed_lease : from->id);
	TEXT_SET(row.evidence, "handed over by the lease that made it");
	if (store_resource_update(core->store, &row, err) ||
	    core_note(core, l.n, "key.inherited", "%s id %s: from %s", row.name, row.id, from->id))
		return -1;
	if (!l.retained)
		return 0;
	/* Its mark is due. */
	l.due_ms = core_now(core);
	if (store_lease_update(core->store, &l, err))
		return -1;
	core_schedule(core, &l);
	return 0;
}

static int hand_over(struct core *core, const struct lease *l, struct resource *r,
		     const struct store_users *users, struct err *err)
{
	if (users->heir && inherit(core, l, r, users->heir, err))
		return -1;
	r->state = LESSOR_STATE_HANDED_OVER;
	r->changed_ms = core_now(core);
	TEXT_SET(r->evidence, "another lease uses it and owns it from now on");
	return store_resource_update(core->store, r, err) ||
	       core_note(core, l->n, "key.handed-over", "%s id %s", r->name, r->id) ? -1 : 0;
}

int core_handover(struct core *core, const struct lease *l, struct err *err)
{
	struct ledger ledger;
	int rc = 0;

	if (lease_is_live(l) || l->retained || l->cleanup == CLEANUP_DONE)
		return 0;
	if (store_ledger(core->store, l->n, &ledger, err))
		return -1;
	/* Its server is first: until it is gone it may still need the key. */
	for (size_t i = 0; i < ledger.resource_count; i++)
		rc |= ledger.resources[i].kind != LESSOR_KIND_KEY &&
		      resource_is_residue(&ledger.resources[i]);
	for (size_t i = 0; i < ledger.resource_count && !rc; i++) {
		struct resource *r = &ledger.resources[i];
		struct store_users users;

		if (r->kind != LESSOR_KIND_KEY || !r->ours || r->state != LESSOR_STATE_PRESENT ||
		    !r->id[0])
			continue;
		rc = store_resource_users(core->store, r->account, r->kind, r->id, l->n, &users, err);
		if (!rc && (users.heir || users.owners))
			rc = hand_over(core, l, r, &users, err);
	}
	ledger_fini(&ledger);
	return rc < 0 ? -1 : 0;
}
