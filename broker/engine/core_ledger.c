/* SPDX-License-Identifier: MIT */
/*
 * What a running step asks to be made durable. Each kind is one small function:
 * read the lease and its ledger, ask the rule, write the row and a line of the
 * timeline. Evidence (created, gone, ...) is recorded whatever the step's epoch;
 * permission for something new (attempt, intend, permit, reuse) needs the current
 * one. Here is what is made and found; core_delete.c and core_change.c have the rest.
 */
#include "engine/core_claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/defect.h"
#include "util/text.h"

int claim_refuse(struct claim *c, const char *why)
{
	return err_set(&c->what->err, ERR_REFUSED, "%s", why);
}

int claim_refuse_for_operator(struct claim *c, uint32_t error_class, const char *why)
{
	if (c->running && !c->running->refusal_class) {
		c->running->refusal_class = error_class;
		TEXT_SET(c->running->refusal, why);
	}
	return claim_refuse(c, why);
}

struct resource *claim_row(struct claim *c)
{
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		if (c->ledger.resources[i].n == c->what->row)
			return &c->ledger.resources[i];
	}
	err_set(&c->what->err, ERR_NOT_FOUND, "no such row in this ledger");
	return NULL;
}

int claim_write(struct claim *c, struct resource *r, uint32_t state, const char *evidence)
{
	/* What an operator told us to forget stays forgotten, whatever a late answer says of it. */
	if (r->state != LESSOR_STATE_DISOWNED || state == LESSOR_STATE_GONE)
		r->state = state;
	r->changed_ms = c->now;
	TEXT_SET(r->evidence, evidence);
	c->what->resource = *r;
	return store_resource_update(c->core->store, r, &c->what->err);
}

int claim_tell(struct claim *c, const struct resource *r, const char *verb, const char *detail)
{
	char kind[40];

	if (!c->l)
		return 0;
	snprintf(kind, sizeof(kind), "%s.%s", resource_kind_name(r->kind), verb);
	return core_note(c->core, c->l->n, kind, "%s%s%s%s%s", r->name, r->id[0] ? " id " : "", r->id,
			 detail && detail[0] ? ": " : "", detail ? detail : "");
}

uint32_t claim_present(const struct claim *c, struct resource *r)
{
	if (!c->l || !c->l->retained)
		return LESSOR_STATE_PRESENT;
	/* From here on its mark is due. */
	if (r->state != LESSOR_STATE_RETAINED && r->retain_epoch < c->l->epoch) {
		r->retain_epoch = c->l->epoch;
		r->marked_ms = 0;
	}
	return LESSOR_STATE_RETAINED;
}

int claim_is_verified(const struct claim *c)
{
	/* Defect 10: whatever project the token opens. */
	return DEFECT(10) || core_account_vouches(c->core, c->account);
}

int claim_check_sentinel(struct claim *c)
{
	const struct step_evidence *e = &c->what->evidence;

	if (!e->is_proof && !DEFECT(10))
		return claim_refuse(c, "the account was not proven in this step");
	return e->is_sentinel_read ? core_generation_found(c->core, c->account, e->generation,
							   e->holder, &c->what->err) : 0;
}

struct absence_facts claim_absence(const struct claim *c)
{
	return (struct absence_facts){
		/* All that it is made of was read after that. */
		.now_ms = c->what->evidence.begun_ms ? c->what->evidence.begun_ms : c->now,
		.settle_ms = core_settle_ms(c->core, c->account),
		.is_clock_suspect = core_clock_doubted(c->core),
	};
}

int claim_not_settled(struct claim *c, const struct resource *r)
{
	struct absence_facts facts = claim_absence(c);

	c->what->resource = *r;
	if (c->running)
		c->running->absence_ms = absence_next_ms(r, &facts);
	if (store_resource_update(c->core->store, r, &c->what->err) == 0)
		err_set(&c->what->err, ERR_BUSY, "not settled yet");
	return -1;
}

