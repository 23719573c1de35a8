/* SPDX-License-Identifier: MIT */
/*
 * What a plugin reports to the ledger, and what it asks of it. The engine decides;
 * here a report is held against the record of this step's requests, and what this
 * operation is permitted is remembered, since call_http.c sends nothing without.
 */
#include "provider/call.h"

#include <stdio.h>
#include <string.h>

#include "provider/evidence.h"
#include "util/alloc.h"
#include "util/defect.h"
#include "util/log.h"
#include "util/utf8.h"

static struct call *call_of(struct lessor_call *base)
{
	return (struct call *)(void *)base;
}

struct call_effect *call_effect_find(struct call *call, int64_t row)
{
	for (size_t i = 0; i < call->effect_count; i++) {
		if (call->effects[i].row == row)
			return &call->effects[i];
	}
	return NULL;
}

struct call_effect *call_effect_need(struct call *call, int64_t row)
{
	struct call_effect *effect = call_effect_find(call, row);

	if (effect || call->effect_count == CALL_EFFECTS_MAX)
		return effect;
	effect = &call->effects[call->effect_count++];
	effect->row = row;
	return effect;
}

/* The step's own ledger follows what was committed. */
static void ledger_put(struct ledger *ledger, const struct resource *resource)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		if (ledger->resources[i].n == resource->n) {
			ledger->resources[i] = *resource;
			return;
		}
	}
	ledger->resources = xrealloc(ledger->resources, (ledger->resource_count + 1) *
				     sizeof(*ledger->resources));
	ledger->resources[ledger->resource_count++] = *resource;
}

/* inspect and retain settle what is unknown by looking; retain also changes what is kept. */
static int may_commit(const struct step *step, enum step_commit_kind kind)
{
	switch (step->op) {
	case STEP_PROVISION:
	case STEP_CLEANUP:
	case STEP_PROBE:
		return 1;
	case STEP_RETAIN:
		if (kind == COMMIT_CHANGE || kind == COMMIT_CHANGED)
			return 1;
		/* fall through */
	case STEP_INSPECT:
		return kind == COMMIT_ADOPT || kind == COMMIT_NOT_SEEN || kind == COMMIT_GONE ||
		       kind == COMMIT_STILL_THERE || kind == COMMIT_REUSE;
	default:
		return 0;
	}
}

static int commit(struct call *call, struct step_commit *what)
{
	struct step *step = call->step;
	const char *name = step_commit_name(what->kind);

	if (call->opening || !step->commit || !may_commit(step, what->kind))
		return call_violation(call, "%s inside an operation that has no effects", name);
	what->result = -1;
	int result = step->commit(step->commit_arg, step, what);
	if (what->resource.n)
		ledger_put(&step->ledger, &what->resource);
	if (result) {
		log_info(LOG_FIELDS({ "provider", call->account->table->name },
				    { "account", call->account->config.name },
				    { "lease", step->lease.id }, { "reason", what->err.text }),
			 "the host said no to '%s'", name);
		return -1;
	}
	return 0;
}

static const struct resource *row_of(struct call *call, int64_t row, const char *name)
{
	const struct resource *resource = ledger_find(&call->step->ledger, row);

	if (!resource)
		call_violation(call, "%s of row %lld, which is not in this ledger", name,
			       (long long)row);
	return resource;
}

#define ID_ROOM sizeof(((struct resource *)0)->id)

/* Ids and actions go into columns and lines: short and printable; none is fine for an action. */
static int action_is_sane(const char *action)
{
	size_t len = 0;

	while (action[len] > 0x20 && action[len] < 0x7f)
		len++;
	return action[len] == '\0' && len < ID_ROOM;
}

/* An id is also one segment of a path. */
static int id_is_sane(const char *id)
{
	return id[0] != '\0' && action_is_sane(id) && !strpbrk(id, "/?#%\\\"");
}

static const char *text_of(const char *text)
{
	return text && utf8_valid(text, strlen(text)) ? text : "";
}

/* ---- attempts ---- */

