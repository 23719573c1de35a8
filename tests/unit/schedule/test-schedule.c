/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "unit/test.h"
#include "schedule/backoff.h"
#include "schedule/budget.h"
#include "schedule/clock.h"
#include "schedule/heap.h"
#include "util/alloc.h"

static void backoff_doubles_within_half_and_whole(void **state)
{
	int64_t top = 1000;

	(void)state;
	for (int tries = 1; tries <= 10; tries++) {
		assert_in_range(backoff_ms(tries, 1000, 60000, 0, 0), top / 2, top);
		assert_in_range(backoff_ms(tries, 1000, 60000, 0, UINT32_MAX), top / 2, top);
		top = top * 2 > 60000 ? 60000 : top * 2;
	}
}

static void backoff_never_passes_its_cap_nor_comes_before_the_floor(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < 100000; r += 997)
		assert_in_range(backoff_ms(1000000, 1000, 60000, 0, r), 30000, 60000);
	assert_int_equal(backoff_ms(1, 1000, 60000, 120000, 5), 120000);
}

static void budget_keeps_a_share_for_deletes(void **state)
{
	struct budget b;
	int polls = 0, creates = 0, lookups = 0, deletes = 0;

	(void)state;
	budget_init(&b, 100, 0);
	while (budget_take(&b, BUDGET_POLL, 0) == 0)
		polls++;
	while (budget_take(&b, BUDGET_CREATE, 0) == 0)
		creates++;
	while (budget_take(&b, BUDGET_LOOKUP, 0) == 0)
		lookups++;
	while (budget_take(&b, BUDGET_DELETE, 0) == 0)
		deletes++;
	assert_int_equal(polls, 75);
	assert_int_equal(creates, 5);
	assert_int_equal(lookups, 10);
	assert_int_equal(deletes, 10);
}

static void budget_tells_when_to_come_back_and_then_has_it(void **state)
{
	struct budget b;
	int64_t wait;

	(void)state;
	budget_init(&b, 3600, 0);
	while (budget_take(&b, BUDGET_DELETE, 0) == 0)
		;
	wait = budget_take(&b, BUDGET_DELETE, 0);
	assert_in_range(wait, 1, 1001);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, wait), 0);
	assert_true(budget_take(&b, BUDGET_DELETE, wait) > 0);
}

static void b1_what_the_provider_says_counts_up_as_well_as_down(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 3600, 0);
	budget_observe(&b, 3600, 0, 0);
	assert_true(budget_take(&b, BUDGET_CREATE, 0) > 0);
	budget_observe(&b, 3600, 3590, 0);
	assert_int_equal(budget_take(&b, BUDGET_SWEEP, 0), 0);
}

/* One 429 with nothing left, which is over after two seconds. */
static void b1_a_429_costs_what_it_says(void **state)
{
	static const enum budget_class classes[] = { BUDGET_CREATE, BUDGET_POLL, BUDGET_DELETE };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct budget b;

		budget_init(&b, 3600, 0);
		budget_observe(&b, 3600, 0, 0);
		assert_int_equal(budget_refused(&b, 2000, 0, 0), 2000);
		assert_int_equal(budget_take(&b, classes[i], 1999), 1);
		assert_int_equal(budget_take(&b, classes[i], 2000), 0);
		/* Only one, until its answer says more. */
		assert_true(budget_take(&b, BUDGET_CREATE, 2000) > 0);
		budget_observe(&b, 3600, 3590, 2100);
		budget_accepted(&b);
		assert_int_equal(budget_take(&b, BUDGET_CREATE, 2100), 0);
		assert_int_equal(budget_take(&b, BUDGET_POLL, 2100), 0);
	}
}

/* A request that was under way is answered with a shorter pause. */
static void b1_the_newest_pause_counts(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 3600, 0);
	assert_int_equal(budget_refused(&b, 60000, 0, 0), 60000);
	assert_int_equal(budget_refused(&b, 2000, 0, 100), 2000);
	assert_int_equal(budget_paused(&b, 100), 2000);
	/* A guess of our own is no reason to call earlier. */
	assert_int_equal(budget_refused(&b, 60000, 0, 200), 60000);
	assert_int_equal(budget_refused(&b, -1, 0, 300), 59900);
}

