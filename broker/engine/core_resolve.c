/* SPDX-License-Identifier: MIT */
/*
 * What people decide about a lease that cannot go on by itself: try again, forget
 * a resource, or say which one it is. Each is a line of the timeline with who and
 * why. None of them deletes anything: a delete is ordinary cleanup's, behind
 * the one gate, after a read that proves the resource to be ours.
 */
#include "engine/core_internal.h"

#include <stdio.h>
#include <string.h>

#include "lease/absence.h"
#include "util/text.h"

struct resolving {
	struct core *core;
	struct engine_request *r;
	struct lease l;
	struct ledger ledger;
	int done;		/* rows that were changed */
};

static int tell(struct resolving *v, const struct resource *row, const char *verb, struct err *err)
{
	char what[128] = "";

	if (row)
		snprintf(what, sizeof(what), "%s %s%s%s ", resource_kind_name(row->kind),
			 row->name, row->id[0] ? " id " : "", row->id);
	if (core_note(v->core, v->l.n, "lease.resolved", "%s: %sby %s%s%s", verb, what,
		      v->r->caller.owner, v->r->reason[0] ? ": " : "", v->r->reason))
		return err_set(err, ERR_IO, "a decision could not be written into the timeline");
	core_tell(v->core, &(struct tell){ .level = LOG_LEVEL_NOTICE, .lease = v->l.id,
					   .account = v->l.account, .event = "lease.resolved" },
		  "lease %s: %s%s%s by %s%s%s", v->l.id, what, what[0] ? "is " : "", verb,
		  v->r->caller.owner, v->r->reason[0] ? ": " : "", v->r->reason);
	return 0;
}

static int row_set(struct resolving *v, struct resource *row, uint32_t state, const char *verb,
		   struct err *err)
{
	char evidence[sizeof(row->evidence)];

	snprintf(evidence, sizeof(evidence), "%s by %.60s: %.80s", verb, v->r->caller.owner,
		 v->r->reason);
	row->state = state;
	row->changed_ms = core_now(v->core);
	row->action[0] = '\0';
	absence_reset(row);
	TEXT_SET(row->evidence, evidence);
	v->done++;
	return tell(v, row, verb, err) || store_resource_update(v->core->store, row, err) ? -1 : 0;
}

/* What follows for the lease, told of its ledger as it now is. */
static int apply(struct resolving *v, void (*event)(struct lease *l, const struct lease_facts *facts,
						    struct lease_outcome *out), struct err *err)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;

	if (core_facts(v->core, &v->l, NULL, &facts, err))
		return -1;
	event(&v->l, &facts, &out);
	if (out.refusal) {
		core_say(v->r, RESULT_CONFLICT, out.refusal, "there is nothing to try again");
		return 0;
	}
	if (core_apply(v->core, &v->l, &out, err))
		return -1;
	v->r->result = RESULT_OK;
	core_fill_answer(v->core, v->r, &v->l);
	return 0;
}

static int retry(struct resolving *v, struct err *err)
{
	struct core_account *a = core_account_find(v->core, v->l.account);

	if (apply(v, lease_retry, err))
		return -1;
	if (v->r->result != RESULT_OK)
		return 0;
	if (tell(v, NULL, "retry", err))
		return -1;
	/* If it waits for its account, that is what must be tried. */
	if (a && account_is_blocked(a->account, NULL, 0))
		core_probe_soon(v->core, a);
	return 0;
}

static int forget(struct resolving *v, struct err *err)
{
	/* The delete that was permitted may be on its way: saying yes would be a lie. */
	for (size_t i = 0; i < v->ledger.resource_count; i++) {
		uint32_t state = v->ledger.resources[i].state;

		if (state != LESSOR_STATE_DELETE_AUTHORIZED &&
		    state != LESSOR_STATE_UNPROTECT_AUTHORIZED)
			continue;
		core_say(v->r, RESULT_CONFLICT, "cleanup_in_progress",
			 "something of it is being deleted just now");
		return 0;
	}
	for (size_t i = 0; i < v->ledger.resource_count; i++) {
		struct resource *row = &v->ledger.resources[i];

		if (!resource_is_residue(row) || (v->r->row && v->r->row != row->n))
			continue;
		if (row_set(v, row, LESSOR_STATE_DISOWNED, "forgotten", err))
			return -1;
	}
	if (!v->done) {
		core_say(v->r, RESULT_CONFLICT, "nothing_to_forget",
			 "its ledger holds nothing of ours that may exist under that row");
		return 0;
	}
	return apply(v, lease_forgot, err);
}

/* The row that is meant: the one that was named, or the only one that has no id. */
static struct resource *row_meant(struct resolving *v)
{
	struct resource *only = NULL;
	int count = 0;

	for (size_t i = 0; i < v->ledger.resource_count; i++) {
		struct resource *row = &v->ledger.resources[i];

		if (!row->ours)
			continue;
		if (v->r->row == row->n)
			return row;
		if (!v->r->row && resource_is_residue(row) && !row->id[0]) {
			only = row;
			count++;
		}
	}
	return count == 1 ? only : NULL;
}

static int adopt(struct resolving *v, struct err *err)
{
	struct resource *row = row_meant(v);
	int64_t claim = 0;

	if (!row) {
		core_say(v->r, RESULT_CONFLICT, "no_such_resource",
			 "name the row of its ledger that this resource is of");
		return 0;
	}
	if (store_resource_claim(v->core->store, row->account, row->kind, v->r->resource_id, &claim,
				 err))
		return -1;
	if (claim && claim != row->n) {
		core_say(v->r, RESULT_CONFLICT, "resource_claimed",
			 "row %lld of a ledger names this resource already", (long long)claim);
		return 0;
	}
	if (row->state == LESSOR_STATE_DELETE_AUTHORIZED ||
	    row->state == LESSOR_STATE_UNPROTECT_AUTHORIZED) {
		core_say(v->r, RESULT_CONFLICT, "cleanup_in_progress",
			 "something of it is being deleted just now");
		return 0;
	}
	/* What is known of another thing says nothing of this one. */
	if (strcmp(row->id, v->r->resource_id) != 0) {
		row->protect_by = PROTECT_NOT_OURS;
		row->label_known = 0;
		row->deletes_unknown = 0;
	}
	TEXT_SET(row->id, v->r->resource_id);
	if (v->l.retained && row->retain_epoch < v->l.epoch)
		row->retain_epoch = v->l.epoch;
	row->marked_ms = 0;
	if (row_set(v, row, v->l.retained ? LESSOR_STATE_RETAINED : LESSOR_STATE_PRESENT, "adopted",
		    err))
		return -1;
	return apply(v, lease_owes, err);
}

int core_request_resolve(struct core *core, struct engine_request *r, struct err *err)
{
	struct resolving v = { .core = core, .r = r };
	int rc;

	if (r->resolve != RESOLVE_RETRY && r->caller.role != TOKEN_ADMIN) {
		core_say(r, RESULT_FORBIDDEN, "forbidden", "only an admin may decide this");
		return 0;
	}
	if (core_find(core, r, &v.l))
		return 0;
	if (r->resolve != RESOLVE_RETRY && lease_is_live(&v.l)) {
		core_say(r, RESULT_CONFLICT, "lease_alive", "the lease is alive; release it first");
		return 0;
	}
	if (store_ledger(core->store, v.l.n, &v.ledger, err))
		return -1;
	rc = r->resolve == RESOLVE_RETRY ? retry(&v, err) :
	     r->resolve == RESOLVE_FORGET ? forget(&v, err) : adopt(&v, err);
	ledger_fini(&v.ledger);
	return rc;
}
