/* SPDX-License-Identifier: MIT */
/*
 * Permits to delete and to change, and a plugin's reports about them. The record of the step's
 * requests settles whatever the plugin does not report.
 */
#include "provider/operation.h"

#include <stdio.h>
#include <string.h>

#include "provider/evidence.h"
#include "util/alloc.h"

/*
 * Evidence from the exact read of this step, or from the report of a provider with I/O of its
 * own.
 */
static int row_read_evidence(struct operation *op, const struct resource *row,
			     const struct lessor_observed *from, const char *name,
			     struct claim_evidence *ret)
{
	int is_last, exact;

	ret->is_own_io = operation_is_own_io(op);
	if (ret->is_own_io) {
		if (plugin_copy_observed(op, &ret->seen, from, name))
			return -1;
		ret->is_read = ret->is_seen = 1;
		return 0;
	}
	exact = evidence_exact(op, row, &ret->seen, &is_last);
	ret->is_seen = exact == 1;
	ret->is_read = exact == 1 && is_last;
	return 0;
}

/* The outcome of the permitted request, from the record. */
static enum effect_outcome effect_outcome_of(struct operation *op,
					     const struct operation_effect *effect)
{
	if (operation_is_own_io(op))
		return EFFECT_UNKNOWN;
	if (effect->change == LESSOR_CHANGE_LABELS)
		return evidence_outcome(op, effect->changed);
	return evidence_outcome(op, effect->change ? effect->protected : effect->destroyed);
}

/* A change is settled by the read after it; an unreported delete by its response. */
static void effect_reconcile(struct operation *op, struct operation_effect *effect)
{
	const struct resource *row = ledger_find(&op->step->ledger, effect->row);
	struct lease_claim what = { .row = effect->row, .text = "" };

	if (!row)
		return;
	what.evidence.outcome = effect_outcome_of(op, effect);
	what.evidence.is_own_io = operation_is_own_io(op);
	effect->permitted = 0;
	if (row->state == LESSOR_STATE_DELETE_AUTHORIZED) {
		what.kind = what.evidence.outcome == EFFECT_NOT_SENT ||
					    what.evidence.outcome == EFFECT_REFUSED ?
				    CLAIM_REPORT_PRESENT :
				    CLAIM_DELETE_UNKNOWN;
		what.text = what.kind == CLAIM_REPORT_PRESENT ?
				    "the delete had no effect" :
				    "the outcome of the delete is unknown";
		operation_claim(op, &what);
	} else if (effect->change) {
		what.kind = CLAIM_CHANGED;
		what.change = effect->change;
		what.evidence.is_labelled = evidence_outcome(op, effect->changed) ==
					    EFFECT_ACCEPTED;
		if (!what.evidence.is_own_io)
			row_read_evidence(op, row, NULL, "", &what.evidence);
		effect->change = 0;
		operation_claim(op, &what);
	}
}

/*
 * Returns the effect entry of a row for which a permit is requested; settles an earlier effect
 * first.
 */
static struct operation_effect *effect_next(struct operation *op, int64_t row, const char *name)
{
	struct operation_effect *effect = operation_effect_get(op, row);

	if (effect)
		effect_reconcile(op, effect);
	else
		operation_violation(op, "%s: more than %d effects in one step", name,
				    OPERATION_EFFECTS_MAX);
	return effect;
}

static int host_permit_delete(struct lessor_call *base, int64_t row,
			      const struct lessor_observed *from)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_PERMIT, .row = row };
	struct operation_effect *effect;

	if (!operation_row(op, row, "permit_delete"))
		return -1;
	effect = effect_next(op, row, "permit_delete");
	if (!effect || row_read_evidence(op, ledger_find(&op->step->ledger, row), from,
					 "permit_delete", &what.evidence))
		return -1;
	operation_read_holder(op, &what.evidence);
	if (operation_claim(op, &what))
		return -1;
	effect->permitted = 1;
	effect->destroyed = 0;
	operation_effect_granted(op, effect);
	return 0;
}

