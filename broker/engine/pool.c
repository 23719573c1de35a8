/* SPDX-License-Identifier: MIT */
/*
 * The pool: the servers in the provider's inventory, on an operator's request. Nothing is
 * concluded from it here. A list costs one provider call per fifty machines, so one list
 * answers all requests within a few seconds.
 */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "lease/orphan.h"
#include "util/alloc.h"
#include "util/text.h"

#define FRESH_MS 5000
#define MACHINES_MAX 10000 /* per account; the rest is left out */

/* Its address marks the pool's lists. */
static char pool_mark;

int core_is_pool(const struct step *step)
{
	return step->op == STEP_LIST && step->owner_data == &pool_mark;
}

static int is_requested(const struct engine_request *r, const struct core_account *a)
{
	return !r->expected_account[0] ||
	       strcmp(r->expected_account, a->account->config.name) == 0;
}

/* Has every inventory that the request needs been read? */
static int is_complete(const struct core *core, const struct engine_request *r)
{
	for (size_t i = 0; i < core->account_count; i++) {
		if (is_requested(r, &core->accounts[i]) && core->accounts[i].is_listing)
			return 0;
	}
	return 1;
}

static void pool_answer(struct core *core, struct engine_request *r)
{
	size_t count = 0;

	for (size_t i = 0; i < core->account_count; i++) {
		if (is_requested(r, &core->accounts[i]))
			count += core->accounts[i].listed_count;
	}
	r->pool = xcalloc(count ? count : 1, sizeof(*r->pool));
	for (size_t i = 0; i < core->account_count; i++) {
		const struct core_account *a = &core->accounts[i];

		if (!is_requested(r, a) || !a->listed_count)
			continue;
		memcpy(r->pool + r->pool_count, a->listed, a->listed_count * sizeof(*a->listed));
		r->pool_count += a->listed_count;
	}
	r->result = RESULT_OK;
}

static void machine_fill(const struct core *core, const char *account,
			 const struct lessor_observed *seen, struct pool_machine *ret)
{
	struct orphan s;

	TEXT_SET(ret->account, account);
	TEXT_SET(ret->id, seen->id);
	TEXT_SET(ret->name, seen->name);
	TEXT_SET(ret->status, seen->status);
	TEXT_SET(ret->type, seen->type);
	TEXT_SET(ret->address, seen->address);
	if (orphan_read(&core->signer, account, seen, &s))
		TEXT_SET(ret->lease, s.lease);
	for (size_t i = 0; i < seen->label_count && ret->label_count < POOL_LABELS_MAX; i++) {
		TEXT_SET(ret->labels[ret->label_count].key, seen->labels[i].key);
		TEXT_SET(ret->labels[ret->label_count].value, seen->labels[i].value);
		ret->label_count++;
	}
}

void core_pool_done(struct core *core, struct core_account *a, struct step *step)
{
	struct engine_request *next;
	int failed = step->verdict != LESSOR_DONE;

	a->is_listing = 0;
	if (failed) {
		a->listed_ms = 0;
	} else {
		free(a->listed);
		a->listed_count = step->listed_count < MACHINES_MAX ? step->listed_count :
				  MACHINES_MAX;
		a->listed = xcalloc(a->listed_count ? a->listed_count : 1, sizeof(*a->listed));
		for (size_t i = 0; i < a->listed_count; i++)
			machine_fill(core, a->account->config.name, &step->listed[i].seen,
				     &a->listed[i]);
	}
	for (struct engine_request *r = STAILQ_FIRST(&core->pool_waiters); r; r = next) {
		next = STAILQ_NEXT(r, link);
		if (!is_requested(r, a) || (!failed && !is_complete(core, r)))
			continue;
		STAILQ_REMOVE(&core->pool_waiters, r, engine_request, link);
		if (failed)
			request_fail(r, RESULT_UNAVAILABLE, "inventory_unavailable",
				     "cannot read the provider's inventory; try again, and see: lessor "
				     "providers");
		else
			pool_answer(core, r);
		core_answer(core, r);
	}
}

static void list_start(struct core *core, struct core_account *a)
{
	struct step *step = core_step_begin(core, a, STEP_LIST, 0);

	/* Like all account tasks, it does not count towards max_steps. */
	a->running--;
	step->list_kind = LESSOR_KIND_SERVER;
	step->owner_data = &pool_mark;
	a->is_listing = 1;
	a->listed_ms = core_now(core);
}

/* Can the accounts of the request be listed? -1: no, and its answer says why. */
static int check_accounts(struct core *core, struct engine_request *r)
{
	int found = 0;

	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		if (!is_requested(r, a))
			continue;
		found = 1;
		if (account_is_blocked(a->account, NULL, 0)) {
			request_fail_blocked(r, a->account);
			return -1;
		}
		if (!core_account_is_verified(core, a)) {
			request_fail(r, RESULT_UNAVAILABLE, "account_unproven",
				     "account %s is not verified yet; try again in some seconds",
				     a->account->config.name);
			return -1;
		}
	}
	if (!found)
		request_fail(r, RESULT_INVALID, "invalid_provider",
			     "there is no account of this name; see: lessor providers");
	return found ? 0 : -1;
}

int core_request_pool(struct core *core, struct engine_request *r, struct err *err)
{
	int64_t now = core_now(core);

	(void)err;
	if (r->caller.role != TOKEN_ADMIN) {
		request_fail(r, RESULT_FORBIDDEN, "forbidden",
			     "only an admin may see the inventory");
		return 0;
	}
	if (check_accounts(core, r))
		return 0;
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		if (is_requested(r, a) && !a->is_listing &&
		    (!a->listed_ms || now - a->listed_ms >= FRESH_MS || now < a->listed_ms))
			list_start(core, a);
	}
	if (is_complete(core, r)) {
		pool_answer(core, r);
		return 0;
	}
	r->result = RESULT_PENDING;
	STAILQ_INSERT_HEAD(&core->pool_waiters, r, link);
	return 0;
}

void core_pool_drain(struct core *core)
{
	struct engine_request *r;

	while ((r = STAILQ_FIRST(&core->pool_waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&core->pool_waiters, link);
		request_fail(r, RESULT_UNAVAILABLE, "shutting_down",
			     "the broker is stopping; try again");
		core_answer(core, r);
	}
}
