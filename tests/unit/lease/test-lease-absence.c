/* SPDX-License-Identifier: MIT */
/*
 * When does a resource that cannot be found count as absent? Rules A, B and C, to the
 * millisecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lease/absence.h"
#include "util/alloc.h"

#define NOW INT64_C(1800000000000)
#define SETTLE INT64_C(300000)

/* The states in which absence needs two observations without a delete of ours. */
static const uint32_t known[] = {
	LESSOR_STATE_PRESENT, LESSOR_STATE_RETAINED, LESSOR_STATE_DELETE_UNKNOWN,
	LESSOR_STATE_UNPROTECT_UNKNOWN,
};
static const uint32_t unsettled[] = { LESSOR_STATE_INTENDED, LESSOR_STATE_UNKNOWN };

/* A row that entered its state now, was intended at the same time, and was never seen. */
static struct resource row(uint32_t state)
{
	return (struct resource){ .n = 1, .ours = 1, .state = state, .created_ms = NOW,
				  .changed_ms = NOW };
}

static struct absence_facts at(int64_t ms)
{
	return (struct absence_facts){ .begun_ms = NOW + ms, .ended_ms = NOW + ms, .settle_ms = SETTLE };
}

static enum absence observe(struct resource *r, int64_t ms)
{
	struct absence_facts facts = at(ms);

	return absence_observe(r, &facts);
}

static int64_t next(const struct resource *r)
{
	struct absence_facts facts = at(0);

	return absence_next_ms(r, &facts);
}

/* Not counted: the row is unchanged. */
static void ignored(struct resource *r, int64_t ms)
{
	struct resource before = *r;

	assert_int_equal(observe(r, ms), ABSENCE_IGNORED);
	assert_memory_equal(r, &before, sizeof(before));
}

static void counted(struct resource *r, int64_t ms, int64_t first_ms)
{
	assert_int_equal(observe(r, ms), ABSENCE_COUNTED);
	assert_int_equal(r->absent_count, 1);
	assert_int_equal(r->first_absent_ms, NOW + first_ms);
}

static void proven(struct resource *r, int64_t ms)
{
	assert_int_equal(observe(r, ms), ABSENCE_PROVEN);
}

/* ---- A ---------------------------------------------------------------------------- */

static void after_an_accepted_delete_one_is_enough(void **state)
{
	struct resource r = row(LESSOR_STATE_DELETING);
	struct absence_facts facts = at(0);

	(void)state;
	assert_int_equal(next(&r), 0);
	proven(&r, 0);
	/* At any time: neither `settle` nor the clock matters. */
	proven(&r, -SETTLE);
	facts.is_clock_suspect = 1;
	assert_int_equal(absence_observe(&r, &facts), ABSENCE_PROVEN);
}

/* ---- B ---------------------------------------------------------------------------- */

static void a_lost_create_needs_two_after_settle(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unsettled); i++) {
		struct resource r = row(unsettled[i]);

		assert_int_equal(next(&r), NOW + SETTLE);
		ignored(&r, 0);
		ignored(&r, SETTLE - 1);
		counted(&r, SETTLE, SETTLE);
		assert_int_equal(next(&r), NOW + SETTLE + ABSENCE_LOOKUP_MS);
		counted(&r, SETTLE, SETTLE);
		counted(&r, SETTLE + ABSENCE_LOOKUP_MS - 1, SETTLE);
		proven(&r, SETTLE + ABSENCE_LOOKUP_MS);
		assert_int_equal(r.absent_count, 2);
	}
}

/* The request may be in flight until the row entered its state, however old the intent. */
static void a_lost_create_settles_from_its_last_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unsettled); i++) {
		struct resource r = row(unsettled[i]);

		r.created_ms = NOW - 100 * SETTLE;
		/* An earlier sighting does not matter. */
		r.seen_ms = NOW - 50 * SETTLE;
		ignored(&r, SETTLE - 1);
		counted(&r, SETTLE, SETTLE);
	}
}

