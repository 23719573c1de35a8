/* SPDX-License-Identifier: MIT */
/*
 * What a plugin reports to the ledger, and what it asks of it. The engine decides;
 * here a report is held against the record of this step's requests, and what this
 * operation is permitted is remembered, since call_http.c sends nothing without. This file
 * has what is made and found, call_delete.c what is deleted and changed.
 */
#include "provider/call.h"

#include <stdio.h>
#include <string.h>

#include "provider/evidence.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/utf8.h"

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
	if (!call->effects)
		call->effects = call_alloc(call, CALL_EFFECTS_MAX * sizeof(*call->effects));
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

/*
 * inspect and retain settle what is unknown by looking; retain also changes what is kept. A
 * look for many leases finds out only how far their servers are.
 */
static int may_commit(const struct step *step, enum lease_claim_kind kind)
{
	switch (step->op) {
	case STEP_PROVISION:
		return !step->look || kind == CLAIM_REUSE || kind == CLAIM_ATTEMPT_REFUSED;
	case STEP_CLEANUP:
	case STEP_PROBE:
		return 1;
	case STEP_RETAIN:
		if (kind == CLAIM_CHANGE || kind == CLAIM_CHANGED)
			return 1;
		/* fall through */
	case STEP_INSPECT:
		return kind == CLAIM_ADOPT || kind == CLAIM_NOT_SEEN || kind == CLAIM_GONE ||
		       kind == CLAIM_STILL_THERE || kind == CLAIM_REUSE;
	default:
		return 0;
	}
}

void call_barrier(struct call *call)
{
	struct step *step = call->step;

	if (call->is_undurable && step->barrier)
		step->barrier(step->claim_arg, step);
	call->is_undurable = 0;
}

