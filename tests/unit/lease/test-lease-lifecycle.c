/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <lessor/provider.h>

#include "unit/test.h"
#include "life.h"

static void a_new_lease_is_due_at_once(void **state)
{
	struct lease l = fresh();
	struct lease_facts facts = { .now_ms = NOW };

	(void)state;
	assert_int_equal(l.state, LEASE_PROVISIONING);
	assert_int_equal(l.due_ms, NOW);
	assert_int_equal(l.provision_deadline_ms, NOW + BOOT);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_PROVISION);
	assert_int_equal(lease_expires_ms(&l), NOW + 3600000);
}

/* Whatever the memory held before. */
static void a_new_lease_has_no_past(void **state)
{
	struct lease l = fresh(), dirty = l;
	struct lease_event event = { .kind = LEASE_EVENT_BEGIN, .u.boot_ms = BOOT };
	struct lease_facts facts = { .now_ms = NOW };
	struct lease_effects out = { 0 };

	(void)state;
	dirty.state = LEASE_FAILED;
	dirty.cleanup = CLEANUP_OWED;
	dirty.retained = dirty.is_billed = 7;
	dirty.epoch = 7;
	dirty.tries = 7;
	dirty.created_ms = dirty.updated_ms = dirty.touched_ms = dirty.due_ms = 7;
	dirty.ready_ms = dirty.ended_ms = dirty.released_ms = 7;
	lifecycle_apply(&dirty, LEASE_EVENT_BEGIN, &event, &facts, &out);
	assert_memory_equal(&dirty, &l, sizeof(l));
	assert_int_equal(l.is_billed, 1);
	assert_int_equal(l.ready_ms + l.ended_ms + l.released_ms, 0);
	assert_int_equal(notes_of(&out, "lease.created"), 1);
}

static void ready_starts_the_idle_clock(void **state)
{
	struct lease l = ready();

	(void)state;
	assert_string_equal(l.host, "192.0.2.1");
	assert_string_equal(l.server_id, "17");
	assert_string_equal(l.server_name, "n");
	assert_string_equal(l.server_type, "cpx22");
	assert_string_equal(l.server_location, "nbg1");
	assert_int_equal(l.ready_ms, READY);
	assert_int_equal(lease_expires_ms(&l), NOW + 30000 + 600000);
	assert_int_equal(l.due_ms, lease_expires_ms(&l));
}

static void pending_comes_back_when_asked_and_not_after_the_deadline(void **state)
{
	struct lease l = fresh();
	struct lease_facts facts = { .now_ms = NOW + 1000 };
	struct lease_verdict v = { .op = LEASE_OP_PROVISION, .epoch = 1, .verdict = LESSOR_PENDING,
				   .wait_ms = 2000, .cursor = "x", .reason = "" };

	(void)state;
	end_step(&l, &v, &facts);
	assert_int_equal(l.due_ms, NOW + 3000);
	assert_string_equal(l.cursor, "x");
	v.wait_ms = INT64_MAX / 2;
	facts.now_ms = NOW + BOOT - 5;
	end_step(&l, &v, &facts);
	assert_int_equal(l.due_ms, NOW + BOOT);
}

static void what_went_wrong_before_it_was_ready_is_over(void **state)
{
	struct lease l = fresh();
	struct lease_effects out;

	(void)state;
	out = step(&l, LEASE_OP_PROVISION, LESSOR_RETRY, (struct lease_facts){ .now_ms = NOW });
	assert_string_equal(l.last_error, "because");
	assert_int_equal(notes_of(&out, "provision.retry"), 1);
	step(&l, LEASE_OP_PROVISION, LESSOR_PENDING, (struct lease_facts){ .now_ms = NOW });
	assert_int_equal(l.tries, 0);
	step(&l, LEASE_OP_PROVISION, LESSOR_RETRY, (struct lease_facts){ .now_ms = NOW });
	out = step(&l, LEASE_OP_PROVISION, LESSOR_DONE, (struct lease_facts){ .now_ms = READY });
	assert_int_equal(l.tries, 0);
	assert_string_equal(l.cursor, "");
	assert_string_equal(l.last_error, "");
	assert_int_equal(notes_of(&out, "lease.ready"), 1);
	assert_string_equal(out.notes[0].text, "cpx22 in nbg1 at 192.0.2.1");
}