/* Others use the account up: nothing is begun, and what has begun goes on slowly. */
static void b1_floors_do_not_starve_what_waits(void **state)
{
	struct budget b;
	int64_t now = 0;
	int polls = 0;

	(void)state;
	budget_init(&b, 3600, 0);
	for (; now < 600000; now += 1000) {
		budget_observe(&b, 3600, 50, now);
		assert_in_range(budget_take(&b, BUDGET_CREATE, now), 1, BUDGET_WAIT_MOST_MS);
		assert_in_range(budget_take(&b, BUDGET_SWEEP, now), 1, BUDGET_WAIT_MOST_MS);
		polls += budget_take(&b, BUDGET_POLL, now) == 0;
	}
	assert_int_equal(polls, 60);
	/* None is left at all: only deletes take what comes in. */
	budget_observe(&b, 3600, 0, now);
	assert_int_equal(budget_take(&b, BUDGET_POLL, now), 1001);
}

/* The operator allows less than the provider: that bucket is never filled from outside. */
static void a_share_is_only_lowered(void **state)
{
	struct budget b;
	int taken = 0;

	(void)state;
	budget_init(&b, 600, 0);
	b.is_share = 1;
	while (budget_take(&b, BUDGET_DELETE, 0) == 0) {
		budget_observe(&b, 600, 599, 0);
		taken++;
	}
	assert_int_equal(taken, 600);
	budget_observe(&b, 600, 3, 3600000);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 3600000), 0);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 3600000), 0);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 3600000), 0);
	assert_true(budget_take(&b, BUDGET_DELETE, 3600000) > 0);
}

static void budget_believes_the_lower_count(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 3600, 0);
	budget_observe(&b, 3600, 0, 0);
	assert_true(budget_take(&b, BUDGET_DELETE, 0) > 0);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 1001), 0);
}

static void budget_ignores_absurd_limits(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 3600, 0);
	budget_observe(&b, 0, -5, 0);
	budget_observe(&b, -1, -1, 0);
	budget_observe(&b, INT64_MAX, INT64_MAX, 0);
	assert_int_equal(b.per_hour, 3600);
	assert_int_equal(budget_take(&b, BUDGET_POLL, 0), 0);
}

static void budget_pauses_everything_after_a_429_and_doubles(void **state)
{
	struct budget b;
	int64_t first, second;

	(void)state;
	budget_init(&b, 3600, 0);
	first = budget_refused(&b, -1, 0, 0);
	assert_int_equal(first, 5000);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 4999), 1);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 5000), 0);
	second = budget_refused(&b, -1, 0, 5000);
	assert_int_equal(second, 10000);
	for (int i = 0; i < 10; i++)
		second = budget_refused(&b, -1, 0, 5000 + 1000000 * i);
	assert_int_equal(second, 60000);
	budget_accepted(&b);
	assert_int_equal(budget_refused(&b, -1, 0, 100000000), 5000);
}

static void budget_clamps_retry_after(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 3600, 0);
	assert_int_equal(budget_refused(&b, 0, 0, 0), 1000);
	assert_int_equal(budget_refused(&b, INT64_C(10) * 365 * 86400 * 1000, 0, 0), 3600000);
}

static void budget_takes_up_the_pause_of_a_process_before(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 3600, 100);
	assert_int_equal(budget_paused(&b, 100), 0);
	budget_pause(&b, 4000, 100);
	assert_int_equal(budget_paused(&b, 101), 3999);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 4099), 1);
	assert_int_equal(budget_take(&b, BUDGET_DELETE, 4100), 0);
	assert_int_equal(budget_paused(&b, 4100), 0);
	budget_pause(&b, INT64_C(86400) * 1000, 5000); /* the clock was set back */
	assert_int_equal(budget_paused(&b, 5000), 3600000);
	budget_pause(&b, 10, 5000);			/* never makes one shorter */
	assert_int_equal(budget_paused(&b, 5000), 3600000);
}

