/* SPDX-License-Identifier: MIT */
/*
 * What a running step asks to be made durable. Each kind is one small function:
 * read the lease and its ledger, ask the rule, write the row and a line of the
 * timeline. Evidence (created, gone, ...) is recorded whatever the step's epoch;
 * leave for something new (attempt, intend, permit, reuse) needs the current one.
 */
#include "engine/core_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/defect.h"
#include "util/text.h"

/* A look that finds nothing must do so this often, whatever the settling time. */
#define LOOKS_LEAST 2
/* Absence that no delete of ours explains must be seen over this time: one answer may be wrong. */
#define ABSENCE_MS 10000

struct context {
	struct core *core;
	struct step *step;
	struct step_commit *what;
	struct core_account *account;
	struct lease lease;
	const struct lease *l;	/* NULL for account work */
	struct ledger ledger;
	int64_t now;
};

static int refuse(struct context *c, const char *why)
{
	return err_set(&c->what->err, ERR_REFUSED, "%s", why);
}

static struct resource *row(struct context *c)
{
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		if (c->ledger.resources[i].n == c->what->row)
			return &c->ledger.resources[i];
	}
	err_set(&c->what->err, ERR_NOT_FOUND, "no such row in this ledger");
	return NULL;
}

static int write_row(struct context *c, struct resource *r, uint32_t state, const char *evidence)
{
	/* What an operator told us to forget stays forgotten, whatever a late answer says of it. */
	if (r->state != LESSOR_STATE_DISOWNED || state == LESSOR_STATE_GONE)
		r->state = state;
	r->changed_ms = c->now;
	TEXT_SET(r->evidence, evidence);
	c->what->resource = *r;
	return store_resource_update(c->core->store, r, &c->what->err);
}

static int tell(struct context *c, const struct resource *r, const char *verb, const char *detail)
{
	char kind[40];

	if (!c->l)
		return 0;
	snprintf(kind, sizeof(kind), "%s.%s", resource_kind_name(r->kind), verb);
	return core_note(c->core, c->l->n, kind, "%s%s%s%s%s", r->name, r->id[0] ? " id " : "", r->id,
			 detail && detail[0] ? ": " : "", detail ? detail : "");
}

/* A retained lease's rows say so themselves. */
static uint32_t present_state(const struct context *c)
{
	return c->l && c->l->retained ? LESSOR_STATE_RETAINED : LESSOR_STATE_PRESENT;
}

static int commit_attempt(struct context *c)
{
	struct step_commit *what = c->what;
	struct attempt a = { .number = what->attempt, .started_ms = c->now };

	if (!c->l || c->l->state != LEASE_PROVISIONING || c->step->epoch != c->l->epoch)
		return refuse(c, "the lease no longer wants a machine");
	if (what->attempt != c->ledger.attempt_count + 1)
		return refuse(c, "attempts are numbered one after the other");
	a.lease = c->l->n;
	TEXT_SET(a.type, what->type);
	TEXT_SET(a.location, what->location);
	if (store_attempt_insert(c->core->store, &a, &what->err))
		return -1;
	return core_note(c->core, c->l->n, "attempt.started", "attempt %u: %s in %s", a.number, a.type,
			 a.location);
}

static int commit_attempt_refused(struct context *c)
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
	return refuse(c, "no such attempt");
}

/* The account's own sentinel: once, while the ledger holds none. */
static int may_intend_sentinel(struct context *c)
{
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		if (c->ledger.resources[i].state != LESSOR_STATE_GONE)
			return refuse(c, "the account has its sentinel");
	}
	return c->what->resource_kind == LESSOR_KIND_SENTINEL ? 0 :
	       refuse(c, "account work makes nothing but the sentinel");
}

static int commit_intend(struct context *c)
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
			return refuse(c, "the account is blocked");
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
	return tell(c, &r, "intended", NULL);
}

static int commit_created(struct context *c)
{
	struct resource *r = row(c);

	if (!r)
		return -1;
	if (!c->what->id || !c->what->id[0])
		return refuse(c, "created without an id");
	if (r->id[0] && strcmp(r->id, c->what->id) != 0)
		return refuse(c, "the ledger holds another id for it");
	TEXT_SET(r->id, c->what->id);
	TEXT_SET(r->action, c->what->action);
	if (write_row(c, r, present_state(c), "created"))
		return -1;
	return tell(c, r, "created", NULL);
}

