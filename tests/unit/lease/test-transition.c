/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <lessor/provider.h>

#include "life.h"

static void a_new_lease_is_due_at_once(void **state)
{
	struct lease l = fresh();
	struct lease_facts facts = { .now_ms = NOW };

	(void)state;
	assert_int_equal(l.state, LEASE_PROVISIONING);
	assert_int_equal(l.due_ms, NOW);
	assert_int_equal(l.provision_deadline_ms, NOW + BOOT);
	assert_int_equal(lease_next(&l, &facts), LEASE_OP_PROVISION);
	assert_int_equal(lease_expires_ms(&l), NOW + 3600000);
}

static void ready_starts_the_idle_clock(void **state)
{
	struct lease l = ready();

	(void)state;
	assert_string_equal(l.host, "192.0.2.1");
	assert_int_equal(lease_expires_ms(&l), NOW + 30000 + 600000);
	assert_int_equal(l.due_ms, lease_expires_ms(&l));
}

static void pending_comes_back_when_asked_and_not_after_the_deadline(void **state)
{
	struct lease l = fresh();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 1000 };
	struct lease_verdict v = { .op = LEASE_OP_PROVISION, .epoch = 1, .verdict = LESSOR_PENDING,
				   .wait_ms = 2000, .cursor = "x", .reason = "" };

	(void)state;
	lease_step_done(&l, &v, &facts, &out);
	assert_int_equal(l.due_ms, NOW + 3000);
	assert_string_equal(l.cursor, "x");
	v.wait_ms = INT64_MAX / 2;
	facts.now_ms = NOW + BOOT - 5;
	lease_step_done(&l, &v, &facts, &out);
	assert_int_equal(l.due_ms, NOW + BOOT);
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

	(void)state;
	step(&l, LEASE_OP_PROVISION, LESSOR_REFUSED,
	     (struct lease_facts){ .now_ms = NOW + 5, .residue = 1 });
	assert_int_equal(l.state, LEASE_FAILED);
	assert_string_equal(l.end_reason, "capacity");
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
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + BOOT - 1, .running = 1 };

	(void)state;
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_PROVISIONING);
	facts.now_ms++;
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_FAILED);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.epoch, 2);
	assert_true(out.goal_changed);
}

static void it_expires_at_idle_or_ttl_and_not_before(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .residue = 2 };

	(void)state;
	facts.now_ms = lease_expires_ms(&l) - 1;
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_ACTIVE);
	facts.now_ms++;
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_EXPIRED);
	assert_string_equal(l.end_reason, "idle");
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(l.due_ms, facts.now_ms);

	l = ready();
	l.touched_ms = NOW + 3600000;
	facts.now_ms = NOW + 3600000;
	lease_tick(&l, &facts, &out);
	assert_string_equal(l.end_reason, "ttl");
}

static void a_clock_in_doubt_ends_nothing(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .residue = 2, .clock_doubted = 1 };

	(void)state;
	facts.now_ms = lease_expires_ms(&l) + 24 * 3600000;
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_ACTIVE);
	facts.clock_doubted = 0;
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_EXPIRED);
}

/* Not verified since the start, or fenced: what ends now may be wanted by clients that we missed. */
static void when_blind_nothing_ends(void **state)
{
	struct lease active = ready(), booting = fresh(), before;
	struct lease_facts facts = { .now_ms = NOW + 24 * HOUR, .residue = 2, .is_blind = 1 };
	struct lease_outcome out;

	(void)state;
	before = active;
	out = tick(&active, facts);
	assert_false(out.changed);
	assert_memory_equal(&active, &before, sizeof(before));
	before = booting;
	out = tick(&booting, facts);
	assert_false(out.changed);
	assert_memory_equal(&booting, &before, sizeof(before));
	/* And it still wants its machine. */
	assert_int_equal(lease_next(&booting, &facts), LEASE_OP_PROVISION);
	facts.is_blind = 0;
	tick(&active, facts);
	assert_int_equal(active.state, LEASE_EXPIRED);
	tick(&booting, facts);
	assert_int_equal(booting.state, LEASE_FAILED);
	assert_string_equal(booting.end_reason, "deadline");
}