static int commit_attempt(struct claim *c)
{
	struct step_commit *what = c->what;
	struct attempt a = { .number = what->attempt, .started_ms = c->now };

	if (!c->l || c->l->state != LEASE_PROVISIONING || c->step->epoch != c->l->epoch)
		return claim_refuse(c, "the lease no longer wants a machine");
	if (what->attempt != c->ledger.attempt_count + 1)
		return claim_refuse(c, "attempts are numbered one after the other");
	a.lease = c->l->n;
	TEXT_SET(a.type, what->type);
	TEXT_SET(a.location, what->location);
	if (store_attempt_insert(c->core->store, &a, &what->err))
		return -1;
	return core_note(c->core, c->l->n, "attempt.started", "attempt %u: %s in %s", a.number, a.type,
			 a.location);
}

static int commit_attempt_refused(struct claim *c)
{
	for (size_t i = 0; c->l && i < c->ledger.attempt_count; i++) {
		struct attempt *a = &c->ledger.attempts[i];

		if (a->number != c->what->attempt)
			continue;
		if (a->refused)
			return 0;
		a->refused = c->what->error_class ? c->what->error_class : LESSOR_CLASS_FAILED;
		TEXT_SET(a->reason, c->what->text);
		if (store_attempt_update(c->core->store, a, &c->what->err))
			return -1;
		return core_note(c->core, c->l->n, "attempt.refused", "attempt %u, %s in %s: %s (%s)",
				 a->number, a->type, a->location, a->reason,
				 error_class_name(a->refused));
	}
	return claim_refuse(c, "no such attempt");
}

/* The account's own sentinel: once, while the ledger holds none. */
static int may_intend_sentinel(struct claim *c)
{
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		if (!lessor_state_is_over(c->ledger.resources[i].state))
			return claim_refuse(c, "the account has its sentinel");
	}
	return c->what->resource_kind == LESSOR_KIND_SENTINEL ? 0 :
	       claim_refuse(c, "account work makes nothing but the sentinel");
}

static int commit_intend(struct claim *c)
{
	struct step_commit *what = c->what;
	struct resource r = {
		.kind = what->resource_kind,
		.attempt = what->attempt,
		.state = LESSOR_STATE_INTENDED,
		.ours = 1,
		.created_ms = c->now,
		.changed_ms = c->now,
	};
	const char *account = c->account->account->config.name;

	if (c->l) {
		if (account_is_blocked(c->account->account, NULL, 0))
			return claim_refuse(c, "the account is blocked");
		if (ledger_may_intend(c->l, &c->ledger, what->resource_kind, what->attempt,
				      c->step->epoch, &what->err))
			return -1;
		r.lease = c->l->n;
	} else if (may_intend_sentinel(c)) {
		return -1;
	}
	TEXT_SET(r.account, account);
	ledger_name(&c->core->signer, account, c->l, r.kind, r.attempt, r.name);
	ledger_labels(&c->core->signer, account, c->l, r.kind, r.attempt, r.name, &what->labels);
	if (!c->l && core_generation_begin(c->core, c->account, &what->labels, &what->err))
		return -1;
	TEXT_SET(what->name, r.name);
	if (store_resource_insert(c->core->store, &r, &what->err))
		return -1;
	what->row = r.n;
	what->resource = r;
	/* Before it is made: so whoever is led to it knows it, whatever happens in between. */
	if (c->l && r.kind == LESSOR_KIND_SERVER && strcmp(c->lease.host_key, c->step->host_key)) {
		TEXT_SET(c->lease.host_key, c->step->host_key);
		if (store_lease_update(c->core->store, &c->lease, &what->err))
			return -1;
	}
	return claim_tell(c, &r, "intended", NULL);
}

/* What a create did is told once, of a row whose create has no known outcome. */
static struct resource *unsettled_row(struct claim *c)
{
	struct resource *r = claim_row(c);