static int commit_not_created(struct context *c)
{
	struct resource *r = row(c);

	if (!r)
		return -1;
	if (r->state != LESSOR_STATE_INTENDED && r->state != LESSOR_STATE_UNKNOWN)
		return refuse(c, "it is known to exist");
	if (write_row(c, r, LESSOR_STATE_GONE, c->what->text))
		return -1;
	return tell(c, r, "refused", c->what->text);
}

static int commit_unknown(struct context *c)
{
	struct resource *r = row(c);

	if (!r)
		return -1;
	if (r->state != LESSOR_STATE_INTENDED && r->state != LESSOR_STATE_UNKNOWN)
		return refuse(c, "it is known to exist");
	if (write_row(c, r, LESSOR_STATE_UNKNOWN, c->what->text))
		return -1;
	return tell(c, r, "unknown", c->what->text);
}

static int account_vouches(const struct context *c)
{
	const struct account *account = c->account->account;

	/* Defect 10: whatever project the token opens. */
	return DEFECT(10) || !account->table->probe ||
	       (account_is_proven(account, c->core->config.probe_ms * 3) &&
		!account_is_blocked(account, NULL, 0));
}

/*
 * Was the account proven after `since_ms`? If not, it soon is, or is not: the proof from
 * before says nothing of the project that the token has opened since.
 */
static int proven_since(struct context *c, int64_t since_ms)
{
	struct account_figures figures;

	if (DEFECT(10) || !c->l || !c->account->account->table->probe)
		return 1;
	account_figures(c->account->account, &figures);
	if (figures.proven_ms > since_ms)
		return 1;
	core_probe_soon(c->core, c->account);
	return 0;
}

/*
 * Counts a look that found nothing; 1 when there were enough of them over the time,
 * and between them the account was seen to be the one we know.
 */
static int look(struct context *c, struct resource *r, int64_t over_ms)
{
	int is_proven;

	r->looks++;
	/* The clock may have been set back. */
	if (!r->first_look_ms || r->first_look_ms > c->now)
		r->first_look_ms = c->now;
	is_proven = proven_since(c, r->first_look_ms);
	/* A time between two looks means nothing while the clock is doubted. */
	return r->looks >= LOOKS_LEAST && c->now - r->first_look_ms >= over_ms && is_proven &&
	       !core_clock_doubted(c->core);
}

/* It was read just now: whatever said that it is not there was wrong. */
static int seen(struct context *c, struct resource *r)
{
	if (!r->looks)
		return 0;
	r->looks = 0;
	r->first_look_ms = 0;
	return store_resource_update(c->core->store, r, &c->what->err);
}

/* The count must last though the answer is no. */
static int not_yet(struct context *c, const struct resource *r)
{
	c->what->resource = *r;
	if (store_resource_update(c->core->store, r, &c->what->err) == 0)
		err_set(&c->what->err, ERR_BUSY, "not settled yet");
	return -1;
}

static int commit_not_seen(struct context *c)
{
	struct resource *r = row(c);
	char evidence[sizeof(r->evidence)];

	if (!r)
		return -1;
	if (r->state != LESSOR_STATE_INTENDED && r->state != LESSOR_STATE_UNKNOWN)
		return refuse(c, "it is known to exist");
	/* The sentinel is what an account is proven by; of itself only the look-ups can tell. */
	if (c->l && !account_vouches(c))
		return refuse(c, "the account is not proven to be the one we know");
	if (look(c, r, c->core->config.settle_ms)) {
		snprintf(evidence, sizeof(evidence), "never came to be: not there in %d complete look-ups",
			 r->looks);
		if (write_row(c, r, LESSOR_STATE_GONE, evidence))
			return -1;
		return tell(c, r, "never", evidence);
	}
	return not_yet(c, r);
}

/* Does what is not proven ours claim to be this row's, by its name or by its labels? */
static int claims_row(const struct context *c, const struct lessor_observed *seen,
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
static void look_anew(struct context *c, const struct lessor_observed *seen)
{
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		struct resource *r = &c->ledger.resources[i];

		if (!r->looks || r->state == LESSOR_STATE_GONE || !claims_row(c, seen, r))
			continue;
		r->looks = 0;
		r->first_look_ms = 0;
		/* What fails here breaks the store, which ends the batch. */
		store_resource_update(c->core->store, r, NULL);
	}
}