static void a_heartbeat_moves_the_deadline_but_not_past_the_ttl(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 600000 };

	(void)state;
	lease_heartbeat(&l, 0, &facts, &out);
	assert_null(out.refusal);
	assert_false(out.changed);
	assert_int_equal(lease_expires_ms(&l), NOW + 1200000);
	for (facts.now_ms = NOW + 1000000; facts.now_ms < NOW + 3600000; facts.now_ms += 500000)
		lease_heartbeat(&l, 0, &facts, &out);
	assert_int_equal(lease_expires_ms(&l), NOW + 3600000);
	/* The due time that is in the row lags; the tick brings it up. */
	facts.now_ms = l.due_ms;
	out = (struct lease_outcome){ 0 };
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.state, LEASE_ACTIVE);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, NOW + 3600000);
}

static void a_heartbeat_at_the_deadline_revives_nothing(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = lease_expires_ms(&l) };

	(void)state;
	lease_heartbeat(&l, 0, &facts, &out);
	assert_string_equal(out.refusal, "lease_expired");
	l.state = LEASE_RELEASED;
	lease_heartbeat(&l, 0, &facts, &out);
	assert_string_equal(out.refusal, "lease_ended");
}

static void a_shorter_idle_time_is_due_earlier(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 60000 };

	(void)state;
	lease_heartbeat(&l, 30000, &facts, &out);
	assert_true(out.changed);
	assert_int_equal(l.due_ms, NOW + 90000);
}

static void release_owes_the_delete_at_once(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000,
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
	struct lease_outcome out = release(&l, 0, (struct lease_facts){ .now_ms = NOW + 60000,
									.residue = 2 });
	struct lease_facts later = { .now_ms = NOW + INT64_C(365) * 86400000, .residue = 2 };

	(void)state;
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_true(l.retained);
	assert_true(out.retain_rows);
	assert_int_equal(l.due_ms, 0);
	lease_tick(&l, &later, &out);
	assert_int_equal(lease_next(&l, &later), LEASE_OP_NONE);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	/* The lease's own preset is no explicit delete. */
	release(&l, -1, later);
	assert_true(l.retained);
	release(&l, 1, later);
	assert_false(l.retained);
	assert_int_equal(l.cleanup, CLEANUP_OWED);
}

/* The process may die before the step that runs says what it made. */
static void no_delete_during_a_step_is_looked_at_should_the_step_never_end(void **state)
{
	struct lease l = fresh();
	struct lease_facts in_flight = { .now_ms = NOW + 1000, .running = 1, .residue = 1, .unsure = 1 };
	struct lease_facts later = { .now_ms = NOW + 60000, .residue = 1, .unsure = 1 };

	(void)state;
	release(&l, 0, in_flight);
	assert_true(l.retained);
	assert_true(l.due_ms > 0);
	assert_int_equal(lease_next(&l, &later), LEASE_OP_LOOK);
}

/* What was looked for is settled in the ledger, and the look's result was lost with its process. */
static void a_kept_lease_with_nothing_left_to_look_for_comes_to_its_end(void **state)
{
	struct lease l = fresh();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = NOW + 1000, .residue = 1, .unsure = 1 };

	(void)state;
	release(&l, 0, facts);
	assert_true(l.due_ms > 0);
	facts = (struct lease_facts){ .now_ms = NOW + 60000, .residue = 1 };
	lease_tick(&l, &facts, &out);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(l.due_ms, 0);
	facts.residue = 0;
	lease_tick(&l, &facts, &out);
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
	struct lease_outcome out;

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2 });
	out = release(&l, 0, (struct lease_facts){ .now_ms = NOW + 60001, .residue = 2,
						   .deleting = 1 });
	assert_string_equal(out.refusal, "cleanup_in_progress");
	assert_int_equal(l.cleanup, CLEANUP_OWED);
}

