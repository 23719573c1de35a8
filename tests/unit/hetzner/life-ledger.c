/* SPDX-License-Identifier: MIT */
/*
 * What a step asks to be made durable, by the rules that the engine uses, in memory.
 */
#include "life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/alloc.h"
#include "util/text.h"

#define LOOKS_LEAST 2

static struct ledger *ledger_of(struct life *life, const struct step *step)
{
	return step->lease.n ? &life->book : &life->mark;
}

static struct resource *find_row(struct ledger *ledger, int64_t n)
{
	return (struct resource *)(uintptr_t)ledger_find(ledger, n);
}

static struct resource *new_row(struct life *life, struct ledger *ledger,
				const struct resource *from)
{
	struct resource *r;

	ledger->resources = xrealloc(ledger->resources, (ledger->resource_count + 1) * sizeof(*r));
	r = &ledger->resources[ledger->resource_count++];
	*r = *from;
	r->n = ++life->last_row;
	r->created_ms = r->changed_ms = life->now_ms;
	TEXT_SET(r->account, "acc");
	return r;
}

static int set_state(struct life *life, struct resource *r, uint32_t state, const char *evidence)
{
	r->state = state;
	r->changed_ms = life->now_ms;
	TEXT_SET(r->evidence, evidence ? evidence : "");
	return 0;
}

static uint32_t present_state(const struct life *life)
{
	return life->lease.retained ? LESSOR_STATE_RETAINED : LESSOR_STATE_PRESENT;
}

static int no(struct step_commit *what, const char *why)
{
	return err_set(&what->err, ERR_REFUSED, "%s", why);
}

static int commit_attempt(struct life *life, struct step_commit *what)
{
	struct ledger *book = &life->book;
	struct attempt *a;

	if (life->lease.state != LEASE_PROVISIONING)
		return no(what, "not wanted");
	book->attempts = xrealloc(book->attempts, (book->attempt_count + 1) * sizeof(*a));
	a = &book->attempts[book->attempt_count++];
	*a = (struct attempt){ .number = what->attempt, .started_ms = life->now_ms };
	TEXT_SET(a->type, what->type);
	TEXT_SET(a->location, what->location);
	return 0;
}

static int commit_attempt_refused(struct life *life, struct step_commit *what)
{
	struct attempt *a = &life->book.attempts[what->attempt - 1];

	if (!a->refused) {
		a->refused = what->error_class;
		TEXT_SET(a->reason, what->text);
	}
	return 0;
}

static int commit_intend(struct life *life, struct step *step, struct step_commit *what)
{
	const struct lease *l = step->lease.n ? &life->lease : NULL;
	struct resource r = { .kind = what->resource_kind, .attempt = what->attempt, .ours = 1,
			      .state = LESSOR_STATE_INTENDED, .lease = l ? l->n : 0 };

	if (l && ledger_may_intend(l, &life->book, what->resource_kind, what->attempt, step->epoch,
				   &what->err))
		return -1;
	ledger_name(&life->signer, "acc", l, r.kind, r.attempt, r.name);
	ledger_labels(&life->signer, "acc", l, r.kind, r.attempt, r.name, &what->labels);
	TEXT_SET(what->name, r.name);
	what->resource = *new_row(life, ledger_of(life, step), &r);
	what->row = what->resource.n;
	return 0;
}

static int commit_not_seen(struct life *life, struct step_commit *what, struct resource *r)
{
	r->looks++;
	if (!r->first_look_ms)
		r->first_look_ms = life->now_ms;
	if (life->unproven || r->looks < LOOKS_LEAST ||
	    life->now_ms - r->first_look_ms < life->settle_ms)
		return no(what, "not settled yet");
	return set_state(life, r, LESSOR_STATE_GONE, "never came to be");
}

