/* SPDX-License-Identifier: MIT */
/* The lifecycle of a ledger row: claims, a restart, and keys shared by two leases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <lessor/provider.h>

#include "lease/absence.h"
#include "life.h"
#include "util/alloc.h"

#define SETTLE 60000

static const struct lease_facts facts = {
	.now_ms = NOW + HOUR,
	.account = "hetzner",
	.settle_ms = SETTLE,
	.gate.is_verified = 1,
};

/* A lease in cleanup with a server and a key, rows 1 and 2. */
static struct lease_aggregate owing(uint32_t server, uint32_t key)
{
	struct lease_aggregate a = { .lease = owed() };
	struct resource r = {
		.n = 1,
		.lease = 1,
		.account = "hetzner",
		.attempt = 1,
		.kind = LESSOR_KIND_SERVER,
		.state = server,
		.ours = 1,
		.name = "a-server",
		.id = "17",
		.created_ms = NOW,
		.changed_ms = NOW,
	};

	ledger_add(&a.ledger, &r);
	r.n = 2;
	r.attempt = 0;
	r.kind = LESSOR_KIND_KEY;
	r.state = key;
	strcpy(r.name, "a-key");
	strcpy(r.id, "18");
	ledger_add(&a.ledger, &r);
	return a;
}

/* A claim by a step of the current epoch about row 1. */
static struct lease_claim claim(struct lease_aggregate *a, enum lease_claim_kind kind,
				int64_t now_ms)
{
	struct lease_claim claim = {
		.kind = kind,
		.row = 1,
		.action = "5",
		.text = "because",
		.evidence = { .is_absent = 1, .is_proof = 1 },
	};
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = &claim, .epoch = a->lease.epoch, .host_key = "" },
	};
	struct lease_facts then = facts;
	struct lease_effects out = { 0 };

	then.now_ms = now_ms;
	lease_apply(a, &event, &then, &out);
	return claim;
}

static void an_accepted_delete_is_not_done(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_DELETE_AUTHORIZED, LESSOR_STATE_PRESENT);
	const struct resource *server = &a.ledger.resources[0];

	(void)state;
	assert_int_equal(claim(&a, CLAIM_DELETING, facts.now_ms).result, 0);
	assert_int_equal(server->state, LESSOR_STATE_DELETING);
	assert_string_equal(server->action, "5");
	assert_int_equal(claim(&a, CLAIM_GONE, facts.now_ms).result, 0);
	assert_int_equal(server->state, LESSOR_STATE_GONE);
	lease_aggregate_fini(&a);
}

static void a_delete_without_an_answer_may_have_happened(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_DELETE_AUTHORIZED, LESSOR_STATE_PRESENT);
	const struct resource *server = &a.ledger.resources[0];

	(void)state;
	assert_int_equal(claim(&a, CLAIM_DELETE_UNKNOWN, facts.now_ms).result, 0);
	assert_int_equal(server->state, LESSOR_STATE_DELETE_UNKNOWN);
	assert_int_equal(server->deletes_unknown, 1);
	lease_aggregate_fini(&a);
}

/* The first delete may still be in flight when the second has failed. */
static void a_failed_delete_says_nothing_of_an_earlier_one(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_DELETE_AUTHORIZED, LESSOR_STATE_PRESENT);
	struct lease_event keep = { .kind = LEASE_EVENT_RELEASE, .u.release.delete_machine = 0 };
	struct lease_claim failed = {
		.kind = CLAIM_REPORT_PRESENT,
		.row = 1,
		.action = "",
		.text = "its action failed",
		.evidence = { .is_own_io = 1, .is_gave_up = 1, .is_seen = 1 },
	};
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = &failed, .epoch = a.lease.epoch, .host_key = "" },
	};
	struct lease_effects out = { 0 };

	(void)state;
	assert_int_equal(claim(&a, CLAIM_DELETE_UNKNOWN, facts.now_ms).result, 0);
	a.ledger.resources[0].state = LESSOR_STATE_DELETE_AUTHORIZED;
	assert_int_equal(claim(&a, CLAIM_DELETING, facts.now_ms).result, 0);
	lease_apply(&a, &event, &facts, &out);
	assert_int_equal(failed.result, 0);
	assert_int_equal(a.ledger.resources[0].state, LESSOR_STATE_DELETE_UNKNOWN);
	out = (struct lease_effects){ 0 };
	lease_apply(&a, &keep, &facts, &out);
	assert_int_equal(out.refusal, LEASE_REFUSAL_CLEANUP_RUNS);
	lease_aggregate_fini(&a);
}

