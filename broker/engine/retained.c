/* SPDX-License-Identifier: MIT */
/* Retained machines: detects that a protection which the store records may be missing. */
#include "engine/internal.h"

#include <string.h>

/* Records that the protection is not known to exist. The lease's next step restores it. */
static int forget_protection(struct core *core, struct lease_aggregate *a, int64_t row,
			     struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_UNPROTECTED, .u.seen.row = row };

	return core_apply(core, a, &event, NULL, err);
}

int core_retained_check(struct core *core, int64_t row, const struct lessor_observed *seen,
			struct err *err)
{
	struct lease_aggregate *a;
	struct resource r;

	if (store_resource_by_n(core->store, row, &r, err))
		return -1;
	if (r.state != LESSOR_STATE_RETAINED || !r.marked_ms ||
	    (observed_retain(seen) >= r.retain_epoch && seen->protection != LESSOR_PROTECTION_OFF))
		return 0;
	a = core_lease(core, r.lease, err);
	return a ? forget_protection(core, a, row, err) : -1;
}

/* Kept by a release with a later epoch, or protected by one, for all that the row tells. */
static int is_ahead(const struct resource *r, const struct lessor_observed *seen)
{
	return observed_retain(seen) > r->retain_epoch ||
	       (seen->protection == LESSOR_PROTECTION_ON && r->protect_by == PROTECT_NOT_OURS &&
		r->state != LESSOR_STATE_RETAINED);
}

int core_retained_ahead(struct core *core, int64_t row, const struct lessor_observed *seen,
			struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_KEPT,
				     .u.seen = { .row = row, .label = observed_retain(seen) } };
	struct lease_aggregate *a;
	struct resource r;

	if (store_resource_by_n(core->store, row, &r, err))
		return -1;
	if (!is_ahead(&r, seen))
		return 0;
	a = core_lease(core, r.lease, err);
	return !a || core_apply(core, a, &event, NULL, err) ? -1 : 1;
}

static int lease_recheck(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	const char *account = arg;

	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		const struct resource *r = &a->ledger.resources[i];

		if (r->state == LESSOR_STATE_RETAINED && r->marked_ms &&
		    strcmp(r->account, account) == 0 && forget_protection(core, a, r->n, err))
			return -1;
	}
	return 0;
}

int core_retained_recheck(struct core *core, char *account, struct err *err)
{
	return core_lease_each(core,
			       (struct store_list){
				       .state = -1,
				       .cleanup = CLEANUP_RETAINED,
			       },
			       lease_recheck, account, err);
}
