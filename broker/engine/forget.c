/* SPDX-License-Identifier: MIT */
/*
 * An operator forgets what a lease may have left. What can still be found is not forgotten: the
 * account's inventory is read first, one kind after the other, and an object that is provably the
 * resource of a row refuses the request, with the command that resolves it. What is there and is
 * not provably ours, since a person took it over, may be forgotten. An operator who names the row
 * decides about what the ledger knows of it, even if it is there or the account cannot be asked;
 * but not about what was found under another id.
 */
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#include "lease/absence.h"
#include "util/text.h"

/* Its address marks the lists of this file. */
static char forget_mark;

int core_is_forget(const struct step *step)
{
	return step->op == STEP_LIST && step->owner_data == &forget_mark;
}

static int is_meant(const struct resource *row, const struct engine_request *r)
{
	return resource_is_residue(row) && (!r->row || r->row == row->n);
}

/* The next kind, after `after`, of which a row would be forgotten; 0: none. */
static uint32_t next_kind(const struct lease_aggregate *a, const struct engine_request *r,
			  uint32_t after)
{
	uint32_t kind = 0;

	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		const struct resource *row = &a->ledger.resources[i];

		if (is_meant(row, r) && row->kind > after && (!kind || row->kind < kind))
			kind = row->kind;
	}
	return kind;
}

static void list_start(struct core *core, struct core_account *account, uint32_t kind)
{
	struct step *step = core_step_begin(core, account, STEP_LIST, 0);

	/* Like all account tasks, it does not count towards max_steps. */
	account->running--;
	step->list_kind = kind;
	step->owner_data = &forget_mark;
}

/* Nothing is concluded from absence in a frozen account. -1: it is; the answer says so. */
static int check_frozen(const struct core_account *account, struct engine_request *r)
{
	if (!account->frozen[0])
		return 0;
	request_fail(r, RESULT_UNAVAILABLE, "account_frozen",
		     "account %s is frozen until it is compared with the database, so nothing was "
		     "forgotten; see: lessor sweep; to forget a row all the same, name it: --resource "
		     "ROW",
		     account->account->config.name);
	return -1;
}

/* Can the account be asked? -1: no, and the answer says why. */
static int check_account(const struct core *core, const struct core_account *account,
			 const struct lease *l, struct engine_request *r)
{
	if (!account)
		request_fail(r, RESULT_UNAVAILABLE, "inventory_unavailable",
			     "account %s is not configured, so it cannot be asked what is left; "
			     "nothing was forgotten; to forget a row unseen, name it: --resource ROW",
			     l->account);
	else if (account_is_blocked(account->account, NULL, 0))
		request_fail(r, RESULT_UNAVAILABLE, "inventory_unavailable",
			     "account %s is blocked, so it cannot be asked what is left; nothing was "
			     "forgotten; to forget a row unseen, name it: --resource ROW",
			     l->account);
	else if (!core_account_is_verified(core, account))
		request_fail(r, RESULT_UNAVAILABLE, "account_unproven",
			     "account %s is not verified yet; nothing was forgotten; try again",
			     l->account);
	else
		return check_frozen(account, r);
	return -1;
}

/* Is a step of the lease running, or can a create of it still show? -1: yes; the answer says so. */
static int check_settled(struct core *core, const struct lease_aggregate *a,
			 struct engine_request *r)
{
	struct lease_facts facts = core_facts(core, a);
	struct absence_facts absence = { .settle_ms = facts.settle_ms,
					 .store_ahead_ms = facts.store_ahead_ms };

	if (facts.running) {
		request_refuse(r, LEASE_REFUSAL_CLEANUP_RUNS);
		return -1;
	}
	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		const struct resource *row = &a->ledger.resources[i];
		int64_t left_ms;

		if (!is_meant(row, r) || !lessor_state_is_unsettled(row->state) || row->absent_count)
			continue;
		left_ms = absence_next_ms(row, &absence) - facts.now_ms;
		if (left_ms <= 0)
			continue;
		request_fail(r, RESULT_CONFLICT, "resource_found",
			     "whether %s %s was created is known in %lld s; nothing was forgotten",
			     resource_kind_name(row->kind), row->name,
			     (long long)((left_ms + 999) / 1000));
		return -1;
	}
	return 0;
}

/* Refuses: the row's resource was found under that id. */
static void refuse_found(struct engine_request *r, const struct lease *l,
			 const struct resource *row, const char *id)
{
	const char *kind = resource_kind_name(row->kind);

	if (!row->id[0] || strcmp(row->id, id) != 0)
		request_fail(r, RESULT_CONFLICT, "resource_found",
			     "%s %s exists, with id %s: lessor resolve %s adopt %s --resource %lld "
			     "--reason TEXT",
			     kind, row->name, id, l->id, id, (long long)row->n);
	else if (l->retained)
		request_fail(r, RESULT_CONFLICT, "resource_found",
			     "%s %s (id %s) exists and is kept: lessor release %s --delete", kind,
			     row->name, id, l->id);
	else
		request_fail(r, RESULT_CONFLICT, "resource_found",
			     "%s %s (id %s) exists and is ours: lessor resolve %s retry", kind,
			     row->name, id, l->id);
}

