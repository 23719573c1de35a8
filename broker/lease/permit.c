/* SPDX-License-Identifier: MIT */
/*
 * The one gate. Every delete of the whole program, whether of a rollback, a
 * release, an expiry or a sweep, is decided by ledger_permit.
 */
#include "lease/ledger.h"

#include <string.h>

#include "util/defect.h"
const char *permit_refusal_name(enum permit_refusal refusal)
{
	static const char *const names[] = {
		[PERMIT_GRANTED] = "granted",
		[PERMIT_RETAINED] = "retained",
		[PERMIT_STALE] = "stale",
		[PERMIT_NOT_OURS] = "not-ours",
		[PERMIT_NO_ID] = "no-id",
		[PERMIT_UNPROVEN] = "unproven",
		[PERMIT_SERVER_FIRST] = "server-first",
		[PERMIT_SHARED] = "shared",
		[PERMIT_WANTED] = "wanted",
	};

	return refusal <= PERMIT_WANTED ? names[refusal] : "unknown";
}

/* A rollback may remove what a refused attempt left, and nothing else of a live lease. */
static int attempt_is_refused(const struct ledger *ledger, uint32_t number)
{
	for (size_t i = 0; i < ledger->attempt_count; i++) {
		if (ledger->attempts[i].number == number)
			return ledger->attempts[i].refused != 0;
	}
	return 0;
}

static int server_may_exist(const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		/*
		 * A server that an operator told us to forget is not our business any more,
		 * and so nothing to wait for: the machine does not need the key object it was
		 * made with, and the key is ours and would stay for ever.
		 */
		if (r->kind == LESSOR_KIND_SERVER && r->state != LESSOR_STATE_GONE &&
		    r->state != LESSOR_STATE_DISOWNED)
			return 1;
	}
	return 0;
}

enum permit_refusal ledger_permit(const struct signer *signer, const struct lease *l,
				  const struct ledger *ledger, int64_t row, int64_t step_epoch,
				  const struct lessor_observed *seen, int shared, struct err *err)
{
	const struct resource *r = ledger_find(ledger, row);

	if (!r || r->lease != l->n || !r->ours) {
		err_set(err, ERR_REFUSED, "not a resource that this lease made");
		return PERMIT_NOT_OURS;
	}
	if (l->retained || r->state == LESSOR_STATE_RETAINED) {
		err_set(err, ERR_REFUSED, "the lease was released without deleting; only an explicit delete ends that");
		return PERMIT_RETAINED;
	}
	if (!DEFECT(38) && step_epoch != l->epoch) {	/* 38: any step may */
		err_set(err, ERR_REFUSED, "the lease's goal changed while this step ran");
		return PERMIT_STALE;
	}
	if (r->state == LESSOR_STATE_GONE || r->state == LESSOR_STATE_DISOWNED) {
		err_set(err, ERR_REFUSED, "the ledger holds it as %s", resource_state_name(r->state));
		return PERMIT_NOT_OURS;
	}
	if (!r->id[0]) {
		err_set(err, ERR_REFUSED, "the ledger holds no id for it");
		return PERMIT_NO_ID;
	}
	if (lease_is_live(l) &&
	    !(l->state == LEASE_PROVISIONING && r->attempt && attempt_is_refused(ledger, r->attempt))) {
		err_set(err, ERR_REFUSED, "the lease is alive and uses it");
		return PERMIT_WANTED;
	}
	if (!DEFECT(7) && r->kind == LESSOR_KIND_KEY && server_may_exist(ledger)) {
		err_set(err, ERR_REFUSED, "its server is not proven gone; a key goes last");
		return PERMIT_SERVER_FIRST;
	}
	if (shared && !DEFECT(8)) {	/* 8: who else uses it does not matter */
		err_set(err, ERR_REFUSED, "another lease uses it");
		return PERMIT_SHARED;
	}
	if (ledger_verify(signer, l->account, l, r, seen, err)) {
		err_prefix(err, "not deleted, because it is not proven ours: ");
		return PERMIT_UNPROVEN;
	}
	return PERMIT_GRANTED;
}

int ledger_may_intend(const struct lease *l, const struct ledger *ledger, uint32_t kind,
		      uint32_t attempt, int64_t step_epoch, struct err *err)
{
	if ((!DEFECT(38) && step_epoch != l->epoch) || l->state != LEASE_PROVISIONING)
		return err_set(err, ERR_REFUSED, "the lease no longer wants a machine");
	if (kind == LESSOR_KIND_SENTINEL)
		return err_set(err, ERR_REFUSED, "a sentinel belongs to an account");
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (r->kind != kind || r->state == LESSOR_STATE_GONE ||
		    r->state == LESSOR_STATE_DISOWNED)
			continue;
		/* One server at a time: another attempt waits until the last one is proven gone. */
		if (kind == LESSOR_KIND_SERVER || r->attempt == attempt)
			return err_set(err, ERR_CONFLICT, "the ledger already holds a %s in the state %s",
				       resource_kind_name(kind), resource_state_name(r->state));
	}
	if (kind == LESSOR_KIND_SERVER) {
		for (size_t i = 0; i < ledger->attempt_count; i++) {
			const struct attempt *a = &ledger->attempts[i];

			if (a->number == attempt)
				return a->refused ? err_set(err, ERR_CONFLICT, "attempt %u is refused",
							    attempt) : 0;
		}
		return err_set(err, ERR_CONFLICT, "attempt %u was not opened", attempt);
	}
	return 0;
}