int call_commit(struct call *call, struct lease_claim *what)
{
	struct step *step = call->step;
	const char *name = lease_claim_name(what->kind);

	if (call->opening || !step->claim || !may_commit(step, what->kind))
		return call_violation(call, "%s inside an operation that has no effects", name);
	what->result = -1;
	int result = step->claim(step->claim_arg, step, what);
	/* The requests of one that is looked for with others are those of the look. */
	(call->look ? call->look : call)->is_undurable = 1;
	/* What has I/O of its own does with it whatever it does. */
	if (call_is_own_io(call))
		call_barrier(call);
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

const struct resource *call_row(struct call *call, int64_t row, const char *name)
{
	const struct resource *resource = ledger_find(&call->step->ledger, row);

	if (!resource)
		call_violation(call, "%s of row %lld, which is not in this ledger", name,
			       (long long)row);
	return resource;
}

#define ID_ROOM sizeof(((struct resource *)0)->id)

/* Ids and actions go into columns and lines: short and printable; none is fine for an action. */
int call_action_is_sane(const char *action)
{
	size_t len = 0;

	while (action[len] > 0x20 && action[len] < 0x7f)
		len++;
	return action[len] == '\0' && len < ID_ROOM;
}

/* An id is also one segment of a path. */
int call_id_is_sane(const char *id)
{
	return id[0] != '\0' && call_action_is_sane(id) && !strpbrk(id, "/?#%\\\"");
}

const char *call_text(const char *text)
{
	return text && utf8_valid(text, strlen(text)) ? text : "";
}

/* ---- attempts ---- */

static int host_attempt(struct lessor_call *base, uint32_t attempt, const char *type,
			const char *location)
{
	struct call *call = call_of(base);
	struct ledger *ledger = &call->step->ledger;
	struct lease_claim what = { .kind = CLAIM_ATTEMPT, .attempt = attempt, .type = type,
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
	if (call_commit(call, &what))
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
	struct lease_claim what = { .kind = CLAIM_ATTEMPT_REFUSED, .attempt = attempt,
				    .error_class = error_class, .text = call_text(reason) };

	if (attempt < 1 || attempt > ledger->attempt_count)
		return call_violation(call, "attempt_refused of attempt %u, which was not opened",
				      attempt);
	if (error_class == LESSOR_CLASS_NONE || error_class > LESSOR_CLASS_BUG)
		return call_violation(call, "attempt_refused with class %u", error_class);
	if (call_commit(call, &what))
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
	struct lease_claim what = { .kind = CLAIM_INTEND, .resource_kind = kind,
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
	if (call_commit(call, &what))
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

void call_effect_record(struct call *call, int64_t row)
{
	struct call_effect *effect = call_effect_find(call, row);

	if (effect)
		effect->recorded = 1;
}

/* The outcome of a create is kept as unknown, whatever the plugin makes of it. */
static int keep_unknown(struct call *call, struct call_effect *effect, const char *why)
{
	struct lease_claim what = { .kind = CLAIM_UNKNOWN, .row = effect->row, .text = why };

	call_violation(call, "%s; kept as unknown", why);
	call_commit(call, &what);
	effect->recorded = 1;
	return -1;
}

static int host_created(struct lessor_call *base, int64_t row, const char *id, const char *action)
{
	struct call *call = call_of(base);
	struct call_effect *effect = call_effect_find(call, row);
	struct lease_claim what = { .kind = CLAIM_CREATED, .row = row, .id = id,
				    .action = action ? action : "" };

	if (!call_row(call, row, "created"))
		return -1;
	/* what a look-up finds goes through adopt, which checks whose it is */
	if (!effect || !effect->intended)
		return call_violation(call,
				      "created of a row that this step did not intend; use adopt");
	if (!id || !call_id_is_sane(id) || !call_action_is_sane(what.action))
		return call_violation(call, "created with an id or action that cannot be one");
	if (!call_is_own_io(call) && !evidence_made(call, effect, id))
		return keep_unknown(call, effect, "created though no answer to its create shows that id");
	if (call_commit(call, &what))
		return -1;
	call_effect_record(call, row);
	return 0;
}

static int host_unknown(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	struct lease_claim what = { .kind = CLAIM_UNKNOWN, .row = row, .text = call_text(reason) };

	if (!call_row(call, row, "unknown") || call_commit(call, &what))
		return -1;
	call_effect_record(call, row);
	return 0;
}

/*
 * Does the record show that the row's create had no effect? A "taken" may be by an earlier
 * one of ours whose answer was lost: then the listing by its name must say whose it is.
 */
static int was_refused(struct call *call, const struct call_effect *effect)
{
	enum effect_outcome outcome = evidence_outcome(call, effect->made);

	if (call_is_own_io(call) || outcome == EFFECT_NOT_SENT)
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
	struct lease_claim what = { .kind = CLAIM_NOT_CREATED, .row = row,
				    .text = call_text(reason) };

	if (!call_row(call, row, "not_created"))
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
	if (call_commit(call, &what))
		return -1;
	effect->recorded = 1;
	effect->intended = 0;
	return 0;
}

/*
 * Reads the sentinel, last of all: whoever has the token of another project sees nothing
 * anywhere. -1: not now; the observation does not count.
 */
int call_prove_project(struct call *call, struct claim_evidence *evidence)
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
	struct lease_claim what = { .kind = CLAIM_NOT_SEEN, .row = row };
	const struct resource *resource = call_row(call, row, "not_seen");

	if (!resource)
		return -1;
	what.evidence.is_own_io = call_is_own_io(call);
	/* Of the sentinel itself only the listings can tell. */
	what.evidence.is_proof = what.evidence.is_own_io || !call->step->lease.n;
	if (!what.evidence.is_own_io && evidence_unlisted(call, resource) != 1)
		return call_violation(call, "not_seen of %s without complete listings of this step that "
				      "do not show it", resource->name);
	what.evidence.is_absent = 1;
	return call_prove_project(call, &what.evidence) ? -1 : call_commit(call, &what);
}

/* What the plugin read, in the host's own size; -1 if it is not even that. */
int call_seen_copy(struct call *call, struct lessor_observed *ret,
		     const struct lessor_observed *from, const char *name)
{
	if (!from || call_copy_in(ret, sizeof(*ret), from, from->size, CALL_OBSERVED_LEAST) || !ret->id ||
	    !call_id_is_sane(ret->id) || !ret->name || (ret->label_count && !ret->labels) ||
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
	struct lease_claim what = { .kind = CLAIM_ADOPT, .seen = &seen };

	if (call_seen_copy(call, &seen, from, "adopt"))
		return -1;
	if (!call_is_own_io(call) && !evidence_shown(call, seen.kind, seen.id, &seen))
		return call_violation(call, "adopt of id %s, which no answer of this step shows", seen.id);
	what.resource_kind = seen.kind;
	what.id = seen.id;
	if (call_commit(call, &what))
		return -1;
	call_effect_record(call, what.resource.n ? what.resource.n : what.row);
	return 0;
}

static int host_reuse(struct lessor_call *base, uint32_t kind, const char *id, const char *name)
{
	struct call *call = call_of(base);
	struct lease_claim what = { .kind = CLAIM_REUSE, .resource_kind = kind, .id = id,
				    .text = call_text(name) };

	if (!id || !call_id_is_sane(id) || kind < LESSOR_KIND_SERVER || kind > LESSOR_KIND_OTHER)
		return call_violation(call, "reuse with a kind or id that cannot be one");
	return call_commit(call, &what);
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
}
