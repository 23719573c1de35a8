/* SPDX-License-Identifier: MIT */
/* What clients ask for: create, cancel-create, release, heartbeat. */
#include "engine/core_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/defect.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"

#define SLUG_MAX 41
#define SLUG_TRIES 20

void core_say(struct engine_request *r, enum request_result result, const char *code,
	      const char *fmt, ...)
{
	va_list ap;

	r->result = result;
	TEXT_SET(r->code, code);
	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
}

static void answer_error(struct engine_request *r, const struct err *err)
{
	log_error(LOG_FIELDS({ "error", err->text }), "a request could not be stored");
	core_say(r, RESULT_UNAVAILABLE, "store_unavailable", "the request could not be stored; try again");
}

/* Readers change nothing; an admin may act for others. */
static int may_change(struct engine_request *r)
{
	if (r->caller.role != TOKEN_READER)
		return 1;
	core_say(r, RESULT_FORBIDDEN, "forbidden", "this token may only read");
	return 0;
}

static int is_callers(const struct engine_request *r, const struct lease *l)
{
	return r->caller.role == TOKEN_ADMIN ||
	       (strcmp(r->caller.owner, l->owner) == 0 && strcmp(r->caller.org, l->org) == 0);
}

/* By id, else by slug among the live ones. As store_lease_visible. */
static int find_visible(struct core *core, const struct engine_request *r,
			enum store_sharing sharing, struct lease *l, struct err *err)
{
	struct store_scope scope = {
		.all = DEFECT(36) || r->caller.role == TOKEN_ADMIN,	/* 36: whoever asks */
		.owner = r->caller.owner,
		.org = r->caller.org,
		.sharing = sharing,
	};
	int rc = store_lease_visible(core->store, r->ref, &scope, l, err);

	return rc == 1 ? store_lease_by_slug(core->store, r->ref, &scope, l, err) : rc;
}

int core_find(struct core *core, struct engine_request *r, struct lease *l)
{
	struct err err = { 0 };
	int rc = find_visible(core, r, r->own_only ? SHARED_NOT : SHARED_MANAGE, l, &err);

	if (rc == 1 && !r->own_only && find_visible(core, r, SHARED_USE, l, &err) == 0) {
		core_say(r, RESULT_FORBIDDEN, "forbidden",
			 "the lease is shared with you to be used, not to be changed");
	} else if (rc == 1) {
		core_say(r, RESULT_NOT_FOUND, "not_found", "there is no such lease");
	} else if (rc < 0 && err.kind == ERR_CONFLICT) {
		core_say(r, RESULT_CONFLICT, "ambiguous_slug",
		       "several leases have this slug; name one by its id");
	} else if (rc < 0) {
		answer_error(r, &err);
	} else if (r->expected_account[0] && strcmp(r->expected_account, l->account) != 0) {
		core_say(r, RESULT_CONFLICT, "provider_identity_mismatch",
		       "the lease belongs to another provider");
		rc = -1;
	}
	return rc;
}

/* ---- create ------------------------------------------------------------------------ */

static void mint_id(struct core *core, char id[24])
{
	unsigned char bytes[6];

	env_random(core->env, bytes, sizeof(bytes));
	memcpy(id, "cbx_", 4);
	hash_hex(bytes, sizeof(bytes), id + 4);
}

/*
 * A slug is unique among its owner's live leases; a taken one gets a tail as
 * the existing client's other coordinator makes it: FNV-1a of "ID-N", 16 bits.
 */
static int settle_slug(struct core *core, struct lease *l, struct err *err)
{
	char wanted[sizeof(l->slug)];
	int taken;

	TEXT_SET(wanted, l->slug);
	for (int i = 0; i < SLUG_TRIES; i++) {
		char seed[64];

		taken = store_slug_taken(core->store, l->slug, l->owner, l->org, err);
		if (taken <= 0)
			return taken;
		snprintf(seed, sizeof(seed), "%s-%d", l->id, i);
		snprintf(l->slug, sizeof(l->slug), "%.*s-%04x", SLUG_MAX - 5, wanted,
			 hash_fnv32(seed, strlen(seed)) & 0xffff);
	}
	return err_set(err, ERR_CONFLICT, "no free slug");
}

static int over(int64_t have, int64_t more, int64_t limit)
{
	return limit > 0 && have + more > limit;
}

/* Everything that may cost money counts: live, owed, in attention, retained. */
static int check_limits(struct core *core, struct engine_request *r, const struct lease *l,
			struct err *err)
{
	const struct engine_limits *limits = &core->config.limits;
	struct store_counts have;
	const char *which = NULL;
	int64_t price = l->price_hour_micros;

