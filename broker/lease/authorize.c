/* SPDX-License-Identifier: MIT */
/*
 * The gate: lease_authorize decides every delete in the program, whether for a rollback, a
 * release, an expiry or a sweep.
 */
#include "lease/ledger.h"

#include <string.h>


const char *authorization_name(enum authorization a)
{
	static const char *const names[] = {
		[AUTHORIZATION_GRANTED] = "granted",
		[AUTHORIZATION_UNPROTECT] = "unprotect",
		[AUTHORIZATION_UNVERIFIED] = "unverified",
		[AUTHORIZATION_FENCED] = "fenced",
		[AUTHORIZATION_FROZEN] = "frozen",
		[AUTHORIZATION_NOT_OURS] = "not-ours",
		[AUTHORIZATION_RETAINED] = "retained",
		[AUTHORIZATION_STALE] = "stale",
		[AUTHORIZATION_NOT_DELETABLE] = "not-deletable",
		[AUTHORIZATION_NO_ID] = "no-id",
		[AUTHORIZATION_IN_USE] = "in-use",
		[AUTHORIZATION_SERVER_FIRST] = "server-first",
		[AUTHORIZATION_SHARED] = "shared",
		[AUTHORIZATION_NOT_READ] = "not-read",
		[AUTHORIZATION_WRONG_ID] = "wrong-id",
		[AUTHORIZATION_SIGNATURE] = "signature",
		[AUTHORIZATION_RETENTION_MARK] = "retention-mark",
		[AUTHORIZATION_PROTECTED] = "protected",
	};

	return a < AUTHORIZATION_COUNT ? names[a] : "unknown";
}

int authorization_passes(enum authorization a)
{
	switch (a) {
	case AUTHORIZATION_UNPROTECT:
	case AUTHORIZATION_UNVERIFIED:
	case AUTHORIZATION_FROZEN:
	case AUTHORIZATION_RETAINED:
	case AUTHORIZATION_STALE:
	case AUTHORIZATION_NOT_DELETABLE:
	case AUTHORIZATION_IN_USE:
	case AUTHORIZATION_SERVER_FIRST:
	case AUTHORIZATION_SHARED:
	case AUTHORIZATION_NOT_READ:
		return 1;
	default:
		return 0;
	}
}

static int server_may_exist(const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		/*
		 * A server that an operator disowned need not be waited for: the machine
		 * does not need the key object it was created with, and the key is ours and
		 * would stay for ever.
		 */
		if (r->kind == LESSOR_KIND_SERVER && !lessor_state_is_over(r->state))
			return 1;
	}
	return 0;
}

static enum authorization gate_refuse(enum authorization a, struct err *err, const char *why)
{
	err_set(err, ERR_REFUSED, "%s", why);
	return a;
}

/* What the ledger and the account decide, without a read. */
static enum authorization gate_by_ledger(const struct lease *l, const struct ledger *ledger,
					 const struct resource *r, int64_t step_epoch,
					 const struct gate_facts *facts, struct err *err)
{
	if (!facts->is_verified)
		return gate_refuse(AUTHORIZATION_UNVERIFIED, err, "the account is not verified");
	if (facts->is_fenced)
		return gate_refuse(AUTHORIZATION_FENCED, err,
				   "the store may be older than the account; see lessor account take-over");
	if (facts->is_frozen)
		return gate_refuse(AUTHORIZATION_FROZEN, err,
				   "the account is frozen until it is reconciled");
	if (facts->is_unlisted)
		return gate_refuse(AUTHORIZATION_UNVERIFIED, err,
				   "the account was not listed since this lessord started");
	if (!r || r->lease != l->n || !r->ours)
		return gate_refuse(AUTHORIZATION_NOT_OURS, err, "this lease did not create it");
	if (l->retained || r->state == LESSOR_STATE_RETAINED)
		return gate_refuse(AUTHORIZATION_RETAINED, err,
				   "the lease was released with delete: false; only an explicit delete ends that");
	if (step_epoch != l->epoch)
		return gate_refuse(AUTHORIZATION_STALE, err,
				   "the lease's goal changed while this step ran");
	if (r->state != LESSOR_STATE_PRESENT && r->state != LESSOR_STATE_DELETE_UNKNOWN) {
		err_set(err, ERR_REFUSED, "its state in the ledger is %s",
			resource_state_name(r->state));
		return AUTHORIZATION_NOT_DELETABLE;
	}
	if (!r->id[0])
		return gate_refuse(AUTHORIZATION_NO_ID, err, "the ledger has no id for it");
	if (lease_is_live(l) &&
	    !(l->state == LEASE_PROVISIONING && r->attempt && attempt_is_refused(ledger, r->attempt)))
		return gate_refuse(AUTHORIZATION_IN_USE, err, "the lease is live and uses it");
	if (r->kind == LESSOR_KIND_KEY && server_may_exist(ledger))
		return gate_refuse(AUTHORIZATION_SERVER_FIRST, err,
				   "its server may still exist; a key is deleted last");
	if (facts->is_shared)
		return gate_refuse(AUTHORIZATION_SHARED, err,
				   r->kind == LESSOR_KIND_KEY ?
					   "another lease uses it and receives it; it costs nothing" :
					   "another lease uses it");
	return AUTHORIZATION_GRANTED;
}