/*
 * Does the request decide about a resource that is there under the id that the ledger has? If its
 * row is named; or if the provider's machines boot with nothing of ours: they were there before
 * their leases, and are there in any case.
 */
static int is_decided(const struct step *step, const struct engine_request *r)
{
	return r->row || !(step->account->table->capabilities & LESSOR_CAN_USER_DATA);
}

/* Is a row's resource in the list? -1: it is, and the answer says so. */
static int check_listed(const struct core *core, const struct lease_aggregate *a,
			const struct step *step, struct engine_request *r)
{
	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		const struct resource *row = &a->ledger.resources[i];
		struct resource any = *row;

		if (!is_meant(row, r) || row->kind != step->list_kind)
			continue;
		any.id[0] = '\0';
		for (size_t k = 0; k < step->listed_count; k++) {
			const struct lessor_observed *seen = &step->listed[k].seen;
			struct err why = { 0 };

			if (ledger_verify(&core->signer, row->account, &a->lease, &any, seen,
					  &why) ||
			    (is_decided(step, r) && strcmp(row->id, seen->id) == 0))
				continue;
			refuse_found(r, &a->lease, row, seen->id);
			return -1;
		}
	}
	return 0;
}

static int forget_apply(struct core *core, struct lease_aggregate *a, struct engine_request *r,
			struct err *err)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_FORGET,
		.u.decision = { .row = r->row, .by = r->caller.owner, .reason = r->reason },
	};
	struct lease_effects out;

	if (core_apply_request(core, a, &event, r, &out, err))
		return -1;
	if (out.refusal) {
		request_refuse(r, out.refusal);
		return 0;
	}
	r->result = RESULT_OK;
	core_fill_answer(r, a);
	return 0;
}

int core_request_forget(struct core *core, struct lease_aggregate *a, struct engine_request *r,
			struct err *err)
{
	struct core_account *account = core_account_find(core, a->lease.account);
	uint32_t kind = next_kind(a, r, 0);

	/* Nothing can be forgotten: the rules say why. */
	if (!kind || lease_is_live(&a->lease))
		return forget_apply(core, a, r, err);
	if (check_account(core, account, &a->lease, r))
		return r->row ? forget_apply(core, a, r, err) : 0;
	if (check_settled(core, a, r))
		return 0;
	/* One at a time in an account: the list answers the first that waits. */
	if (account->is_forgetting) {
		request_fail(r, RESULT_UNAVAILABLE, "inventory_unavailable",
			     "another request to forget is being checked; try again");
		return 0;
	}
	list_start(core, account, kind);
	account->is_forgetting = 1;
	r->result = RESULT_PENDING;
	r->lease = a->lease;
	STAILQ_INSERT_HEAD(&core->forget_waiters, r, link);
	return 0;
}

/* One kind was listed. 1: the next one is being listed; 0: the request is answered; -1: error. */
static int forget_continue(struct core *core, struct core_account *account, const struct step *step,
			   struct engine_request *r, struct err *err)
{
	struct lease_aggregate *a = request_find_lease(core, r);
	uint32_t kind;

	if (!a)
		return 0;
	if (step->verdict != LESSOR_DONE && r->row)
		return forget_apply(core, a, r, err);
	if (step->verdict != LESSOR_DONE) {
		request_fail(r, RESULT_UNAVAILABLE, "inventory_unavailable",
			     "cannot read the provider's inventory, so nothing was forgotten; try "
			     "again");
		return 0;
	}
	if (!r->row && check_frozen(account, r))
		return 0;
	if (check_settled(core, a, r) || check_listed(core, a, step, r))
		return 0;
	kind = next_kind(a, r, step->list_kind);
	if (!kind)
		return forget_apply(core, a, r, err);
	list_start(core, account, kind);
	return 1;
}

int core_forget_done(struct core *core, struct core_account *account, const struct step *step,
		     struct err *err)
{
	struct engine_request *r;
	int rc;

	STAILQ_FOREACH(r, &core->forget_waiters, link) {
		if (strcmp(r->lease.account, account->account->config.name) == 0)
			break;
	}
	/* Answered by a shutdown. */
	if (!r)
		return 0;
	rc = forget_continue(core, account, step, r, err);
	if (rc > 0)
		return 0;
	account->is_forgetting = 0;
	STAILQ_REMOVE(&core->forget_waiters, r, engine_request, link);
	if (rc)
		request_fail_store(r, err);
	core_answer(core, r);
	return rc;
}

void core_forget_drain(struct core *core)
{
	struct engine_request *r;

	while ((r = STAILQ_FIRST(&core->forget_waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&core->forget_waiters, link);
		request_fail(r, RESULT_UNAVAILABLE, "shutting_down",
			     "the broker is stopping; try again");
		core_answer(core, r);
	}
}
