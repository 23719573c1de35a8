/* SPDX-License-Identifier: MIT */
/* Requests of clients: create, cancel-create, release, heartbeat; and the table of all requests. */
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#include "engine/moving.h"
#include "util/hash.h"
#include "util/text.h"

#define SLUG_MAX 41
#define SLUG_TRIES 20

/* Read-only tokens may not submit any request to the engine. */
static int may_change(struct engine_request *r)
{
	if (r->caller.role != TOKEN_READER)
		return 1;
	request_fail(r, RESULT_FORBIDDEN, "forbidden",
		     "this token is read-only; use one of role user "
		     "or admin");
	return 0;
}

/* ---- create ------------------------------------------------------------------------ */

static void lease_id_make(struct core *core, char id[24])
{
	unsigned char bytes[6];

	env_random(core->env, bytes, sizeof(bytes));
	memcpy(id, "cbx_", 4);
	hash_hex(bytes, sizeof(bytes), id + 4);
}

/*
 * Makes the slug unique among its owner's live leases. A slug in use gets a suffix, computed as
 * the client's original coordinator does: FNV-1a of "ID-N", 16 bits. `is_taken`: it is, as it
 * was asked for. 1: all variants are taken.
 */
static int slug_make_unique(struct core *core, struct lease *l, int is_taken, struct err *err)
{
	char wanted[sizeof(l->slug)];
	int taken = is_taken;

	TEXT_SET(wanted, l->slug);
	for (int i = 0; i < SLUG_TRIES; i++) {
		char seed[64];

		if (i)
			taken = store_slug_taken(core->store, l->slug, l->owner, l->org, err);
		if (taken <= 0)
			return taken;
		snprintf(seed, sizeof(seed), "%s-%d", l->id, i);
		snprintf(l->slug, sizeof(l->slug), "%.*s-%04x", SLUG_MAX - 5, wanted,
			 hash_fnv32(seed, strlen(seed)) & 0xffff);
	}
	return 1;
}

static void request_replay(struct engine_request *r, const struct lease_aggregate *a)
{
	r->result = RESULT_REPLAY;
	core_fill_answer(r, a);
}

/* The lease is of another account, whose engine answers, and waits if need be. */
static void create_is_of(struct engine_request *r, const struct lease *l)
{
	moving_fill(r);
	TEXT_SET(r->account, l->account);
}

/* A lease with this id exists: a replay if it is of the same attempt, otherwise a conflict. */
static void create_again(struct engine_request *r, const struct lease_aggregate *a)
{
	const struct lease *l = &a->lease;
	const char *token = r->create.attempt_token;

	if (!request_is_callers(r, l) || !token[0] || !l->attempt_token[0]) {
		request_fail(r, RESULT_CONFLICT, "lease_id_conflict",
			     "the lease id is in use; use a "
			     "new one");
	} else if (strcmp(token, l->attempt_token) != 0) {
		request_fail(r, RESULT_CONFLICT, "create_attempt_conflict",
			     "the lease id belongs to another create attempt; use a new one");
	} else if (!lease_is_live(l) && l->end_reason == LEASE_END_CANCELED) {
		request_fail(r, RESULT_CONFLICT, "create_canceled", "this create was cancelled");
		core_fill_answer(r, a);
	} else if (!lease_is_live(l)) {
		request_fail(r, RESULT_CONFLICT, "lease_state_changed", "the lease has ended");
		core_fill_answer(r, a);
	} else {
		request_replay(r, a);
	}
}

