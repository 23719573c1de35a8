/* SPDX-License-Identifier: MIT */
#include "life-claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/alloc.h"
#include "util/text.h"

int claim_refuse(struct claim *c, const char *why)
{
	return err_set(&c->what->err, ERR_REFUSED, "%s", why);
}

int claim_refuse_for_operator(struct claim *c, uint32_t error_class, const char *why)
{
	if (!c->life->refusal_class) {
		c->life->refusal_class = error_class;
		snprintf(c->life->refusal, sizeof(c->life->refusal), "%s", why);
	}
	return claim_refuse(c, why);
}

struct resource *claim_row(struct claim *c)
{
	struct resource *r = (struct resource *)(uintptr_t)ledger_find(c->ledger, c->what->row);

	if (!r)
		err_set(&c->what->err, ERR_NOT_FOUND, "no such row in this ledger");
	return r;
}

int claim_write(struct claim *c, struct resource *r, uint32_t state, const char *evidence)
{
	r->state = state;
	r->changed_ms = c->life->now_ms;
	TEXT_SET(r->evidence, evidence ? evidence : "");
	c->what->resource = *r;
	return 0;
}

int claim_keep_state(struct claim *c, const struct resource *r)
{
	c->what->resource = *r;
	return 0;
}

uint32_t claim_present(const struct claim *c, struct resource *r)
{
	if (!c->l || !c->l->retained)
		return LESSOR_STATE_PRESENT;
	if (r->state != LESSOR_STATE_RETAINED && r->retain_epoch < c->l->epoch) {
		r->retain_epoch = c->l->epoch;
		r->marked_ms = 0;
	}
	return LESSOR_STATE_RETAINED;
}

int claim_is_verified(const struct claim *c)
{
	return c->life->is_proven && !c->life->unproven;
}

int claim_check_sentinel(struct claim *c)
{
	const struct step_evidence *e = &c->what->evidence;

	if (!e->is_proof)
		return claim_refuse(c, "the account was not proven in this step");
	return e->is_sentinel_read ? claim_generation_found(c, e->generation, e->holder) : 0;
}

struct absence_facts claim_absence(const struct claim *c)
{
	return (struct absence_facts){ .now_ms = c->life->now_ms, .settle_ms = c->life->settle_ms };
}

int claim_not_settled(struct claim *c, const struct resource *r)
{
	struct absence_facts facts = claim_absence(c);

	c->what->resource = *r;
	c->life->absence_ms = absence_next_ms(r, &facts);
	return err_set(&c->what->err, ERR_BUSY, "not settled yet");
}

static struct resource *new_row(struct claim *c, const struct resource *from)
{
	struct ledger *ledger = c->ledger;
	struct resource *r;

	ledger->resources = xrealloc(ledger->resources, (ledger->resource_count + 1) * sizeof(*r));
	r = &ledger->resources[ledger->resource_count++];
	*r = *from;
	r->n = ++c->life->last_row;
	r->lease = c->l ? c->l->n : 0;
	r->created_ms = r->changed_ms = c->life->now_ms;
	TEXT_SET(r->account, "acc");
	return r;
}

static int commit_attempt(struct claim *c)
{
	struct ledger *book = c->ledger;
	struct attempt *a;

	if (!c->l || c->l->state != LEASE_PROVISIONING || c->step->epoch != c->l->epoch)
		return claim_refuse(c, "the lease no longer wants a machine");
	if (c->what->attempt != book->attempt_count + 1)
		return claim_refuse(c, "attempts are numbered one after the other");
	book->attempts = xrealloc(book->attempts, (book->attempt_count + 1) * sizeof(*a));
	a = &book->attempts[book->attempt_count++];
	*a = (struct attempt){ .number = c->what->attempt, .started_ms = c->life->now_ms };
	TEXT_SET(a->type, c->what->type);
	TEXT_SET(a->location, c->what->location);
	return 0;
}

