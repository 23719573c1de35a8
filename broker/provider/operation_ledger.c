/* SPDX-License-Identifier: MIT */
/*
 * A plugin's reports to the ledger, and its requests for intents. The engine decides; this
 * file checks each report against the record of the step's requests, and remembers what the
 * operation was granted, since operation_http.c sends nothing without. It handles what is
 * created and found; operation_delete.c handles deletes and changes.
 */
#include "provider/operation.h"

#include <stdio.h>
#include <string.h>

#include "provider/evidence.h"
#include "util/alloc.h"

/* ---- attempts ---- */

static int host_attempt(struct lessor_call *base, uint32_t attempt, const char *type,
			const char *location)
{
	struct operation *op = operation_of(base);
	struct ledger *ledger = &op->step->ledger;
	struct lease_claim what = { .kind = CLAIM_ATTEMPT, .attempt = attempt, .type = type,
				    .location = location };
	struct attempt opened = { .lease = op->step->lease.n, .number = attempt };

	if (op->step->op != STEP_PROVISION)
		return operation_violation(op, "attempt outside of provision");
	if (attempt != ledger->attempt_count + 1)
		return operation_violation(op, "attempt %u after %zu attempts", attempt,
					   ledger->attempt_count);
	if (!type || !type[0] || strlen(type) >= sizeof(opened.type) || !location ||
	    strlen(location) >= sizeof(opened.location))
		return operation_violation(op, "attempt with an invalid type or location");
	if (operation_claim(op, &what))
		return -1;
	memcpy(opened.type, type, strlen(type));
	memcpy(opened.location, location, strlen(location));
	opened.started_ms = step_now(op->step);
	ledger->attempts = xrealloc(ledger->attempts, (ledger->attempt_count + 1) *
				    sizeof(*ledger->attempts));
	ledger->attempts[ledger->attempt_count++] = opened;
	return 0;
}

static int host_attempt_refused(struct lessor_call *base, uint32_t attempt, uint32_t error_class,
				const char *reason)
{
	struct operation *op = operation_of(base);
	struct ledger *ledger = &op->step->ledger;
	struct lease_claim what = { .kind = CLAIM_ATTEMPT_REFUSED, .attempt = attempt,
				    .error_class = error_class, .text = plugin_text(reason) };

	if (attempt < 1 || attempt > ledger->attempt_count)
		return operation_violation(op,
					   "attempt_refused for attempt %u, which was not "
					   "opened",
					   attempt);
	if (error_class == LESSOR_CLASS_NONE || error_class > LESSOR_CLASS_BUG)
		return operation_violation(op, "attempt_refused with class %u", error_class);
	if (operation_claim(op, &what))
		return -1;
	for (size_t i = 0; i < ledger->attempt_count; i++) {
		struct attempt *closed = &ledger->attempts[i];
		if (closed->number == attempt && !closed->refused) {
			closed->refused = error_class;
			snprintf(closed->reason, sizeof(closed->reason), "%s", what.text);
		}
	}
	return 0;
}

/* ---- creates ---- */

static int host_intend(struct lessor_call *base, uint32_t kind, uint32_t attempt,
		       struct lessor_intent *intent)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_INTEND, .resource_kind = kind,
				    .attempt = attempt };
	struct lessor_intent out = { 0 };
	struct operation_effect *effect;
	struct lessor_label *labels;

	if (!intent || intent->size < sizeof(*intent))
		return operation_violation(op, "intend without the intent's size");
	if (kind < LESSOR_KIND_SERVER || kind > LESSOR_KIND_OTHER)
		return operation_violation(op, "intend of kind %u", kind);
	if (op->step->op == STEP_CLEANUP)
		return operation_violation(op, "intend in cleanup");
	if (op->effect_count == OPERATION_EFFECTS_MAX)
		return operation_violation(op, "more than %d effects in one step",
					   OPERATION_EFFECTS_MAX);
	if (operation_claim(op, &what))
		return -1;
	effect = operation_effect_get(op, what.row);
	effect->intended = 1;
	operation_effect_granted(op, effect);
	labels = operation_alloc(op, LABELS_MAX * sizeof(*labels));
	for (size_t i = 0; i < what.labels.count; i++) {
		labels[i].key = operation_dup(op, what.labels.items[i].key);
		labels[i].value = operation_dup(op, what.labels.items[i].value);
	}
	out.size = intent->size;
	out.attempt = attempt;
	out.row = what.row;
	out.name = operation_dup(op, what.name);
	out.labels = labels;
	out.label_count = what.labels.count;
	memcpy(intent, &out, sizeof(out));
	return 0;
}

/* Records the outcome of a create as unknown, whatever the plugin reported. */
static int effect_keep_unknown(struct operation *op, struct operation_effect *effect,
			       const char *why)
{
	struct lease_claim what = { .kind = CLAIM_UNKNOWN, .row = effect->row, .text = why };

	operation_violation(op, "%s; recorded as unknown", why);
	operation_claim(op, &what);
	effect->reported = 1;
	return -1;
}

static int host_created(struct lessor_call *base, int64_t row, const char *id, const char *action)
{
	struct operation *op = operation_of(base);
	struct operation_effect *effect = operation_effect_find(op, row);
	struct lease_claim what = { .kind = CLAIM_CREATED, .row = row, .id = id,
				    .action = action ? action : "" };

	if (!operation_row(op, row, "created"))
		return -1;
	/* what a look-up finds must go through adopt, which checks ownership */
	if (!effect || !effect->intended)
		return operation_violation(op,
					   "created for a row that this step did not intend; use adopt");
	if (!id || !plugin_id_is_valid(id) || !plugin_action_is_valid(what.action))
		return operation_violation(op, "created with an invalid id or action");
	if (!operation_is_own_io(op) && !evidence_made(op, effect, id))
		return effect_keep_unknown(op, effect,
					   "created, but no response to its create shows that id");
	if (operation_claim(op, &what))
		return -1;
	operation_effect_report(op, row);
	return 0;
}