	/* A late answer is recorded, too, of what an operator told us to forget. */
	if (r && !lessor_state_is_unsettled(r->state) && r->state != LESSOR_STATE_DISOWNED) {
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
	if (!c->what->id || !c->what->id[0])
		return claim_refuse(c, "created without an id");
	if (r->id[0] && strcmp(r->id, c->what->id) != 0)
		return claim_refuse(c, "the ledger holds another id for it");
	TEXT_SET(r->id, c->what->id);
	TEXT_SET(r->action, c->what->action);
	if (claim_write(c, r, claim_present(c, r), "created"))
		return -1;
	if (!c->l)
		account_set_sentinel(c->account->account, r->id);
	return claim_tell(c, r, "created", NULL);
}

static int commit_not_created(struct claim *c)
{
	struct resource *r = unsettled_row(c);

	if (!r || claim_write(c, r, LESSOR_STATE_NEVER_EXISTED, c->what->text))
		return -1;
	return claim_tell(c, r, "refused", c->what->text);
}

static int commit_unknown(struct claim *c)
{
	struct resource *r = unsettled_row(c);

	if (!r || claim_write(c, r, LESSOR_STATE_UNKNOWN, c->what->text))
		return -1;
	return claim_tell(c, r, "unknown", c->what->text);
}

static int commit_not_seen(struct claim *c)
{
	struct resource *r = unsettled_row(c);
	struct absence_facts facts = claim_absence(c);
	char evidence[sizeof(r->evidence)];

	if (!r)
		return -1;
	/* The sentinel is what an account is proven by; of itself only the look-ups can tell. */
	if (c->l && !claim_is_verified(c))
		return claim_refuse(c, "the account is not proven to be the one we know");
	if (claim_check_sentinel(c))
		return -1;
	if (absence_observe(r, &facts) != ABSENCE_PROVEN)
		return claim_not_settled(c, r);
	snprintf(evidence, sizeof(evidence), "never existed: not found in %d complete look-ups",
		 r->absent_count);
	if (claim_write(c, r, LESSOR_STATE_NEVER_EXISTED, evidence))
		return -1;
	if (core_sweep_soon(c->core, c->account, &c->what->err))
		return -1;
	return claim_tell(c, r, "never", evidence);
}

/* Does what is not proven ours claim to be this row's, by its name or by its labels? */
static int claims_row(const struct claim *c, const struct lessor_observed *seen,
		      const struct resource *r)
{
	const char *instance = observed_label(seen, LESSOR_LABEL_INSTANCE);
	const char *lease = observed_label(seen, LESSOR_LABEL_LEASE);
	const char *attempt = observed_label(seen, LESSOR_LABEL_ATTEMPT);

	if (seen->name && strcmp(r->name, seen->name) == 0)
		return 1;
	return c->l && seen->kind == r->kind && instance && lease && attempt &&
	       strcmp(instance, c->core->signer.instance) == 0 && strcmp(lease, c->l->id) == 0 &&
	       strtoul(attempt, NULL, 10) == r->attempt;
}

/*
 * Something claims to be what is looked for, and is not proven ours: so not to see it
 * another time is no second look that finds nothing, but the first.
 */
static void look_anew(struct claim *c, const struct lessor_observed *seen)
{
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		struct resource *r = &c->ledger.resources[i];

		if (lessor_state_is_over(r->state) || !claims_row(c, seen, r))
			continue;
		absence_reset(r);
		if (lessor_state_is_unsettled(r->state))
			r->seen_ms = c->now;
		/* What fails here breaks the store, which ends the batch. */
		store_resource_update(c->core->store, r, NULL);
	}
}

/* The row that what was found is of: the one that names it, or one that looks for it. */
static struct resource *row_found(struct claim *c, const struct lessor_observed *seen,
				  const struct resource *like)
{
	struct resource *best = NULL;

	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		struct resource *have = &c->ledger.resources[i];

		if (have->kind != like->kind || have->attempt != like->attempt || !have->ours)
			continue;
		if (have->id[0] && strcmp(have->id, seen->id) == 0)
			return have;
		if (!have->id[0] && (!best || lessor_state_is_unsettled(have->state)))
			best = have;
	}
	return best;
}

