/* SPDX-License-Identifier: MIT */
/* Claims of running steps: each is applied as an event of the lease's or account's aggregate. */
#include "engine/internal.h"

#include "lease/deadline.h"
#include "util/text.h"

/* Finds which other leases use the claim's resource, for the claims that depend on it. */
static int find_users(struct core *core, const struct lease_aggregate *a,
		      const struct lease_claim *claim, struct resource_users *ret, struct err *err)
{
	const struct resource *r;

	if (claim->kind == CLAIM_REUSE && claim->id)
		return store_resource_users(core->store, a->lease.account, claim->resource_kind,
					    claim->id, a->lease.n, ret, err);
	if (claim->kind != CLAIM_PERMIT)
		return 0;
	r = ledger_find(&a->ledger, claim->row);
	return r ? store_resource_users(core->store, r->account, r->kind, r->id, a->lease.n, ret, err) : 0;
}

/* After a claim about the sentinel: updates the account's sentinel id and its generation. */
static int sentinel_carry_out(struct core *core, struct core_account *a, struct lease_claim *claim,
			      const struct lease_effects *out)
{
	const struct resource *r = &claim->resource;

	if (claim->kind == CLAIM_INTEND && claim->result == 0 &&
	    core_generation_begin(core, a, &claim->labels, &claim->err))
		return -1;
	if (out->is_sentinel_known)
		account_set_sentinel(a->account, r->id);
	if (out->is_sentinel_found) {
		/* Its generation shows whether the store is behind. The probe repeats the read. */
		core_generation_seen(core, a, claim->seen, NULL);
		a->probe_again = 1;
	}
	return 0;
}

/* Keeps what core_step_result needs when the step ends. */
static void in_flight_note(struct core *core, const struct step *step,
			   const struct lease_effects *out)
{
	struct in_flight *running = step->lease.n ? in_flight_find(core, step->lease.n) : NULL;

	if (!running)
		return;
	if (out->not_now) {
		running->not_now = 1;
		if (!running->refusal_class)
			TEXT_SET(running->refusal, out->refusal_text);
	}
	if (out->absence_ms)
		running->absence_ms = out->absence_ms;
	/* The first refusal is the cause; later ones may follow from it. */
	if (out->refusal_class && !running->refusal_class) {
		running->refusal_class = out->refusal_class;
		TEXT_SET(running->refusal, out->refusal_text);
	}
}

/*
 * Until when a request that this claim permits may take effect. A provider with I/O of its own
 * is not stopped at the permit's end, but ends with its step.
 */
static int64_t claim_until(const struct core *core, const struct step *step)
{
	int64_t until_ms = core_now(core) + PERMIT_MS;

	if (!step->account->table->http_auth && step->deadline_ms > until_ms)
		until_ms = step->deadline_ms;
	return until_ms + PERMIT_GUARD_MS + core_store_ahead_ms(core);
}

static int claim_apply(struct core *core, struct core_account *account, struct lease_aggregate *a,
		       const struct step *step, struct lease_claim *claim)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = claim,
			     .epoch = step->epoch,
			     .host_key = step->host_key,
			     .until_ms = claim_until(core, step) },
	};
	struct lease_facts facts = core_facts(core, a);
	struct lease_effects out;

	if (find_users(core, a, claim, &facts.users, &claim->err) ||
	    core_apply_facts(core, a, &event, &facts, &out, &claim->err))
		return -1;
	if (out.has_row) {
		/* A new row has received its number. */
		claim->resource = a->ledger.resources[out.row_index];
		claim->row = claim->resource.n;
	}
	in_flight_note(core, step, &out);
	return a->lease.n ? 0 : sentinel_carry_out(core, account, claim, &out);
}

void core_claim(struct core *core, struct step *step, struct lease_claim *claim)
{
	struct core_account *account = core_account_find(core, step->account->config.name);
	const struct claim_evidence *e = &claim->evidence;
	struct lease_aggregate *a = &account->own;

	claim->result = -1;
	claim->err = (struct err){ 0 };
	if (step->lease.n)
		a = core_lease(core, step->lease.n, &claim->err);
	if (!a)
		return;
	/* If the sentinel shows that the store is behind, fence the account before deciding. */
	if (e->is_sentinel_read)
		core_generation_found(core, account, e->generation, e->holder, NULL);
	if (!a->lease.n && (claim->kind == CLAIM_CHANGE || claim->kind == CLAIM_CHANGED))
		claim->result = core_generation_claim(core, account, claim);
	else if (claim_apply(core, account, a, step, claim))
		claim->result = -1;
}