static int host_deleting(struct lessor_call *base, int64_t row, const char *action)
{
	struct operation *op = operation_of(base);
	const struct resource *resource = operation_row(op, row, "deleting");
	const struct operation_effect *effect = operation_effect_find(op, row);
	struct lease_claim what = { .kind = CLAIM_DELETING, .row = row,
				    .action = action ? action : "" };

	if (!resource)
		return -1;
	if (!plugin_action_is_valid(what.action))
		return operation_violation(op, "deleting with an invalid action");
	if (resource->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return operation_violation(op, "deleting for %s, but this step has no permit",
					   resource->name);
	if (!operation_is_own_io(op) &&
	    (!effect || evidence_outcome(op, effect->destroyed) != EFFECT_ACCEPTED)) {
		operation_violation(op,
				    "deleting for %s, but no response of this step accepts "
				    "its delete",
				    resource->name);
		what.kind = CLAIM_DELETE_UNKNOWN;
		what.text = "the outcome of the delete is unknown";
		operation_claim(op, &what);
		return -1;
	}
	if (operation_claim(op, &what))
		return -1;
	operation_effect_report(op, row);
	return 0;
}

static int host_delete_unknown(struct lessor_call *base, int64_t row, const char *reason)
{
	struct operation *op = operation_of(base);
	const struct resource *resource = operation_row(op, row, "delete_unknown");
	struct lease_claim what = { .kind = CLAIM_DELETE_UNKNOWN, .row = row,
				    .text = plugin_text(reason) };

	if (!resource)
		return -1;
	if (resource->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return operation_violation(op, "delete_unknown for %s, but this step has no permit",
					   resource->name);
	if (operation_claim(op, &what))
		return -1;
	operation_effect_report(op, row);
	return 0;
}

static int host_report_present(struct lessor_call *base, int64_t row, const char *reason)
{
	struct operation *op = operation_of(base);
	const struct resource *resource = operation_row(op, row, "still_there");
	const struct operation_effect *effect = operation_effect_find(op, row);
	struct lease_claim what = { .kind = CLAIM_REPORT_PRESENT,
				    .row = row,
				    .text = plugin_text(reason) };

	if (!resource)
		return -1;
	what.evidence.is_own_io = operation_is_own_io(op);
	what.evidence.outcome = effect && !what.evidence.is_own_io ? effect_outcome_of(op, effect) :
								    EFFECT_NOT_SENT;
	if (!what.evidence.is_own_io) {
		row_read_evidence(op, resource, NULL, "still_there", &what.evidence);
		/* In any other state the action is that of its create. */
		if (resource->state == LESSOR_STATE_DELETING)
			evidence_action(op, resource, &what.evidence.is_gave_up);
	}
	if (operation_claim(op, &what))
		return -1;
	operation_effect_report(op, row);
	return 0;
}

/* Does the record of this step prove its absence, as far as its state requires? */
static int row_prove_absent(struct operation *op, const struct resource *row,
			    struct claim_evidence *evidence)
{
	const struct operation_effect *effect = operation_effect_find(op, row->n);
	struct lessor_observed seen;
	int is_last, failed;

	evidence->is_own_io = operation_is_own_io(op);
	if (evidence->is_own_io) {
		evidence->is_proof = evidence->is_absent = 1;
		return 0;
	}
	if (row->id[0] && evidence_exact(op, row, &seen, &is_last) != 0)
		return operation_violation(op,
					   "gone for %s, but no exact read of this step shows it "
					   "absent",
					   row->name);
	if (row->state == LESSOR_STATE_DELETING && evidence_has_actions(op)) {
		evidence->is_proof = evidence_action(op, row, &failed) ||
				     (effect && evidence_outcome(op, effect->destroyed) ==
				      EFFECT_ACCEPTED);
		if (failed)
			return operation_violation(op,
						   "gone for %s, but its delete failed and it "
						   "still exists",
						   row->name);
	} else if (evidence_unlisted(op, row) != 1) {
		return operation_violation(op,
					   "gone for %s without complete listings of this step "
					   "that do not show it",
					   row->name);
	}
	evidence->is_absent = 1;
	return operation_prove_project(op, evidence);
}

static int host_gone(struct lessor_call *base, int64_t row, const char *evidence)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_GONE, .row = row, .text = plugin_text(evidence) };
	const struct resource *resource = operation_row(op, row, "gone");
	struct operation_effect *effect = operation_effect_find(op, row);

	if (!resource)
		return -1;
	if (!what.text[0])
		return operation_violation(op, "gone without evidence");
	/*
	 * Settle the delete first: the proof that absence needs depends on whether it was
	 * accepted.
	 */
	if (effect)
		effect_reconcile(op, effect);
	if (row_prove_absent(op, ledger_find(&op->step->ledger, row), &what.evidence) ||
	    operation_claim(op, &what))
		return -1;
	operation_effect_report(op, row);
	return 0;
}