static int host_attempt(struct lessor_call *base, uint32_t attempt, const char *type,
			const char *location)
{
	struct call *call = call_of(base);
	struct ledger *ledger = &call->step->ledger;
	struct step_commit what = { .kind = COMMIT_ATTEMPT, .attempt = attempt, .type = type,
				    .location = location };
	struct attempt opened = { .lease = call->step->lease.n, .number = attempt };

	if (call->step->op != STEP_PROVISION)
		return call_violation(call, "attempt outside of provision");
	if (attempt != ledger->attempt_count + 1)
		return call_violation(call, "attempt %u after %zu attempts", attempt,
				      ledger->attempt_count);
	if (!type || !type[0] || strlen(type) >= sizeof(opened.type) || !location ||
	    strlen(location) >= sizeof(opened.location))
		return call_violation(call, "attempt with a type or location that cannot be");
	if (commit(call, &what))
		return -1;
	memcpy(opened.type, type, strlen(type));
	memcpy(opened.location, location, strlen(location));
	opened.started_ms = env_wall_ms(call->account->env);
	ledger->attempts = xrealloc(ledger->attempts, (ledger->attempt_count + 1) *
				    sizeof(*ledger->attempts));
	ledger->attempts[ledger->attempt_count++] = opened;
	return 0;
}

static int host_attempt_refused(struct lessor_call *base, uint32_t attempt, uint32_t error_class,
				const char *reason)
{
	struct call *call = call_of(base);
	struct ledger *ledger = &call->step->ledger;
	struct step_commit what = { .kind = COMMIT_ATTEMPT_REFUSED, .attempt = attempt,
				    .error_class = error_class, .text = text_of(reason) };

	if (attempt < 1 || attempt > ledger->attempt_count)
		return call_violation(call, "attempt_refused of attempt %u, which was not opened",
				      attempt);
	if (error_class == LESSOR_CLASS_NONE || error_class > LESSOR_CLASS_BUG)
		return call_violation(call, "attempt_refused with class %u", error_class);
	if (commit(call, &what))
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

/* ---- making ---- */

static int host_intend(struct lessor_call *base, uint32_t kind, uint32_t attempt,
		       struct lessor_intent *intent)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_INTEND, .resource_kind = kind,
				    .attempt = attempt };
	struct lessor_intent out = { 0 };
	struct lessor_label *labels;

	if (!intent || intent->size < sizeof(*intent))
		return call_violation(call, "intend without the intent's size");
	if (kind < LESSOR_KIND_SERVER || kind > LESSOR_KIND_OTHER)
		return call_violation(call, "intend of kind %u", kind);
	if (call->step->op == STEP_CLEANUP)
		return call_violation(call, "intend inside of cleanup");
	if (call->effect_count == CALL_EFFECTS_MAX)
		return call_violation(call, "more than %d effects in one step", CALL_EFFECTS_MAX);
	if (commit(call, &what))
		return -1;
	call_effect_need(call, what.row)->intended = 1;
	labels = call_alloc(call, LABELS_MAX * sizeof(*labels));
	for (size_t i = 0; i < what.labels.count; i++) {
		labels[i].key = call_dup(call, what.labels.items[i].key);
		labels[i].value = call_dup(call, what.labels.items[i].value);
	}
	out.size = intent->size;
	out.attempt = attempt;
	out.row = what.row;
	out.name = call_dup(call, what.name);
	out.labels = labels;
	out.label_count = what.labels.count;
	memcpy(intent, &out, sizeof(out));
	return 0;
}

static void effect_record(struct call *call, int64_t row)
{
	struct call_effect *effect = call_effect_find(call, row);

	if (effect)
		effect->recorded = 1;
}

/* The outcome of a create is kept as unknown, whatever the plugin makes of it. */
static int keep_unknown(struct call *call, struct call_effect *effect, const char *why)
{
	struct step_commit what = { .kind = COMMIT_UNKNOWN, .row = effect->row, .text = why };

	call_violation(call, "%s; kept as unknown", why);
	commit(call, &what);
	effect->recorded = 1;
	return -1;
}