static void a_pending_cleanup_comes_back_when_asked(void **state)
{
	struct lease l = owed();
	struct lease_effects out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 61000, .residue = 1, .billed = 1 };
	struct lease_verdict v = { .op = LEASE_OP_CLEANUP, .epoch = l.epoch, .verdict = LESSOR_PENDING,
				   .wait_ms = 2000, .reason = "", .cursor = "x" };

	(void)state;
	out = end_step(&l, &v, &facts);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, NOW + 63000);
	assert_string_equal(l.cursor, "x");
	v.wait_ms = HOUR;
	out = end_step(&l, &v, &facts);
	assert_int_equal(l.due_ms, NOW + 61000 + 300000);
}

/* The first failure and then each doubling. */
static void the_timeline_tells_and_does_not_flood(void **state)
{
	struct lease l = owed();

	(void)state;
	for (int i = 1; i <= 40; i++) {
		struct lease_effects out = step(&l, LEASE_OP_CLEANUP, LESSOR_RETRY,
						(struct lease_facts){ .now_ms = NOW + 61000,
								      .residue = 1 });

		assert_int_equal(l.tries, i);
		assert_string_equal(l.last_error, "because");
		assert_int_equal(notes_of(&out, "cleanup.retry"),
				 i == 1 || i == 2 || i == 4 || i == 8 || i == 16 || i == 32);
	}
}

static void retries_back_off_and_respect_what_the_provider_asks(void **state)
{
	struct lease l = fresh();
	int64_t last = 0;

	(void)state;
	for (int i = 1; i <= 5; i++) {
		step(&l, LEASE_OP_PROVISION, LESSOR_RETRY, (struct lease_facts){ .now_ms = NOW });
		assert_int_equal(l.tries, i);
		assert_true(l.due_ms - NOW > last);
		last = (l.due_ms - NOW) * 2 - 1;
	}
	assert_int_equal(l.state, LEASE_PROVISIONING);
}

static void a_refusal_fails_it_and_owes_what_may_exist(void **state)
{
	struct lease l = fresh();
	struct lease_effects out;

	(void)state;
	out = step(&l, LEASE_OP_PROVISION, LESSOR_REFUSED,
		   (struct lease_facts){ .now_ms = NOW + 5, .residue = 1 });
	assert_int_equal(notes_of(&out, "lease.failed"), 1);
	assert_int_equal(l.ended_ms, NOW + 5);
	assert_int_equal(l.updated_ms, NOW + 5);
	assert_int_equal(l.state, LEASE_FAILED);
	assert_int_equal(l.end_reason, LEASE_END_CLASS_CAPACITY);
	assert_string_equal(l.failure, "because");
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.due_ms, NOW + 5);

	l = fresh();
	step(&l, LEASE_OP_PROVISION, LESSOR_REFUSED, (struct lease_facts){ .now_ms = NOW + 5 });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_int_equal(l.due_ms, 0);
}

static void the_boot_deadline_fails_it_even_while_a_step_runs(void **state)
{
	struct lease l = fresh();
	struct lease_effects out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + BOOT - 1, .running = 1 };

	(void)state;
	out = tick(&l, facts);
	assert_int_equal(l.state, LEASE_PROVISIONING);
	facts.now_ms++;
	out = tick(&l, facts);
	assert_int_equal(l.state, LEASE_FAILED);
	assert_string_equal(l.failure, "the machine was not ready in time");
	assert_int_equal(notes_of(&out, "lease.failed"), 1);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.epoch, 2);
	assert_true(out.goal_changed);
}

static void it_expires_at_idle_or_ttl_and_not_before(void **state)
{
	struct lease l = ready();
	struct lease_effects out = { 0 };
	struct lease_facts facts = { .residue = 2 };

	(void)state;
	facts.now_ms = lease_expires_ms(&l) - 1;
	out = tick(&l, facts);
	assert_int_equal(l.state, LEASE_ACTIVE);
	facts.now_ms++;
	out = tick(&l, facts);
	assert_int_equal(l.state, LEASE_EXPIRED);
	assert_int_equal(l.end_reason, LEASE_END_IDLE);
	assert_string_equal(out.notes[0].text, "its idle timeout is over");
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.due_ms, facts.now_ms);

	l = ready();
	l.touched_ms = NOW + 3600000;
	facts.now_ms = NOW + 3600000;
	out = tick(&l, facts);
	assert_int_equal(l.end_reason, LEASE_END_TTL);
	assert_string_equal(out.notes[0].kind, "lease.expired");
	assert_string_equal(out.notes[0].text, "its TTL is over");
}

static void a_clock_in_doubt_ends_nothing(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .residue = 2, .is_clock_suspect = 1 };

	(void)state;
	facts.now_ms = lease_expires_ms(&l) + 24 * 3600000;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_ACTIVE);
	facts.is_clock_suspect = 0;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_EXPIRED);
}