/* Takes a resource that a look-up found into the ledger, if it is exactly ours. */
static int commit_adopt(struct context *c)
{
	const struct lessor_observed *seen = c->what->seen;
	const char *attempt_text = observed_label(seen, LESSOR_LABEL_ATTEMPT);
	const char *account = c->account->account->config.name;
	uint32_t attempt = attempt_text ? (uint32_t)strtoul(attempt_text, NULL, 10) : 0;
	struct resource *free_row = NULL;
	struct resource r = {
		.kind = seen->kind,
		.attempt = attempt,
		.state = LESSOR_STATE_INTENDED,
		.ours = 1,
		.created_ms = c->now,
		.changed_ms = c->now,
	};

	r.lease = c->l ? c->l->n : 0;
	TEXT_SET(r.account, account);
	ledger_name(&c->core->signer, account, c->l, r.kind, attempt, r.name);
	/* Defect 6: the name is proof enough. */
	if (!DEFECT(6) &&
	    ledger_verify(&c->core->signer, account, c->l, &r, seen, &c->what->err)) {
		look_anew(c, seen);
		return -1;
	}
	for (size_t i = 0; i < c->ledger.resource_count; i++) {
		struct resource *have = &c->ledger.resources[i];

		if (have->kind != r.kind || have->attempt != r.attempt || !have->ours)
			continue;
		if (strcmp(have->id, seen->id) == 0 && have->state != LESSOR_STATE_GONE) {
			c->what->resource = *have;
			return 0;
		}
		if (!have->id[0] && have->state != LESSOR_STATE_GONE)
			free_row = have;
	}
	if (!free_row) {
		/* One too many, or one that was thought never to have been: it is ours all the same. */
		if (store_resource_insert(c->core->store, &r, &c->what->err))
			return -1;
		free_row = &r;
	}
	TEXT_SET(free_row->id, seen->id);
	/* Looks that did not find it say nothing of whether it goes away again. */
	free_row->looks = 0;
	free_row->first_look_ms = 0;
	c->what->row = free_row->n;
	if (write_row(c, free_row, present_state(c), "found by look-up, signature checked"))
		return -1;
	return tell(c, free_row, "adopted", NULL);
}

static int commit_reuse(struct context *c)
{
	struct resource r = {
		.kind = c->what->resource_kind,
		.state = LESSOR_STATE_PRESENT,
		.ours = 0,
		.created_ms = c->now,
		.changed_ms = c->now,
	};

	if (!c->l || c->l->state != LEASE_PROVISIONING || c->step->epoch != c->l->epoch)
		return refuse(c, "the lease no longer wants a machine");
	if (!c->what->id || !c->what->id[0])
		return refuse(c, "reused without an id");
	r.lease = c->l->n;
	TEXT_SET(r.account, c->account->account->config.name);
	TEXT_SET(r.id, c->what->id);
	TEXT_SET(r.name, c->what->text);
	TEXT_SET(r.evidence, "made by someone else; never deleted");
	if (store_resource_insert(c->core->store, &r, &c->what->err))
		return -1;
	c->what->row = r.n;
	c->what->resource = r;
	return tell(c, &r, "reused", NULL);
}

/* A person is needed where what is there is not what the ledger says; the rest passes. */
static int passes(enum permit_refusal refusal)
{
	return refusal == PERMIT_SHARED || refusal == PERMIT_STALE || refusal == PERMIT_WANTED ||
	       refusal == PERMIT_SERVER_FIRST || refusal == PERMIT_RETAINED;
}