static int host_created(struct lessor_call *base, int64_t row, const char *id, const char *action)
{
	struct call *call = call_of(base);
	struct call_effect *effect = call_effect_find(call, row);
	struct step_commit what = { .kind = COMMIT_CREATED, .row = row, .id = id,
				    .action = action ? action : "" };

	if (!row_of(call, row, "created"))
		return -1;
	/* what a look-up finds goes through adopt, which checks whose it is */
	if (!effect || !effect->intended)
		return call_violation(call,
				      "created of a row that this step did not intend; use adopt");
	if (!id || !id_is_sane(id) || !action_is_sane(what.action))
		return call_violation(call, "created with an id or action that cannot be one");
	if (!call_is_own_io(call) && !evidence_made(call, effect, id))
		return keep_unknown(call, effect, "created though no answer to its create shows that id");
	if (commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

static int host_unknown(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_UNKNOWN, .row = row, .text = text_of(reason) };

	if (!row_of(call, row, "unknown") || commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

/*
 * Does the record show that the row's create had no effect? A "taken" may be by an earlier
 * one of ours whose answer was lost: then the listing by its name must say whose it is.
 */
static int was_refused(struct call *call, const struct call_effect *effect)
{
	enum effect_outcome outcome = evidence_outcome(call, effect->made);

	if (call_is_own_io(call) || DEFECT(3) || outcome == EFFECT_NOT_SENT)
		return 1;
	return outcome == EFFECT_REFUSED &&
	       (call->requests[effect->made - 1].status != 409 ||
		evidence_unlisted_name(call, ledger_find(&call->step->ledger, effect->row),
				       effect->made) == 1);
}

static int host_not_created(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	struct call_effect *effect = call_effect_find(call, row);
	struct step_commit what = { .kind = COMMIT_NOT_CREATED, .row = row,
				    .text = text_of(reason) };

	if (!row_of(call, row, "not_created"))
		return -1;
	/*
	 * "Definitely refused" is a claim that allows another create. It needs an
	 * answer that says so, or that nothing was sent in this step.
	 */
	if (!effect || !effect->intended)
		return call_violation(call, "not_created of a row that this step did not intend; "
				      "look for it and use not_seen");
	if (!was_refused(call, effect))
		return keep_unknown(call, effect, "not_created though no answer says so");
	if (commit(call, &what))
		return -1;
	effect->recorded = 1;
	effect->intended = 0;
	return 0;
}

/*
 * Reads the sentinel, last of all: whoever has the token of another project sees nothing
 * anywhere. -1: not now; the observation does not count.
 */
static int prove_project(struct call *call, struct step_evidence *evidence)
{
	evidence->begun_ms = call->begun_ms;
	if (evidence->is_proof || call_read_sentinel(call, evidence) == 1) {
		evidence->is_proof = 1;
		return 0;
	}
	log_info(LOG_FIELDS({ "account", call->account->config.name },
			    { "lease", call->step->lease.id }),
		 "an observation does not count: the account's sentinel could not be read after it");
	return -1;
}

static int host_not_seen(struct lessor_call *base, int64_t row)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_NOT_SEEN, .row = row };
	const struct resource *resource = row_of(call, row, "not_seen");

	if (!resource)
		return -1;
	what.evidence.is_own_io = call_is_own_io(call);
	/* Of the sentinel itself only the listings can tell. */
	what.evidence.is_proof = what.evidence.is_own_io || !call->step->lease.n;
	if (!what.evidence.is_own_io && evidence_unlisted(call, resource) != 1)
		return call_violation(call, "not_seen of %s without complete listings of this step that "
				      "do not show it", resource->name);
	what.evidence.is_absent = 1;
	return prove_project(call, &what.evidence) ? -1 : commit(call, &what);
}

/* What the plugin read, in the host's own size; -1 if it is not even that. */
static int seen_copy(struct call *call, struct lessor_observed *ret,
		     const struct lessor_observed *from, const char *name)
{
	if (!from || call_copy_in(ret, sizeof(*ret), from, from->size, CALL_OBSERVED_LEAST) || !ret->id ||
	    !id_is_sane(ret->id) || !ret->name || (ret->label_count && !ret->labels) ||
	    ret->label_count > 1000)
		return call_violation(call, "%s without what was read: size, id, name, labels",
				      name);
	for (size_t i = 0; i < ret->label_count; i++) {
		if (!ret->labels[i].key || !ret->labels[i].value)
			return call_violation(call, "%s with a label without key or value", name);
	}
	return 0;
}

static int host_adopt(struct lessor_call *base, const struct lessor_observed *from)
{
	struct call *call = call_of(base);
	struct lessor_observed seen;
	struct step_commit what = { .kind = COMMIT_ADOPT, .seen = &seen };

	if (seen_copy(call, &seen, from, "adopt"))
		return -1;
	if (!call_is_own_io(call) && !evidence_shown(call, seen.kind, seen.id, &seen))
		return call_violation(call, "adopt of id %s, which no answer of this step shows", seen.id);
	what.resource_kind = seen.kind;
	what.id = seen.id;
	if (commit(call, &what))
		return -1;
	effect_record(call, what.resource.n ? what.resource.n : what.row);
	return 0;
}

static int host_reuse(struct lessor_call *base, uint32_t kind, const char *id, const char *name)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_REUSE, .resource_kind = kind, .id = id,
				    .text = text_of(name) };

	if (!id || !id_is_sane(id) || kind < LESSOR_KIND_SERVER || kind > LESSOR_KIND_OTHER)
		return call_violation(call, "reuse with a kind or id that cannot be one");
	return commit(call, &what);
}