static void no_delete_during_create_keeps_a_late_server(void **state)
{
	struct lease l = fresh();
	struct lease_verdict v = { .op = LEASE_OP_PROVISION, .epoch = 1, .verdict = LESSOR_PENDING,
				   .reason = "", .cursor = "" };
	struct lease_facts facts = { .now_ms = NOW + 9000, .residue = 1, .unsure = 1 };
	struct lease_outcome out = { 0 };

	(void)state;
	release(&l, 0, (struct lease_facts){ .now_ms = NOW + 5000, .running = 1, .residue = 1,
					     .unsure = 1 });
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	/* The step comes back with nobody knowing: it is looked for, only to be recorded. */
	lease_step_done(&l, &v, &facts, &out);
	assert_int_equal(l.due_ms, NOW + 10000);
	assert_int_equal(lease_next(&l, &facts), LEASE_OP_LOOK);
	facts.unsure = 0;
	step(&l, LEASE_OP_LOOK, LESSOR_DONE, facts);
	assert_int_equal(l.due_ms, 0);
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	assert_int_equal(lease_next(&l, &facts), LEASE_OP_NONE);
}

static void release_during_create_is_not_undone_by_its_result(void **state)
{
	struct lease l = fresh();
	struct lease_outcome out = { 0 };
	struct lease_verdict v = { .op = LEASE_OP_PROVISION, .epoch = 1, .verdict = LESSOR_DONE,
				   .host = "192.0.2.9", .reason = "" };
	struct lease_facts facts = { .now_ms = NOW + 9000, .residue = 2 };

	(void)state;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 5000, .running = 1 });
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	lease_step_done(&l, &v, &facts, &out);
	assert_int_equal(l.state, LEASE_RELEASED);
	assert_string_equal(l.host, "");
	assert_int_equal(l.due_ms, NOW + 9000);
	assert_int_equal(lease_next(&l, &facts), LEASE_OP_CLEANUP);
}

static void history_is_written_once(void **state)
{
	struct lease l = ready();
	struct lease_outcome out = { 0 };
	struct lease_facts facts = { .now_ms = lease_expires_ms(&l), .residue = 2 };
	int64_t ended;

	(void)state;
	lease_tick(&l, &facts, &out);
	ended = l.ended_ms;
	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 9000000, .residue = 2 });
	assert_int_equal(l.state, LEASE_EXPIRED);
	assert_int_equal(l.ended_ms, ended);
	assert_string_equal(l.end_reason, "idle");
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
	assert_string_equal(l.attention, "because; when that is mended: lessor resolve "
			    "cbx_0123456789ab retry");
	assert_true(l.due_ms >= NOW + 61000 + 150000);
	assert_true(lease_counts(&l));
	assert_int_equal(lease_next(&l, &facts), LEASE_OP_CLEANUP);
}

/* ---- rule 10, over seeded random lives ------------------------------------------------- */

static struct lease_facts random_facts(uint32_t seed, int64_t now_ms)
{
	struct lease_facts facts = { .now_ms = now_ms, .random = seed };

	facts.residue = (int)(seed >> 3) % 3;
	facts.billed = facts.residue ? (int)(seed >> 4) % 2 : 0;
	facts.unsure = facts.residue ? (int)(seed >> 5) % 2 : 0;
	facts.deleting = facts.residue ? (seed >> 6) % 8 == 0 : 0;
	facts.unprotected = facts.residue ? (int)(seed >> 9) % 2 : 0;
	facts.can_protect = (int)(seed >> 10) % 2;
	facts.server_gone = facts.residue ? (seed >> 11) % 4 == 0 : 0;
	facts.is_blind = (seed >> 13) % 4 == 0;
	facts.clock_doubted = (seed >> 15) % 8 == 0;
	facts.absence_ms = seed >> 18 & 1 ? now_ms + (seed >> 8) % 100000 : 0;
	return facts;
}