/* The Idempotency-Key was used before. Returns what create_replayed returns. */
static int create_known(struct core *core, struct engine_request *r, struct err *err)
{
	struct store_idempotency known;
	struct lease_aggregate *a;
	struct lease l;
	int rc;

	rc = store_idempotency_get(core->store, r->caller.owner, r->caller.org, r->idempotency_key,
				   &known, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (strcmp(known.hash, r->body_hash) != 0) {
		request_fail(r, RESULT_CONFLICT, "idempotency_key_reused",
			     "this Idempotency-Key was used for a different request; use a new one");
		return 1;
	}
	a = core_lease(core, known.lease_n, err);
	if (a)
		request_replay(r, a);
	else if (!core_only_account(core) || err->kind != ERR_REFUSED ||
		 store_lease_by_n(core->store, known.lease_n, &l, err))
		return -1;
	else
		create_is_of(r, &l);
	return 1;
}

/* The same for the lease of this id, which is of another account. */
static int create_again_elsewhere(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease l;

	if (store_lease_by_id(core->store, r->create.id, &l, err))
		return -1;
	if (request_is_callers(r, &l) && r->create.attempt_token[0] && l.attempt_token[0]) {
		create_is_of(r, &l);
		return 1;
	}
	request_fail(r, RESULT_CONFLICT, "lease_id_conflict",
		     "the lease id is in use in another account; use a new one");
	return 1;
}

/* 1: a repeated or cancelled create, answered from the store; 0: a new one; -1: error. */
static int create_replayed(struct core *core, struct engine_request *r,
			   const struct store_create_facts *facts, struct err *err)
{
	struct lease_aggregate *a;
	int rc = facts->has_key ? create_known(core, r, err) : 0;

	if (rc)
		return rc;
	if (facts->is_canceled) {
		request_fail(r, RESULT_CONFLICT, "create_canceled", "this create was cancelled");
		return 1;
	}
	if (!facts->has_id)
		return 0;
	rc = core_lease_by_id(core, r->create.id, &a, err);
	if (rc == 0)
		create_again(r, a);
	if (rc < 0 && core_only_account(core) && err->kind == ERR_REFUSED)
		return create_again_elsewhere(core, r, err);
	return rc < 0 ? -1 : rc == 0;
}

/* What the store's reserve is not for: whatever may cost money, or only adds to the history. */
static int create_is_refused(struct core *core, struct engine_request *r)
{
	if (store_state(core->store) != STORE_RESERVE)
		return 0;
	request_fail(r, RESULT_UNAVAILABLE, "store_unavailable",
		     "the disk of the broker's database is full: nothing new is created until it has "
		     "room; releases are accepted");
	return 1;
}

/* An operator has paused creates; those who repeat one that was accepted still get its lease. */
static int create_is_paused(struct core *core, struct engine_request *r)
{
	const struct limits_pause *pause = limits_pause_find(&core->config.limits,
							     r->create.account);

	if (!pause)
		return 0;
	request_fail_paused(r, pause);
	return 1;
}

static int create_new(struct core *core, struct engine_request *r,
		      const struct store_create_facts *facts, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_BEGIN, .u.boot_ms = core->config.boot_ms };
	enum capacity_answer capacity;
	struct lease *l = &r->create;
	struct core_account *account = core_account_find(core, l->account);
	struct lease_aggregate *a;
	int rc;

	if (!account) {
		request_fail(r, RESULT_INVALID, "invalid_provider",
			     "there is no account of this name; see: lessor providers");
		return 0;
	}
	if (account_is_blocked(account->account, NULL, 0)) {
		request_fail_blocked(r, account->account);
		return 0;
	}
	if (create_is_paused(core, r))
		return 0;
	TEXT_SET(l->owner, r->caller.owner);
	TEXT_SET(l->org, r->caller.org);
	if (!l->id[0])
		lease_id_make(core, l->id);
	capacity_price(core, l);
	capacity = capacity_ask(core, r, l, &facts->have, err);
	if (capacity >= CAPACITY_REFUSED)
		return capacity == CAPACITY_ERROR ? -1 : 0;
	event.u.is_queued = capacity == CAPACITY_WAIT;
	rc = slug_make_unique(core, l, facts->is_slug_taken, err);
	if (rc > 0)
		request_fail(r, RESULT_CONFLICT, "slug_taken",
			     "the slug and all its variants are in use; choose another");
	if (rc)
		return rc < 0 ? -1 : 0;
	a = aggregates_begin(l);
	if (core_apply(core, a, &event, NULL, err)) {
		if (!a->lease.n)
			aggregates_abandon(a);
		return -1;
	}
	if (r->idempotency_key[0]) {
		struct store_idempotency known = { .lease_n = a->lease.n };

		TEXT_SET(known.hash, r->body_hash);
		if (store_idempotency_put(core->store, r->caller.owner, r->caller.org,
					  r->idempotency_key, &known, a->lease.created_ms, err))
			return -1;
	}
	r->result = RESULT_CREATED;
	core_fill_answer(r, a);
	return 0;
}