	if (store_counts(core->store, l->owner, l->org, l->account, &have, err))
		return -1;
	if (over(have.all, 1, limits->max_active))
		which = "active leases in all";
	else if (over(have.owner, 1, limits->max_active_owner))
		which = "active leases of this owner";
	else if (over(have.org, 1, limits->max_active_org))
		which = "active leases of this organisation";
	else if (over(have.account, 1, limits->max_active_account))
		which = "active leases of this provider";
	else if (over(have.micros_all, price, limits->max_hour_micros))
		which = "the hourly price in all";
	else if (over(have.micros_owner, price, limits->max_hour_micros_owner))
		which = "the hourly price of this owner";
	else if (over(have.micros_org, price, limits->max_hour_micros_org))
		which = "the hourly price of this organisation";
	if (!which)
		return 0;
	core_say(r, RESULT_LIMIT, "cost_limit_exceeded", "the limit on %s is reached", which);
	return 1;
}

static void replay(struct core *core, struct engine_request *r, const struct lease *l)
{
	r->result = RESULT_REPLAY;
	core_fill_answer(core, r, l);
}

/* The id is there already: the same attempt, or somebody else's. */
static void create_again(struct core *core, struct engine_request *r, const struct lease *l)
{
	const char *token = r->create.attempt_token;

	if (!is_callers(r, l) || !token[0] || !l->attempt_token[0]) {
		core_say(r, RESULT_CONFLICT, "lease_id_conflict", "the lease id is taken");
	} else if (strcmp(token, l->attempt_token) != 0) {
		core_say(r, RESULT_CONFLICT, "create_attempt_conflict",
		       "the lease id belongs to another create attempt");
	} else if (!lease_is_live(l) && strcmp(l->end_reason, "canceled") == 0) {
		core_say(r, RESULT_CONFLICT, "create_canceled", "this create was cancelled");
		core_fill_answer(core, r, l);
	} else if (!lease_is_live(l)) {
		core_say(r, RESULT_CONFLICT, "lease_state_changed", "the lease has ended");
		core_fill_answer(core, r, l);
	} else {
		replay(core, r, l);
	}
}

/* 1: answered from what was stored before; 0: a new one; -1 error. */
static int create_replayed(struct core *core, struct engine_request *r, struct err *err)
{
	const char *id = r->create.id;
	struct lease l;
	int rc;

	if (DEFECT(35))	/* as if two were past the check at once */
		return 0;
	if (r->idempotency_key[0]) {
		struct store_idempotency known;

		rc = store_idempotency_get(core->store, r->caller.owner, r->caller.org,
					   r->idempotency_key, &known, err);
		if (rc < 0)
			return -1;
		if (rc == 0 && strcmp(known.hash, r->body_hash) != 0) {
			core_say(r, RESULT_CONFLICT, "idempotency_key_reused",
			       "this Idempotency-Key was used with another request");
			return 1;
		}
		if (rc == 0) {
			if (store_lease_by_n(core->store, known.lease_n, &l, err))
				return -1;
			replay(core, r, &l);
			return 1;
		}
	}
	if (!id[0])
		return 0;
	if (r->create.attempt_token[0]) {
		rc = store_create_canceled(core->store, id, r->create.attempt_token, err);
		if (rc < 0)
			return -1;
		if (rc) {
			core_say(r, RESULT_CONFLICT, "create_canceled", "this create was cancelled");
			return 1;
		}
	}
	rc = store_lease_by_id(core->store, id, &l, err);
	if (rc == 0)
		create_again(core, r, &l);
	return rc < 0 ? -1 : rc == 0;
}

static int create_new(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease *l = &r->create;
	struct core_account *a = core_account_find(core, l->account);
	struct lease_outcome out = { 0 };
	struct store_price price;
	char reason[160];
	int rc;

	if (!a) {
		core_say(r, RESULT_INVALID, "invalid_provider", "there is no such provider here");
		return 0;
	}
	if (account_is_blocked(a->account, reason, sizeof(reason))) {
		core_say(r, RESULT_UNAVAILABLE, "provider_blocked",
		       "the provider account needs its operator; nothing was made");
		return 0;
	}
	TEXT_SET(l->owner, r->caller.owner);
	TEXT_SET(l->org, r->caller.org);
	if (!l->id[0])
		mint_id(core, l->id);
	if (l->type_count && store_price_get(core->store, l->account, l->types[0], l->location,
					     &price, NULL) == 0) {
		l->price_hour_micros = price.hour_micros;
		TEXT_SET(l->currency, price.currency);
	}
	rc = check_limits(core, r, l, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (settle_slug(core, l, err))
		return -1;
	lease_begin(l, core_now(core), core->config.boot_ms, &out);
	if (store_lease_insert(core->store, l, err))
		return -1;
	out.changed = 0;	/* just written, whole */
	if (r->idempotency_key[0]) {
		struct store_idempotency known = { .lease_n = l->n };

		TEXT_SET(known.hash, r->body_hash);
		if (store_idempotency_put(core->store, r->caller.owner, r->caller.org,
					  r->idempotency_key, &known, l->created_ms, err))
			return -1;
	}
	if (core_apply(core, l, &out, err))
		return -1;
	r->result = RESULT_CREATED;
	core_fill_answer(core, r, l);
	return 0;
}

static int request_create(struct core *core, struct engine_request *r, struct err *err)
{
	int rc = create_replayed(core, r, err);

	return rc ? (rc < 0 ? -1 : 0) : create_new(core, r, err);
}

/* ---- the rest -------------------------------------------------------------------------- */

static int release(struct core *core, struct engine_request *r, struct lease *l, int delete_machine,
		   int canceled, struct err *err)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;

	if (core_facts(core, l, NULL, &facts, err))
		return -1;
	if (DEFECT(18) && l->state == LEASE_PROVISIONING) {	/* lost on the way */
		r->result = RESULT_OK;
		return 0;
	}
	lease_release(l, delete_machine, canceled, &facts, &out);
	if (out.refusal) {
		core_say(r, RESULT_CONFLICT, out.refusal, facts.server_gone ?
			 "its machine is gone already" : "its machine may be being deleted already");
		core_fill_answer(core, r, l);
		return 0;
	}
	/* Nobody should believe that it goes away now, or is protected. */
	facts.unprotected |= out.retain_rows && facts.residue;
	if (out.changed && facts.is_unsure)
		core_blocked_say(core, l, &facts, &out);
	/* Only what is said anew: a plain repetition changes nothing. */
	if (r->retain_until_ms || r->reason[0]) {
		char reason[sizeof(l->retain_reason)];

		TEXT_SET(reason, r->reason[0] ? r->reason : l->retain_reason);
		lease_retain_until(l, r->retain_until_ms ? r->retain_until_ms : l->retain_until_ms,
				   reason, &facts, &out);
	}
	if (core_apply(core, l, &out, err))
		return -1;
	r->result = RESULT_OK;
	core_fill_answer(core, r, l);
	return 0;
}