/* What the read of this step decides. */
static enum authorization gate_by_reading(const struct signer *signer, const struct lease *l,
					  const struct resource *r, const struct observation *seen,
					  struct err *err)
{
	if (!seen->is_read)
		return gate_refuse(AUTHORIZATION_NOT_READ, err,
				   "not deleted: this step did not read it immediately before");
	if (!seen->seen->id || strcmp(seen->seen->id, r->id) != 0)
		return gate_refuse(AUTHORIZATION_WRONG_ID, err,
				   "not deleted: the object read has a different id");
	if (ledger_verify(signer, l->account, l, r, seen->seen, err)) {
		err_prefix(err, "not deleted: ownership not verified: ");
		return AUTHORIZATION_SIGNATURE;
	}
	if (seen->retain > r->retain_epoch)
		return gate_refuse(AUTHORIZATION_RETENTION_MARK, err,
				   "its label says that it is kept, by a release that this store does not know");
	if (seen->seen->protection != LESSOR_PROTECTION_ON)
		return AUTHORIZATION_GRANTED;
	if (r->protect_by == PROTECT_OURS)
		return gate_refuse(AUTHORIZATION_UNPROTECT, err,
				   "the protection that lessor set must be lifted first");
	return gate_refuse(AUTHORIZATION_PROTECTED, err,
			   "it has delete protection that lessor did not set");
}

enum authorization lease_authorize(const struct signer *signer, const struct lease *l,
				   const struct ledger *ledger, int64_t row, int64_t step_epoch,
				   const struct observation *seen, const struct gate_facts *facts,
				   struct err *err)
{
	const struct resource *r = ledger_find(ledger, row);
	enum authorization a = gate_by_ledger(l, ledger, r, step_epoch, facts, err);

	return a == AUTHORIZATION_GRANTED ? gate_by_reading(signer, l, r, seen, err) : a;
}

int ledger_may_intend(const struct lease *l, const struct ledger *ledger, uint32_t kind,
		      uint32_t attempt, int64_t step_epoch, struct err *err)
{
	if (step_epoch != l->epoch || l->state != LEASE_PROVISIONING)
		return err_set(err, ERR_REFUSED, "the lease no longer needs a machine");
	if (kind == LESSOR_KIND_SENTINEL)
		return err_set(err, ERR_REFUSED, "a sentinel belongs to an account");
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (r->kind != kind || lessor_state_is_over(r->state))
			continue;
		/*
		 * One server at a time: the next attempt waits until the last server is
		 * proven gone.
		 */
		if (kind == LESSOR_KIND_SERVER || r->attempt == attempt)
			return err_set(err, ERR_CONFLICT, "the ledger already has a %s in state %s",
				       resource_kind_name(kind), resource_state_name(r->state));
	}
	if (kind == LESSOR_KIND_SERVER) {
		for (size_t i = 0; i < ledger->attempt_count; i++) {
			const struct attempt *a = &ledger->attempts[i];

			if (a->number == attempt)
				return a->refused ? err_set(err, ERR_CONFLICT,
							    "attempt %u was refused", attempt) :
						    0;
		}
		return err_set(err, ERR_CONFLICT, "attempt %u was not opened", attempt);
	}
	return 0;
}