/*
 * Not verified since the start, or fenced: heartbeats may have been missed, so no lease
 * ends.
 */
static void when_blind_nothing_ends(void **state)
{
	struct lease active = ready(), booting = fresh(), before;
	struct lease_facts facts = { .now_ms = NOW + 24 * HOUR, .residue = 2, .is_blind = 1 };
	struct lease_effects out;

	(void)state;
	before = active;
	out = tick(&active, facts);
	assert_false(out.changed);
	assert_memory_equal(&active, &before, sizeof(before));
	before = booting;
	out = tick(&booting, facts);
	assert_false(out.changed);
	assert_memory_equal(&booting, &before, sizeof(before));
	/* It still waits for its machine. */
	assert_int_equal(lifecycle_next(&booting, &facts), LEASE_OP_PROVISION);
	facts.is_blind = 0;
	tick(&active, facts);
	assert_int_equal(active.state, LEASE_EXPIRED);
	tick(&booting, facts);
	assert_int_equal(booting.state, LEASE_FAILED);
	assert_int_equal(booting.end_reason, LEASE_END_DEADLINE);
}

/* It holds nothing, and its client waits. */
static void what_made_nothing_ends_in_time_though_blind(void **state)
{
	struct lease_facts facts = { .now_ms = NOW + BOOT, .is_blind = 1, .running = 1 };
	struct lease l = fresh();

	(void)state;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_PROVISIONING);
	facts.running = 0;
	facts.residue = 1;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_PROVISIONING);
	facts.residue = 0;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_FAILED);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	/* An active one holds a machine, whatever its ledger says. */
	l = ready();
	facts.now_ms = NOW + 2 * TTL;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_ACTIVE);
}

static void a_heartbeat_moves_the_deadline_but_not_past_the_ttl(void **state)
{
	struct lease l = ready();
	struct lease_effects out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 600000 };

	(void)state;
	out = heartbeat(&l, 0, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
	assert_false(out.changed);
	assert_int_equal(lease_expires_ms(&l), NOW + 1200000);
	for (facts.now_ms = NOW + 1000000; facts.now_ms < NOW + 3600000; facts.now_ms += 500000)
		out = heartbeat(&l, 0, facts);
	assert_int_equal(lease_expires_ms(&l), NOW + 3600000);
	/* The due time in the row lags; the tick updates it. */
	facts.now_ms = l.due_ms;
	out = tick(&l, facts);
	assert_int_equal(l.state, LEASE_ACTIVE);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, NOW + 3600000);
}

static void a_heartbeat_at_the_deadline_revives_nothing(void **state)
{
	struct lease l = ready();
	struct lease_effects out = { 0 };
	struct lease_facts facts = { .now_ms = lease_expires_ms(&l) };

	(void)state;
	out = heartbeat(&l, 0, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_EXPIRED);
	/* While time ends nothing, it stays live. */
	facts.is_blind = 1;
	out = heartbeat(&l, 0, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
	assert_int_equal(l.touched_ms, facts.now_ms);
	l.state = LEASE_RELEASED;
	out = heartbeat(&l, 0, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_ENDED);
}

static void a_shorter_idle_time_is_due_earlier(void **state)
{
	struct lease l = ready();
	struct lease_effects out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 60000 };

	(void)state;
	out = heartbeat(&l, 30000, facts);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, NOW + 90000);
	assert_int_equal(l.updated_ms, NOW + 60000);
}

static void release_owes_the_delete_at_once(void **state)
{
	struct lease l = ready();
	struct lease_effects out = release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000,
									.residue = 2 });

	(void)state;
	assert_int_equal(l.state, LEASE_RELEASED);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.due_ms, NOW + 60000);
	assert_int_equal(l.epoch, 2);
	assert_true(out.goal_changed);
}

static void a_repeated_release_changes_nothing(void **state)
{
	struct lease l = ready(), before;

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2 });
	before = l;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 70000, .residue = 2 });
	assert_memory_equal(&before, &l, sizeof(l));
	step(&l, LEASE_OP_CLEANUP, LESSOR_GONE, (struct lease_facts){ .now_ms = NOW + 80000 });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	before = l;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 90000 });
	release(&l, 0, (struct lease_facts){ .now_ms = NOW + 90000 });
	assert_memory_equal(&before, &l, sizeof(l));
}