/* 1: not to be had, the request is refused; nothing is written yet. */
static int create_lock(struct core *core, struct engine_request *r, struct err *err)
{
	int rc = store_create_lock(core->store, err);

	if (rc == 1)
		request_fail_store(r, err);
	return rc;
}

static int request_create(struct core *core, struct engine_request *r, struct err *err)
{
	struct store_create create = {
		.owner = r->caller.owner,
		.org = r->caller.org,
		.account = r->create.account,
		.slug = r->create.slug,
		.key = r->idempotency_key,
		.id = r->create.id,
		.attempt_token = r->create.attempt_token,
	};
	struct store_create_facts facts;
	/* Before it is looked for: another daemon may be about to create it, or cancel it. */
	int rc = create_lock(core, r, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (store_create_facts(core->store, &create, &facts, err))
		return -1;
	rc = create_replayed(core, r, &facts, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	return create_is_refused(core, r) ? 0 : create_new(core, r, &facts, err);
}

/* ---- release, cancel, extend, heartbeat -------------------------------------------------------- */

/* Applies what was asked for, and answers with the lease as it is then. */
static int lease_change(struct core *core, struct engine_request *r, struct lease_aggregate *a,
			const struct lease_event *event, struct err *err)
{
	struct lease_effects out;

	if (core_apply_request(core, a, event, r, &out, err))
		return -1;
	if (out.refusal)
		request_refuse(r, out.refusal);
	else
		r->result = RESULT_OK;
	core_fill_answer(r, a);
	return 0;
}

static int lease_release(struct core *core, struct engine_request *r, struct lease_aggregate *a,
			 const struct lease_release *how, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_RELEASE, .u.release = *how };

	return lease_change(core, r, a, &event, err);
}

/*
 * A slug may have been meant for another lease that had it: what somebody asked to keep is
 * deleted only by its id.
 */
static int release_needs_id(const struct engine_request *r, const struct lease *l)
{
	return r->delete_machine == 1 && l->retained && !lease_is_live(l) &&
	       strcmp(r->ref, l->id) != 0;
}

static int request_release(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease_release how = {
		.delete_machine = r->delete_machine,
		.until_ms = r->retain_until_ms,
		.reason = r->reason,
	};
	struct lease_aggregate *a = request_find_lease(core, r);

	if (!a)
		return 0;
	if (release_needs_id(r, &a->lease)) {
		request_fail(r, RESULT_CONFLICT, "retained_needs_id",
			     "the lease has ended and its machine is kept; to delete that, use its id: "
			     "%s",
			     a->lease.id);
		core_fill_answer(r, a);
		return 0;
	}
	return lease_release(core, r, a, &how, err);
}

static int request_cancel(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease_release how = { .is_cancel = 1, .reason = "" };
	struct lease_aggregate *a;
	int rc = create_lock(core, r, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	rc = core_lease_by_id(core, r->ref, &a, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		/* The create has not arrived; the stored cancellation will refuse it. */
		if (store_create_cancel(core->store, r->ref, r->attempt_token, r->caller.owner,
					r->caller.org, core_now(core), err))
			return -1;
		r->result = RESULT_OK;
		return 0;
	}
	if (!request_is_callers(r, &a->lease)) {
		request_fail(r, RESULT_NOT_FOUND, "not_found", "no such create attempt");
		return 0;
	}
	if (strcmp(a->lease.attempt_token, r->attempt_token) != 0) {
		request_fail(r, RESULT_CONFLICT, "create_attempt_conflict",
			     "the lease id belongs to another create attempt");
		return 0;
	}
	if (request_is_over(r, a))
		return 0;
	/* A retained lease stays retained: only an explicit delete ends that. */
	how.delete_machine = a->lease.retained ? -1 : 1;
	return lease_release(core, r, a, &how, err);
}

static int request_extend(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_EXTEND,
		.u.extension = { .ttl_ms = r->extend_ttl_ms, .idle_ms = r->extend_idle_ms },
	};
	struct lease_aggregate *a = request_find_lease(core, r);
	int rc;

	if (!a)
		return 0;
	/* What it takes of the month is decided by totals that other daemons' creates change, too. */
	rc = core_has_month_limit(core, &a->lease) ? create_lock(core, r, err) : 0;
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = core_extension_check(core, a, r->extend_ttl_ms, &r->limit, err);
	if (rc) {
		request_fail(r, RESULT_LIMIT, "cost_limit_exceeded",
			     "the money of the month does not suffice for the longer lease");
		core_fill_answer(r, a);
		return rc < 0 ? -1 : 0;
	}
	return lease_change(core, r, a, &event, err);
}

static int request_heartbeat(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_HEARTBEAT, .u.idle_ms = r->idle_ms };
	struct lease_aggregate *a = request_find_lease(core, r);
	struct lease_effects out;

	if (!a)
		return 0;
	if (core_apply(core, a, &event, &out, err))
		return -1;
	r->lease = a->lease;
	if (out.refusal) {
		request_refuse(r, out.refusal);
		return 0;
	}
	if (r->sample[0] && store_state(core->store) != STORE_RESERVE &&
	    store_telemetry_add(core->store, a->lease.n, r->sample_ms, r->sample, err))
		return -1;
	r->result = RESULT_OK;
	return 0;
}

