/* SPDX-License-Identifier: MIT */
/* A lease in the queue for capacity: what each event does to it, and its times. */
#include <string.h>

#include <lessor/provider.h>

#include "unit/test.h"
#include "lease/times.h"
#include "life.h"

#define WAIT (2 * HOUR)

static struct lease_facts at(int64_t ms)
{
	return (struct lease_facts){ .now_ms = NOW + ms };
}

static struct lease begun(int is_queued)
{
	struct lease l = { .n = 1, .ttl_ms = TTL, .idle_ms = 0, .queue_ms = WAIT };
	struct lease_event event = { .kind = LEASE_EVENT_BEGIN };
	struct lease_facts facts = at(0);
	struct lease_effects out = { 0 };

	event.u.boot_ms = BOOT;
	event.u.is_queued = is_queued;
	lifecycle_apply(&l, LEASE_EVENT_BEGIN, &event, &facts, &out);
	assert_int_equal(notes_of(&out, "lease.queued"), is_queued);
	return l;
}

static struct lease queued(void)
{
	return begun(1);
}

static struct lease_effects admit(struct lease *l, int64_t ms, int64_t price)
{
	struct lease_event event = { .kind = LEASE_EVENT_ADMIT };
	struct lease_facts facts = at(ms);
	struct lease_effects out = { 0 };

	event.u.boot_ms = BOOT;
	event.u.price_hour_micros = price;
	event.u.currency = "EUR";
	lifecycle_apply(l, LEASE_EVENT_ADMIT, &event, &facts, &out);
	return out;
}

static void it_counts_and_has_a_step_only_once_admitted(void **state)
{
	struct lease l = queued();
	struct lease_facts facts = at(0);
	struct lease_effects out;

	(void)state;
	assert_int_equal(l.state, LEASE_PROVISIONING);
	assert_true(lease_is_queued(&l) && lease_is_live(&l));
	assert_false(lease_counts(&l));
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_NONE);
	assert_int_equal(lease_due_ms(&l, NOW), NOW + WAIT);
	assert_false(lease_is_late(&l, NOW + BOOT + 1));
	l.price_hour_micros = 7;
	out = admit(&l, HOUR, 0);
	assert_true(out.changed && out.times_changed);
	assert_int_equal(notes_of(&out, "lease.admitted"), 1);
	assert_string_equal(out.notes[0].text, "admitted after 1h");
	assert_false(lease_is_queued(&l));
	assert_true(lease_counts(&l));
	assert_int_equal(l.price_hour_micros, 7);
	facts = at(HOUR);
	assert_int_equal(lifecycle_next(&l, &facts), LEASE_OP_PROVISION);
	assert_int_equal(l.due_ms, NOW + HOUR);
	assert_int_equal(lease_deadline_ms(&l), NOW + HOUR + BOOT);
	assert_int_equal(lease_expires_ms(&l), NOW + HOUR + TTL);
	/* Once only. */
	out = admit(&l, 2 * HOUR, 9);
	assert_false(out.changed);
	assert_int_equal(lease_begun_ms(&l), NOW + HOUR);
}

static void what_may_wait_and_need_not_begins_at_once(void **state)
{
	struct lease l = begun(0);

	(void)state;
	assert_false(lease_is_queued(&l));
	assert_int_equal(l.admitted_ms, NOW);
	assert_int_equal(lease_expires_ms(&l), NOW + TTL);
	l = fresh();
	assert_false(lease_is_queued(&l));
	assert_int_equal(l.admitted_ms, 0);
}

static void the_present_price_counts(void **state)
{
	struct lease l = queued();

	(void)state;
	admit(&l, 0, 9);
	assert_int_equal(l.price_hour_micros, 9);
	assert_string_equal(l.currency, "EUR");
}