static void heap_gives_the_earliest_and_never_early(void **state)
{
	struct heap *heap = heap_new();

	(void)state;
	heap_set(heap, 1, 300);
	heap_set(heap, 2, 100);
	heap_set(heap, -3, 200);
	assert_int_equal(heap_next(heap), 100);
	assert_int_equal(heap_pop(heap, 99), 0);
	assert_int_equal(heap_pop(heap, 250), 2);
	assert_int_equal(heap_pop(heap, 250), -3);
	assert_int_equal(heap_pop(heap, 250), 0);
	heap_set(heap, 1, 50);
	assert_int_equal(heap_pop(heap, 50), 1);
	assert_int_equal(heap_next(heap), 0);
	heap_set(heap, 9, 1);
	heap_set(heap, 9, 0);
	assert_int_equal(heap_count(heap), 0);
	heap_free(heap);
}

#define MODEL_KEYS 500

/* Against a plain array, with a seeded mix of sets, removals and pops. */
static void heap_agrees_with_a_model(void **state)
{
	struct heap *heap = heap_new();
	int64_t model[MODEL_KEYS + 1] = { 0 };
	unsigned int seed = 7;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		int64_t key = 1 + rand_r(&seed) % MODEL_KEYS;
		int what = rand_r(&seed) % 10;

		if (what < 6) {
			model[key] = 1 + rand_r(&seed) % 10000;
			heap_set(heap, key, model[key]);
		} else if (what < 8) {
			model[key] = 0;
			heap_set(heap, key, 0);
		} else {
			int64_t now = rand_r(&seed) % 10000;
			int64_t least = 0;
			int64_t got = heap_pop(heap, now);

			for (int i = 1; i <= MODEL_KEYS; i++) {
				if (model[i] && (!least || model[i] < least))
					least = model[i];
			}
			if (!least || least > now) {
				assert_int_equal(got, 0);
			} else {
				assert_in_range(got, 1, MODEL_KEYS);
				assert_int_equal(model[got], least);
				model[got] = 0;
			}
		}
	}
	heap_free(heap);
}

/* ---- the clock ---------------------------------------------------------------------- */

static void clock_is_suspect_for_a_while_after_a_jump(void **state)
{
	static const int64_t jumps[] = { CLOCK_JUMP_MS + 1, -CLOCK_JUMP_MS - 1, 400 * 86400000LL };

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		struct clock_watch watch = { 0 };
		int64_t wall = 1800000000000, mono = 5000;

		/* The first observation has nothing to compare with. */
		assert_int_equal(clock_observe(&watch, wall, mono), 0);
		assert_false(clock_is_suspect(&watch, mono));
		assert_int_equal(clock_observe(&watch, wall + jumps[i], mono), jumps[i]);
		assert_true(clock_is_suspect(&watch, mono));
		assert_true(clock_is_suspect(&watch, mono + CLOCK_AGREE_MS - 1));
		assert_false(clock_is_suspect(&watch, mono + CLOCK_AGREE_MS));
		/* From there, both advance together. */
		assert_int_equal(clock_observe(&watch, wall + jumps[i] + 1000, mono + 1000), 0);
		/* Setting it back is a jump, too, and restarts the suspicion. */
		assert_int_equal(clock_observe(&watch, wall + 2000, mono + 2000), -jumps[i]);
		assert_true(clock_is_suspect(&watch, mono + CLOCK_AGREE_MS + 1000));
	}
}

static void clock_that_is_steered_slowly_is_followed(void **state)
{
	struct clock_watch watch = { 0 };
	int64_t wall = 1800000000000;

	(void)state;
	for (int64_t mono = 0; mono < 100 * 60000; mono += 60000) {
		assert_int_equal(clock_observe(&watch, wall, mono), 0);
		wall += 60000 + CLOCK_JUMP_MS;
	}
	assert_false(clock_is_suspect(&watch, 100 * 60000));
}

static void d9_a_start_far_from_the_stored_time_is_suspect(void **state)
{
	static const struct {
		int64_t away_ms;
		int suspect, continuous;
	} rows[] = {
		{ 0, 0, 1 },
		{ CLOCK_JUMP_MS, 0, 1 },
		{ -CLOCK_JUMP_MS, 0, 1 },
		{ CLOCK_JUMP_MS + 1, 0, 0 },
		{ -CLOCK_JUMP_MS - 1, 1, 0 },
		{ CLOCK_AWAY_MS, 0, 0 },
		{ CLOCK_AWAY_MS + 1, 1, 0 },
		{ INT64_C(31536000000), 1, 0 },
		{ -INT64_C(31536000000), 1, 0 },
	};
	const int64_t stored = INT64_C(1800000000000);
	struct clock_watch watch;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t away = clock_start(&watch, stored + rows[i].away_ms, 5000, stored);

		assert_int_equal(away, rows[i].suspect ? rows[i].away_ms : 0);
		assert_int_equal(clock_is_suspect(&watch, 5000), rows[i].suspect);
		assert_int_equal(watch.is_continuous, rows[i].continuous);
	}
	/* A new store has nothing that could end; a damaged one may hold anything. */
	assert_int_equal(clock_start(&watch, stored, 5000, 0), 0);
	assert_true(watch.is_continuous);
	assert_int_not_equal(clock_start(&watch, stored, 5000, INT64_MIN), 0);
	assert_int_not_equal(clock_start(&watch, stored, 5000, INT64_MAX), 0);
}