static int request_release(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease l;

	if (core_find(core, r, &l))
		return 0;
	return release(core, r, &l, r->delete_machine, 0, err);
}

static int request_cancel(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease l;
	int rc = store_lease_by_id(core->store, r->ref, &l, err);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		/* Not come yet: should it come later, it makes nothing. */
		if (store_create_cancel(core->store, r->ref, r->attempt_token, r->caller.owner,
					r->caller.org, core_now(core), err))
			return -1;
		r->result = RESULT_OK;
		return 0;
	}
	if (!is_callers(r, &l)) {
		core_say(r, RESULT_NOT_FOUND, "not_found", "there is no such create attempt");
		return 0;
	}
	if (strcmp(l.attempt_token, r->attempt_token) != 0) {
		core_say(r, RESULT_CONFLICT, "create_attempt_conflict",
		       "the lease id belongs to another create attempt");
		return 0;
	}
	/* A retained lease stays: only a release that says delete ends that. */
	return release(core, r, &l, l.retained ? -1 : 1, 1, err);
}

static int request_heartbeat(struct core *core, struct engine_request *r, struct err *err)
{
	struct lease_facts facts = {
		.now_ms = core_now(core), .clock_doubted = core_clock_doubted(core),
	};
	struct lease_outcome out = { 0 };
	struct lease l;

	if (core_find(core, r, &l))
		return 0;
	core_account_facts(core, &l, &facts);
	lease_heartbeat(&l, r->idle_ms, &facts, &out);
	if (out.refusal) {
		core_say(r, RESULT_CONFLICT, out.refusal, "the lease is over");
		r->lease = l;
		return 0;
	}
	if (store_touch(core->store, l.n, l.touched_ms, err) ||
	    (r->sample[0] && store_telemetry_add(core->store, l.n, r->sample_ms, r->sample, err)))
		return -1;
	if (out.changed && core_apply(core, &l, &out, err))
		return -1;
	r->result = RESULT_OK;
	r->lease = l;
	return 0;
}

static int (*const requests[])(struct core *core, struct engine_request *r, struct err *err) = {
	[REQUEST_CREATE] = request_create,
	[REQUEST_CANCEL_CREATE] = request_cancel,
	[REQUEST_RELEASE] = request_release,
	[REQUEST_HEARTBEAT] = request_heartbeat,
	[REQUEST_RESOLVE] = core_request_resolve,
	[REQUEST_SWEEP] = core_request_sweep,
	[REQUEST_POOL] = core_request_pool,
	[REQUEST_SHARE] = core_request_share,
	[REQUEST_RUN] = core_request_run,
	[REQUEST_ACCOUNT] = core_request_account,
};

void core_request(struct core *core, struct engine_request *r)
{
	struct err err = { 0 };

	if (core->draining) {
		core_say(r, RESULT_UNAVAILABLE, "shutting_down", "the broker is stopping; try again");
		core_answer(core, r);
		return;
	}
	if (!may_change(r)) {
		core_answer(core, r);
		return;
	}
	if (core_savepoint(core, &err)) {
		answer_error(r, &err);
		core_answer(core, r);
		return;
	}
	if (requests[r->kind](core, r, &err)) {
		core_savepoint_undo(core);
		answer_error(r, &err);
		core_answer(core, r);
		return;
	}
	store_savepoint_keep(core->store, NULL);
	if (r->result == RESULT_CREATED || r->result == RESULT_REPLAY ||
	    (r->result == RESULT_OK && r->kind == REQUEST_RELEASE))
		core_wait(core, r);
	else if (r->kind != REQUEST_POOL || r->result != RESULT_PENDING)
		core_answer(core, r);
}
