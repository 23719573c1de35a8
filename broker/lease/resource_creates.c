/* SPDX-License-Identifier: MIT */
/* Intents, their outcomes, and look-ups. */
#include "lease/resource_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/lifecycle.h"
#include "util/text.h"

/* ---- attempts ----------------------------------------------------------------------------- */

static int wants_machine(const struct row_event *v)
{
	return v->l && v->l->state == LEASE_PROVISIONING && v->e->u.claim.epoch == v->l->epoch;
}

/* After the deadline a step only looks at what was begun before. */
static int is_too_late(const struct row_event *v)
{
	return v->l && lease_is_late(v->l, v->f->now_ms) && !v->f->is_clock_suspect;
}

int attempt_open(struct row_event *v)
{
	struct attempt a = { .number = v->claim->attempt, .started_ms = v->f->now_ms };

	if (!wants_machine(v) || is_too_late(v))
		return row_refuse(v, "the lease no longer needs a machine");
	if (a.number != v->a->ledger.attempt_count + 1)
		return row_refuse(v, "attempts must be numbered consecutively");
	a.lease = v->l->n;
	TEXT_SET(a.type, v->claim->type);
	TEXT_SET(a.location, v->claim->location);
	ledger_add_attempt(&v->a->ledger, &a);
	lease_note_add(v->out, NOTE_QUIET, "attempt.started", "attempt %u: %s in %s", a.number, a.type,
		       a.location);
	return 0;
}

int attempt_refuse(struct row_event *v)
{
	for (size_t i = 0; v->l && i < v->a->ledger.attempt_count; i++) {
		struct attempt *a = &v->a->ledger.attempts[i];

		if (a->number != v->claim->attempt)
			continue;
		if (a->refused)
			return 0;
		a->refused = v->claim->error_class ? v->claim->error_class : LESSOR_CLASS_FAILED;
		TEXT_SET(a->reason, v->claim->text);
		a->is_dirty = 1;
		lease_note_add(v->out, NOTE_QUIET, "attempt.refused", "attempt %u, %s in %s: %s (%s)",
			       a->number, a->type, a->location, a->reason,
			       error_class_name(a->refused));
		return 0;
	}
	return row_refuse(v, "no such attempt");
}

/* ---- intents ------------------------------------------------------------------------------- */

/* The account's own sentinel: only while the ledger has none. */
static int may_intend_sentinel(struct row_event *v)
{
	for (size_t i = 0; i < v->a->ledger.resource_count; i++) {
		if (!lessor_state_is_over(v->a->ledger.resources[i].state))
			return row_refuse(v, "the account already has a sentinel");
	}
	return v->claim->resource_kind == LESSOR_KIND_SENTINEL ?
		       0 :
		       row_refuse(v, "account work may create nothing but the sentinel");
}

/* Recorded before the create, so that the key is known whatever happens in between. */
static void keep_host_key(struct row_event *v)
{
	const char *key = v->e->u.claim.host_key;

	if (!v->l || v->r->kind != LESSOR_KIND_SERVER || strcmp(v->l->host_key, key) == 0)
		return;
	TEXT_SET(v->l->host_key, key);
	v->out->changed = 1;
}

int row_intend(struct row_event *v)
{
	struct lease_claim *claim = v->claim;
	const char *account = v->f->account;
	struct resource r = {
		.kind = claim->resource_kind,
		.attempt = claim->attempt,
		.state = LESSOR_STATE_INTENDED,
		.ours = 1,
		.created_ms = v->f->now_ms,
		.changed_ms = v->f->now_ms,
		.until_ms = v->e->u.claim.until_ms,
	};

	if (!v->l) {
		if (may_intend_sentinel(v))
			return -1;
	} else if (v->f->is_blocked) {
		return row_refuse(v, "the account is blocked");
	} else if (is_too_late(v)) {
		return row_refuse(v, "the time for its machine to become ready is over");
	} else if (ledger_may_intend(v->l, &v->a->ledger, r.kind, r.attempt, v->e->u.claim.epoch,
				     &claim->err)) {
		return -1;
	}
	r.lease = v->a->lease.n;
	TEXT_SET(r.account, account);
	ledger_name(v->f->signer, account, v->l, r.kind, r.attempt, r.name);
	ledger_labels(v->f->signer, account, v->l, r.kind, r.attempt, r.name, &claim->labels);
	TEXT_SET(claim->name, r.name);
	row_add(v, &r);
	keep_host_key(v);
	return row_note(v, "intended", NULL);
}

