/* SPDX-License-Identifier: MIT */
#include "life-claim.h"

#include <string.h>

#include "util/text.h"

/* It was read just now: whatever said that it is not there was wrong. */
static void seen_again(struct claim *c, struct resource *r)
{
	absence_reset(r);
	r->seen_ms = c->life->now_ms;
}

int claim_keep(struct claim *c, struct resource *r, int64_t retain)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;

	r->retain_epoch = r->label_known = retain;
	r->protect_by = PROTECT_NOT_OURS;
	r->marked_ms = 0;
	claim_write(c, r, LESSOR_STATE_RETAINED, "kept by a store that knew more");
	if (!c->l || c->l->retained)
		return claim_refuse(c, "it bears the mark of a no-delete release");
	life_facts(c->life, &facts);
	lease_kept_elsewhere(c->l, &facts, &out);
	life_apply(c->life, &out);
	return claim_refuse(c, "it was released without deleting, and this store did not know of it");
}

int claim_permit_refused(struct claim *c, struct resource *r, enum authorization a)
{
	char why[sizeof(c->what->err.text)];

	TEXT_SET(why, c->what->err.text);
	c->what->resource = *r;
	switch (a) {
	case AUTHORIZATION_RETENTION_MARK:
		return claim_keep(c, r, observed_retain(&c->what->evidence.seen));
	case AUTHORIZATION_PROTECTED:
		r->deletes_unknown = 0;
		claim_write(c, r, claim_present(c, r), why);
		return claim_refuse_for_operator(c, LESSOR_CLASS_PROTECTED, why);
	case AUTHORIZATION_FENCED:
		return claim_refuse_for_operator(c, LESSOR_CLASS_ACCOUNT, why);
	default:
		break;
	}
	if (!authorization_passes(a))
		return claim_refuse_for_operator(c, LESSOR_CLASS_OWNERSHIP, why);
	c->life->not_now = 1;
	return claim_refuse(c, why);
}

int claim_permit(struct claim *c)
{
	const struct step_evidence *e = &c->what->evidence;
	struct observation seen = { .seen = &e->seen, .is_read = e->is_read,
				    .retain = observed_retain(&e->seen) };
	struct gate_facts facts = { .is_verified = claim_is_verified(c),
				    .is_fenced = c->life->gen.is_fenced,
				    .is_shared = c->life->shared };
	struct resource *r = claim_row(c);
	enum authorization a;

	if (!r)
		return -1;
	if (!c->l)
		return claim_refuse(c, "an account's own resources are not deleted by steps");
	if (e->is_seen && strcmp(e->seen.id, r->id) == 0) {
		seen_again(c, r);
		if (claim_unprotect_seen(c, r))
			return -1;
	}
	a = lease_authorize(&c->life->signer, c->l, c->ledger, r->n, c->step->epoch, &seen, &facts,
			    &c->what->err);
	if (a != AUTHORIZATION_GRANTED)
		return claim_permit_refused(c, r, a);
	r->authorized_ms = r->seen_ms = c->life->now_ms;
	r->protect_by = PROTECT_NOT_OURS;
	return claim_write(c, r, LESSOR_STATE_DELETE_AUTHORIZED, "a delete was permitted");
}

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
	return claim_write(c, r, LESSOR_STATE_DELETING, "delete accepted");
}

int claim_delete_unknown(struct claim *c)
{
	struct resource *r = authorized_row(c);

	if (!r)
		return -1;
	r->action[0] = '\0';
	r->deletes_unknown++;
	return claim_write(c, r, LESSOR_STATE_DELETE_UNKNOWN, c->what->text);
}

/* The state in which it is still there; 0: what was said does not show that it is. */
static uint32_t still_state(struct claim *c, struct resource *r)
{
	const struct step_evidence *e = &c->what->evidence;

	switch (r->state) {
	case LESSOR_STATE_DELETE_AUTHORIZED:
		if (e->outcome != EFFECT_NOT_SENT && e->outcome != EFFECT_REFUSED)
			return LESSOR_STATE_DELETE_UNKNOWN;
		return r->deletes_unknown ? LESSOR_STATE_DELETE_UNKNOWN : claim_present(c, r);
	case LESSOR_STATE_DELETING:
	case LESSOR_STATE_DELETE_UNKNOWN:
		if (e->is_gave_up) {
			r->deletes_unknown = 0;
			return claim_present(c, r);
		}
		return e->is_seen || r->state == LESSOR_STATE_DELETE_UNKNOWN ?
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
	if (state == LESSOR_STATE_DELETE_UNKNOWN && r->state != state && !r->deletes_unknown)
		r->deletes_unknown = 1;
	absence_reset(r);
	if (r->state == state && !r->action[0])
		return claim_keep_state(c, r);
	r->action[0] = '\0';
	return claim_write(c, r, state, c->what->text);
}

int claim_gone(struct claim *c)
{
	struct resource *r = claim_row(c);
	struct absence_facts facts = claim_absence(c);

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
	if (absence_observe(r, &facts) != ABSENCE_PROVEN)
		return claim_not_settled(c, r);
	r->action[0] = '\0';
	return claim_write(c, r, LESSOR_STATE_GONE, c->what->text);
}