static void its_wait_ends(void **state)
{
	struct lease l = queued();
	struct lease_effects out = tick(&l, at(WAIT - 1));

	(void)state;
	assert_true(lease_is_queued(&l) && !out.changed);
	/* While the clock is in doubt, nothing ends by time. */
	tick(&l, (struct lease_facts){ .now_ms = NOW + WAIT, .is_clock_suspect = 1 });
	assert_true(lease_is_queued(&l));
	/* Nothing was made, so a blind account does not matter. */
	out = tick(&l, (struct lease_facts){ .now_ms = NOW + WAIT, .is_blind = 1 });
	assert_int_equal(l.state, LEASE_FAILED);
	assert_int_equal(l.end_reason, LEASE_END_QUEUE);
	assert_string_equal(lease_end_text(&l), "queue_timeout");
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_int_equal(l.due_ms, 0);
	assert_int_equal(notes_of(&out, "lease.failed"), 1);
	assert_false(lease_is_queued(&l) || lease_counts(&l));
	admit(&l, WAIT + 1, 9);
	assert_int_equal(l.state, LEASE_FAILED);
}

static void it_idles_away_without_heartbeats(void **state)
{
	struct lease l = queued();

	(void)state;
	heartbeat(&l, IDLE, at(HOUR));
	assert_int_equal(l.due_ms, NOW + HOUR + IDLE);
	heartbeat(&l, 0, at(HOUR + IDLE / 2));
	tick(&l, at(HOUR + IDLE));
	assert_true(lease_is_queued(&l));
	assert_int_equal(l.due_ms, NOW + HOUR + IDLE / 2 + IDLE);
	tick(&l, at(HOUR + IDLE / 2 + IDLE));
	assert_int_equal(l.state, LEASE_EXPIRED);
	assert_int_equal(l.end_reason, LEASE_END_IDLE);
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	assert_int_equal(heartbeat(&l, 0, at(3 * HOUR)).refusal, LEASE_REFUSAL_ENDED);
}

static void a_release_leaves_nothing_kept_or_not(void **state)
{
	(void)state;
	for (int delete = -1; delete <= 1; delete ++) {
		struct lease l = queued();
		struct lease_effects out;

		l.keep = 1;
		out = release(&l, delete, at(HOUR));
		assert_int_equal(out.refusal, LEASE_REFUSAL_NONE);
		assert_int_equal(l.state, LEASE_RELEASED);
		assert_int_equal(l.released_ms, NOW + HOUR);
		assert_int_equal(l.cleanup, CLEANUP_DONE);
		assert_int_equal(l.retained, 0);
	}
}

static void events_of_steps_do_nothing(void **state)
{
	static const int kinds[] = { LEASE_EVENT_VERDICT, LEASE_EVENT_CLOCK_SET,
				     LEASE_EVENT_STUCK,	  LEASE_EVENT_UNPROTECTED,
				     LIFE_FOUND,	  LIFE_FORGOTTEN,
				     LIFE_KEPT_ELSEWHERE };
	struct lease l = queued(), before = l;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_false(happen(&l, kinds[i], at(1)).changed);
		assert_memory_equal(&l, &before, sizeof(l));
	}
	assert_int_equal(happen(&l, LEASE_EVENT_RETRY, at(1)).refusal,
			 LEASE_REFUSAL_NOTHING_TO_RETRY);
}

/* The clock was an hour ahead when it joined, or when it was admitted. */
static void its_times_follow_a_clock_that_is_put_right(void **state)
{
	struct lease l = queued();

	(void)state;
	assert_int_equal(lease_times_mend(&l, NOW - HOUR), 1);
	assert_int_equal(l.created_ms, NOW - HOUR);
	assert_int_equal(lease_expires_ms(&l), NOW - HOUR + WAIT);
	l = queued();
	admit(&l, HOUR, 0);
	assert_int_equal(lease_times_mend(&l, NOW), 1);
	assert_in_range(l.admitted_ms, NOW - TIMES_AHEAD_MS, NOW);
	assert_int_equal(l.provision_deadline_ms, l.admitted_ms + BOOT);
	assert_int_equal(lease_expires_ms(&l), l.admitted_ms + TTL);
	assert_true(lease_counts(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts_and_has_a_step_only_once_admitted),
		cmocka_unit_test(what_may_wait_and_need_not_begins_at_once),
		cmocka_unit_test(the_present_price_counts),
		cmocka_unit_test(its_wait_ends),
		cmocka_unit_test(it_idles_away_without_heartbeats),
		cmocka_unit_test(a_release_leaves_nothing_kept_or_not),
		cmocka_unit_test(events_of_steps_do_nothing),
		cmocka_unit_test(its_times_follow_a_clock_that_is_put_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