/* One event; 1 if it is an explicit delete. */
static int random_event(struct lease *l, uint32_t seed, const struct lease_facts *facts)
{
	struct lease_outcome out = { 0 };

	switch ((seed >> 24) % 16) {
	case 0:
		lease_release(l, 1, 0, facts, &out);
		return 1;
	case 1:
		lease_release(l, 0, 0, facts, &out);
		break;
	case 2:
		lease_release(l, -1, 0, facts, &out);
		break;
	case 3:
		lease_heartbeat(l, 0, facts, &out);
		break;
	case 4:
	case 5:
		lease_tick(l, facts, &out);
		break;
	case 6:
		lease_unprotected(l, facts, &out);
		break;
	case 7:
		lease_blocked(l, "is blocked", facts, &out);
		break;
	case 8:
		lease_unblocked(l, facts, &out);
		break;
	case 9:
		lease_retry(l, facts, &out);
		break;
	default:
		(seed >> 20 & 3 ? step : broken_step)(l, lease_next(l, facts),
						      1 + (int)(seed >> 16) % 5, *facts);
		break;
	}
	return 0;
}

static void check_life(const struct lease *l, const struct lease *before,
		       const struct lease_facts *facts, int is_delete)
{
	int64_t due = lease_due_ms(l, facts->now_ms);

	if (before->state >= LEASE_RELEASED)
		assert_int_equal(l->state, before->state);
	assert_true(l->epoch >= before->epoch);
	if (before->retained && !l->retained)
		assert_true(is_delete);
	if (l->retained)
		assert_true(l->cleanup == CLEANUP_RETAINED || l->cleanup == CLEANUP_DONE);
	if (!lease_is_live(l) && l->cleanup != CLEANUP_DONE && !l->retained)
		assert_true(l->due_ms > 0 && due > 0 && due <= facts->now_ms + HOUR);
	if (lease_is_live(l))
		assert_true(l->due_ms > 0 && due > 0 && due <= lease_deadline_ms(l));
	if (l->cleanup == CLEANUP_ATTENTION)
		assert_true(l->attention[0] != '\0');
}

static void always_moving_or_finished(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int life = 0; life < 20000; life++) {
		struct lease l = fresh();
		int64_t now_ms = NOW;

		l.keep = life & 1;
		for (int i = 0; i < 16; i++) {
			struct lease before = l;
			struct lease_facts facts;
			int is_delete;

			seed = seed * 1664525 + 1013904223;
			now_ms += (seed >> 8) % 900000;
			facts = random_facts(seed, now_ms);
			seed = seed * 1664525 + 1013904223;
			is_delete = random_event(&l, seed, &facts);
			check_life(&l, &before, &facts, is_delete);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_lease_is_due_at_once),
		cmocka_unit_test(ready_starts_the_idle_clock),
		cmocka_unit_test(pending_comes_back_when_asked_and_not_after_the_deadline),
		cmocka_unit_test(retries_back_off_and_respect_what_the_provider_asks),
		cmocka_unit_test(a_refusal_fails_it_and_owes_what_may_exist),
		cmocka_unit_test(the_boot_deadline_fails_it_even_while_a_step_runs),
		cmocka_unit_test(it_expires_at_idle_or_ttl_and_not_before),
		cmocka_unit_test(a_clock_in_doubt_ends_nothing),
		cmocka_unit_test(when_blind_nothing_ends),
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
		cmocka_unit_test(history_is_written_once),
		cmocka_unit_test(gone_is_not_believed_against_the_ledger),
		cmocka_unit_test(a_refused_cleanup_asks_for_a_person_and_goes_on_slowly),
		cmocka_unit_test(always_moving_or_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
