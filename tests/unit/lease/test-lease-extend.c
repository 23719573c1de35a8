/* SPDX-License-Identifier: MIT */
/* Extending a lease: the table of the lifecycle, event EXTEND. */
#include "../test.h"

#include <string.h>

#include "life.h"

static struct lease_effects extend(struct lease *l, int64_t ttl_ms, int64_t idle_ms,
				   struct lease_facts facts)
{
	struct lease_event event = { .kind = LEASE_EVENT_EXTEND,
				     .u.extension = { ttl_ms, idle_ms } };
	struct lease before = *l;
	struct lease_effects out = { 0 };

	lifecycle_apply(l, LEASE_EVENT_EXTEND, &event, &facts, &out);
	/* What is not marked as changed is not written. */
	if (!out.changed)
		assert_memory_equal(&before, l, sizeof(before));
	assert_false(out.goal_changed);
	assert_false(out.times_changed);
	assert_int_equal(before.epoch, l->epoch);
	return out;
}

static void u1_an_extension_moves_the_end(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = READY + 60000 };
	struct lease_effects out = extend(&l, 2 * TTL, 2 * TTL, facts);

	(void)state;
	assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
	assert_true(out.changed);
	assert_int_equal(l.ttl_ms, 2 * TTL);
	assert_int_equal(l.idle_ms, 2 * TTL);
	assert_int_equal(lease_expires_ms(&l), NOW + 2 * TTL);
	assert_int_equal(l.due_ms, NOW + 2 * TTL);
	assert_int_equal(l.updated_ms, facts.now_ms);
	/* It is not a heartbeat. */
	assert_int_equal(l.touched_ms, READY);
	assert_int_equal(notes_of(&out, "lease.extended"), 1);
	assert_string_equal(out.notes[0].text, "extended to 2027-01-15T10:00:00.000Z");
	/* Nothing ends it at the old time. */
	facts.now_ms = NOW + TTL + 1;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_ACTIVE);
	facts.now_ms = NOW + 2 * TTL;
	tick(&l, facts);
	assert_int_equal(l.state, LEASE_EXPIRED);
	assert_int_equal(l.end_reason, LEASE_END_TTL);
}

static void u1_repeating_or_asking_for_less_changes_nothing(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = READY + 60000 };
	struct lease_effects out;

	(void)state;
	extend(&l, 2 * TTL, 0, facts);
	facts.now_ms += 1000;
	out = extend(&l, 2 * TTL, 0, facts);
	assert_false(out.changed);
	assert_int_equal(out.note_count, 0);
	out = extend(&l, 1, 1, facts);
	assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
	assert_false(out.changed);
	/* One of the two. */
	out = extend(&l, 1, 2 * IDLE, facts);
	assert_true(out.changed);
	assert_int_equal(out.note_count, 0);
	assert_int_equal(l.idle_ms, 2 * IDLE);
	assert_int_equal(l.ttl_ms, 2 * TTL);
	assert_int_equal(l.due_ms, READY + 2 * IDLE);
}

static void u1_without_an_idle_timeout_there_is_none_afterwards(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = READY + 60000 };

	(void)state;
	l.idle_ms = 0;
	extend(&l, 2 * TTL, IDLE, facts);
	assert_int_equal(l.idle_ms, 0);
	assert_int_equal(lease_expires_ms(&l), NOW + 2 * TTL);
}

static void u1_while_provisioning_the_step_goes_on(void **state)
{
	struct lease l = fresh();
	struct lease_facts facts = { .now_ms = NOW + 1000 };
	int64_t due = l.due_ms, deadline = l.provision_deadline_ms;

	(void)state;
	assert_true(extend(&l, 2 * TTL, 0, facts).changed);
	assert_int_equal(l.due_ms, due);
	assert_int_equal(l.provision_deadline_ms, deadline);
	assert_int_equal(l.state, LEASE_PROVISIONING);
}

static void u1_an_expired_lease_is_not_revived(void **state)
{
	struct lease l = ready();
	struct lease_facts facts = { .now_ms = lease_expires_ms(&l) };

	(void)state;
	assert_int_equal(extend(&l, 9 * TTL, 9 * TTL, facts).refusal, LEASE_REFUSAL_EXPIRED);
	assert_int_equal(l.ttl_ms, TTL);
	/* While time ends nothing, it stays live. */
	facts.is_blind = 1;
	assert_int_equal(extend(&l, 9 * TTL, 9 * TTL, facts).refusal, LEASE_REFUSAL_NONE);
	facts.is_blind = 0;
	facts.is_clock_suspect = 1;
	facts.now_ms = NOW + 99 * TTL;
	assert_int_equal(extend(&l, 100 * TTL, 0, facts).refusal, LEASE_REFUSAL_NONE);
}

static void u1_an_ended_lease_stays_ended(void **state)
{
	struct lease_facts facts = { .now_ms = NOW + 120000 };
	struct lease rows[] = { owed(), kept(), owed(), owed() };

	(void)state;
	rows[2].cleanup = CLEANUP_ATTENTION;
	rows[3].cleanup = CLEANUP_DONE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(extend(&rows[i], 9 * TTL, 9 * TTL, facts).refusal,
				 LEASE_REFUSAL_ENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u1_an_extension_moves_the_end),
		cmocka_unit_test(u1_repeating_or_asking_for_less_changes_nothing),
		cmocka_unit_test(u1_without_an_idle_timeout_there_is_none_afterwards),
		cmocka_unit_test(u1_while_provisioning_the_step_goes_on),
		cmocka_unit_test(u1_an_expired_lease_is_not_revived),
		cmocka_unit_test(u1_an_ended_lease_stays_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
