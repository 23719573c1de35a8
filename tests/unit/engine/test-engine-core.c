/* SPDX-License-Identifier: MIT */

#include <stdio.h>

#include "engine/internal.h"
#include "util/text.h"
#include "fixture.h"

static void a_life_leaves_nothing(void **state)
{
	struct asked a = { 0 };
	struct lease l;

	(void)state;
	create_ready(ID);
	l = lease(ID);
	assert_string_equal(l.host, "192.0.2.7");
	assert_string_equal(l.server_type, "small");
	assert_int_equal(world_alive(&w), 1);
	a.request.wait_ms = MINUTE;
	world_release(&w, &a, ID, 1);
	assert_int_equal(a.answered, 0);
	world_settle(&w);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.request.lease.cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.made, 1);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(lease(ID).due_ms, 0);
}

/* The lease that a request names is read before the batch; for an invalid id nothing is read. */
static void what_a_request_names_is_read_in_advance(void **state)
{
	struct engine_request request = { .kind = REQUEST_HEARTBEAT };

	(void)state;
	create_ready(ID);
	aggregates_clear(w.d.core->aggregates);
	TEXT_SET(request.ref, "some-slug");
	core_prefetch(w.d.core, &request);
	TEXT_SET(request.ref, "cbx_ffffffffffff");
	core_prefetch(w.d.core, &request);
	assert_int_equal(aggregates_count(w.d.core->aggregates), 0);
	TEXT_SET(request.ref, ID);
	core_prefetch(w.d.core, &request);
	assert_int_equal(aggregates_count(w.d.core->aggregates), 1);
	assert_non_null(aggregates_peek_id(w.d.core->aggregates, ID));
}

static void a_waiting_create_is_answered_when_ready(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.boot_polls = 5;
	a.request.wait_ms = MINUTE;
	world_create(&w, &a, ID);
	world_pass(&w, 3000);
	assert_int_equal(a.answered, 0);
	world_pass(&w, 10000);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.request.lease.state, LEASE_ACTIVE);
	assert_int_equal(a.request.attempt_count, 1);
}

static void a_waiting_create_says_provisioning_at_its_time(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.boot_polls = 100;
	a.request.wait_ms = 20000;
	world_create(&w, &a, ID);
	world_pass(&w, 19999);
	assert_int_equal(a.answered, 0);
	world_pass(&w, 1);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.request.lease.state, LEASE_PROVISIONING);
}

static void a_sold_out_type_falls_back(void **state)
{
	(void)state;
	w.create_fault = TOY_SOLD_OUT;
	create_ready(ID);
	assert_string_equal(lease(ID).server_type, "middle");
	assert_int_equal(w.made, 1);
}

static void all_types_sold_out_fails_and_leaves_nothing(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_SOLD_OUT;
	w.create_fault_sticky = 1;
	a.request.wait_ms = MINUTE;
	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(a.request.lease.state, LEASE_FAILED);
	assert_int_equal(a.request.lease.end_reason, LEASE_END_CLASS_CAPACITY);
	assert_int_equal(a.request.attempt_count, 3);
	assert_int_equal(a.request.lease.cleanup, CLEANUP_DONE);
	assert_int_equal(w.made, 0);
}

static void a_lost_create_is_found_and_adopted(void **state)
{
	(void)state;
	w.create_fault = TOY_LOST_MADE;
	create_ready(ID);
	assert_int_equal(w.made, 1);
	assert_int_equal(w.creates_sent, 1);
}

