/* SPDX-License-Identifier: MIT */
/*
 * What a plugin tells the ledger, and what it asks of it. The engine decides;
 * here it is checked that the plugin may ask at all, and remembered what this
 * operation has leave for, since call_http.c sends nothing without.
 */
#include "provider/call.h"

#include <stdio.h>
#include <string.h>

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

static struct call_effect *effect_need(struct call *call, int64_t row)
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

/* inspect settles what is unknown by looking, and does nothing else to the ledger. */
static int may_commit(const struct step *step, enum step_commit_kind kind)
{
	switch (step->op) {
	case STEP_PROVISION:
	case STEP_CLEANUP:
	case STEP_PROBE:
		return 1;
	case STEP_INSPECT:
		return kind == COMMIT_ADOPT || kind == COMMIT_NOT_SEEN;
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
	effect_need(call, what.row)->intended = 1;
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

static int host_created(struct lessor_call *base, int64_t row, const char *id, const char *action)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_CREATED, .row = row, .id = id,
				    .action = action ? action : "" };

	if (!row_of(call, row, "created"))
		return -1;
	/* what a look-up finds goes through adopt, which checks whose it is */
	if (!call_effect_find(call, row) || !call_effect_find(call, row)->intended)
		return call_violation(call,
				      "created of a row that this step did not intend; use adopt");
	if (!id || !id_is_sane(id) || !action_is_sane(what.action))
		return call_violation(call, "created with an id or action that cannot be one");
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
	if (effect->doubtful && !DEFECT(3)) {
		call_violation(call, "not_created though the answer does not say so; kept as unknown");
		what.kind = COMMIT_UNKNOWN;
		commit(call, &what);
		effect->recorded = 1;
		return -1;
	}
	if (commit(call, &what))
		return -1;
	effect->recorded = 1;
	effect->intended = 0;
	return 0;
}

static int host_not_seen(struct lessor_call *base, int64_t row)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_NOT_SEEN, .row = row };

	return row_of(call, row, "not_seen") ? commit(call, &what) : -1;
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

/* ---- unmaking ---- */

static int host_permit_delete(struct lessor_call *base, int64_t row,
			      const struct lessor_observed *from)
{
	struct call *call = call_of(base);
	const struct resource *resource = row_of(call, row, "permit_delete");
	struct lessor_observed seen;
	struct step_commit what = { .kind = COMMIT_PERMIT, .row = row, .seen = &seen };

	if (!resource || seen_copy(call, &seen, from, "permit_delete"))
		return -1;
	if (call->effect_count == CALL_EFFECTS_MAX && !call_effect_find(call, row))
		return call_violation(call, "more than %d effects in one step", CALL_EFFECTS_MAX);
	if (commit(call, &what))
		return -1;
	/* the row may have moved in memory, and its id is what the leave is for */
	resource = ledger_find(&call->step->ledger, row);
	if (!resource || strcmp(resource->id, seen.id) != 0)
		return call_violation(call, "permit_delete of id %s, which is not the row's",
				      seen.id);
	struct call_effect *effect = effect_need(call, row);
	effect->permitted = 1;
	memcpy(effect->id, resource->id, sizeof(effect->id));
	return 0;
}

static int host_deleting(struct lessor_call *base, int64_t row, const char *action)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_DELETING, .row = row,
				    .action = action ? action : "" };

	if (!row_of(call, row, "deleting"))
		return -1;
	if (!action_is_sane(what.action))
		return call_violation(call, "deleting with an action that cannot be one");
	if (commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

static int host_still_there(struct lessor_call *base, int64_t row, const char *reason)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_STILL_THERE, .row = row,
				    .text = text_of(reason) };

	if (!row_of(call, row, "still_there") || commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

static int host_gone(struct lessor_call *base, int64_t row, const char *evidence)
{
	struct call *call = call_of(base);
	struct step_commit what = { .kind = COMMIT_GONE, .row = row, .text = text_of(evidence) };

	if (!row_of(call, row, "gone"))
		return -1;
	if (!what.text[0])
		return call_violation(call, "gone without evidence");
	if (commit(call, &what))
		return -1;
	effect_record(call, row);
	return 0;
}

void call_ledger_check(struct call *call)
{
	for (size_t i = 0; i < call->effect_count; i++) {
		const struct call_effect *effect = &call->effects[i];
		const struct resource *row = ledger_find(&call->step->ledger, effect->row);
		if (effect->sent && effect->intended && !effect->recorded && row &&
		    row->state == LESSOR_STATE_INTENDED)
			call_violation(call,
				       "a create for row %lld was sent and its outcome not told",
				       (long long)effect->row);
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
	host->still_there = host_still_there;
	host->gone = host_gone;
}