/* ---- the table ------------------------------------------------------------------------- */

static const struct {
	int (*handle)(struct core *core, struct engine_request *r, struct err *err);
	/* It writes only rows that are not cached; on an error a savepoint undoes them. */
	int is_undone;
} requests[] = {
	[REQUEST_CREATE] = { request_create, 0 },
	[REQUEST_CANCEL_CREATE] = { request_cancel, 0 },
	[REQUEST_RELEASE] = { request_release, 0 },
	[REQUEST_HEARTBEAT] = { request_heartbeat, 0 },
	[REQUEST_EXTEND] = { request_extend, 0 },
	[REQUEST_RESOLVE] = { core_request_resolve, 0 },
	[REQUEST_SWEEP] = { core_request_sweep, 0 },
	[REQUEST_POOL] = { core_request_pool, 0 },
	[REQUEST_SHARE] = { core_request_share, 1 },
	[REQUEST_ACCOUNT] = { core_request_account, 0 },
};

static int request_handle(struct core *core, struct engine_request *r, struct err *err)
{
	int is_undone = requests[r->kind].is_undone;

	if (is_undone && store_savepoint(core->store, err))
		return -1;
	if (requests[r->kind].handle(core, r, err) == 0)
		return is_undone ? store_savepoint_keep(core->store, err) : 0;
	/* Of another account: nothing was written, and the request belongs to another engine. */
	if (core_only_account(core) && err->kind == ERR_REFUSED && !store_broken(core->store)) {
		moving_fill(r);
		return 0;
	}
	if (is_undone)
		store_savepoint_undo(core->store);
	else
		/* Parts of it may be written, and memory may differ: give up the whole batch. */
		store_break(core->store);
	return -1;
}

void core_prefetch(struct core *core, const struct engine_request *r)
{
	struct lease_aggregate *a;

	/* Ids only: a create has no `ref`, and a slug is looked up together with its owner. */
	if (strncmp(r->ref, "cbx_", 4) == 0)
		core_lease_by_id(core, r->ref, &a, NULL);
}

void core_request(struct core *core, struct engine_request *r)
{
	struct err err = { 0 };

	if (core->draining) {
		request_fail(r, RESULT_UNAVAILABLE, "shutting_down",
			     "the broker is stopping; try again");
		core_answer(core, r);
		return;
	}
	if (!may_change(r)) {
		core_answer(core, r);
		return;
	}
	if (request_handle(core, r, &err)) {
		request_fail_store(r, &err);
		core_answer(core, r);
		return;
	}
	if (r->result == RESULT_CREATED || r->result == RESULT_REPLAY ||
	    (r->result == RESULT_OK && r->kind == REQUEST_RELEASE))
		core_wait(core, r);
	else if (r->result != RESULT_PENDING)
		core_answer(core, r);
}
