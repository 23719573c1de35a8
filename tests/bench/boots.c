/* SPDX-License-Identifier: MIT */
/*
 * Waiting for machines: how late a machine that is ready is reported, with how many requests and
 * how much CPU, for machines that boot in 1 to 120 s and for 1 to 1,000 leases that wait at the
 * same time. The core, the built Hetzner plugin and the simulated cloud with a virtual clock, so
 * all but the CPU times is the same on every machine.
 *
 * Fails when a figure is above its limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/engine/crowd.h"
#include "unit/test.h"

#define TEACHERS 5 /* the first lives, which teach the boot time */
#define LIVES 25   /* measured */
#define LATE_MS 1000
#define BOOT_MS 20000 /* of those that wait together */
#define END_MS 300000 /* until all are deleted */

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

struct late {
	double p50_s, p95_s, first_s;
};

static struct late late_of(int from, int count)
{
	int64_t *late = calloc((size_t)count, sizeof(*late));
	struct late ret;

	assert_non_null(late);
	for (int i = 0; i < count; i++)
		late[i] = crowd_late_ms(from + i);
	ret.first_s = (double)late[0] / 1000;
	qsort(late, (size_t)count, sizeof(*late), compare);
	ret.p50_s = (double)late[count / 2] / 1000;
	ret.p95_s = (double)late[count * 95 / 100] / 1000;
	free(late);
	return ret;
}

/* ---- one lease at a time ------------------------------------------------------------------ */

/* A boot that takes up to `percent` more or less than `boot_ms`; the same in each run. */
static int64_t boot_around(int64_t boot_ms, int percent)
{
	static uint32_t seed = 1;

	seed = seed * 1664525u + 1013904223u;
	return boot_ms + boot_ms * percent / 100 * ((int64_t)(seed >> 16) - 32768) / 32768;
}

static void lives_of(const char *keys, int64_t boot_ms, int percent, struct late *ret_late,
		     double *ret_calls)
{
	struct crowd_config config = { .keys = keys, .boot_ms = boot_ms };
	int first_calls;

	crowd_begin(&config);
	crowd_live(0);
	first_calls = crowd_counts().calls;
	for (int i = 1; i < TEACHERS + LIVES; i++) {
		if (i == TEACHERS)
			crowd_reset_counts();
		crowd_set_boot(boot_around(boot_ms, percent));
		crowd_live(i);
	}
	*ret_calls = (double)crowd_counts().calls / LIVES;
	*ret_late = late_of(TEACHERS, LIVES);
	print_message("%4lld s +- %2d %%, keys = %-8s late p50 %.2f s, p95 %.2f s; %5.2f calls a "
		      "life; the first: late %.2f s, %d calls\n",
		      (long long)boot_ms / 1000, percent, keys, ret_late->p50_s, ret_late->p95_s,
		      *ret_calls, late_of(0, 1).first_s, first_calls);
	crowd_end();
}

static void b3_each_boot_time_is_reported_in_time_with_few_calls(void **state)
{
	static const int64_t boots[] = { 1000, 5000, 15000, 40000, 120000 };
	static const struct {
		const char *keys;
		double calls;
	} rows[] = { { "account", 6.25 }, { "lease", 10.25 } };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < sizeof(boots) / sizeof(boots[0]); i++) {
			struct late late;
			double calls;

			lives_of(rows[k].keys, boots[i], 0, &late, &calls);
			assert_true(late.p95_s * 1000 <= LATE_MS);
			assert_true(calls <= rows[k].calls);
		}
	}
}

/* Where boot times vary, being in time costs a few polls. */
static void b3_boot_times_that_vary(void **state)
{
	static const int64_t boots[] = { 5000, 15000 };

	(void)state;
	for (size_t i = 0; i < sizeof(boots) / sizeof(boots[0]); i++) {
		struct late late;
		double calls;

		lives_of("account", boots[i], 20, &late, &calls);
		assert_true(late.p95_s * 1000 <= 3 * LATE_MS);
		assert_true(calls <= 6 + 6);
	}
}

/* ---- many at a time ------------------------------------------------------------------------ */

struct wait {
	struct late late;
	double calls, polls, polls_per_s, observations_per_s,
		cpu_ms; /* calls to cpu_ms: per lease */
};

/* They are created at once and wait at the same time; then they are deleted. */
static struct wait wait_of(int count, int first)
{
	struct crowd_counts counts;
	struct wait ret;