static int commit_attempt_refused(struct claim *c)
{
	struct attempt *a = &c->ledger->attempts[c->what->attempt - 1];

	if (!a->refused) {
		a->refused = c->what->error_class;
		TEXT_SET(a->reason, c->what->text);
	}
	return 0;
}

static int may_intend_sentinel(struct claim *c)
{
	for (size_t i = 0; i < c->ledger->resource_count; i++) {
		if (!lessor_state_is_over(c->ledger->resources[i].state))
			return claim_refuse(c, "the account has its sentinel");
	}
	return c->what->resource_kind == LESSOR_KIND_SENTINEL ? 0 :
	       claim_refuse(c, "account work makes nothing but the sentinel");
}

static int commit_intend(struct claim *c)
{
	struct step_commit *what = c->what;
	struct resource r = { .kind = what->resource_kind, .attempt = what->attempt, .ours = 1,
			      .state = LESSOR_STATE_INTENDED };

	if (!c->l && may_intend_sentinel(c))
		return -1;
	if (c->l && (!claim_is_verified(c) || c->life->gen.is_fenced))
		return claim_refuse(c, "the account is blocked");
	if (c->l && ledger_may_intend(c->l, c->ledger, what->resource_kind, what->attempt,
				      c->step->epoch, &what->err))
		return -1;
	ledger_name(&c->life->signer, "acc", c->l, r.kind, r.attempt, r.name);
	ledger_labels(&c->life->signer, "acc", c->l, r.kind, r.attempt, r.name, &what->labels);
	if (!c->l && !c->life->gen.is_fenced)
		claim_generation_raise(c, &what->labels);
	TEXT_SET(what->name, r.name);
	what->resource = *new_row(c, &r);
	what->row = what->resource.n;
	return 0;
}

/* What a create did is told once, of a row whose create has no known outcome. */
static struct resource *unsettled_row(struct claim *c)
{
	struct resource *r = claim_row(c);

	if (r && !lessor_state_is_unsettled(r->state)) {
		claim_refuse(c, "what became of its create is known");
		return NULL;
	}
	return r;
}

static int commit_created(struct claim *c)
{
	struct resource *r = unsettled_row(c);

	if (!r)
		return -1;
	TEXT_SET(r->id, c->what->id);
	TEXT_SET(r->action, c->what->action);
	return claim_write(c, r, claim_present(c, r), "created");
}

static int commit_not_created(struct claim *c)
{
	struct resource *r = unsettled_row(c);

	return r ? claim_write(c, r, LESSOR_STATE_NEVER_EXISTED, c->what->text) : -1;
}

static int commit_unknown(struct claim *c)
{
	struct resource *r = unsettled_row(c);

	return r ? claim_write(c, r, LESSOR_STATE_UNKNOWN, c->what->text) : -1;
}

static int commit_not_seen(struct claim *c)
{
	struct resource *r = unsettled_row(c);
	struct absence_facts facts = claim_absence(c);

	if (!r)
		return -1;
	if (c->l && !claim_is_verified(c))
		return claim_refuse(c, "the account is not proven to be the one we know");
	if (claim_check_sentinel(c))
		return -1;
	if (absence_observe(r, &facts) != ABSENCE_PROVEN)
		return claim_not_settled(c, r);
	return claim_write(c, r, LESSOR_STATE_NEVER_EXISTED, "never existed");
}

/* Something claims to be what is looked for: looks that found nothing begin anew. */
static void look_anew(struct claim *c, const struct lessor_observed *seen)
{
	for (size_t i = 0; i < c->ledger->resource_count; i++) {
		struct resource *r = &c->ledger->resources[i];

		if (!lessor_state_is_over(r->state) && seen->name && strcmp(r->name, seen->name) == 0)
			absence_reset(r);
	}
}