/*
 * An object that claims to be the resource was seen and disappeared: not a listing that
 * lags.
 */
static void a_lost_create_that_was_seen_needs_a_minute(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unsettled); i++) {
		struct resource r = row(unsettled[i]);

		r.seen_ms = NOW;
		ignored(&r, SETTLE - 1);
		counted(&r, SETTLE, SETTLE);
		assert_int_equal(next(&r), NOW + SETTLE + ABSENCE_APART_MS);
		counted(&r, SETTLE + ABSENCE_LOOKUP_MS, SETTLE);
		counted(&r, SETTLE + ABSENCE_APART_MS - 1, SETTLE);
		proven(&r, SETTLE + ABSENCE_APART_MS);
	}
}

/* ---- C ---------------------------------------------------------------------------- */

static void what_was_seen_needs_two_a_minute_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct resource r = row(known[i]);

		r.seen_ms = NOW;
		assert_true(next(&r) <= NOW);
		counted(&r, 0, 0);
		assert_int_equal(next(&r), NOW + ABSENCE_APART_MS);
		counted(&r, ABSENCE_LOOKUP_MS, 0);
		counted(&r, ABSENCE_APART_MS - 1, 0);
		proven(&r, ABSENCE_APART_MS);
		assert_int_equal(r.absent_count, 2);
	}
}

/* An early observation does not count, not even as the first of two. */
static void what_was_never_seen_needs_two_after_settle(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct resource r = row(known[i]);

		/* `settle` counts from the creation, whatever happened to the row since. */
		r.changed_ms = NOW + 10 * SETTLE;
		assert_int_equal(next(&r), NOW + SETTLE);
		ignored(&r, 0);
		ignored(&r, SETTLE - ABSENCE_APART_MS);
		ignored(&r, SETTLE - 1);
		counted(&r, SETTLE, SETTLE);
		assert_int_equal(next(&r), NOW + SETTLE + ABSENCE_APART_MS);
		counted(&r, SETTLE + ABSENCE_APART_MS - 1, SETTLE);
		proven(&r, SETTLE + ABSENCE_APART_MS);
	}
}

/* An old first observation counts like one from a minute ago. */
static void the_second_one_may_come_late(void **state)
{
	struct resource r = row(LESSOR_STATE_PRESENT);

	(void)state;
	counted(&r, SETTLE, SETTLE);
	proven(&r, 1000 * SETTLE);
}

static void settle_may_be_nothing(void **state)
{
	struct resource r = row(LESSOR_STATE_UNKNOWN);
	struct absence_facts facts = { .begun_ms = NOW, .ended_ms = NOW };

	(void)state;
	assert_int_equal(absence_observe(&r, &facts), ABSENCE_COUNTED);
	facts.begun_ms += ABSENCE_LOOKUP_MS;
	assert_int_equal(absence_observe(&r, &facts), ABSENCE_PROVEN);
}

/* ---- what resets the count --------------------------------------------------------- */

static void whatever_was_seen_begins_anew(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct resource r = row(known[i]);

		assert_false(absence_reset(&r));
		r.seen_ms = NOW;
		counted(&r, 0, 0);
		assert_true(absence_reset(&r));
		assert_int_equal(r.absent_count, 0);
		assert_int_equal(r.first_absent_ms, 0);
		assert_false(absence_reset(&r));
		/* Long after the first, which was reset. */
		counted(&r, 2 * ABSENCE_APART_MS, 2 * ABSENCE_APART_MS);
		counted(&r, 3 * ABSENCE_APART_MS - 1, 2 * ABSENCE_APART_MS);
		proven(&r, 3 * ABSENCE_APART_MS);
	}
}