/* Merges the labels that were read with those that the engine requires. */
static int labels_merge(struct operation *op, const struct lessor_observed *seen,
			const struct labels *set, struct lessor_change *ret)
{
	struct lessor_label *all = operation_alloc(op, (seen->label_count + set->count) *
						   sizeof(*all));
	size_t count = 0;
	int differs = 0;

	for (size_t i = 0; i < seen->label_count; i++) {
		int is_set = 0;

		for (size_t k = 0; k < set->count; k++)
			is_set |= strcmp(set->items[k].key, seen->labels[i].key) == 0;
		if (!is_set)
			all[count++] = seen->labels[i];
	}
	for (size_t k = 0; k < set->count; k++) {
		const char *have = observed_label(seen, set->items[k].key);

		differs |= !have || strcmp(have, set->items[k].value) != 0;
		all[count].key = operation_dup(op, set->items[k].key);
		all[count++].value = operation_dup(op, set->items[k].value);
	}
	ret->labels = all;
	ret->label_count = count;
	return differs;
}

static int host_permit_change(struct lessor_call *base, int64_t row, uint32_t what_change,
			      const struct lessor_observed *from, struct lessor_change *change)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_CHANGE, .row = row, .change = what_change };
	struct lessor_change out = { .what = what_change, .row = row };
	struct operation_effect *effect;

	if (!change || change->size < sizeof(*change))
		return operation_violation(op, "permit_change without the change's size");
	if (what_change < LESSOR_CHANGE_LABELS || what_change > LESSOR_CHANGE_UNPROTECT)
		return operation_violation(op, "permit_change of kind %u", what_change);
	if (!operation_row(op, row, "permit_change"))
		return -1;
	effect = effect_next(op, row, "permit_change");
	if (!effect || row_read_evidence(op, ledger_find(&op->step->ledger, row), from,
					 "permit_change", &what.evidence))
		return -1;
	if (what_change == LESSOR_CHANGE_UNPROTECT)
		operation_read_holder(op, &what.evidence);
	if (operation_claim(op, &what))
		return -1;
	out.size = change->size;
	if (!what.is_done && what.labels.count &&
	    !labels_merge(op, &what.evidence.seen, &what.labels, &out) &&
	    what_change == LESSOR_CHANGE_LABELS)
		what.is_done = 1;
	if (!what.is_done) {
		effect->change = what_change;
		effect->changed = effect->protected = 0;
		operation_effect_granted(op, effect);
	}
	memcpy(change, &out, sizeof(out));
	return what.is_done;
}

/* After the operation: settles from the record what the plugin has not reported. */
void operation_reconcile(struct operation *op)
{
	for (size_t i = 0; i < op->effect_count; i++) {
		struct operation_effect *effect = &op->effects[i];
		const struct resource *row = ledger_find(&op->step->ledger, effect->row);
		enum effect_outcome outcome = evidence_outcome(op, effect->made);
		struct lease_claim what = {
			.kind = CLAIM_UNKNOWN,
			.row = effect->row,
			.text = "the plugin did not report the outcome of the create"
		};

		if (effect->intended && !effect->reported && row &&
		    row->state == LESSOR_STATE_INTENDED) {
			if (outcome == EFFECT_NOT_SENT && !operation_is_own_io(op))
				what.kind = CLAIM_NOT_CREATED;
			else
				operation_violation(op,
						    "a create for row %lld was sent but its "
						    "outcome was not reported",
						    (long long)effect->row);
			operation_claim(op, &what);
		}
		effect_reconcile(op, effect);
	}
}

void operation_delete_fill(struct lessor_host *host)
{
	host->permit_delete = host_permit_delete;
	host->deleting = host_deleting;
	host->delete_unknown = host_delete_unknown;
	host->permit_change = host_permit_change;
	host->still_there = host_report_present;
	host->gone = host_gone;
}