static void no_delete_keeps_and_nothing_is_due(void **state)
{
	struct lease l = ready();
	struct lease_effects out = release(&l, 0, (struct lease_facts){ .now_ms = NOW + 60000,
									.residue = 2 });
	struct lease_facts later = { .now_ms = NOW + INT64_C(365) * 86400000, .residue = 2 };

	(void)state;
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_true(l.retained);
	assert_true(out.retain_rows);
	assert_int_equal(l.due_ms, 0);
	out = tick(&l, later);
	assert_int_equal(lifecycle_next(&l, &later), LEASE_OP_NONE);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	/* The lease's own default is not an explicit delete. */
	release(&l, -1, later);
	assert_true(l.retained);
	release(&l, 1, later);
	assert_false(l.retained);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
}

/* The process may die before the running step reports what it created. */
static void no_delete_during_a_step_is_looked_at_should_the_step_never_end(void **state)
{
	struct lease l = fresh();
	struct lease_facts in_flight = { .now_ms = NOW + 1000, .running = 1, .residue = 1, .unsure = 1 };
	struct lease_facts later = { .now_ms = NOW + 60000, .residue = 1, .unsure = 1 };

	(void)state;
	release(&l, 0, in_flight);
	assert_true(l.retained);
	assert_true(l.due_ms > 0);
	assert_int_equal(lifecycle_next(&l, &later), LEASE_OP_INSPECT);
}

/* The look-up is settled in the ledger, but its result was lost with its process. */
static void a_kept_lease_with_nothing_left_to_look_for_comes_to_its_end(void **state)
{
	struct lease l = fresh();
	struct lease_facts facts = { .now_ms = NOW + 1000, .residue = 1, .unsure = 1 };

	(void)state;
	release(&l, 0, facts);
	assert_true(l.due_ms > 0);
	facts = (struct lease_facts){ .now_ms = NOW + 60000, .residue = 1 };
	tick(&l, facts);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(l.due_ms, 0);
	facts.residue = 0;
	tick(&l, facts);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_int_equal(l.due_ms, 0);
}

static void no_delete_while_cleanup_is_owed_stops_it(void **state)
{
	struct lease l = ready();
	int64_t epoch;

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2 });
	epoch = l.epoch;
	release(&l, 0, (struct lease_facts){ .now_ms = NOW + 60001, .residue = 2 });
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_true(l.epoch > epoch);
}

static void no_delete_comes_too_late_for_a_started_delete(void **state)
{
	struct lease l = ready();
	struct lease_effects out;

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2 });
	out = release(&l, 0, (struct lease_facts){ .now_ms = NOW + 60001, .residue = 2,
						   .deleting = 1 });
	assert_int_equal(out.refusal, LEASE_REFUSAL_CLEANUP_RUNS);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
}

static void no_delete_during_create_keeps_a_late_server(void **state)
{
	struct lease l = fresh();
	struct lease_verdict v = { .op = LEASE_OP_PROVISION, .epoch = 1, .verdict = LESSOR_PENDING,
				   .reason = "", .cursor = "" };
	struct lease_facts facts = { .now_ms = NOW + 9000, .residue = 1, .unsure = 1 };

	(void)state;
	release(&l, 0, (struct lease_facts){ .now_ms = NOW + 5000, .running = 1, .residue = 1,
					     .unsure = 1 });
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	/* The step returns with an unknown create: it is looked for, only to be recorded. */
	end_step(&l, &v, &facts);
	assert_int_equal(l.due_ms, NOW + 10000);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_INSPECT);
	facts.unsure = 0;
	step(&l, LEASE_OP_INSPECT, LESSOR_DONE, facts);
	assert_int_equal(l.due_ms, 0);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_NONE);
}

static void release_during_create_is_not_undone_by_its_result(void **state)
{
	struct lease l = fresh();
	struct lease_verdict v = { .op = LEASE_OP_PROVISION, .epoch = 1, .verdict = LESSOR_DONE,
				   .host = "192.0.2.9", .reason = "" };
	struct lease_facts facts = { .now_ms = NOW + 9000, .residue = 2 };

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 5000, .running = 1 });
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	end_step(&l, &v, &facts);
	assert_int_equal(l.state, LEASE_RELEASED);
	assert_string_equal(l.host, "");
	assert_int_equal(l.due_ms, NOW + 9000);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_CLEANUP);
}