static void a_suspect_clock_counts_nothing(void **state)
{
	static const uint32_t states[] = { LESSOR_STATE_UNKNOWN, LESSOR_STATE_PRESENT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct resource r = row(states[i]);
		struct absence_facts facts = at(2 * SETTLE);

		facts.is_clock_suspect = 1;
		assert_int_equal(absence_observe(&r, &facts), ABSENCE_IGNORED);
		assert_int_equal(r.absent_count, 0);
		counted(&r, 2 * SETTLE, 2 * SETTLE);
		/* It does not count as the second, either, and the first is kept. */
		facts.begun_ms += SETTLE;
		assert_int_equal(absence_observe(&r, &facts), ABSENCE_IGNORED);
		assert_int_equal(r.absent_count, 1);
		proven(&r, 3 * SETTLE);
	}
}

/* The first lies in the future: the clock was set back. */
static void a_clock_that_was_set_back_begins_anew(void **state)
{
	struct resource r = row(LESSOR_STATE_PRESENT);

	(void)state;
	r.seen_ms = NOW;
	counted(&r, 10 * SETTLE, 10 * SETTLE);
	counted(&r, SETTLE, SETTLE);
	counted(&r, SETTLE + ABSENCE_APART_MS - 1, SETTLE);
	proven(&r, SETTLE + ABSENCE_APART_MS);
}

static void a_clock_that_was_set_back_before_the_row_waits(void **state)
{
	struct resource r = row(LESSOR_STATE_UNKNOWN);

	(void)state;
	ignored(&r, -1000 * SETTLE);
	counted(&r, SETTLE, SETTLE);
}

/* Observing at the announced times takes no more observations than the rule requires. */
static void the_next_one_counts_when_it_is_said_to(void **state)
{
	static const uint32_t states[] = { LESSOR_STATE_UNKNOWN, LESSOR_STATE_PRESENT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct resource r = row(states[i]);

		ignored(&r, next(&r) - NOW - 1);
		assert_int_equal(observe(&r, next(&r) - NOW), ABSENCE_COUNTED);
		assert_int_equal(observe(&r, next(&r) - NOW - 1), ABSENCE_COUNTED);
		assert_int_equal(observe(&r, next(&r) - NOW), ABSENCE_PROVEN);
	}
}

/* Many pages, or a slow provider: it began early and ended late. */
static void the_second_one_begins_apart_from_the_end_of_the_first(void **state)
{
	struct resource r = row(LESSOR_STATE_UNKNOWN);
	struct absence_facts facts = at(SETTLE);

	(void)state;
	facts.ended_ms += 5000;
	assert_int_equal(absence_observe(&r, &facts), ABSENCE_COUNTED);
	assert_int_equal(absence_next_ms(&r, &facts), facts.ended_ms + ABSENCE_LOOKUP_MS);
	assert_int_equal(observe(&r, SETTLE + ABSENCE_LOOKUP_MS), ABSENCE_COUNTED);
	assert_int_equal(observe(&r, SETTLE + 5000 + ABSENCE_LOOKUP_MS), ABSENCE_PROVEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_an_accepted_delete_one_is_enough),
		cmocka_unit_test(a_lost_create_needs_two_after_settle),
		cmocka_unit_test(a_lost_create_settles_from_its_last_request),
		cmocka_unit_test(a_lost_create_that_was_seen_needs_a_minute),
		cmocka_unit_test(what_was_seen_needs_two_a_minute_apart),
		cmocka_unit_test(what_was_never_seen_needs_two_after_settle),
		cmocka_unit_test(the_second_one_may_come_late),
		cmocka_unit_test(settle_may_be_nothing),
		cmocka_unit_test(whatever_was_seen_begins_anew),
		cmocka_unit_test(a_suspect_clock_counts_nothing),
		cmocka_unit_test(a_clock_that_was_set_back_begins_anew),
		cmocka_unit_test(a_clock_that_was_set_back_before_the_row_waits),
		cmocka_unit_test(the_next_one_counts_when_it_is_said_to),
		cmocka_unit_test(the_second_one_begins_apart_from_the_end_of_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
