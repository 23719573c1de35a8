/* SPDX-License-Identifier: MIT */
/*
 * Permits to delete and to change, and what a plugin reports of them. What it does not
 * report is settled by the record of this step's requests.
 */
#include "provider/call.h"

#include <stdio.h>
#include <string.h>

#include "provider/evidence.h"
#include "util/alloc.h"

/* What the exact read of this step shows; of a provider with I/O of its own what it says. */
static int evidence_take(struct call *call, const struct resource *row,
		   const struct lessor_observed *from, const char *name,
		   struct claim_evidence *ret)
{
	int is_last, exact;

	ret->is_own_io = call_is_own_io(call);
	if (ret->is_own_io) {
		if (call_seen_copy(call, &ret->seen, from, name))
			return -1;
		ret->is_read = ret->is_seen = 1;
		return 0;
	}
	exact = evidence_exact(call, row, &ret->seen, &is_last);
	ret->is_seen = exact == 1;
	ret->is_read = exact == 1 && is_last;
	return 0;
}

/* What a permit was used for, as the record has it. */
static enum effect_outcome outcome_of(struct call *call, const struct call_effect *effect)
{
	if (call_is_own_io(call))
		return EFFECT_UNKNOWN;
	if (effect->change == LESSOR_CHANGE_LABELS)
		return evidence_outcome(call, effect->changed);
	return evidence_outcome(call, effect->change ? effect->protected : effect->destroyed);
}

/* A change is judged by what was read after it, a delete that nobody reported by its answer. */
static void effect_settle(struct call *call, struct call_effect *effect)
{
	const struct resource *row = ledger_find(&call->step->ledger, effect->row);
	struct lease_claim what = { .row = effect->row, .text = "" };

	if (!row)
		return;
	what.evidence.outcome = outcome_of(call, effect);
	what.evidence.is_own_io = call_is_own_io(call);
	effect->permitted = 0;
	if (row->state == LESSOR_STATE_DELETE_AUTHORIZED) {
		what.kind = what.evidence.outcome == EFFECT_NOT_SENT ||
			    what.evidence.outcome == EFFECT_REFUSED ? CLAIM_STILL_THERE :
								      CLAIM_DELETE_UNKNOWN;
		what.text = what.kind == CLAIM_STILL_THERE ? "its delete had no effect" :
							      "what became of its delete is not known";
		call_commit(call, &what);
	} else if (effect->change) {
		what.kind = CLAIM_CHANGED;
		what.change = effect->change;
		what.evidence.is_labelled = evidence_outcome(call, effect->changed) ==
					    EFFECT_ACCEPTED;
		if (!what.evidence.is_own_io)
			evidence_take(call, row, NULL, "", &what.evidence);
		effect->change = 0;
		call_commit(call, &what);
	}
}

/* The effect of a row for which a permit is asked; what it had before is settled first. */
static struct call_effect *effect_next(struct call *call, int64_t row, const char *name)
{
	struct call_effect *effect = call_effect_need(call, row);

	if (effect)
		effect_settle(call, effect);
	else
		call_violation(call, "%s: more than %d effects in one step", name, CALL_EFFECTS_MAX);
	return effect;
}

static int host_permit_delete(struct lessor_call *base, int64_t row,
			      const struct lessor_observed *from)
{
	struct call *call = call_of(base);
	struct lease_claim what = { .kind = CLAIM_PERMIT, .row = row };
	struct call_effect *effect;

	if (!call_row(call, row, "permit_delete"))
		return -1;
	effect = effect_next(call, row, "permit_delete");
	if (!effect || evidence_take(call, ledger_find(&call->step->ledger, row), from, "permit_delete",
			       &what.evidence) ||
	    call_commit(call, &what))
		return -1;
	effect->permitted = 1;
	effect->destroyed = 0;
	return 0;
}