/* Takes a resource that a look-up found into the ledger, if it is exactly ours. */
static int commit_adopt(struct claim *c)
{
	const struct lessor_observed *seen = c->what->seen;
	const char *attempt = observed_label(seen, LESSOR_LABEL_ATTEMPT);
	const char *account = c->account->account->config.name;
	struct resource r = {
		.kind = seen->kind,
		.attempt = attempt ? (uint32_t)strtoul(attempt, NULL, 10) : 0,
		.state = LESSOR_STATE_INTENDED,
		.ours = 1,
		.created_ms = c->now,
		.changed_ms = c->now,
	};
	struct resource *row;

	r.lease = c->l ? c->l->n : 0;
	TEXT_SET(r.account, account);
	ledger_name(&c->core->signer, account, c->l, r.kind, r.attempt, r.name);
	/* Defect 6: the name is proof enough. */
	if (!DEFECT(6) &&
	    ledger_verify(&c->core->signer, account, c->l, &r, seen, &c->what->err)) {
		look_anew(c, seen);
		return -1;
	}
	row = row_found(c, seen, &r);
	if (row && row->id[0] && !lessor_state_is_over(row->state)) {
		c->what->resource = *row;
		return 0;
	}
	if (!row) {
		/* One too many, or one that was thought never to have been: it is ours all the same. */
		if (store_resource_insert(c->core->store, &r, &c->what->err))
			return -1;
		row = &r;
	}
	TEXT_SET(row->id, seen->id);
	/* Looks that did not find it say nothing of whether it goes away again. */
	absence_reset(row);
	row->seen_ms = c->now;
	c->what->row = row->n;
	/* Kept, by a store that knew more than this one. */
	if (observed_retain(seen) > row->retain_epoch && !(c->l && c->l->retained))
		return claim_keep(c, row, observed_retain(seen));
	if (claim_write(c, row, claim_present(c, row), "found by look-up, signature checked"))
		return -1;
	if (!c->l) {
		/* What it bears tells at once whether this store is behind; it is read again soon. */
		account_set_sentinel(c->account->account, row->id);
		core_generation_seen(c->core, c->account, seen, NULL);
		c->account->probe_again = 1;
	}
	return claim_tell(c, row, "adopted", NULL);
}

static int commit_reuse(struct claim *c)
{
	struct resource r = {
		.kind = c->what->resource_kind,
		.state = LESSOR_STATE_PRESENT,
		.ours = 0,
		.created_ms = c->now,
		.changed_ms = c->now,
	};
	struct store_users users;

	if (!c->l || !c->what->id || !c->what->id[0])
		return claim_refuse(c, "reused without an id, or by no lease");
	/* An address comes with its server, and is written down wherever that is read. */
	if (r.kind != LESSOR_KIND_ADDRESS &&
	    (c->l->state != LEASE_PROVISIONING || c->step->epoch != c->l->epoch))
		return claim_refuse(c, "the lease no longer wants a machine");
	r.lease = c->l->n;
	TEXT_SET(r.account, c->account->account->config.name);
	TEXT_SET(r.id, c->what->id);
	TEXT_SET(r.name, c->what->text);
	TEXT_SET(r.evidence, "made by someone else; never deleted");
	if (store_resource_users(c->core->store, r.account, r.kind, r.id, c->l->n, &users,
				 &c->what->err))
		return -1;
	if (users.deleting)
		return claim_refuse(c, "another lease may be deleting it");
	if (store_resource_insert(c->core->store, &r, &c->what->err))
		return -1;
	c->what->row = r.n;
	c->what->resource = r;
	return claim_tell(c, &r, "reused", NULL);
}

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

static int claim_init(struct claim *c)
{
	struct store *store = c->core->store;

	if (!c->step->lease.n)
		return store_account_ledger(store, c->account->account->config.name, &c->ledger,
					    &c->what->err);
	if (store_lease_by_n(store, c->step->lease.n, &c->lease, &c->what->err))
		return -1;
	c->l = &c->lease;
	return store_ledger(store, c->lease.n, &c->ledger, &c->what->err);
}

void core_commit(struct core *core, struct step *step, struct step_commit *what)
{
	struct claim c = {
		.core = core,
		.step = step,
		.what = what,
		.account = core_account_find(core, step->account->config.name),
		.now = core_now(core),
		.running = step->lease.n ? core_running(core, step->lease.n) : NULL,
	};

	what->result = -1;
	what->err = (struct err){ 0 };
	if (core_savepoint(core, &what->err))
		return;
	if (claim_init(&c) == 0)
		what->result = commits[what->kind](&c);
	ledger_fini(&c.ledger);
	/* A "no" keeps what it wrote on the way (looks counted, reasons noted), unless the store failed. */
	if (DEFECT(2) && what->kind == COMMIT_INTEND)	/* the intent is not written */
		core_savepoint_undo(core);
	else if (what->result && what->err.kind != ERR_REFUSED && what->err.kind != ERR_BUSY &&
	    what->err.kind != ERR_CONFLICT)
		core_savepoint_undo(core);
	else
		store_savepoint_keep(core->store, NULL);
}
