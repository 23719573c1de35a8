/* SPDX-License-Identifier: MIT */
/*
 * Permits, deletes and absence. A permit is a state of the row: from its commit on,
 * through a crash, a restart or a takeover, it says that a delete may be under way,
 * until the answer, or absence, says otherwise.
 */
#include "engine/core_claim.h"

#include <stdio.h>
#include <string.h>

#include "util/defect.h"
#include "util/text.h"

/* It was read just now: whatever said that it is not there was wrong. */
static int seen_again(struct claim *c, struct resource *r)
{
	int changed = absence_reset(r);

	if (!changed && r->seen_ms)
		return 0;
	r->seen_ms = c->now;
	return store_resource_update(c->core->store, r, &c->what->err);
}

/* Nothing deletes it as far as we know; a delete of before without an outcome may yet. */
static uint32_t not_deleted(const struct claim *c, struct resource *r)
{
	return r->deletes_unknown ? LESSOR_STATE_DELETE_UNKNOWN : claim_present(c, r);
}

int claim_keep(struct claim *c, struct resource *r, int64_t retain)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;

	r->retain_epoch = r->label_known = retain;
	r->protect_by = PROTECT_NOT_OURS;
	r->marked_ms = 0;
	if (claim_write(c, r, LESSOR_STATE_RETAINED, "kept by a store that knew more") ||
	    claim_tell(c, r, "kept", "it bears the mark of a no-delete release"))
		return -1;
	if (!c->l || c->l->retained)
		return claim_refuse(c, "it bears the mark of a no-delete release");
	if (core_facts(c->core, c->l, NULL, &facts, &c->what->err))
		return -1;
	lease_kept_elsewhere(c->l, &facts, &out);
	/* What is said of it next is newer than what was found. */
	if (retain < INT64_MAX && c->l->epoch <= retain)
		c->l->epoch = retain + 1;
	if (core_apply(c->core, c->l, &out, &c->what->err))
		return -1;
	return claim_refuse(c, "it was released without deleting, and this store did not know of it");
}

/* ---- permits ------------------------------------------------------------------------- */

/* In the timeline once, not at each slow retry. */
static int tell_refusal(struct claim *c, struct resource *r, enum authorization a)
{
	char why[sizeof(r->evidence)];

	core_tell(c->core, &(struct tell){ .level = LOG_LEVEL_WARNING, .lease = c->l->id,
					   .account = r->account, .event = "delete-refused" },
		  "not permitted to delete %s (id %s, %s): %s", r->name, r->id, authorization_name(a),
		  c->what->err.text);
	TEXT_SET(why, c->what->err.text);
	if (strcmp(r->evidence, why) == 0)
		return 0;
	TEXT_SET(r->evidence, why);
	return store_resource_update(c->core->store, r, NULL) || claim_tell(c, r, "delete-refused", why);
}

int claim_permit_refused(struct claim *c, struct resource *r, enum authorization a)
{
	char why[sizeof(c->what->err.text)];

	TEXT_SET(why, c->what->err.text);
	tell_refusal(c, r, a);
	c->what->resource = *r;
	switch (a) {
	case AUTHORIZATION_RETENTION_MARK:
		return claim_keep(c, r, c->what->evidence.seen.id ?
				  observed_retain(&c->what->evidence.seen) : INT64_MAX);
	case AUTHORIZATION_PROTECTED:
		/* It is there, and so no delete of ours can be under way. */
		r->deletes_unknown = 0;
		if (claim_write(c, r, claim_present(c, r), why))
			return -1;
		return claim_refuse_for_operator(c, LESSOR_CLASS_PROTECTED, why);
	case AUTHORIZATION_FENCED:
		return claim_refuse_for_operator(c, LESSOR_CLASS_ACCOUNT, why);
	default:
		break;
	}
	if (!authorization_passes(a))
		return claim_refuse_for_operator(c, LESSOR_CLASS_OWNERSHIP, why);
	if (c->running)
		c->running->not_now = 1;
	return claim_refuse(c, why);
}

static enum authorization authorize(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;
	struct observation seen = { .seen = &e->seen, .is_read = e->is_read };
	struct store_users users = { 0 };
	struct gate_facts facts = {
		.is_verified = claim_is_verified(c),
		.is_fenced = account_is_fenced(c->account->account),
	};

	seen.retain = observed_retain(&e->seen);
	if (store_resource_users(c->core->store, r->account, r->kind, r->id, c->l->n, &users,
				 &c->what->err))
		return AUTHORIZATION_UNVERIFIED;
	facts.is_shared = users.count > 0;
	return lease_authorize(&c->core->signer, c->l, &c->ledger, r->n, c->step->epoch, &seen, &facts,
			       &c->what->err);
}

int claim_permit(struct claim *c)
{
	struct resource *r = claim_row(c);
	enum authorization a;

	if (!r)
		return -1;
	if (!c->l)
		return claim_refuse(c, "an account's own resources are not deleted by steps");
	/* Permitted or not, and whoever it belongs to now. */
	if (c->what->evidence.is_seen && strcmp(c->what->evidence.seen.id, r->id) == 0 &&
	    (seen_again(c, r) || claim_unprotect_seen(c, r)))
		return -1;
	a = authorize(c, r);
	if (a != AUTHORIZATION_GRANTED)
		return claim_permit_refused(c, r, a);
	r->authorized_ms = r->seen_ms = c->now;
	r->action[0] = '\0';
	r->protect_by = PROTECT_NOT_OURS;
	if (claim_write(c, r, LESSOR_STATE_DELETE_AUTHORIZED, "a delete was permitted"))
		return -1;
	return claim_tell(c, r, "delete-permitted", c->l->end_reason);
}

