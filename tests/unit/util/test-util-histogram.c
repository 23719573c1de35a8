/* SPDX-License-Identifier: MIT */
#include "util/histogram.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 5000

static const struct histogram_bounds bounds = { .count = 3, .us = { 10, 100, 1000 } };

struct seen {
	struct histogram_series series[20];
	size_t count;
};

static void see(void *arg, const struct histogram_series *series)
{
	struct seen *seen = arg;

	assert_true(seen->count < 20);
	seen->series[seen->count++] = *series;
}

static void an_observation_is_in_one_bucket(void **state)
{
	static const int64_t us[] = { -5, 0, 10, 11, 100, 1000, 1001, 9000000 };
	struct histogram_set *set = histogram_set_new(&bounds, 4);
	struct seen seen = { .count = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++)
		histogram_set_add(set, "a", "", "", us[i]);
	histogram_set_each(set, see, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.series[0].counts[0], 3);
	assert_int_equal(seen.series[0].counts[1], 2);
	assert_int_equal(seen.series[0].counts[2], 1);
	assert_int_equal(seen.series[0].counts[HISTOGRAM_BUCKETS], 2);
	assert_int_equal(seen.series[0].sum_us, 9002122);
	histogram_set_free(set);
}

static void what_is_too_many_is_other(void **state)
{
	struct histogram_set *set = histogram_set_new(&bounds, 3);
	struct seen seen = { .count = 0 };
	char type[16];

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(type, sizeof(type), "type%d", i);
		histogram_set_add(set, i % 2 ? "one" : "two", type, "", 50);
	}
	histogram_set_add(set, "one", "type1", "", 50);
	histogram_set_each(set, see, &seen);
	assert_int_equal(seen.count, 5);
	assert_string_equal(seen.series[1].labels[1], "type1");
	assert_int_equal(seen.series[1].counts[1], 2);
	assert_string_equal(seen.series[3].labels[0], "one");
	assert_string_equal(seen.series[3].labels[1], "other");
	assert_string_equal(seen.series[3].labels[2], "");
	assert_int_equal(seen.series[3].counts[1], 4);
	assert_string_equal(seen.series[4].labels[0], "two");
	assert_int_equal(seen.series[4].counts[1], 3);
	histogram_set_free(set);
}

static void *add_many(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		histogram_set_add(arg, i % 2 ? "odd" : "even", "", "", 7);
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct histogram_set *set = histogram_set_new(&bounds, 4);
	struct seen seen = { .count = 0 };
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, set), 0);
	for (int i = 0; i < THREADS; i++) {
		struct seen meanwhile = { .count = 0 };

		histogram_set_each(set, see, &meanwhile);
		for (size_t j = 0; j < meanwhile.count; j++)
			assert_int_equal(meanwhile.series[j].counts[0] * 7,
					 meanwhile.series[j].sum_us);
		pthread_join(threads[i], NULL);
	}
	histogram_set_each(set, see, &seen);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.series[0].counts[0] + seen.series[1].counts[0], THREADS * ROUNDS);
	histogram_set_free(set);
}

static void no_set_counts_nothing(void **state)
{
	(void)state;
	histogram_set_add(NULL, "a", "", "", 1);
	histogram_set_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_observation_is_in_one_bucket),
		cmocka_unit_test(what_is_too_many_is_other),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(no_set_counts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
