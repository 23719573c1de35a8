/* SPDX-License-Identifier: MIT */
/*
 * The toy's engine: accepts what the host lets through, and changes the row as broker/engine
 * does. It has no rules of its own: it grants a permit, for example, based on the read alone.
 */
#include "toy.h"

#include <stdio.h>

static struct resource *row_find(struct toy *toy, int64_t n)
{
	return n >= 1 && n <= toy->row_count ? &toy->rows[n - 1] : NULL;
}

static int refuse(struct lease_claim *what, const char *why)
{
	err_set(&what->err, ERR_REFUSED, "%s", why);
	return -1;
}

static int commit_intend(struct toy *toy, struct lease_claim *what)
{
	int64_t n = toy_row(toy, what->resource_kind, LESSOR_STATE_INTENDED, "");
	struct resource *row = row_find(toy, n);

	row->attempt = what->attempt;
	what->row = n;
	what->resource = *row;
	snprintf(what->name, sizeof(what->name), "%s", row->name);
	labels_add(&what->labels, LESSOR_LABEL_LEASE, TOY_LEASE);
	return 0;
}

static int commit_adopt(struct toy *toy, struct lease_claim *what)
{
	for (int i = 0; i < toy->row_count; i++) {
		struct resource *row = &toy->rows[i];

		if (row->kind != what->resource_kind || strcmp(row->name, what->seen->name) != 0)
			continue;
		snprintf(row->id, sizeof(row->id), "%s", what->seen->id);
		row->state = LESSOR_STATE_PRESENT;
		what->row = row->n;
		what->resource = *row;
		return 0;
	}
	return refuse(what, "it is not ours");
}

/* As the engine's still_state. */
static uint32_t still_state(const struct resource *row, const struct claim_evidence *e)
{
	switch (row->state) {
	case LESSOR_STATE_DELETE_AUTHORIZED:
		if (e->is_own_io || e->outcome == EFFECT_NOT_SENT || e->outcome == EFFECT_REFUSED)
			return LESSOR_STATE_PRESENT;
		return LESSOR_STATE_DELETE_UNKNOWN;
	case LESSOR_STATE_DELETING:
	case LESSOR_STATE_DELETE_UNKNOWN:
		if (e->is_gave_up || (e->is_own_io && row->state == LESSOR_STATE_DELETING))
			return LESSOR_STATE_PRESENT;
		return e->is_seen || e->is_own_io ? LESSOR_STATE_DELETE_UNKNOWN : 0;
	default:
		return row->state;
	}
}

static uint32_t change_state(const struct resource *row, const struct lease_claim *what)
{
	const struct claim_evidence *e = &what->evidence;

	if (what->kind == CLAIM_CHANGE && !e->is_read)
		return 0;
	if (what->change != LESSOR_CHANGE_UNPROTECT)
		return row->state;
	if (what->kind == CLAIM_CHANGE)
		return LESSOR_STATE_UNPROTECT_AUTHORIZED;
	return e->outcome == EFFECT_UNKNOWN ? LESSOR_STATE_UNPROTECT_UNKNOWN : LESSOR_STATE_PRESENT;
}

/* The state after the commit; 0: the engine refuses. */
static uint32_t state_after(const struct resource *row, const struct lease_claim *what)
{
	const struct claim_evidence *e = &what->evidence;
	int is_authorized = row->state == LESSOR_STATE_DELETE_AUTHORIZED;
	int is_unsettled = lessor_state_is_unsettled(row->state);

	switch (what->kind) {
	case CLAIM_CREATED:
		return is_unsettled ? LESSOR_STATE_PRESENT : 0;
	case CLAIM_NOT_CREATED:
		return is_unsettled ? LESSOR_STATE_NEVER_EXISTED : 0;
	case CLAIM_UNKNOWN:
		return is_unsettled ? LESSOR_STATE_UNKNOWN : 0;
	case CLAIM_REPORT_ABSENT:
		return is_unsettled && e->is_absent && e->is_proof ? LESSOR_STATE_NEVER_EXISTED : 0;
	case CLAIM_PERMIT:
		return e->is_read && strcmp(e->seen.id, row->id) == 0 ?
		       LESSOR_STATE_DELETE_AUTHORIZED : 0;
	case CLAIM_DELETING:
		return is_authorized ? LESSOR_STATE_DELETING : 0;
	case CLAIM_DELETE_UNKNOWN:
		return is_authorized ? LESSOR_STATE_DELETE_UNKNOWN : 0;
	case CLAIM_REPORT_PRESENT:
		return still_state(row, e);
	case CLAIM_GONE:
		return !is_authorized && !is_unsettled && e->is_absent && e->is_proof ?
		       LESSOR_STATE_GONE : 0;
	case CLAIM_CHANGE:
	case CLAIM_CHANGED:
		return change_state(row, what);
	default:
		return row->state;
	}
}

static int commit_row(struct toy *toy, struct lease_claim *what)
{
	struct resource *row = row_find(toy, what->row);
	uint32_t state = row ? state_after(row, what) : 0;

	if (!row)
		return 0;	/* attempts and the like */
	if (!state)
		return refuse(what, "its state, or what was read, does not allow it");
	row->state = state;
	if (what->kind == CLAIM_CREATED)
		snprintf(row->id, sizeof(row->id), "%s", what->id);
	if (what->kind == CLAIM_DELETING)
		snprintf(row->action, sizeof(row->action), "%s", what->action);
	if (what->kind == CLAIM_CHANGE) {
		what->is_done = toy->nothing_to_change;
		what->labels = toy->set;
		labels_rebase(&what->labels);
	}
	what->resource = *row;
	return 0;
}

static void claim_keep(struct toy_claim *claim, const struct lease_claim *what)
{
	const struct lessor_observed *seen = &what->evidence.seen;
	size_t len = 0;

	*claim = (struct toy_claim){ .row = what->row, .change = what->change,
				     .evidence = what->evidence };
	claim->evidence.seen = (struct lessor_observed){ .protection = seen->protection };
	snprintf(claim->id, sizeof(claim->id), "%s", seen->id ? seen->id : "");
	snprintf(claim->name, sizeof(claim->name), "%s", seen->name ? seen->name : "");
	snprintf(claim->text, sizeof(claim->text), "%s", what->text ? what->text : "");
	snprintf(claim->action, sizeof(claim->action), "%s", what->action ? what->action : "");
	for (size_t i = 0; i < seen->label_count && len < sizeof(claim->labels); i++)
		len += (size_t)snprintf(claim->labels + len, sizeof(claim->labels) - len, "%s%s=%s",
					i ? " " : "", seen->labels[i].key, seen->labels[i].value);
}

int toy_commit(void *arg, struct step *step, struct lease_claim *what)
{
	struct toy *toy = arg;

	(void)step;
	pthread_mutex_lock(&toy->lock);
	toy->commits[what->kind]++;
	claim_keep(&toy->last[what->kind], what);
	if ((int)what->kind == toy->deny)
		what->result = refuse(what, "the test says no");
	else if (what->kind == CLAIM_INTEND)
		what->result = commit_intend(toy, what);
	else if (what->kind == CLAIM_ADOPT)
		what->result = commit_adopt(toy, what);
	else
		what->result = commit_row(toy, what);
	pthread_mutex_unlock(&toy->lock);
	return what->result;
}