/* ---- what became of it ---------------------------------------------------------------- */

static struct resource *authorized_row(struct claim *c)
{
	struct resource *r = claim_row(c);

	if (r && r->state != LESSOR_STATE_DELETE_AUTHORIZED) {
		claim_refuse(c, "no delete of it was permitted in this step");
		return NULL;
	}
	return r;
}

int claim_deleting(struct claim *c)
{
	struct resource *r = authorized_row(c);

	if (!r)
		return -1;
	TEXT_SET(r->action, c->what->action);
	absence_reset(r);
	r->deletes_unknown = 0;
	/* Defect 44: an accepted delete is a done one. */
	if (claim_write(c, r, DEFECT(44) ? LESSOR_STATE_GONE : LESSOR_STATE_DELETING,
			"delete accepted"))
		return -1;
	return claim_tell(c, r, "deleting", NULL);
}

static int delete_is_unknown(struct claim *c, struct resource *r, const char *why)
{
	r->action[0] = '\0';
	r->deletes_unknown++;
	if (claim_write(c, r, LESSOR_STATE_DELETE_UNKNOWN, why))
		return -1;
	return claim_tell(c, r, "delete-unknown", why);
}

int claim_delete_unknown(struct claim *c)
{
	struct resource *r = authorized_row(c);

	return r ? delete_is_unknown(c, r, c->what->text) : -1;
}

/* The state in which it is still there; 0: what was said does not show that it is. */
static uint32_t still_state(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;

	switch (r->state) {
	case LESSOR_STATE_DELETE_AUTHORIZED:
		if (!e->is_own_io && e->outcome != EFFECT_NOT_SENT && e->outcome != EFFECT_REFUSED)
			return LESSOR_STATE_DELETE_UNKNOWN;
		return not_deleted(c, r);
	case LESSOR_STATE_DELETING:
	case LESSOR_STATE_DELETE_UNKNOWN:
		/* An accepted delete is shown for a while, too: a read alone says nothing of it. */
		if (e->is_gave_up || (e->is_own_io && r->state == LESSOR_STATE_DELETING)) {
			r->deletes_unknown = 0;
			return claim_present(c, r);
		}
		/* In this state the word of a listing is enough: it only ends the looks that found nothing. */
		return e->is_seen || e->is_own_io || r->state == LESSOR_STATE_DELETE_UNKNOWN ?
		       LESSOR_STATE_DELETE_UNKNOWN : 0;
	case LESSOR_STATE_PRESENT:
	case LESSOR_STATE_RETAINED:
		return r->state;
	default:
		return 0;
	}
}

int claim_still_there(struct claim *c)
{
	struct resource *r = claim_row(c);
	uint32_t state;

	if (!r)
		return -1;
	if (r->state == LESSOR_STATE_UNPROTECT_UNKNOWN)
		return claim_unprotect_seen(c, r);
	state = still_state(c, r);
	if (!state)
		return claim_refuse(c, "nothing shows that it is still there");
	if (state == LESSOR_STATE_DELETE_UNKNOWN && r->state != LESSOR_STATE_DELETE_UNKNOWN &&
	    !r->deletes_unknown)
		r->deletes_unknown = 1;
	/* Told again by a slow retry it is no news. */
	if (r->state == state && !r->action[0] && strcmp(r->evidence, c->what->text) == 0) {
		c->what->resource = *r;
		return absence_reset(r) ? store_resource_update(c->core->store, r, &c->what->err) : 0;
	}
	r->action[0] = '\0';
	absence_reset(r);
	if (claim_write(c, r, state, c->what->text))
		return -1;
	return claim_tell(c, r, "still-there", c->what->text);
}

int claim_gone(struct claim *c)
{
	struct resource *r = claim_row(c);
	struct absence_facts facts = claim_absence(c);
	int by_delete;

	if (!r)
		return -1;
	if (lessor_state_is_over(r->state))
		return 0;
	if (lessor_state_is_unsettled(r->state) || r->state == LESSOR_STATE_DELETE_AUTHORIZED ||
	    r->state == LESSOR_STATE_UNPROTECT_AUTHORIZED)
		return claim_refuse(c, "what became of its create or its delete is not recorded yet");
	if (!claim_is_verified(c))
		return claim_refuse(c, "the account is not proven to be the one we know");
	if (claim_check_sentinel(c))
		return -1;
	by_delete = r->state == LESSOR_STATE_DELETING;
	if (!DEFECT(9) && absence_observe(r, &facts) != ABSENCE_PROVEN)
		return claim_not_settled(c, r);
	r->action[0] = '\0';
	if (claim_write(c, r, LESSOR_STATE_GONE, c->what->text))
		return -1;
	/* Without a delete of ours it may yet show: somebody looks once more. */
	if (!by_delete && core_sweep_soon(c->core, c->account, &c->what->err))
		return -1;
	return claim_tell(c, r, "gone", c->what->text);
}