	crowd_reset_counts();
	for (int i = 0; i < count; i++)
		crowd_create(first + i);
	crowd_pass(2 * BOOT_MS);
	counts = crowd_counts();
	ret.late = late_of(first, count);
	ret.polls = (double)counts.listings / count;
	ret.polls_per_s = (double)counts.listings * 1000 / BOOT_MS;
	ret.observations_per_s = (double)counts.observations * 1000 / BOOT_MS;
	for (int i = 0; i < count; i++)
		crowd_release(first + i);
	crowd_pass(END_MS);
	for (int i = 0; i < count; i++)
		assert_int_equal(crowd_lease(first + i).cleanup, CLEANUP_DONE);
	counts = crowd_counts();
	ret.calls = (double)counts.calls / count;
	ret.cpu_ms = counts.cpu_ms / count;
	return ret;
}

static void b7_a_life_costs_the_same_however_many_wait(void **state)
{
	static const int counts[] = { 1, 64, 1000 };
	struct crowd_config config = { .keys = "account", .boot_ms = BOOT_MS };
	struct wait one = { 0 };
	int next = TEACHERS;

	(void)state;
	crowd_begin(&config);
	for (int i = 0; i < TEACHERS; i++)
		crowd_live(i);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct wait w = wait_of(counts[i], next);

		next += counts[i];
		/* One alone is too short to be measured. */
		for (int n = 1; counts[i] == 1 && n < LIVES; n++)
			w.cpu_ms = (w.cpu_ms * n + wait_of(1, next++).cpu_ms) / (n + 1);
		if (!i)
			one = w;
		print_message("%4d waiting: late p50 %.2f s, p95 %.2f s; %.2f calls a life, %.2f of "
			      "them polls; %.2f polls and %.2f observations a second; %.2f ms of "
			      "CPU a life, %.2f of one alone\n",
			      counts[i], w.late.p50_s, w.late.p95_s, w.calls, w.polls,
			      w.polls_per_s, w.observations_per_s, w.cpu_ms, w.cpu_ms / one.cpu_ms);
		assert_true(w.late.p95_s * 1000 <= LATE_MS * 3 / 2);
		assert_true(w.calls <= 6.25);
		assert_true(w.polls <= one.polls);
		assert_true(w.cpu_ms <= 2 * one.cpu_ms);
	}
	crowd_end();
}

/* As many are created in the boot time as wait. Measured is what happens while all of them wait. */
static double steady_cpu_ms(int waiting, int first)
{
	struct crowd_counts counts;
	struct late late;
	double polls_per_s;

	for (int i = 0; i < 2 * waiting; i++) {
		if (i == waiting)
			crowd_reset_counts();
		crowd_create(first + i);
		crowd_pass(BOOT_MS / waiting);
	}
	counts = crowd_counts();
	crowd_pass(2 * BOOT_MS);
	late = late_of(first, 2 * waiting);
	polls_per_s = (double)counts.listings * 1000 / BOOT_MS;
	print_message("%4d waiting, one more every %4d ms: late p50 %.2f s, p95 %.2f s; %.2f polls and "
		      "%.2f observations a second, %.2f polls and %.2f ms of CPU a life\n",
		      waiting, BOOT_MS / waiting, late.p50_s, late.p95_s, polls_per_s,
		      (double)counts.observations * 1000 / BOOT_MS,
		      (double)counts.listings / waiting, counts.cpu_ms / waiting);
	assert_true(late.p95_s * 1000 <= LATE_MS);
	assert_true(counts.listings <= waiting + waiting / 8);
	assert_true(polls_per_s <= 6);
	for (int i = 0; i < 2 * waiting; i++)
		crowd_release(first + i);
	crowd_pass(END_MS);
	return counts.cpu_ms / waiting;
}

static void b7_polls_do_not_grow_with_those_that_wait(void **state)
{
	struct crowd_config config = { .keys = "account", .boot_ms = BOOT_MS };
	double few_ms;

	(void)state;
	crowd_begin(&config);
	for (int i = 0; i < TEACHERS; i++)
		crowd_live(i);
	few_ms = steady_cpu_ms(16, TEACHERS);
	assert_true(steady_cpu_ms(64, TEACHERS + 32) <= 2 * few_ms);
	assert_true(steady_cpu_ms(200, TEACHERS + 160) <= 2 * few_ms);
	crowd_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b3_each_boot_time_is_reported_in_time_with_few_calls),
		cmocka_unit_test(b3_boot_times_that_vary),
		cmocka_unit_test(b7_polls_do_not_grow_with_those_that_wait),
		cmocka_unit_test(b7_a_life_costs_the_same_however_many_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