/* The row that what was found is of: the one that names it, or one that looks for it. */
static struct resource *row_found(struct claim *c, const struct lessor_observed *seen,
				  const struct resource *like)
{
	struct resource *best = NULL;

	for (size_t i = 0; i < c->ledger->resource_count; i++) {
		struct resource *have = &c->ledger->resources[i];

		if (have->kind != like->kind || have->attempt != like->attempt || !have->ours)
			continue;
		if (have->id[0] && strcmp(have->id, seen->id) == 0)
			return have;
		if (!have->id[0] && (!best || lessor_state_is_unsettled(have->state)))
			best = have;
	}
	return best;
}

static int commit_adopt(struct claim *c)
{
	const struct lessor_observed *seen = c->what->seen;
	const char *attempt = observed_label(seen, LESSOR_LABEL_ATTEMPT);
	struct resource r = { .kind = seen->kind, .ours = 1, .state = LESSOR_STATE_INTENDED,
			      .attempt = attempt ? (uint32_t)strtoul(attempt, NULL, 10) : 0 };
	struct resource *row;

	ledger_name(&c->life->signer, "acc", c->l, r.kind, r.attempt, r.name);
	if (ledger_verify(&c->life->signer, "acc", c->l, &r, seen, &c->what->err)) {
		look_anew(c, seen);
		return -1;
	}
	row = row_found(c, seen, &r);
	if (row && row->id[0] && !lessor_state_is_over(row->state))
		return claim_keep_state(c, row);
	if (!row)
		row = new_row(c, &r);
	TEXT_SET(row->id, seen->id);
	absence_reset(row);
	row->seen_ms = c->life->now_ms;
	c->what->row = row->n;
	if (observed_retain(seen) > row->retain_epoch && !(c->l && c->l->retained))
		return claim_keep(c, row, observed_retain(seen));
	return claim_write(c, row, claim_present(c, row), "found by look-up, signature checked");
}

static int commit_reuse(struct claim *c)
{
	struct resource r = { .kind = c->what->resource_kind, .state = LESSOR_STATE_PRESENT };

	if (!c->l || !c->what->id || !c->what->id[0])
		return claim_refuse(c, "reused without an id, or by no lease");
	if (r.kind != LESSOR_KIND_ADDRESS &&
	    (c->l->state != LEASE_PROVISIONING || c->step->epoch != c->l->epoch))
		return claim_refuse(c, "the lease no longer wants a machine");
	TEXT_SET(r.id, c->what->id);
	TEXT_SET(r.name, c->what->text);
	c->what->resource = *new_row(c, &r);
	c->what->row = c->what->resource.n;
	return 0;
}

int life_commit(void *arg, struct step *step, struct step_commit *what)
{
	static int (*const commits[])(struct claim *c) = {
		[COMMIT_ATTEMPT] = commit_attempt,
		[COMMIT_ATTEMPT_REFUSED] = commit_attempt_refused,
		[COMMIT_INTEND] = commit_intend,
		[COMMIT_CREATED] = commit_created,
		[COMMIT_NOT_CREATED] = commit_not_created,
		[COMMIT_UNKNOWN] = commit_unknown,
		[COMMIT_NOT_SEEN] = commit_not_seen,
		[COMMIT_ADOPT] = commit_adopt,
		[COMMIT_REUSE] = commit_reuse,
		[COMMIT_PERMIT] = claim_permit,
		[COMMIT_DELETING] = claim_deleting,
		[COMMIT_DELETE_UNKNOWN] = claim_delete_unknown,
		[COMMIT_STILL_THERE] = claim_still_there,
		[COMMIT_GONE] = claim_gone,
		[COMMIT_CHANGE] = claim_change,
		[COMMIT_CHANGED] = claim_changed,
	};
	struct life *life = arg;
	struct claim c = { .life = life, .step = step, .what = what,
			   .ledger = step->lease.n ? &life->book : &life->mark,
			   .l = step->lease.n ? &life->lease : NULL };

	/* A process that has died records nothing. */
	what->result = life->crashed ? claim_refuse(&c, "dead") : commits[what->kind](&c);
	return what->result;
}