static void d9_witnesses_settle_it(void **state)
{
	const int64_t stored = INT64_C(1800000000000), hour = 3600000;
	struct clock_watch watch;

	(void)state;
	/* One that disagrees keeps it suspect, however long. */
	clock_start(&watch, stored + 24 * hour, 0, stored);
	for (int64_t mono = 0; mono < 10 * hour; mono += hour / 20) {
		assert_int_equal(clock_judge(&watch, CLOCK_DISAGREES, mono), CLOCK_UNCHANGED);
		assert_true(clock_is_suspect(&watch, mono));
	}
	assert_int_equal(clock_judge(&watch, CLOCK_AGREES, 10 * hour), CLOCK_TRUSTED);
	assert_false(clock_is_suspect(&watch, 10 * hour));
	/* From then on it is the other clock that is wrong. */
	assert_int_equal(clock_judge(&watch, CLOCK_DISAGREES, 11 * hour), CLOCK_UNCHANGED);
	assert_false(clock_is_suspect(&watch, 11 * hour));
	/* None comes forward. */
	clock_start(&watch, stored + 24 * hour, 0, stored);
	assert_int_equal(clock_judge(&watch, CLOCK_SILENT, CLOCK_AGREE_MS - 1), CLOCK_UNCHANGED);
	assert_int_equal(clock_judge(&watch, CLOCK_SILENT, CLOCK_AGREE_MS), CLOCK_TRUSTED);
	/* A short time away is believed unless one disagrees, and then for good. */
	clock_start(&watch, stored + hour, 0, stored);
	assert_int_equal(clock_judge(&watch, CLOCK_SILENT, 0), CLOCK_UNCHANGED);
	assert_int_equal(clock_judge(&watch, CLOCK_DISAGREES, 1), CLOCK_DOUBTED);
	clock_start(&watch, stored + hour, 0, stored);
	clock_judge(&watch, CLOCK_SILENT, CLOCK_AGREE_MS);
	assert_int_equal(clock_judge(&watch, CLOCK_DISAGREES, CLOCK_AGREE_MS + 1), CLOCK_UNCHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff_doubles_within_half_and_whole),
		cmocka_unit_test(backoff_never_passes_its_cap_nor_comes_before_the_floor),
		cmocka_unit_test(budget_keeps_a_share_for_deletes),
		cmocka_unit_test(b1_what_the_provider_says_counts_up_as_well_as_down),
		cmocka_unit_test(b1_a_429_costs_what_it_says),
		cmocka_unit_test(b1_the_newest_pause_counts),
		cmocka_unit_test(b1_floors_do_not_starve_what_waits),
		cmocka_unit_test(a_share_is_only_lowered),
		cmocka_unit_test(budget_tells_when_to_come_back_and_then_has_it),
		cmocka_unit_test(budget_believes_the_lower_count),
		cmocka_unit_test(budget_ignores_absurd_limits),
		cmocka_unit_test(budget_pauses_everything_after_a_429_and_doubles),
		cmocka_unit_test(budget_clamps_retry_after),
		cmocka_unit_test(budget_takes_up_the_pause_of_a_process_before),
		cmocka_unit_test(heap_gives_the_earliest_and_never_early),
		cmocka_unit_test(heap_agrees_with_a_model),
		cmocka_unit_test(d9_a_start_far_from_the_stored_time_is_suspect),
		cmocka_unit_test(d9_witnesses_settle_it),
		cmocka_unit_test(clock_is_suspect_for_a_while_after_a_jump),
		cmocka_unit_test(clock_that_is_steered_slowly_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
