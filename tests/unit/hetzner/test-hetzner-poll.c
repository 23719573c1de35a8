/* SPDX-License-Identifier: MIT */
/*
 * The estimate of when to poll: how late polls come and how many there are, over lives with
 * given times. No clock, no cloud: each life is a number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "poll_estimate.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LIVES_MOST 400
#define FIRST_LIVES 5 /* they teach */
#define DELAY_MS 60   /* a poll comes up to that much later than planned */

/* As for boots with the default poll interval of 2 s. */
static const struct poll_subject boot = {
	.what = "boot",
	.grain_ms = 1000,
	.guess_ms = 1000,
	.longest_ms = 10000,
};

static struct poll_estimate estimate;
static uint32_t seed;
static int64_t late_ms[LIVES_MOST]; /* of each life since `begin` */
static int polls[LIVES_MOST], lives;

static int setup(void **state)
{
	(void)state;
	estimate = (struct poll_estimate){ 0 };
	seed = 1;
	lives = 0;
	return 0;
}

/* 0 .. most - 1 */
static int64_t random_below(int64_t most)
{
	seed = seed * 1664525u + 1013904223u;
	return most ? (int64_t)(seed >> 8) % most : 0;
}

/* One life whose operation takes that long. */
static void live(int64_t takes_ms)
{
	int64_t polled_ms = 0, after_ms = 0;

	polls[lives] = 0;
	for (;;) {
		int64_t at = poll_estimate_next(&estimate, &boot, polled_ms);

		assert_true(at > polled_ms);
		polls[lives]++;
		polled_ms = at + random_below(DELAY_MS);
		if (polled_ms >= takes_ms)
			break;
		after_ms = polled_ms;
	}
	late_ms[lives++] = polled_ms - takes_ms;
	assert_in_range(polls[lives - 1], 1, 80);
	poll_estimate_add(&estimate, &boot, (struct poll_sample){ after_ms, polled_ms });
}