static int host_unknown(struct lessor_call *base, int64_t row, const char *reason)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_UNKNOWN, .row = row,
				    .text = plugin_text(reason) };

	if (!operation_row(op, row, "unknown") || operation_claim(op, &what))
		return -1;
	operation_effect_report(op, row);
	return 0;
}

/*
 * Does the record show that the row's create had no effect? A "taken" may refer to an earlier
 * server of ours whose create response was lost; the listing by name then decides whose it is.
 */
static int effect_was_refused(struct operation *op, const struct operation_effect *effect)
{
	enum effect_outcome outcome = evidence_outcome(op, effect->made);

	if (operation_is_own_io(op) || outcome == EFFECT_NOT_SENT)
		return 1;
	return outcome == EFFECT_REFUSED &&
	       (op->requests[effect->made - 1].status != 409 ||
		evidence_unlisted_name(op, ledger_find(&op->step->ledger, effect->row),
				       effect->made) == 1);
}

static int host_not_created(struct lessor_call *base, int64_t row, const char *reason)
{
	struct operation *op = operation_of(base);
	struct operation_effect *effect = operation_effect_find(op, row);
	struct lease_claim what = { .kind = CLAIM_NOT_CREATED, .row = row,
				    .text = plugin_text(reason) };

	if (!operation_row(op, row, "not_created"))
		return -1;
	/*
	 * "Definitely refused" allows another create, so it needs a refusal in a response, or
	 * that nothing was sent in this step.
	 */
	if (!effect || !effect->intended)
		return operation_violation(op, "not_created for a row that this step did not "
					       "intend; look it up and use not_seen");
	if (!effect_was_refused(op, effect))
		return effect_keep_unknown(op, effect, "not_created, but no response says so");
	if (operation_claim(op, &what))
		return -1;
	effect->reported = 1;
	effect->intended = 0;
	return 0;
}

static int host_report_absent(struct lessor_call *base, int64_t row)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_REPORT_ABSENT, .row = row };
	const struct resource *resource = operation_row(op, row, "not_seen");

	if (!resource)
		return -1;
	what.evidence.is_own_io = operation_is_own_io(op);
	/* For the sentinel itself, the listings are the only proof. */
	what.evidence.is_proof = what.evidence.is_own_io || !op->step->lease.n;
	if (!what.evidence.is_own_io && evidence_unlisted(op, resource) != 1)
		return operation_violation(op,
					   "not_seen for %s without complete listings of this "
					   "step that do not show it",
					   resource->name);
	what.evidence.is_absent = 1;
	return operation_prove_project(op, &what.evidence) ? -1 : operation_claim(op, &what);
}

/*
 * If a row of ours has the name of what was found and another id, which this step reads as absent
 * or as something else: names it as the one whose id was wrong.
 */
static void adopt_evidence(struct operation *op, struct lease_claim *what)
{
	const struct ledger *ledger = &op->step->ledger;

	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];
		struct lessor_observed other;
		int is_last, exact;

		if (r->kind != what->resource_kind || !r->ours || !r->id[0] ||
		    strcmp(r->id, what->id) == 0 || strcmp(r->name, what->seen->name) != 0)
			continue;
		exact = evidence_exact(op, r, &other, &is_last);
		if (exact == 0 || (exact == 1 && strcmp(other.name, r->name) != 0)) {
			what->row = r->n;
			what->evidence.is_absent = 1;
		}
	}
}

static int host_adopt(struct lessor_call *base, const struct lessor_observed *from)
{
	struct operation *op = operation_of(base);
	struct lessor_observed seen;
	struct lease_claim what = { .kind = CLAIM_ADOPT, .seen = &seen };

	if (plugin_copy_observed(op, &seen, from, "adopt"))
		return -1;
	if (!operation_is_own_io(op) && !evidence_shown(op, seen.kind, seen.id, &seen))
		return operation_violation(op,
					   "adopt of id %s, but no response of this step shows it",
					   seen.id);
	what.resource_kind = seen.kind;
	what.id = seen.id;
	if (!operation_is_own_io(op))
		adopt_evidence(op, &what);
	if (operation_claim(op, &what))
		return -1;
	operation_effect_report(op, what.resource.n ? what.resource.n : what.row);
	return 0;
}

static int host_reuse(struct lessor_call *base, uint32_t kind, const char *id, const char *name)
{
	struct operation *op = operation_of(base);
	struct lease_claim what = { .kind = CLAIM_REUSE, .resource_kind = kind, .id = id,
				    .text = plugin_text(name) };

	if (!id || !plugin_id_is_valid(id) || kind < LESSOR_KIND_SERVER || kind > LESSOR_KIND_OTHER)
		return operation_violation(op, "reuse with an invalid kind or id");
	return operation_claim(op, &what);
}

void operation_ledger_fill(struct lessor_host *host)
{
	host->attempt = host_attempt;
	host->attempt_refused = host_attempt_refused;
	host->intend = host_intend;
	host->created = host_created;
	host->not_created = host_not_created;
	host->unknown = host_unknown;
	host->not_seen = host_report_absent;
	host->adopt = host_adopt;
	host->reuse = host_reuse;
}
