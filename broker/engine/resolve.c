/* SPDX-License-Identifier: MIT */
/*
 * Decisions of operators about a lease in attention: retry, forget a resource, or adopt one by
 * its id. Each is recorded in the timeline with who and why. None of them deletes anything:
 * only ordinary cleanup does, through the gate, after a read that proves that the resource is
 * ours.
 */
#include "engine/internal.h"

/* ADOPT: finds a ledger row that already names the resource. */
static int find_claim(struct core *core, const struct lease_aggregate *a,
		      const struct engine_request *r, struct lease_decision *d, struct err *err)
{
	const struct resource *meant = lease_row_meant(a, d->row);

	return meant ? store_resource_claim(core->store, meant->account, meant->kind, r->resource_id,
					    &d->claimed_by, err) : 0;
}

static void refusal_answer(struct engine_request *r, enum lease_refusal refusal, int64_t claimed_by)
{
	request_refuse(r, refusal);
	if (refusal == LEASE_REFUSAL_CLAIMED)
		request_fail(r, RESULT_CONFLICT, r->code,
			     "this resource is already in a ledger, as row %lld",
			     (long long)claimed_by);
}

/* If the lease waits for a blocked account, retrying means probing that account. */
static void account_retry(struct core *core, const struct lease *l)
{
	struct core_account *account = core_account_find(core, l->account);

	if (account && account_is_blocked(account->account, NULL, 0))
		account_task_soon(core, account, TASK_PROBE);
}

int core_request_resolve(struct core *core, struct engine_request *r, struct err *err)
{
	static const enum lease_event_kind kinds[] = {
		[RESOLVE_RETRY] = LEASE_EVENT_RETRY,
		[RESOLVE_FORGET] = LEASE_EVENT_FORGET,
		[RESOLVE_ADOPT] = LEASE_EVENT_ADOPT,
	};
	struct lease_event event = {
		.kind = kinds[r->resolve],
		.u.decision = {
			.row = r->row, .resource_id = r->resource_id, .by = r->caller.owner,
			.reason = r->reason,
		},
	};
	struct lease_aggregate *a;
	struct lease_effects out;

	if (r->resolve != RESOLVE_RETRY && r->caller.role != TOKEN_ADMIN) {
		request_fail(r, RESULT_FORBIDDEN, "forbidden",
			     "only an admin may make this decision");
		return 0;
	}
	a = request_find_lease(core, r);
	if (!a)
		return 0;
	if (r->resolve == RESOLVE_FORGET)
		return core_request_forget(core, a, r, err);
	if ((r->resolve == RESOLVE_ADOPT && find_claim(core, a, r, &event.u.decision, err)) ||
	    core_apply_request(core, a, &event, r, &out, err))
		return -1;
	if (out.refusal) {
		refusal_answer(r, out.refusal, event.u.decision.claimed_by);
		return 0;
	}
	if (r->resolve == RESOLVE_RETRY &&
	    core_crash_retry(core, a->lease.account, a->lease.id, err))
		return -1;
	r->result = RESULT_OK;
	core_fill_answer(r, a);
	if (r->resolve == RESOLVE_RETRY)
		account_retry(core, &a->lease);
	return 0;
}