static void absence_without_a_delete_needs_a_second_look(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_PRESENT, LESSOR_STATE_PRESENT);
	const struct resource *server = &a.ledger.resources[0];

	(void)state;
	assert_int_equal(claim(&a, CLAIM_GONE, facts.now_ms).result, -1);
	assert_int_equal(server->state, LESSOR_STATE_PRESENT);
	assert_int_equal(server->absent_count, 1);
	assert_int_equal(claim(&a, CLAIM_GONE, facts.now_ms + HOUR).result, 0);
	assert_int_equal(server->state, LESSOR_STATE_GONE);
	lease_aggregate_fini(&a);
}

static void a_restart_leaves_the_outcome_unknown(void **state)
{
	static const struct {
		uint32_t before, after;
		int deletes;
	} rows[] = {
		{ LESSOR_STATE_INTENDED, LESSOR_STATE_UNKNOWN, 0 },
		{ LESSOR_STATE_DELETE_AUTHORIZED, LESSOR_STATE_DELETE_UNKNOWN, 1 },
		{ LESSOR_STATE_UNPROTECT_AUTHORIZED, LESSOR_STATE_UNPROTECT_UNKNOWN, 0 },
		{ LESSOR_STATE_PRESENT, LESSOR_STATE_PRESENT, 0 },
		{ LESSOR_STATE_DELETING, LESSOR_STATE_DELETING, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease_aggregate a = owing(rows[i].before, LESSOR_STATE_PRESENT);
		struct lease_event restart = { .kind = LEASE_EVENT_RESTART };
		struct lease_effects out = { 0 };

		a.ledger.resources[0].is_dirty = 0;
		lease_apply(&a, &restart, &facts, &out);
		assert_int_equal(a.ledger.resources[0].state, rows[i].after);
		assert_int_equal(a.ledger.resources[0].deletes_unknown, rows[i].deletes);
		assert_int_equal(a.ledger.resources[0].is_dirty, rows[i].before != rows[i].after);
		lease_aggregate_fini(&a);
	}
}

/* Another process may have intended it, and sends it at the last moment. */
static void what_another_owner_may_still_create_is_waited_for(void **state)
{
	static const struct {
		int is_shared;
		int64_t ends_ms, counts_ms;
	} rows[] = {
		{ 1, 45000, 45000 + SETTLE },
		{ 1, -5000, SETTLE },
		{ 0, 45000, SETTLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease_aggregate a = owing(LESSOR_STATE_INTENDED, LESSOR_STATE_GONE);
		struct lease_event restart = { .kind = LEASE_EVENT_RESTART };
		struct lease_facts then = facts;
		struct lease_effects out = { 0 };
		struct absence_facts look = { .settle_ms = SETTLE, .store_ahead_ms = 7000 };

		then.is_shared = rows[i].is_shared;
		then.store_ahead_ms = look.store_ahead_ms;
		a.ledger.resources[0].until_ms = then.now_ms + look.store_ahead_ms +
						 rows[i].ends_ms;
		lease_apply(&a, &restart, &then, &out);
		assert_int_equal(absence_next_ms(&a.ledger.resources[0], &look) - then.now_ms,
				 rows[i].counts_ms);
		lease_aggregate_fini(&a);
	}
}

/* Another lease may be deleting it. */
static void a_dying_key_is_not_used(void **state)
{
	(void)state;
	for (int deleting = 0; deleting < 2; deleting++) {
		struct lease_aggregate a = { .lease = fresh() };
		struct lease_claim claim = {
			.kind = CLAIM_REUSE,
			.resource_kind = LESSOR_KIND_KEY,
			.id = "18",
			.text = "a-key",
		};
		struct lease_event event = {
			.kind = LEASE_EVENT_CLAIM,
			.u.claim = { .claim = &claim, .epoch = a.lease.epoch, .host_key = "" },
		};
		struct lease_facts then = facts;
		struct lease_effects out = { 0 };

		then.users.deleting = deleting;
		lease_apply(&a, &event, &then, &out);
		assert_int_equal(claim.result, deleting ? -1 : 0);
		assert_int_equal(a.ledger.resource_count, !deleting);
		lease_aggregate_fini(&a);
	}
}

/* A key is handed over as soon as its lease no longer needs it. */
static void which_key_is_handed_over(void **state)
{
	static const struct {
		uint32_t server, key;
		int is_next;
	} rows[] = {
		{ LESSOR_STATE_GONE, LESSOR_STATE_PRESENT, 1 },
		{ LESSOR_STATE_NEVER_EXISTED, LESSOR_STATE_PRESENT, 1 },
		{ LESSOR_STATE_DELETING, LESSOR_STATE_PRESENT, 0 },
		{ LESSOR_STATE_UNKNOWN, LESSOR_STATE_PRESENT, 0 },
		{ LESSOR_STATE_GONE, LESSOR_STATE_DELETE_AUTHORIZED, 0 },
		{ LESSOR_STATE_GONE, LESSOR_STATE_RETAINED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease_aggregate a = owing(rows[i].server, rows[i].key);
		const struct resource *key = &a.ledger.resources[1];

		assert_ptr_equal(lease_next_handover(&a, NULL), rows[i].is_next ? key : NULL);
		assert_null(lease_next_handover(&a, key));
		lease_aggregate_fini(&a);
	}
}

static void whose_keys_are_handed_over(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_GONE, LESSOR_STATE_PRESENT);
	struct lease released = a.lease;

	(void)state;
	a.lease.cleanup = CLEANUP_ATTENTION;
	assert_non_null(lease_next_handover(&a, NULL));
	a.lease.cleanup = CLEANUP_DONE;
	assert_null(lease_next_handover(&a, NULL));
	a.lease = released;
	a.lease.retained = 1;
	assert_null(lease_next_handover(&a, NULL));
	a.lease = ready();
	assert_null(lease_next_handover(&a, NULL));
	lease_aggregate_fini(&a);
}

/* ---- what is made ------------------------------------------------------------------------- */

/* A claim of a step of that epoch, in an account that is as `then` says. */
static int make(struct lease_aggregate *a, struct lease_claim *claim, int64_t epoch,
		const struct lease_facts *then)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = claim, .epoch = epoch, .host_key = "" },
	};
	struct lease_effects out = { 0 };

	claim->text = "";
	lease_apply(a, &event, then, &out);
	return claim->result;
}