/* ---- unmaking and changing ---- */

/* What the exact read of this step shows; of a provider with I/O of its own what it says. */
static int observe(struct call *call, const struct resource *row,
		   const struct lessor_observed *from, const char *name,
		   struct step_evidence *ret)
{
	int is_last, exact;

	ret->is_own_io = call_is_own_io(call);
	if (ret->is_own_io || DEFECT(12)) {
		if (seen_copy(call, &ret->seen, from, name))
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
	struct step_commit what = { .row = effect->row, .text = "" };

	if (!row)
		return;
	what.evidence.outcome = outcome_of(call, effect);
	what.evidence.is_own_io = call_is_own_io(call);
	effect->permitted = 0;
	if (row->state == LESSOR_STATE_DELETE_AUTHORIZED) {
		what.kind = what.evidence.outcome == EFFECT_NOT_SENT ||
			    what.evidence.outcome == EFFECT_REFUSED ? COMMIT_STILL_THERE :
								      COMMIT_DELETE_UNKNOWN;
		what.text = what.kind == COMMIT_STILL_THERE ? "its delete had no effect" :
							      "what became of its delete is not known";
		commit(call, &what);
	} else if (effect->change) {
		what.kind = COMMIT_CHANGED;
		what.change = effect->change;
		what.evidence.is_labelled = evidence_outcome(call, effect->changed) ==
					    EFFECT_ACCEPTED;
		if (!what.evidence.is_own_io)
			observe(call, row, NULL, "", &what.evidence);
		effect->change = 0;
		effect->changed = effect->protected = 0;
		commit(call, &what);
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
	struct step_commit what = { .kind = COMMIT_PERMIT, .row = row };
	struct call_effect *effect;

	if (!row_of(call, row, "permit_delete"))
		return -1;
	effect = effect_next(call, row, "permit_delete");
	if (!effect || observe(call, ledger_find(&call->step->ledger, row), from, "permit_delete",
			       &what.evidence) ||
	    commit(call, &what))
		return -1;
	effect->permitted = 1;
	effect->destroyed = 0;
	return 0;
}

static int host_deleting(struct lessor_call *base, int64_t row, const char *action)
{
	struct call *call = call_of(base);
	const struct resource *resource = row_of(call, row, "deleting");
	const struct call_effect *effect = call_effect_find(call, row);
	struct step_commit what = { .kind = COMMIT_DELETING, .row = row,
				    .action = action ? action : "" };

	if (!resource)
		return -1;
	if (!action_is_sane(what.action))
		return call_violation(call, "deleting with an action that cannot be one");
	if (resource->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return call_violation(call, "deleting of %s, for which this step has no permit",
				      resource->name);
	if (!call_is_own_io(call) &&
	    (!effect || evidence_outcome(call, effect->destroyed) != EFFECT_ACCEPTED)) {
		call_violation(call, "deleting of %s, whose delete no answer of this step accepts",
			       resource->name);
		what.kind = COMMIT_DELETE_UNKNOWN;
		what.text = "what became of its delete is not known";
		commit(call, &what);
		return -1;
	}
	if (commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

static int host_delete_unknown(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	const struct resource *resource = row_of(call, row, "delete_unknown");
	struct step_commit what = { .kind = COMMIT_DELETE_UNKNOWN, .row = row,
				    .text = text_of(reason) };

	if (!resource)
		return -1;
	if (resource->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return call_violation(call, "delete_unknown of %s, for which this step has no permit",
				      resource->name);
	if (commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

static int host_still_there(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	const struct resource *resource = row_of(call, row, "still_there");
	const struct call_effect *effect = call_effect_find(call, row);
	struct step_commit what = { .kind = COMMIT_STILL_THERE, .row = row,
				    .text = text_of(reason) };

	if (!resource)
		return -1;
	what.evidence.is_own_io = call_is_own_io(call);
	what.evidence.outcome = effect && !what.evidence.is_own_io ? outcome_of(call, effect) :
								    EFFECT_NOT_SENT;
	if (!what.evidence.is_own_io) {
		observe(call, resource, NULL, "still_there", &what.evidence);
		evidence_action(call, resource, &what.evidence.is_gave_up);
	}
	if (commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

/* Does the record of this step show that it is absent, as far as its state asks for it? */
static int prove_absent(struct call *call, const struct resource *row,
			struct step_evidence *evidence)
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
		evidence->is_proof = (evidence_action(call, row, &failed) && !failed) ||
				     (effect && evidence_outcome(call, effect->destroyed) ==
				      EFFECT_ACCEPTED);
	} else if (evidence_unlisted(call, row) != 1) {
		return call_violation(call, "gone of %s without complete listings of this step that do "
				      "not show it", row->name);
	}
	evidence->is_absent = 1;
	return prove_project(call, evidence);
}

static int host_gone(struct lessor_call *base, int64_t row, const char *evidence)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_GONE, .row = row, .text = text_of(evidence) };
	const struct resource *resource = row_of(call, row, "gone");
	struct call_effect *effect = call_effect_find(call, row);

	if (!resource)
		return -1;
	if (!what.text[0])
		return call_violation(call, "gone without evidence");
	/* Whether its delete was accepted is asked first: what proves its absence depends on that. */
	if (effect)
		effect_settle(call, effect);
	if (prove_absent(call, ledger_find(&call->step->ledger, row), &what.evidence) ||
	    commit(call, &what))
		return -1;
	effect_record(call, row);
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
	struct step_commit what = { .kind = COMMIT_CHANGE, .row = row, .change = what_change };
	struct lessor_change out = { .what = what_change, .row = row };
	struct call_effect *effect;

	if (!change || change->size < sizeof(*change))
		return call_violation(call, "permit_change without the change's size");
	if (what_change < LESSOR_CHANGE_LABELS || what_change > LESSOR_CHANGE_UNPROTECT)
		return call_violation(call, "permit_change of kind %u", what_change);
	if (!row_of(call, row, "permit_change"))
		return -1;
	effect = effect_next(call, row, "permit_change");
	if (!effect || observe(call, ledger_find(&call->step->ledger, row), from, "permit_change",
			       &what.evidence) ||
	    commit(call, &what))
		return -1;
	out.size = change->size;
	if (!what.is_done && what.labels.count &&
	    !labels_merge(call, &what.evidence.seen, &what.labels, &out) &&
	    what_change == LESSOR_CHANGE_LABELS)
		what.is_done = 1;
	if (!what.is_done)
		effect->change = what_change;
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
		struct step_commit what = { .kind = COMMIT_UNKNOWN, .row = effect->row,
					    .text = "its create ended without a report" };

		if (effect->intended && !effect->recorded && row &&
		    row->state == LESSOR_STATE_INTENDED) {
			if (outcome == EFFECT_NOT_SENT && !call_is_own_io(call))
				what.kind = COMMIT_NOT_CREATED;
			else
				call_violation(call, "a create for row %lld was sent and its outcome "
					       "not reported", (long long)effect->row);
			commit(call, &what);
		}
		effect_settle(call, effect);
	}
}

void call_ledger_fill(struct lessor_host *host)
{
	host->attempt = host_attempt;
	host->attempt_refused = host_attempt_refused;
	host->intend = host_intend;
	host->created = host_created;
	host->not_created = host_not_created;
	host->unknown = host_unknown;
	host->not_seen = host_not_seen;
	host->adopt = host_adopt;
	host->reuse = host_reuse;
	host->permit_delete = host_permit_delete;
	host->deleting = host_deleting;
	host->delete_unknown = host_delete_unknown;
	host->permit_change = host_permit_change;
	host->still_there = host_still_there;
	host->gone = host_gone;
}
