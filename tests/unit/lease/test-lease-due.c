/* SPDX-License-Identifier: MIT */
/* When a lease is due, whatever its row says, and whether it counts against limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lessor/provider.h>

#include "life.h"
#include "util/alloc.h"

static void a_deadline_is_the_earlier_of_two(void **state)
{
	struct lease l = fresh();

	(void)state;
	assert_int_equal(lease_deadline_ms(&l), NOW + BOOT);
	l.provision_deadline_ms = NOW + TTL + 1;
	assert_int_equal(lease_deadline_ms(&l), NOW + TTL);
	l = ready();
	assert_int_equal(lease_deadline_ms(&l), READY + IDLE);
	l.idle_ms = 0;
	assert_int_equal(lease_deadline_ms(&l), NOW + TTL);
	l.idle_ms = IDLE;
	l.touched_ms = NOW + TTL;
	assert_int_equal(lease_deadline_ms(&l), NOW + TTL);
	for (int s = LEASE_RELEASED; s < LEASE_STATE_COUNT; s++) {
		l.state = (enum lease_state)s;
		assert_int_equal(lease_deadline_ms(&l), 0);
	}
}

static void a_time_beyond_all_times_is_no_overflow(void **state)
{
	struct lease l = ready();

	(void)state;
	l.created_ms = l.touched_ms = INT64_MAX - 1;
	assert_int_equal(lease_deadline_ms(&l), INT64_MAX);
	l.state = LEASE_RELEASED;
	l.cleanup = CLEANUP_OWED;
	l.due_ms = INT64_MAX;
	assert_int_equal(lease_due_ms(&l, INT64_MAX - 1), INT64_MAX);
}

static struct lease booting(void)
{
	return fresh();
}

static struct lease needs_operator(void)
{
	struct lease l = owed();

	step(&l, LEASE_OP_CLEANUP, LESSOR_REFUSED,
	     (struct lease_facts){ .now_ms = NOW + 61000, .residue = 2, .billed = 1 });
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	return l;
}

static struct lease done(void)
{
	struct lease l = owed();

	step(&l, LEASE_OP_CLEANUP, LESSOR_GONE, (struct lease_facts){ .now_ms = NOW + 61000 });
	assert_int_equal(l.cleanup, CLEANUP_DONE);
	return l;
}

#define LATER (NOW + 70000)
#define TEN_DAYS (240 * HOUR)

/* A due time ten days ahead, as in a row edited by hand, does not extend any limit. */
static void a_stored_due_time_is_not_believed_beyond_the_limits(void **state)
{
	static const struct { struct lease (*make)(void); int64_t due_ms, want_ms; } rows[] = {
		{ booting, LATER + TEN_DAYS, NOW + BOOT }, { booting, 0, NOW + BOOT },
		{ booting, NOW + BOOT + 1, NOW + BOOT }, { booting, LATER + 1, LATER + 1 },
		{ booting, 1, 1 },
		{ ready, LATER + TEN_DAYS, READY + IDLE }, { ready, 0, READY + IDLE },
		{ ready, READY + IDLE + 1, READY + IDLE }, { ready, LATER, LATER },
		{ owed, LATER + TEN_DAYS, LATER + HOUR }, { owed, 0, LATER + HOUR },
		{ owed, LATER + HOUR + 1, LATER + HOUR }, { owed, LATER + HOUR, LATER + HOUR },
		{ owed, 1, 1 },
		{ needs_operator, LATER + TEN_DAYS, LATER + HOUR }, { needs_operator, 0, LATER + HOUR },
		{ kept, LATER + TEN_DAYS, LATER + HOUR }, { kept, LATER, LATER }, { kept, 0, 0 },
		{ done, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease l = rows[i].make();

		l.due_ms = rows[i].due_ms;
		assert_int_equal(lease_due_ms(&l, LATER), rows[i].want_ms);
	}
}

/* The end of a retention may be far away. */
static void the_named_end_of_what_is_kept_is_believed(void **state)
{
	struct lease l = kept();
	struct lease_facts facts = { .now_ms = LATER, .residue = 2 };

	(void)state;
	until(&l, LATER + TEN_DAYS, "evidence", facts);
	assert_int_equal(lease_due_ms(&l, LATER), LATER + TEN_DAYS);
	l.due_ms++;
	assert_int_equal(lease_due_ms(&l, LATER), LATER + HOUR);
}

/* The time of its step, not of its deadline. */
static void a_step_is_due_by_the_row(void **state)
{
	static const struct {
		struct lease (*make)(void);
		int64_t due_ms;
		int want;
	} rows[] = {
		{ booting, LATER, 1 },
		{ booting, LATER + 1, 0 },
		{ booting, 1, 1 },
		{ booting, 0, 0 },
		{ booting, LATER + TEN_DAYS, 0 },
		{ ready, LATER, 1 },
		{ ready, LATER + TEN_DAYS, 0 },
		{ ready, 0, 0 },
		{ owed, LATER, 1 },
		{ owed, LATER + 1, 0 },
		{ owed, LATER + HOUR, 0 },
		/* Times that no rule sets. */
		{ owed, LATER + HOUR + 1, 1 },
		{ owed, 0, 1 },
		{ needs_operator, LATER + TEN_DAYS, 1 },
		{ needs_operator, 0, 1 },
		{ kept, LATER, 1 },
		{ kept, 0, 0 },
		{ kept, LATER + TEN_DAYS, 0 },
		{ done, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease l = rows[i].make();

		l.due_ms = rows[i].due_ms;
		assert_int_equal(lease_step_is_due(&l, LATER), rows[i].want);
	}
}

/* ---- after a failure ------------------------------------------------------------------- */

/*
 * When a step that failed at `now` is retried, if an observation counts from `absence_ms`
 * on.
 */
static int64_t due_after(struct lease l, enum lease_op op, int verdict, int64_t now,
			 int64_t absence_ms)
{
	struct lease_facts facts = { .now_ms = now, .residue = 1, .unsure = 1, .unprotected = 1,
				     .random = 7 };
	struct lease_verdict v = {
		.op = op, .epoch = l.epoch, .verdict = verdict, .error_class = LESSOR_CLASS_CAPACITY,
		.reason = "because", .cursor = "", .absence_ms = absence_ms,
	};

	l.tries = 6;
	end_step(&l, &v, &facts);
	return l.due_ms;
}

static void no_backoff_steps_over_the_end_of_settling(void **state)
{
	static const struct {
		enum lease_op op;
		int verdict;
	} rows[] = {
		{ LEASE_OP_PROVISION, LESSOR_RETRY }, { LEASE_OP_CLEANUP, LESSOR_RETRY },
		{ LEASE_OP_CLEANUP, LESSOR_REFUSED }, { LEASE_OP_INSPECT, LESSOR_RETRY },
		{ LEASE_OP_INSPECT, LESSOR_REFUSED }, { LEASE_OP_RETAIN, LESSOR_RETRY },
		{ LEASE_OP_RETAIN, LESSOR_REFUSED },
	};
	const int64_t now = NOW + 90000;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum lease_op op = rows[i].op;
		int verdict = rows[i].verdict;
		struct lease l = op == LEASE_OP_PROVISION ? fresh() :
				 op == LEASE_OP_CLEANUP ? owed() : kept();
		int64_t due = due_after(l, op, verdict, now, 0);

		assert_true(due > now + 15000);
		assert_int_equal(due_after(l, op, verdict, now, now + 1), now + 1);
		assert_int_equal(due_after(l, op, verdict, now, due - 1), due - 1);
		/* It never delays the retry; a time in the past has no effect. */
		assert_int_equal(due_after(l, op, verdict, now, due + 1), due);
		assert_int_equal(due_after(l, op, verdict, now, now), due);
		assert_int_equal(due_after(l, op, verdict, now, now - 1), due);
	}
}

/* A wait requested by the provider is still respected. */
static void the_end_of_settling_is_no_reason_to_come_too_early(void **state)
{
	struct lease l = owed();
	struct lease_facts facts = { .now_ms = NOW + 90000, .residue = 1, .unsure = 1 };
	struct lease_verdict v = { .op = LEASE_OP_CLEANUP, .epoch = l.epoch, .verdict = LESSOR_RETRY,
				   .wait_ms = 20000, .reason = "because", .absence_ms = NOW + 95000 };

	(void)state;
	end_step(&l, &v, &facts);
	assert_int_equal(l.due_ms, NOW + 110000);
}

/*
 * ---- what counts against limits
 * -------------------------------------------------------------
 */

static void what_is_free_counts_against_no_limit(void **state)
{
	(void)state;
	for (int s = LEASE_PROVISIONING; s < LEASE_STATE_COUNT; s++) {
		for (int c = CLEANUP_NONE; c < LEASE_CLEANUP_COUNT; c++) {
			struct lease l = { .state = (enum lease_state)s,
					   .cleanup = (enum lease_cleanup)c };

			assert_int_equal(lease_counts(&l), s <= LEASE_ACTIVE);
			l.is_billed = 1;
			assert_int_equal(lease_counts(&l), s <= LEASE_ACTIVE ||
					 (c != CLEANUP_NONE && c != CLEANUP_DONE));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadline_is_the_earlier_of_two),
		cmocka_unit_test(a_time_beyond_all_times_is_no_overflow),
		cmocka_unit_test(a_stored_due_time_is_not_believed_beyond_the_limits),
		cmocka_unit_test(a_step_is_due_by_the_row),
		cmocka_unit_test(the_named_end_of_what_is_kept_is_believed),
		cmocka_unit_test(what_is_free_counts_against_no_limit),
		cmocka_unit_test(no_backoff_steps_over_the_end_of_settling),
		cmocka_unit_test(the_end_of_settling_is_no_reason_to_come_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