static const struct signer signer = { .instance = "abcdefgh23456723", .key = "a key" };

static void an_attempt_is_for_a_lease_that_wants_a_machine(void **state)
{
	struct lease_aggregate a = { .lease = fresh() };
	struct lease_claim first = {
		.kind = CLAIM_ATTEMPT, .attempt = 1, .type = "cx23", .location = "nbg1"
	};
	struct lease_claim claim = first;

	(void)state;
	a.lease.provision_deadline_ms = facts.now_ms + 1;
	a.lease.ttl_ms = 2 * HOUR;
	assert_int_equal(make(&a, &claim, a.lease.epoch - 1, &facts), -1);
	claim = first;
	claim.attempt = 2;
	assert_int_equal(make(&a, &claim, a.lease.epoch, &facts), -1);
	claim = first;
	assert_int_equal(make(&a, &claim, a.lease.epoch, &facts), 0);
	assert_int_equal(a.ledger.attempt_count, 1);
	claim.attempt = 2;
	/* After the deadline a step may only look. */
	a.lease.provision_deadline_ms = facts.now_ms;
	assert_int_equal(make(&a, &claim, a.lease.epoch, &facts), -1);
	a.lease.provision_deadline_ms = facts.now_ms + 1;
	a.lease.state = LEASE_ACTIVE;
	assert_int_equal(make(&a, &claim, a.lease.epoch, &facts), -1);
	a.lease.state = LEASE_RELEASED;
	assert_int_equal(make(&a, &claim, a.lease.epoch, &facts), -1);
	assert_int_equal(a.ledger.attempt_count, 1);
	lease_aggregate_fini(&a);
}