/* Lives whose times are evenly distributed, up to `percent` more or less. */
static void live_around(int64_t takes_ms, int percent, int count)
{
	int64_t spread_ms = takes_ms * percent / 100;

	while (count-- > 0)
		live(takes_ms - spread_ms + random_below(2 * spread_ms));
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

/* Of the lives from `from` on. */
static int64_t late_p95(int from)
{
	int64_t sorted[LIVES_MOST];
	size_t count = (size_t)(lives - from);

	memcpy(sorted, late_ms + from, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare);
	return sorted[count * 95 / 100];
}

static double polls_mean(int from)
{
	int sum = 0;

	for (int i = from; i < lives; i++)
		sum += polls[i];
	return (double)sum / (lives - from);
}

/* ---- the cloud stays as it is ------------------------------------------------------------ */

static void b3_one_poll_and_it_is_in_time_whatever_the_time(void **state)
{
	static const int64_t times[] = { 1,	300,   750,   1000,   2000,  5000,
					 15000, 17000, 40000, 120000, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		setup(state);
		live_around(times[i], 0, 105);
		print_message("%7.1f s: %.2f polls, p95 %lld ms late; the first life: %d polls, "
			      "%lld ms late\n",
			      (double)times[i] / 1000, polls_mean(FIRST_LIVES),
			      (long long)late_p95(FIRST_LIVES), polls[0], (long long)late_ms[0]);
		assert_true(late_p95(FIRST_LIVES) <= 1000);
		assert_true(polls_mean(FIRST_LIVES) < 1.15);
		/* While nothing is known: late by at most half of the time, and 10 s. */
		assert_true(late_ms[0] <= boot.grain_ms + times[i] / 2 + DELAY_MS);
		assert_true(late_ms[0] <= boot.longest_ms + DELAY_MS);
	}
}

static void b3_times_that_vary_cost_polls(void **state)
{
	static const struct {
		int64_t takes_ms;
		int percent;
		int64_t late_ms;
		double polls;
	} rows[] = {
		{ 1000, 20, 1000, 1.2 },  { 5000, 10, 1250, 2 },     { 5000, 20, 2000, 4 },
		{ 15000, 5, 1750, 3.5 },  { 15000, 20, 1250, 6.5 },  { 40000, 2, 1900, 3.5 },
		{ 40000, 20, 3000, 6.5 }, { 120000, 20, 9000, 6.5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		setup(state);
		live_around(rows[i].takes_ms, rows[i].percent, 300);
		print_message("%7.1f s +- %2d %%: %.2f polls, p95 %lld ms late\n",
			      (double)rows[i].takes_ms / 1000, rows[i].percent,
			      polls_mean(FIRST_LIVES), (long long)late_p95(FIRST_LIVES));
		assert_true(late_p95(FIRST_LIVES) <= rows[i].late_ms);
		assert_true(polls_mean(FIRST_LIVES) <= rows[i].polls);
	}
}

/* ---- the cloud changes --------------------------------------------------------------------- */

/* Returns after how many lives all are answered within a second. */
static int lives_to_learn(int64_t before_ms, int64_t after_ms, int count_before)
{
	int from, last = 0;

	setup(NULL);
	live_around(before_ms, 0, count_before);
	from = lives;
	live_around(after_ms, 0, 60);
	for (int i = from; i < lives; i++) {
		if (late_ms[i] > 1000)
			last = i + 1 - from;
	}
	print_message("%lld s -> %lld s after %d lives: learned after %d\n",
		      (long long)before_ms / 1000, (long long)after_ms / 1000, count_before, last);
	return last;
}

static void b3_a_change_is_followed_in_a_few_lives(void **state)
{
	static const int64_t times[] = { 1000, 5000, 15000, 40000, 120000 };
	int count = 6;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		for (size_t k = 0; k < ARRAY_LEN(times); k++) {
			/* It notices the slow at once, the fast when it tries: each eighth life. */
			if (i != k)
				assert_in_range(lives_to_learn(times[i], times[k], count++), 0,
						i < k ? 4 : 8 + 3);
		}
	}
	assert_in_range(lives_to_learn(17000, 12000, 40), 0, 8 + 3);
	assert_in_range(lives_to_learn(12000, 17000, 40), 0, 4);
}

static void one_odd_life_delays_no_other(void **state)
{
	(void)state;
	live_around(17000, 0, 12);
	live(200000);
	live_around(17000, 0, 12);
	live(2000);
	live_around(17000, 0, 12);
	for (int i = FIRST_LIVES; i < lives; i++)
		assert_true(late_ms[i] <= 1000 || i == 12 || i == 25);
	assert_true(polls_mean(13) < 2.5);
}

/* ---- in the cache --------------------------------------------------------------------------- */

static void text_survives_and_nonsense_is_nothing(void **state)
{
	static const char *const nonsense[] = {
		"",	 "x",	   "17000",   "1 2",	"1 5-5",
		"1 9-5", "1 -3-5", "1 1-2 x", "1 1-2,", "1 1-999999999999"
	};
	char text[POLL_ESTIMATE_ROOM];
	struct poll_estimate read;

	(void)state;
	for (int i = 0; i < 20; i++) {
		poll_estimate_write(&estimate, text);
		poll_estimate_read(text, &read);
		assert_memory_equal(&read, &estimate, sizeof(read));
		poll_estimate_add(&estimate, &boot, (struct poll_sample){ 80000000 + i, 86000000 });
		poll_estimate_add(&estimate, &boot,
				  (struct poll_sample){ INT64_MAX - 1, INT64_MAX });
	}
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		poll_estimate_read(nonsense[i], &read);
		assert_int_equal(read.count, 0);
	}
	assert_int_equal(poll_estimate_next(&read, &boot, 0), boot.guess_ms);
	assert_int_equal(poll_estimate_expected(&read), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(b3_one_poll_and_it_is_in_time_whatever_the_time, setup),
		cmocka_unit_test_setup(b3_times_that_vary_cost_polls, setup),
		cmocka_unit_test_setup(b3_a_change_is_followed_in_a_few_lives, setup),
		cmocka_unit_test_setup(one_odd_life_delays_no_other, setup),
		cmocka_unit_test_setup(text_survives_and_nonsense_is_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