static int commit_adopt(struct life *life, struct step *step, struct step_commit *what)
{
	const struct lease *l = step->lease.n ? &life->lease : NULL;
	struct ledger *ledger = ledger_of(life, step);
	const char *attempt = observed_label(what->seen, LESSOR_LABEL_ATTEMPT);
	struct resource r = { .kind = what->seen->kind, .ours = 1, .lease = l ? l->n : 0,
			      .attempt = attempt ? (uint32_t)strtoul(attempt, NULL, 10) : 0 };
	struct resource *row = NULL;

	ledger_name(&life->signer, "acc", l, r.kind, r.attempt, r.name);
	if (ledger_verify(&life->signer, "acc", l, &r, what->seen, &what->err))
		return -1;
	for (size_t i = 0; i < ledger->resource_count; i++) {
		struct resource *have = &ledger->resources[i];

		if (have->kind != r.kind || have->attempt != r.attempt || !have->ours ||
		    have->state == LESSOR_STATE_GONE)
			continue;
		if (strcmp(have->id, what->seen->id) == 0) {
			what->resource = *have;
			return 0;
		}
		if (!have->id[0])
			row = have;
	}
	if (!row)
		row = new_row(life, ledger, &r);
	TEXT_SET(row->id, what->seen->id);
	set_state(life, row, present_state(life), "adopted");
	what->resource = *row;
	return 0;
}

static int commit_permit(struct life *life, struct step *step, struct step_commit *what)
{
	return ledger_permit(&life->signer, &life->lease, &life->book, what->row, step->epoch,
			     what->seen, life->shared, &what->err) == PERMIT_GRANTED ? 0 : -1;
}

static int commit_row(struct life *life, struct step_commit *what, struct resource *r)
{
	switch (what->kind) {
	case COMMIT_CREATED:
		TEXT_SET(r->id, what->id);
		TEXT_SET(r->action, what->action);
		return set_state(life, r, present_state(life), "created");
	case COMMIT_NOT_CREATED:
		return set_state(life, r, LESSOR_STATE_GONE, what->text);
	case COMMIT_UNKNOWN:
		return set_state(life, r, LESSOR_STATE_UNKNOWN, what->text);
	case COMMIT_NOT_SEEN:
		return commit_not_seen(life, what, r);
	case COMMIT_DELETING:
		TEXT_SET(r->action, what->action);
		return set_state(life, r, LESSOR_STATE_DELETING, "accepted");
	case COMMIT_STILL_THERE:
		r->action[0] = '\0';
		return set_state(life, r, present_state(life), what->text);
	case COMMIT_GONE:
		if (life->unproven)
			return no(what, "the account is not proven");
		return set_state(life, r, LESSOR_STATE_GONE, what->text);
	default:
		return no(what, "no such commit");
	}
}

int life_commit(void *arg, struct step *step, struct step_commit *what)
{
	struct life *life = arg;
	struct ledger *ledger = ledger_of(life, step);
	struct resource *r = find_row(ledger, what->row);
	struct resource reused = { .kind = what->resource_kind, .state = LESSOR_STATE_PRESENT };

	/* A process that has died records nothing. */
	if (life->crashed)
		return what->result = no(what, "dead");
	switch (what->kind) {
	case COMMIT_ATTEMPT:
		return what->result = commit_attempt(life, what);
	case COMMIT_ATTEMPT_REFUSED:
		return what->result = commit_attempt_refused(life, what);
	case COMMIT_INTEND:
		return what->result = commit_intend(life, step, what);
	case COMMIT_ADOPT:
		return what->result = commit_adopt(life, step, what);
	case COMMIT_PERMIT:
		return what->result = commit_permit(life, step, what);
	case COMMIT_REUSE:
		reused.lease = life->lease.n;
		TEXT_SET(reused.id, what->id);
		TEXT_SET(reused.name, what->text);
		what->resource = *new_row(life, ledger, &reused);
		return what->result = 0;
	default:
		break;
	}
	assert_non_null(r);
	what->result = commit_row(life, what, r);
	what->resource = *r;
	return what->result;
}