static void a_lost_create_is_sent_again_only_after_settling(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_LOST_NOT_MADE;
	world_create(&w, &a, ID);
	world_pass(&w, 25000);
	assert_int_equal(w.creates_sent, 1);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(w.creates_sent, 2);
	assert_int_equal(w.made, 1);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

/* Look-ups that found nothing while the create was unknown do not count later as absence. */
static void looks_before_an_adoption_prove_no_absence(void **state)
{
	struct asked a = { 0 }, b = { 0 };

	(void)state;
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 25000);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	w.create_fault = TOY_NONE;
	w.create_fault_sticky = 0;
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	/* One wrong read. */
	w.cloud[0].alive = 0;
	world_release(&w, &b, ID, 1);
	world_settle(&w);
	w.cloud[0].alive = 1;
	assert_int_equal(lease(ID).cleanup, CLEANUP_OWED);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
}

/* Nor do two with a successful read in between, even if it may not be deleted. */
static void a_read_between_two_absences_starts_anew(void **state)
{
	struct asked a = { 0 };
	int64_t end;

	(void)state;
	create_ready(ID);
	w.cloud[0].alive = 0;
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	w.cloud[0].alive = 1;
	w.strip_labels = 1;
	/* Long enough for the account to be verified since the first observation. */
	world_pass(&w, 2 * 60 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	w.cloud[0].alive = 0;
	end = w.d.now_ms + 6 * 60 * MINUTE;
	for (int cleanups = w.cleanups; w.cleanups == cleanups && w.d.now_ms < end;)
		world_pass(&w, 1000);
	assert_int_not_equal(lease(ID).cleanup, CLEANUP_DONE);
	w.cloud[0].alive = 1;
	w.strip_labels = 0;
	world_pass(&w, 6 * 60 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(w.deleted, 1);
}

static void an_unknown_create_survives_a_restart(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_LOST_MADE;
	world_create(&w, &a, ID);
	world_settle(&w);
	world_restart(&w, NULL);
	world_pass(&w, 10000);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(w.made, 1);
}

static void a_replay_is_the_same_lease(void **state)
{
	struct asked a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	TEXT_SET(a.request.create.attempt_token, "cat_1");
	world_create(&w, &a, ID);
	TEXT_SET(b.request.create.attempt_token, "cat_1");
	world_create(&w, &b, ID);
	assert_int_equal(b.request.result, RESULT_REPLAY);
	assert_int_equal(b.request.lease.n, a.request.lease.n);
	TEXT_SET(c.request.create.attempt_token, "cat_2");
	world_create(&w, &c, ID);
	assert_int_equal(c.request.result, RESULT_CONFLICT);
	assert_string_equal(c.request.code, "create_attempt_conflict");
	world_pass(&w, MINUTE);
	assert_int_equal(w.made, 1);
}

static void an_idempotency_key_is_bound_to_its_body(void **state)
{
	struct asked a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	(void)state;
	TEXT_SET(a.request.idempotency_key, "k");
	TEXT_SET(a.request.body_hash, "h1");
	world_create(&w, &a, "");
	assert_int_equal(a.request.result, RESULT_CREATED);
	TEXT_SET(b.request.idempotency_key, "k");
	TEXT_SET(b.request.body_hash, "h1");
	world_create(&w, &b, "");
	assert_int_equal(b.request.result, RESULT_REPLAY);
	assert_string_equal(b.request.lease.id, a.request.lease.id);
	TEXT_SET(c.request.idempotency_key, "k");
	TEXT_SET(c.request.body_hash, "h2");
	world_create(&w, &c, "");
	assert_string_equal(c.request.code, "idempotency_key_reused");
	/* The same idempotency key of another owner is a different key. */
	TEXT_SET(d.request.caller.owner, "bob");
	TEXT_SET(d.request.idempotency_key, "k");
	TEXT_SET(d.request.body_hash, "h2");
	world_create(&w, &d, "");
	assert_int_equal(d.request.result, RESULT_CREATED);
}

static void a_cancel_that_comes_first_stops_the_create(void **state)
{
	struct asked cancel = { 0 }, create = { 0 };

	(void)state;
	cancel.request.kind = REQUEST_CANCEL_CREATE;
	TEXT_SET(cancel.request.ref, ID);
	TEXT_SET(cancel.request.attempt_token, "cat_1");
	world_ask(&w, &cancel);
	assert_int_equal(cancel.request.result, RESULT_OK);
	TEXT_SET(create.request.create.attempt_token, "cat_1");
	world_create(&w, &create, ID);
	assert_string_equal(create.request.code, "create_canceled");
	world_pass(&w, HOUR);
	assert_int_equal(w.made, 0);
}

static void foreign_and_missing_look_the_same(void **state)
{
	struct asked theirs = { 0 }, missing = { 0 };

	(void)state;
	create_ready(ID);
	TEXT_SET(theirs.request.caller.owner, "bob");
	TEXT_SET(theirs.request.caller.org, "acme");
	world_release(&w, &theirs, ID, 1);
	TEXT_SET(missing.request.caller.owner, "bob");
	world_release(&w, &missing, "cbx_00000000ffff", 1);
	assert_int_equal(theirs.request.result, RESULT_NOT_FOUND);
	assert_int_equal(missing.request.result, RESULT_NOT_FOUND);
	assert_string_equal(theirs.request.message, missing.request.message);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

static void a_reader_changes_nothing(void **state)
{
	struct asked a = { 0 };

	(void)state;
	a.request.caller.role = TOKEN_READER;
	world_create(&w, &a, ID);
	assert_int_equal(a.request.result, RESULT_FORBIDDEN);
	world_pass(&w, MINUTE);
	assert_int_equal(w.made, 0);
}

static struct asked race;
static int race_delete;

static void release_now(struct world *world)
{
	world->during_create = world->during_delete = NULL;
	world_release(world, &race, ID, race_delete);
}

static void a_release_during_create_removes_the_late_server(void **state)
{
	struct asked a = { 0 };

	(void)state;
	memset(&race, 0, sizeof(race));
	race_delete = 1;
	w.during_create = release_now;
	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(w.made, 1);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(lease(ID).state, LEASE_RELEASED);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void a_no_delete_during_create_keeps_the_late_server(void **state)
{
	struct asked a = { 0 }, later = { 0 };

	(void)state;
	memset(&race, 0, sizeof(race));
	race_delete = 0;
	w.during_create = release_now;
	world_create(&w, &a, ID);
	world_pass(&w, 48 * HOUR);
	world_restart(&w, NULL);
	world_pass(&w, 48 * HOUR);
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	world_release(&w, &later, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 0);
}

static void a_no_delete_during_a_lost_create_looks_only_to_record(void **state)
{
	struct asked a = { 0 };
	struct ledger ledger;

	(void)state;
	memset(&race, 0, sizeof(race));
	race_delete = 0;
	w.during_create = release_now;
	w.create_fault = TOY_LOST_MADE;
	world_create(&w, &a, ID);
	world_pass(&w, 48 * HOUR);
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	assert_int_equal(store_ledger(core_store(w.d.core), lease(ID).n, &ledger, NULL), 0);
	assert_int_equal(ledger.resource_count, 1);
	assert_int_equal(ledger.resources[0].state, LESSOR_STATE_RETAINED);
	assert_string_equal(ledger.resources[0].id, w.cloud[0].id);
	ledger_fini(&ledger);
}

static void a_no_delete_between_permit_and_delete_is_refused(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	memset(&race, 0, sizeof(race));
	race_delete = 0;
	w.during_delete = release_now;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(race.request.result, RESULT_CONFLICT);
	assert_string_equal(race.request.code, "cleanup_in_progress");
	assert_int_equal(world_alive(&w), 0);
}

static void a_no_delete_before_the_permit_holds(void **state)
{
	struct asked a = { 0 }, keep = { 0 };

	(void)state;
	create_ready(ID);
	/* Both in one batch, before any step runs. */
	world_release(&w, &a, ID, 1);
	world_release(&w, &keep, ID, 0);
	assert_int_equal(keep.request.result, RESULT_OK);
	world_pass(&w, 100 * HOUR);
	assert_int_equal(w.deleted, 0);
	assert_int_equal(world_alive(&w), 1);
}

static void it_expires_and_is_cleaned(void **state)
{
	struct asked beat = { 0 };

	(void)state;
	create_ready(ID);
	world_pass(&w, 29 * MINUTE);
	beat.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(beat.request.ref, "violet-prawn");
	world_ask(&w, &beat);
	assert_int_equal(beat.request.result, RESULT_OK);
	world_pass(&w, 29 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
	world_ask(&w, &beat);
	/* The slug of its owner's newest ended lease, since no live one has it. */
	assert_int_equal(beat.request.result, RESULT_CONFLICT);
	assert_string_equal(beat.request.code, "lease_ended");
	TEXT_SET(beat.request.ref, ID);
	world_ask(&w, &beat);
	assert_string_equal(beat.request.code, "lease_ended");
}

static void a_stubborn_delete_is_tried_until_it_works_and_not_hot(void **state)
{
	struct asked a = { 0 };
	int64_t from;

	(void)state;
	create_ready(ID);
	w.delete_refusals = 12;
	from = w.d.now_ms;
	world_release(&w, &a, ID, 1);
	world_pass(&w, 30000);
	assert_true(w.delete_refusals >= 7);
	while (world_alive(&w) && w.d.now_ms - from < 24 * HOUR)
		world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void fifty_restarts_cost_no_storm_of_tries(void **state)
{
	struct asked a = { 0 };
	int left;

	(void)state;
	create_ready(ID);
	w.delete_refusals = 1000;
	world_release(&w, &a, ID, 1);
	world_pass(&w, 2 * HOUR);
	left = w.delete_refusals;
	for (int i = 0; i < 50; i++) {
		world_restart(&w, NULL);
		world_pass(&w, 1000);
	}
	assert_true(left - w.delete_refusals <= 2);
	assert_true(lease(ID).tries > 8);
}

static void stripped_labels_stop_the_delete_and_call_a_person(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_pass(&w, 24 * HOUR);
	assert_int_equal(w.deleted, 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_true(lease(ID).due_ms > w.d.now_ms);
	w.strip_labels = 0;
	world_pass(&w, 2 * HOUR);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void a_blocked_account_makes_nothing_and_forgets_nothing(void **state)
{
	struct asked a = { 0 }, b = { 0 };

	(void)state;
	create_ready(ID);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_ACCOUNT;
	world_pass(&w, 6 * MINUTE);
	world_create(&w, &a, "cbx_000000000002");
	assert_int_equal(a.request.result, RESULT_UNAVAILABLE);
	world_release(&w, &b, ID, 1);
	world_pass(&w, HOUR);
	assert_int_equal(world_alive(&w), 1);
	assert_int_not_equal(lease(ID).cleanup, CLEANUP_DONE);
	w.probe_refuses = 0;
	world_pass(&w, 3 * HOUR);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void a_broken_plugin_does_not_make_a_lease_ready(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.boot_polls = 3;
	world_create(&w, &a, ID);
	world_settle(&w);
	w.create_fault = TOY_BREAK_CONTRACT;
	world_pass(&w, 20000);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	w.create_fault = TOY_NONE;
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

static void the_boot_deadline_cleans_up(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.boot_polls = 1000000;
	world_create(&w, &a, ID);
	world_pass(&w, 11 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_FAILED);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

static void caps_count_what_may_cost_money(void **state)
{
	struct engine_limits limits = { .max_active_owner = 1 };
	struct asked a = { 0 }, b = { 0 }, keep = { 0 }, c = { 0 }, d = { 0 };

	(void)state;
	core_set_limits(w.d.core, &limits);
	world_create(&w, &a, ID);
	world_create(&w, &b, "cbx_000000000002");
	assert_int_equal(a.request.result, RESULT_CREATED);
	assert_int_equal(b.request.result, RESULT_LIMIT);
	assert_string_equal(b.request.code, "cost_limit_exceeded");
	world_pass(&w, MINUTE);
	/* A retained server still counts. */
	world_release(&w, &keep, ID, 0);
	world_create(&w, &c, "cbx_000000000003");
	assert_int_equal(c.request.result, RESULT_LIMIT);
	memset(&keep, 0, sizeof(keep));
	world_release(&w, &keep, ID, 1);
	world_pass(&w, MINUTE);
	world_create(&w, &d, "cbx_000000000004");
	assert_int_equal(d.request.result, RESULT_CREATED);
}

static void slugs_of_one_owner_are_told_apart(void **state)
{
	struct asked a = { 0 }, b = { 0 };

	(void)state;
	world_create(&w, &a, "cbx_000000000001");
	world_create(&w, &b, "cbx_000000000002");
	assert_string_equal(a.request.lease.slug, "violet-prawn");
	assert_string_not_equal(b.request.lease.slug, "violet-prawn");
	assert_int_equal(strncmp(b.request.lease.slug, "violet-prawn-", 13), 0);
}

static void a_crash_at_any_moment_of_a_life_leaves_nothing(void **state)
{
	(void)state;
	for (int polls = 0; polls < 3; polls++) {
		for (int at = 0; at < 8; at++) {
			struct asked a = { 0 }, r = { 0 };
			char id[24];

			snprintf(id, sizeof(id), "cbx_0000000%d%d000", polls, at);
			w.boot_polls = polls;
			world_create(&w, &a, id);
			for (int i = 0; i < at; i++)
				world_pass(&w, 400);
			world_restart(&w, NULL);
			world_pass(&w, MINUTE);
			assert_int_equal(lease(id).state, LEASE_ACTIVE);
			world_release(&w, &r, id, 1);
			if (at % 2)
				world_restart(&w, NULL);
			world_pass(&w, 2 * MINUTE);
			assert_int_equal(lease(id).cleanup, CLEANUP_DONE);
			assert_int_equal(world_alive(&w), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_life_leaves_nothing),
		TEST(what_a_request_names_is_read_in_advance),
		TEST(a_waiting_create_is_answered_when_ready),
		TEST(a_waiting_create_says_provisioning_at_its_time),
		TEST(a_sold_out_type_falls_back),
		TEST(all_types_sold_out_fails_and_leaves_nothing),
		TEST(a_lost_create_is_found_and_adopted),
		TEST(a_lost_create_is_sent_again_only_after_settling),
		TEST(looks_before_an_adoption_prove_no_absence),
		TEST(a_read_between_two_absences_starts_anew),
		TEST(an_unknown_create_survives_a_restart),
		TEST(a_replay_is_the_same_lease),
		TEST(an_idempotency_key_is_bound_to_its_body),
		TEST(a_cancel_that_comes_first_stops_the_create),
		TEST(foreign_and_missing_look_the_same),
		TEST(a_reader_changes_nothing),
		TEST(a_release_during_create_removes_the_late_server),
		TEST(a_no_delete_during_create_keeps_the_late_server),
		TEST(a_no_delete_during_a_lost_create_looks_only_to_record),
		TEST(a_no_delete_between_permit_and_delete_is_refused),
		TEST(a_no_delete_before_the_permit_holds),
		TEST(it_expires_and_is_cleaned),
		TEST(a_stubborn_delete_is_tried_until_it_works_and_not_hot),
		TEST(fifty_restarts_cost_no_storm_of_tries),
		TEST(stripped_labels_stop_the_delete_and_call_a_person),
		TEST(a_blocked_account_makes_nothing_and_forgets_nothing),
		TEST(a_broken_plugin_does_not_make_a_lease_ready),
		TEST(the_boot_deadline_cleans_up),
		TEST(caps_count_what_may_cost_money),
		TEST(slugs_of_one_owner_are_told_apart),
		TEST(a_crash_at_any_moment_of_a_life_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
