/* SPDX-License-Identifier: MIT */
/* Finds the lease that a request names, and checks whether the caller may change it. */
#include "engine/internal.h"

#include <string.h>

#include "engine/moving.h"

int request_is_callers(const struct engine_request *r, const struct lease *l)
{
	return r->caller.role == TOKEN_ADMIN ||
	       (strcmp(r->caller.owner, l->owner) == 0 && strcmp(r->caller.org, l->org) == 0);
}

/* By id, otherwise by slug among live leases. Returns what store_lease_visible returns. */
static int find_visible(struct core *core, const struct engine_request *r,
			enum store_sharing sharing, int64_t *ret, struct err *err)
{
	struct store_scope scope = {
		.all = r->caller.role == TOKEN_ADMIN,
		.owner = r->caller.owner,
		.org = r->caller.org,
		.sharing = sharing,
	};
	struct lease l;
	int rc = store_lease_visible(core->store, r->ref, &scope, &l, err);

	if (rc == 1)
		rc = store_lease_by_slug(core->store, r->ref, &scope, &l, err);
	*ret = rc == 0 ? l.n : 0;
	return rc;
}

/* The caller's own newest ended lease with the slug. */
static int find_ended(struct core *core, const struct engine_request *r, int64_t *ret,
		      struct err *err)
{
	struct lease l;
	int rc = store_lease_ended_by_slug(core->store, r->ref, r->caller.owner, r->caller.org, &l,
					   err);

	*ret = rc == 0 ? l.n : 0;
	return rc;
}

/* The common case without a query: the lease is in memory and the caller's own. */
static struct lease_aggregate *find_own(struct core *core, const struct engine_request *r)
{
	struct lease_aggregate *a = aggregates_peek_id(core->aggregates, r->ref);

	return a && request_is_callers(r, &a->lease) ? a : NULL;
}

static struct lease_aggregate *find_shown(struct core *core, struct engine_request *r)
{
	struct lease_aggregate *a = find_own(core, r);
	struct err err = { 0 };
	int64_t n;
	int rc;

	if (a)
		return a;
	rc = find_visible(core, r, r->own_only ? SHARED_NOT : SHARED_MANAGE, &n, &err);
	if (rc == 1 && !r->own_only && find_visible(core, r, SHARED_USE, &n, &err) == 0) {
		request_fail(r, RESULT_FORBIDDEN, "forbidden",
			     "the lease is shared with you for use only; you cannot change it");
		return NULL;
	}
	if (rc == 1)
		rc = find_ended(core, r, &n, &err);
	if (rc == 0)
		a = core_lease(core, n, &err);
	if (a)
		return a;
	if (rc == 1)
		request_fail(r, RESULT_NOT_FOUND, "not_found", "no such lease");
	else if (err.kind == ERR_CONFLICT)
		request_fail(r, RESULT_CONFLICT, "ambiguous_slug",
			     "several leases have this slug; use the lease id");
	else if (core_only_account(core) && err.kind == ERR_REFUSED)
		moving_fill(r);
	else
		request_fail_store(r, &err);
	return NULL;
}

/* Is it not as it was when the request was accepted, or has another one the slug by now? */
static int is_changed(const struct engine_request *r, const struct lease *l)
{
	if (r->meant[0] && strcmp(r->meant, l->id) != 0)
		return 1;
	return r->epoch && r->epoch != l->epoch;
}

int request_is_over(struct engine_request *r, const struct lease_aggregate *a)
{
	if (r->request_id[0] && strcmp(r->request_id, a->lease.last_request) == 0)
		r->result = RESULT_OK;
	else if (is_changed(r, &a->lease))
		request_fail(r, RESULT_CONFLICT, "lease_changed",
			     "the lease was changed after this request was made; look at it, and "
			     "decide again");
	else
		return 0;
	core_fill_answer(r, a);
	return 1;
}

struct lease_aggregate *request_find_lease(struct core *core, struct engine_request *r)
{
	struct lease_aggregate *a = find_shown(core, r);

	if (!a)
		return NULL;
	if (!r->expected_account[0] || strcmp(r->expected_account, a->lease.account) == 0)
		return request_is_over(r, a) ? NULL : a;
	request_fail(r, RESULT_CONFLICT, "provider_identity_mismatch",
		     "the lease belongs to another account than the request expects");
	return NULL;
}