static int host_deleting(struct lessor_call *base, int64_t row, const char *action)
{
	struct call *call = call_of(base);
	const struct resource *resource = call_row(call, row, "deleting");
	const struct call_effect *effect = call_effect_find(call, row);
	struct lease_claim what = { .kind = CLAIM_DELETING, .row = row,
				    .action = action ? action : "" };

	if (!resource)
		return -1;
	if (!call_action_is_sane(what.action))
		return call_violation(call, "deleting with an action that cannot be one");
	if (resource->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return call_violation(call, "deleting of %s, for which this step has no permit",
				      resource->name);
	if (!call_is_own_io(call) &&
	    (!effect || evidence_outcome(call, effect->destroyed) != EFFECT_ACCEPTED)) {
		call_violation(call, "deleting of %s, whose delete no answer of this step accepts",
			       resource->name);
		what.kind = CLAIM_DELETE_UNKNOWN;
		what.text = "what became of its delete is not known";
		call_commit(call, &what);
		return -1;
	}
	if (call_commit(call, &what))
		return -1;
	call_effect_record(call, row);
	return 0;
}

static int host_delete_unknown(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	const struct resource *resource = call_row(call, row, "delete_unknown");
	struct lease_claim what = { .kind = CLAIM_DELETE_UNKNOWN, .row = row,
				    .text = call_text(reason) };

	if (!resource)
		return -1;
	if (resource->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return call_violation(call, "delete_unknown of %s, for which this step has no permit",
				      resource->name);
	if (call_commit(call, &what))
		return -1;
	call_effect_record(call, row);
	return 0;
}

static int host_still_there(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	const struct resource *resource = call_row(call, row, "still_there");
	const struct call_effect *effect = call_effect_find(call, row);
	struct lease_claim what = { .kind = CLAIM_STILL_THERE, .row = row,
				    .text = call_text(reason) };

	if (!resource)
		return -1;
	what.evidence.is_own_io = call_is_own_io(call);
	what.evidence.outcome = effect && !what.evidence.is_own_io ? outcome_of(call, effect) :
								    EFFECT_NOT_SENT;
	if (!what.evidence.is_own_io) {
		evidence_take(call, resource, NULL, "still_there", &what.evidence);
		/* Otherwise the action is that of its create. */
		if (resource->state == LESSOR_STATE_DELETING)
			evidence_action(call, resource, &what.evidence.is_gave_up);
	}
	if (call_commit(call, &what))
		return -1;
	call_effect_record(call, row);
	return 0;
}

/* Does the record of this step show that it is absent, as far as its state asks for it? */
static int prove_absent(struct call *call, const struct resource *row,
			struct claim_evidence *evidence)
{
	const struct call_effect *effect = call_effect_find(call, row->n);
	struct lessor_observed seen;
	int is_last, failed;

	evidence->is_own_io = call_is_own_io(call);
	if (evidence->is_own_io) {
		evidence->is_proof = evidence->is_absent = 1;
		return 0;
	}
	if (row->id[0] && evidence_exact(call, row, &seen, &is_last) != 0)
		return call_violation(call, "gone of %s, whose exact read of this step did not answer "
				      "that it is not there", row->name);
	if (row->state == LESSOR_STATE_DELETING && evidence_has_actions(call)) {
		evidence->is_proof = evidence_action(call, row, &failed) ||
				     (effect && evidence_outcome(call, effect->destroyed) ==
				      EFFECT_ACCEPTED);
		if (failed)
			return call_violation(call, "gone of %s, whose delete failed; it is still there",
					      row->name);
	} else if (evidence_unlisted(call, row) != 1) {
		return call_violation(call, "gone of %s without complete listings of this step that do "
				      "not show it", row->name);
	}
	evidence->is_absent = 1;
	return call_prove_project(call, evidence);
}

static int host_gone(struct lessor_call *base, int64_t row, const char *evidence)
{
	struct call *call = call_of(base);
	struct lease_claim what = { .kind = CLAIM_GONE, .row = row, .text = call_text(evidence) };
	const struct resource *resource = call_row(call, row, "gone");
	struct call_effect *effect = call_effect_find(call, row);

	if (!resource)
		return -1;
	if (!what.text[0])
		return call_violation(call, "gone without evidence");
	/* Whether its delete was accepted is asked first: what proves its absence depends on that. */
	if (effect)
		effect_settle(call, effect);
	if (prove_absent(call, ledger_find(&call->step->ledger, row), &what.evidence) ||
	    call_commit(call, &what))
		return -1;
	call_effect_record(call, row);
	return 0;
}

/* All labels that it must bear: those that were read, and those that the engine wants there. */
static int labels_merge(struct call *call, const struct lessor_observed *seen,
			const struct labels *set, struct lessor_change *ret)
{
	struct lessor_label *all = call_alloc(call, (seen->label_count + set->count) * sizeof(*all));
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
		all[count].key = call_dup(call, set->items[k].key);
		all[count++].value = call_dup(call, set->items[k].value);
	}
	ret->labels = all;
	ret->label_count = count;
	return differs;
}

static int host_permit_change(struct lessor_call *base, int64_t row, uint32_t what_change,
			      const struct lessor_observed *from, struct lessor_change *change)
{
	struct call *call = call_of(base);
	struct lease_claim what = { .kind = CLAIM_CHANGE, .row = row, .change = what_change };
	struct lessor_change out = { .what = what_change, .row = row };
	struct call_effect *effect;

	if (!change || change->size < sizeof(*change))
		return call_violation(call, "permit_change without the change's size");
	if (what_change < LESSOR_CHANGE_LABELS || what_change > LESSOR_CHANGE_UNPROTECT)
		return call_violation(call, "permit_change of kind %u", what_change);
	if (!call_row(call, row, "permit_change"))
		return -1;
	effect = effect_next(call, row, "permit_change");
	if (!effect || evidence_take(call, ledger_find(&call->step->ledger, row), from, "permit_change",
			       &what.evidence) ||
	    call_commit(call, &what))
		return -1;
	out.size = change->size;
	if (!what.is_done && what.labels.count &&
	    !labels_merge(call, &what.evidence.seen, &what.labels, &out) &&
	    what_change == LESSOR_CHANGE_LABELS)
		what.is_done = 1;
	if (!what.is_done) {
		effect->change = what_change;
		effect->changed = effect->protected = 0;
	}
	memcpy(change, &out, sizeof(out));
	return what.is_done;
}

/* After the operation: what it has not reported is settled by the record. */
void call_ledger_check(struct call *call)
{
	for (size_t i = 0; i < call->effect_count; i++) {
		struct call_effect *effect = &call->effects[i];
		const struct resource *row = ledger_find(&call->step->ledger, effect->row);
		enum effect_outcome outcome = evidence_outcome(call, effect->made);
		struct lease_claim what = { .kind = CLAIM_UNKNOWN, .row = effect->row,
					    .text = "its create ended without a report" };

		if (effect->intended && !effect->recorded && row &&
		    row->state == LESSOR_STATE_INTENDED) {
			if (outcome == EFFECT_NOT_SENT && !call_is_own_io(call))
				what.kind = CLAIM_NOT_CREATED;
			else
				call_violation(call, "a create for row %lld was sent and its outcome "
					       "not reported", (long long)effect->row);
			call_commit(call, &what);
		}
		effect_settle(call, effect);
	}
}

void call_delete_fill(struct lessor_host *host)
{
	host->permit_delete = host_permit_delete;
	host->deleting = host_deleting;
	host->delete_unknown = host_delete_unknown;
	host->permit_change = host_permit_change;
	host->still_there = host_still_there;
	host->gone = host_gone;
}