static int commit_permit(struct context *c)
{
	struct resource *r = row(c);
	struct running *running = core_running(c->core, c->step->lease.n);
	enum permit_refusal refusal;
	char why[sizeof(r->evidence)];
	int shared;

	if (!r)
		return -1;
	if (!c->l)
		return refuse(c, "an account's own resources are not deleted by steps");
	if (!account_vouches(c)) {
		if (running)
			running->not_now = 1;
		return refuse(c, "the account is not proven to be the one we know");
	}
	/* Permitted or not, and whoever it belongs to now. */
	if (c->what->seen->id && strcmp(c->what->seen->id, r->id) == 0 && seen(c, r))
		return -1;
	shared = store_resource_shared(c->core->store, r->account, r->kind, r->id, c->l->n,
				       &c->what->err);
	if (shared < 0)
		return -1;
	refusal = ledger_permit(&c->core->signer, c->l, &c->ledger, r->n, c->step->epoch,
				c->what->seen, shared, &c->what->err);
	if (refusal != PERMIT_GRANTED) {
		if (running && passes(refusal))
			running->not_now = 1;
		log_warning(LOG_FIELDS({ "lease", c->l->id }, { "resource", r->name },
				       { "id", r->id }, { "refusal", permit_refusal_name(refusal) }),
			    "not permitted to delete %s: %s", r->name, c->what->err.text);
		/* In the timeline once, not at each slow retry. */
		TEXT_SET(why, c->what->err.text);
		if (strcmp(r->evidence, why) != 0) {
			TEXT_SET(r->evidence, why);
			store_resource_update(c->core->store, r, NULL);
			tell(c, r, "delete-refused", why);
		}
		return -1;
	}
	if (running)
		running->permits++;
	c->what->resource = *r;
	return tell(c, r, "delete-permitted", c->l->end_reason);
}

static int commit_deleting(struct context *c)
{
	struct resource *r = row(c);

	if (!r)
		return -1;
	TEXT_SET(r->action, c->what->action);
	r->looks = 0;
	r->first_look_ms = 0;
	/* Defect 44: an accepted delete is a done one. */
	if (write_row(c, r, DEFECT(44) ? LESSOR_STATE_GONE : LESSOR_STATE_DELETING,
		      "delete accepted"))
		return -1;
	return tell(c, r, "deleting", NULL);
}

static int commit_still_there(struct context *c)
{
	struct resource *r = row(c);

	if (!r)
		return -1;
	/* Told again by a slow retry it is no news. */
	if (r->state == present_state(c) && !r->action[0] &&
	    strcmp(r->evidence, c->what->text) == 0) {
		c->what->resource = *r;
		return seen(c, r);
	}
	r->action[0] = '\0';
	r->looks = 0;
	r->first_look_ms = 0;
	if (write_row(c, r, present_state(c), c->what->text))
		return -1;
	return tell(c, r, "still-there", c->what->text);
}

static int commit_gone(struct context *c)
{
	struct resource *r = row(c);

	if (!r)
		return -1;
	if (!account_vouches(c))
		return refuse(c, "the account is not proven to be the one we know");
	if (r->state != LESSOR_STATE_DELETING && !DEFECT(9) && !look(c, r, ABSENCE_MS))
		return not_yet(c, r);
	r->action[0] = '\0';
	if (write_row(c, r, LESSOR_STATE_GONE, c->what->text))
		return -1;
	return tell(c, r, "gone", c->what->text);
}

static int (*const commits[])(struct context *c) = {
	[COMMIT_ATTEMPT] = commit_attempt,
	[COMMIT_ATTEMPT_REFUSED] = commit_attempt_refused,
	[COMMIT_INTEND] = commit_intend,
	[COMMIT_CREATED] = commit_created,
	[COMMIT_NOT_CREATED] = commit_not_created,
	[COMMIT_UNKNOWN] = commit_unknown,
	[COMMIT_NOT_SEEN] = commit_not_seen,
	[COMMIT_ADOPT] = commit_adopt,
	[COMMIT_REUSE] = commit_reuse,
	[COMMIT_PERMIT] = commit_permit,
	[COMMIT_DELETING] = commit_deleting,
	[COMMIT_STILL_THERE] = commit_still_there,
	[COMMIT_GONE] = commit_gone,
};

static int context_init(struct context *c)
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
	struct context c = {
		.core = core,
		.step = step,
		.what = what,
		.account = core_account_find(core, step->account->config.name),
		.now = core_now(core),
	};

	what->result = -1;
	what->err = (struct err){ 0 };
	if (store_savepoint(core->store, &what->err))
		return;
	if (context_init(&c) == 0)
		what->result = commits[what->kind](&c);
	ledger_fini(&c.ledger);
	/* A "no" keeps what it wrote on the way (looks counted, reasons noted), unless the store failed. */
	if (DEFECT(2) && what->kind == COMMIT_INTEND)	/* the intent is not written */
		store_savepoint_undo(core->store);
	else if (what->result && what->err.kind != ERR_REFUSED && what->err.kind != ERR_BUSY &&
	    what->err.kind != ERR_CONFLICT)
		store_savepoint_undo(core->store);
	else
		store_savepoint_keep(core->store, NULL);
}