static void a_blocked_account_makes_nothing(void **state)
{
	struct lease_aggregate a = { .lease = fresh() };
	struct lease_claim attempt = {
		.kind = CLAIM_ATTEMPT, .attempt = 1, .type = "cx23", .location = "nbg1"
	};
	struct lease_facts then = facts;

	(void)state;
	then.signer = &signer;
	a.lease.provision_deadline_ms = facts.now_ms + 1;
	a.lease.ttl_ms = 2 * HOUR;
	assert_int_equal(make(&a, &attempt, a.lease.epoch, &then), 0);
	for (int blocked = 1; blocked >= 0; blocked--) {
		struct lease_claim intend = { .kind = CLAIM_INTEND,
					      .attempt = 1,
					      .resource_kind = LESSOR_KIND_SERVER };

		then.is_blocked = blocked;
		assert_int_equal(make(&a, &intend, a.lease.epoch, &then), -blocked);
		assert_int_equal(a.ledger.resource_count, !blocked);
	}
	lease_aggregate_fini(&a);
}

static void an_account_makes_one_sentinel_and_nothing_else(void **state)
{
	struct lease_aggregate own = { 0 };
	struct lease_facts then = facts;
	struct lease_claim server = { .kind = CLAIM_INTEND, .resource_kind = LESSOR_KIND_SERVER };
	struct lease_claim mark = { .kind = CLAIM_INTEND, .resource_kind = LESSOR_KIND_SENTINEL };
	struct lease_claim again = mark;

	(void)state;
	then.signer = &signer;
	assert_int_equal(make(&own, &server, 0, &then), -1);
	assert_int_equal(own.ledger.resource_count, 0);
	assert_int_equal(make(&own, &mark, 0, &then), 0);
	assert_int_equal(own.ledger.resource_count, 1);
	assert_int_equal(make(&own, &again, 0, &then), -1);
	assert_int_equal(own.ledger.resource_count, 1);
	/* One that is no more makes room for another. */
	own.ledger.resources[0].state = LESSOR_STATE_NEVER_EXISTED;
	again = mark;
	assert_int_equal(make(&own, &again, 0, &then), 0);
	lease_aggregate_fini(&own);
}

/* ---- what is told ------------------------------------------------------------------------- */

static void a_refused_delete_is_in_the_timeline_once(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_PRESENT, LESSOR_STATE_PRESENT);
	struct lease_facts then = facts;
	char first[sizeof(a.ledger.resources[0].evidence)];

	(void)state;
	then.signer = &signer;
	for (int i = 0; i < 3; i++) {
		struct lessor_label label = { "team", "blue" };
		struct lease_claim permit = {
			.kind = CLAIM_PERMIT,
			.row = 1,
			.evidence = { .is_read = 1,
				      .seen = { .kind = LESSOR_KIND_SERVER,
						.id = "17",
						.name = "a-server",
						.labels = &label,
						.label_count = i == 2 ? 0 : 1 } },
		};
		struct lease_event event = {
			.kind = LEASE_EVENT_CLAIM,
			.u.claim = { .claim = &permit, .epoch = a.lease.epoch, .host_key = "" },
		};
		struct lease_effects out = { 0 };

		/* Another reason is told again. */
		then.gate.is_verified = i < 2;
		lease_apply(&a, &event, &then, &out);
		assert_int_equal(permit.result, -1);
		assert_int_equal(notes_of(&out, "server.delete-refused"), i != 1);
		if (i == 0)
			strcpy(first, a.ledger.resources[0].evidence);
		assert_int_equal(strcmp(first, a.ledger.resources[0].evidence) == 0, i < 2);
	}
	lease_aggregate_fini(&a);
}

static void a_permit_waits_for_the_sentinel(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_PRESENT, LESSOR_STATE_PRESENT);
	struct lease_facts then = facts;
	struct lease_claim permit = { .kind = CLAIM_PERMIT,
				      .row = 1,
				      .evidence = { .is_read = 1, .is_unproven = 1 } };
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = &permit, .epoch = a.lease.epoch, .host_key = "" },
	};
	struct lease_effects out = { 0 };

	(void)state;
	then.gate.is_verified = 1;
	then.signer = &signer;
	lease_apply(&a, &event, &then, &out);
	assert_int_equal(permit.result, -1);
	assert_int_equal(out.not_now, 1);
	assert_int_equal(out.refusal_class, 0);
	assert_non_null(strstr(out.refusal_text, "not verified"));
	lease_aggregate_fini(&a);
}