/* A stale result decides nothing; the ledger's residue still counts. */
static void a_late_result_ends_what_has_nothing_left(void **state)
{
	struct lease_facts facts = { .now_ms = NOW + 90000 };
	struct lease_verdict v = { .op = LEASE_OP_CLEANUP, .epoch = 1, .verdict = LESSOR_REFUSED,
				   .reason = "because" };
	struct lease lives[] = { owed(), kept() }, l;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct lease_effects out = { 0 };

		l = lives[i];
		l.tries = 3;
		out = end_step(&l, &v, &facts);
		assert_true(out.changed);
		assert_int_equal(l.cleanup, CLEANUP_DONE);
		assert_int_equal(l.tries, 0);
		assert_int_equal(l.updated_ms, NOW + 90000);
		assert_int_equal(notes_of(&out, "lease.cleaned"), 1);
		/* Done stays done, whatever a late row says. */
		facts.residue = 1;
		l.retained = 0;
		out = end_step(&l, &v, &facts);
		assert_int_equal(l.cleanup, CLEANUP_DONE);
		assert_int_equal(l.due_ms, 0);
		facts.residue = 0;
	}
}

static void history_is_written_once(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = lease_expires_ms(&l), .residue = 2 };
	int64_t ended;

	(void)state;
	tick(&l, facts);
	ended = l.ended_ms;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 9000000, .residue = 2 });
	assert_int_equal(l.state, LEASE_EXPIRED);
	assert_int_equal(l.ended_ms, ended);
	assert_int_equal(l.end_reason, LEASE_END_IDLE);
	assert_int_equal(lease_shown_state(&l), LEASE_RELEASED);
}

static void gone_is_not_believed_against_the_ledger(void **state)
{
	struct lease l = ready();

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2 });
	step(&l, LEASE_OP_CLEANUP, LESSOR_GONE, (struct lease_facts){ .now_ms = NOW + 61000,
								      .residue = 1 });
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_true(l.due_ms > NOW + 61000);
}

static void a_refused_cleanup_asks_for_a_person_and_goes_on_slowly(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = NOW + 61000, .residue = 1 };

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2 });
	step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED, facts);
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_string_equal(l.attention, "because; once that is fixed: lessor resolve "
					 "cbx_0123456789ab retry");
	assert_true(l.due_ms >= NOW + 61000 + 150000);
	assert_true(lease_counts(&l));
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_CLEANUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_lease_is_due_at_once),
		cmocka_unit_test(a_new_lease_has_no_past),
		cmocka_unit_test(ready_starts_the_idle_clock),
		cmocka_unit_test(what_went_wrong_before_it_was_ready_is_over),
		cmocka_unit_test(a_pending_cleanup_comes_back_when_asked),
		cmocka_unit_test(the_timeline_tells_and_does_not_flood),
		cmocka_unit_test(pending_comes_back_when_asked_and_not_after_the_deadline),
		cmocka_unit_test(retries_back_off_and_respect_what_the_provider_asks),
		cmocka_unit_test(a_refusal_fails_it_and_owes_what_may_exist),
		cmocka_unit_test(the_boot_deadline_fails_it_even_while_a_step_runs),
		cmocka_unit_test(it_expires_at_idle_or_ttl_and_not_before),
		cmocka_unit_test(a_clock_in_doubt_ends_nothing),
		cmocka_unit_test(when_blind_nothing_ends),
		cmocka_unit_test(what_made_nothing_ends_in_time_though_blind),
		cmocka_unit_test(a_heartbeat_moves_the_deadline_but_not_past_the_ttl),
		cmocka_unit_test(a_heartbeat_at_the_deadline_revives_nothing),
		cmocka_unit_test(a_shorter_idle_time_is_due_earlier),
		cmocka_unit_test(release_owes_the_delete_at_once),
		cmocka_unit_test(a_repeated_release_changes_nothing),
		cmocka_unit_test(no_delete_keeps_and_nothing_is_due),
		cmocka_unit_test(no_delete_while_cleanup_is_owed_stops_it),
		cmocka_unit_test(no_delete_comes_too_late_for_a_started_delete),
		cmocka_unit_test(no_delete_during_create_keeps_a_late_server),
		cmocka_unit_test(release_during_create_is_not_undone_by_its_result),
		cmocka_unit_test(no_delete_during_a_step_is_looked_at_should_the_step_never_end),
		cmocka_unit_test(a_kept_lease_with_nothing_left_to_look_for_comes_to_its_end),
		cmocka_unit_test(a_late_result_ends_what_has_nothing_left),
		cmocka_unit_test(history_is_written_once),
		cmocka_unit_test(gone_is_not_believed_against_the_ledger),
		cmocka_unit_test(a_refused_cleanup_asks_for_a_person_and_goes_on_slowly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