int row_created(struct row_event *v)
{
	struct resource *r = v->r;

	if (!v->claim->id || !v->claim->id[0])
		return row_refuse(v, "created without an id");
	if (r->id[0] && strcmp(r->id, v->claim->id) != 0)
		return row_refuse(v, "the ledger has a different id for it");
	TEXT_SET(r->id, v->claim->id);
	TEXT_SET(r->action, v->claim->action);
	row_request_ends(v);
	row_set(v, row_present(v), "created");
	v->out->is_sentinel_known = !v->l;
	return row_note(v, "created", NULL);
}

int row_not_created(struct row_event *v)
{
	row_request_ends(v);
	row_set(v, LESSOR_STATE_NEVER_EXISTED, v->claim->text);
	return row_note(v, "refused", v->claim->text);
}

int row_create_unknown(struct row_event *v)
{
	row_request_lost(v);
	row_set(v, LESSOR_STATE_UNKNOWN, v->claim->text);
	return row_note(v, "unknown", v->claim->text);
}

int row_report_absent(struct row_event *v)
{
	struct absence_facts facts = row_absence(v);
	char evidence[sizeof(v->r->evidence)];

	/*
	 * An account is verified by its sentinel; the sentinel itself needs only the
	 * look-ups.
	 */
	if (v->l && !v->f->gate.is_verified)
		return row_refuse(v, "the account is not verified");
	if (row_check_proof(v))
		return -1;
	if (absence_observe(v->r, &facts) != ABSENCE_PROVEN)
		return row_absence_pending(v);
	snprintf(evidence, sizeof(evidence), "never existed: not found in %d complete look-ups",
		 v->r->absent_count);
	row_set(v, LESSOR_STATE_NEVER_EXISTED, evidence);
	v->out->sweep_soon = 1;
	return row_note(v, "never", evidence);
}

/* ---- what a look-up found -------------------------------------------------------------------- */

/* Does an unverified object claim to be this row's, by name or by labels? */
static int claims_row(const struct row_event *v, const struct lessor_observed *seen,
		      const struct resource *r)
{
	const char *instance = observed_label(seen, LESSOR_LABEL_INSTANCE);
	const char *lease = observed_label(seen, LESSOR_LABEL_LEASE);
	const char *attempt = observed_label(seen, LESSOR_LABEL_ATTEMPT);

	if (seen->name && strcmp(r->name, seen->name) == 0)
		return 1;
	return v->l && seen->kind == r->kind && instance && lease && attempt &&
	       strcmp(instance, v->f->signer->instance) == 0 && strcmp(lease, v->l->id) == 0 &&
	       strtoul(attempt, NULL, 10) == r->attempt;
}

/*
 * An object claims to be the resource but is not verified as ours. If it disappears later,
 * that is the first observation of absence, not the second.
 */
static void observation_restart(struct row_event *v, const struct lessor_observed *seen)
{
	for (size_t i = 0; i < v->a->ledger.resource_count; i++) {
		struct resource *r = &v->a->ledger.resources[i];

		if (lessor_state_is_over(r->state) || !claims_row(v, seen, r))
			continue;
		absence_reset(r);
		if (lessor_state_is_unsettled(r->state))
			r->seen_ms = v->f->now_ms;
		r->is_dirty = 1;
	}
}

/*
 * The row of a found object: the one with its id, else one without an id, preferably
 * unknown.
 */
static struct resource *row_found(struct row_event *v, const struct lessor_observed *seen,
				  const struct resource *like)
{
	struct resource *best = NULL;

	for (size_t i = 0; i < v->a->ledger.resource_count; i++) {
		struct resource *have = &v->a->ledger.resources[i];

		if (have->kind != like->kind || have->attempt != like->attempt || !have->ours)
			continue;
		if (have->id[0] && strcmp(have->id, seen->id) == 0)
			return have;
		if (!have->id[0] && (!best || lessor_state_is_unsettled(have->state)))
			best = have;
	}
	return best;
}