/* Of two that are kept one has lost its protection. */
static void only_the_row_that_is_named_is_unprotected(void **state)
{
	struct lease_aggregate a = owing(LESSOR_STATE_RETAINED, LESSOR_STATE_RETAINED);
	struct lease_event event = { .kind = LEASE_EVENT_UNPROTECTED, .u.seen.row = 2 };
	struct lease_facts then = facts;
	struct lease_effects out = { 0 };

	(void)state;
	a.lease = kept();
	then.can_protect = 1;
	a.ledger.resources[0].marked_ms = a.ledger.resources[1].marked_ms = NOW;
	lease_apply(&a, &event, &then, &out);
	assert_int_equal(a.ledger.resources[0].marked_ms, NOW);
	assert_int_equal(a.ledger.resources[1].marked_ms, 0);
	/* What is not kept has no protection to lose. */
	a.ledger.resources[0].state = LESSOR_STATE_GONE;
	event.u.seen.row = 1;
	lease_apply(&a, &event, &then, &out);
	assert_int_equal(a.ledger.resources[0].marked_ms, NOW);
	lease_aggregate_fini(&a);
}

/* The provider shows a later release than the store has, by a label or by protection alone. */
static void what_is_found_to_be_kept_is_retained(void **state)
{
	(void)state;
	for (int has_label = 0; has_label < 2; has_label++) {
		struct lease_aggregate a = owing(LESSOR_STATE_PRESENT, LESSOR_STATE_DELETING);
		struct lease_event event = { .kind = LEASE_EVENT_KEPT,
					     .u.seen = { .row = 1, .label = has_label ? 40 : 0 } };
		struct lease_facts then = facts;
		struct lease_effects out = { 0 };
		int64_t epoch = a.lease.epoch;

		lease_apply(&a, &event, &then, &out);
		assert_int_equal(a.ledger.resources[0].state, LESSOR_STATE_RETAINED);
		assert_int_equal(a.ledger.resources[0].retain_epoch, has_label ? 40 : epoch);
		assert_int_equal(a.ledger.resources[0].label_known, has_label ? 40 : 0);
		assert_int_equal(a.ledger.resources[0].marked_ms, 0);
		assert_int_equal(a.lease.retained, 1);
		assert_true(a.lease.epoch > (has_label ? 40 : epoch));
		/* Its delete may be under way, whatever is found. */
		assert_int_equal(a.ledger.resources[1].state, LESSOR_STATE_DELETING);
		event.u.seen.row = 2;
		lease_apply(&a, &event, &then, &out);
		assert_int_equal(a.ledger.resources[1].state, LESSOR_STATE_DELETING);
		lease_aggregate_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_accepted_delete_is_not_done),
		cmocka_unit_test(what_is_found_to_be_kept_is_retained),
		cmocka_unit_test(a_permit_waits_for_the_sentinel),
		cmocka_unit_test(a_delete_without_an_answer_may_have_happened),
		cmocka_unit_test(a_failed_delete_says_nothing_of_an_earlier_one),
		cmocka_unit_test(absence_without_a_delete_needs_a_second_look),
		cmocka_unit_test(a_restart_leaves_the_outcome_unknown),
		cmocka_unit_test(what_another_owner_may_still_create_is_waited_for),
		cmocka_unit_test(a_dying_key_is_not_used),
		cmocka_unit_test(which_key_is_handed_over),
		cmocka_unit_test(whose_keys_are_handed_over),
		cmocka_unit_test(an_attempt_is_for_a_lease_that_wants_a_machine),
		cmocka_unit_test(a_blocked_account_makes_nothing),
		cmocka_unit_test(an_account_makes_one_sentinel_and_nothing_else),
		cmocka_unit_test(a_refused_delete_is_in_the_timeline_once),
		cmocka_unit_test(only_the_row_that_is_named_is_unprotected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