/*
 * The row whose create was answered with the id of something else: nothing has ever been read
 * under that id that was ours, and names are unique. Its id, and all that belongs to it, is wrong.
 */
static struct resource *row_mistaken(struct row_event *v, const struct resource *like)
{
	for (size_t i = 0; v->claim->evidence.is_absent && i < v->a->ledger.resource_count; i++) {
		struct resource *r = &v->a->ledger.resources[i];

		if (r->n != v->claim->row || r->kind != like->kind || r->attempt != like->attempt ||
		    !r->ours || r->seen_ms || strcmp(r->name, like->name) != 0 ||
		    (r->state != LESSOR_STATE_PRESENT && r->state != LESSOR_STATE_RETAINED))
			continue;
		r->action[0] = '\0';
		return r;
	}
	return NULL;
}

static int row_adopted(struct row_event *v, const struct lessor_observed *seen)
{
	struct resource *r = v->r;

	TEXT_SET(r->id, seen->id);
	/* Earlier absences say nothing about whether it disappears again. */
	absence_reset(r);
	row_request_ends(v);
	r->seen_ms = v->f->now_ms;
	/* Retained by a newer copy of this store. */
	if (observed_retain(seen) > r->retain_epoch && !(v->l && v->l->retained))
		return row_keep(v, observed_retain(seen));
	row_set(v, row_present(v), "found by look-up, signature verified");
	v->out->is_sentinel_known = v->out->is_sentinel_found = !v->l;
	return row_note(v, "adopted", NULL);
}

/* Adds a resource that a look-up found to the ledger, if it is exactly ours. */
int row_adopt(struct row_event *v)
{
	const struct lessor_observed *seen = v->claim->seen;
	const char *attempt = observed_label(seen, LESSOR_LABEL_ATTEMPT);
	const char *account = v->f->account;
	struct resource like = {
		.kind = seen->kind,
		.attempt = attempt ? (uint32_t)strtoul(attempt, NULL, 10) : 0,
		.state = LESSOR_STATE_INTENDED,
		.ours = 1,
		.created_ms = v->f->now_ms,
		.changed_ms = v->f->now_ms,
	};

	like.lease = v->a->lease.n;
	TEXT_SET(like.account, account);
	ledger_name(v->f->signer, account, v->l, like.kind, like.attempt, like.name);
	if (ledger_verify(v->f->signer, account, v->l, &like, seen, &v->claim->err)) {
		observation_restart(v, seen);
		return -1;
	}
	v->r = row_found(v, seen, &like);
	if (!v->r) {
		v->r = row_mistaken(v, &like);
		if (v->r)
			return row_adopted(v, seen);
	}
	if (!v->r)
		/* A duplicate, or one concluded never to have existed: ours all the same. */
		row_add(v, &like);
	else if (v->r->id[0] && !lessor_state_is_over(v->r->state))
		return row_answer(v);
	return row_adopted(v, seen);
}

int row_reuse(struct row_event *v)
{
	struct lease_claim *claim = v->claim;
	struct resource r = {
		.kind = claim->resource_kind,
		.state = LESSOR_STATE_PRESENT,
		.ours = 0,
		.created_ms = v->f->now_ms,
		.changed_ms = v->f->now_ms,
	};

	if (!v->l || !claim->id || !claim->id[0])
		return row_refuse(v, "a reuse needs an id and a lease");
	/* An address comes with its server and is recorded whenever the server is read. */
	if (r.kind != LESSOR_KIND_ADDRESS && !wants_machine(v))
		return row_refuse(v, "the lease no longer needs a machine");
	if (v->f->users.deleting)
		return row_refuse(v, "another lease may be deleting it");
	r.lease = v->l->n;
	TEXT_SET(r.account, v->f->account);
	TEXT_SET(r.id, claim->id);
	TEXT_SET(r.name, claim->text);
	TEXT_SET(r.evidence, "created by someone else; never deleted");
	row_add(v, &r);
	return row_note(v, "reused", NULL);
}
