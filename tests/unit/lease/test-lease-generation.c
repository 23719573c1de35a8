/* SPDX-License-Identifier: MIT */
/*
 * Which store is the newest? Here a daemon is a store that persists, a process that starts
 * and dies, and a sentinel shared by one or two daemons.
 */
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "lease/generation.h"
#include "util/text.h"

#define NOW INT64_C(1800000000000)

/* The sentinel at the provider. */
struct sentinel {
	int64_t number;
	char holder[GENERATION_HOLDER_SIZE];
};

static int process;

/* Only what store_generation_get returns survives the process. */
static void start(struct generation *g)
{
	struct generation next = { .current = g->current, .pending = g->pending,
				   .is_fenced = g->is_fenced };

	TEXT_SET(next.holder, g->holder);
	TEXT_SET(next.before, g->before);
	TEXT_SET(next.why, g->why);
	snprintf(next.nonce, sizeof(next.nonce), "%032d", ++process);
	next.is_wanted = 1;
	*g = next;
}

static enum generation_state look(struct generation *g, const struct sentinel *s)
{
	enum generation_state state = generation_found(g, s->number, s->holder);

	if (state == GENERATION_ARRIVED)
		generation_arrived(g);
	return state;
}

/* Read and committed, not written. */
static void mean(struct generation *g, const struct sentinel *s)
{
	assert_int_not_equal(look(g, s), GENERATION_OVERTAKEN);
	generation_raise(g, NOW);
	assert_int_equal(g->raised_ms, NOW);
	assert_false(g->is_wanted);
	assert_string_equal(g->holder, g->nonce);
}

static void put(const struct generation *g, struct sentinel *s)
{
	s->number = g->pending;
	TEXT_SET(s->holder, g->holder);
}

static void raise_generation(struct generation *g, struct sentinel *s)
{
	mean(g, s);
	put(g, s);
	assert_int_equal(look(g, s), GENERATION_ARRIVED);
	assert_int_equal(g->current, g->pending);
	assert_int_equal(look(g, s), GENERATION_OURS);
}

/* ---- one daemon ---------------------------------------------------------------------- */

static void the_first_start_writes_one(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 1);
	assert_string_equal(s.holder, g.nonce);
	assert_string_equal(g.before, "");
}

/* An upgrade: old leases, a sentinel without a counter, a store that never raised one. */
static void a_store_that_never_raised_one_is_not_fenced(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	assert_int_equal(g.current, 0);
	/* If there is a counter, a store that never raised one did not write it. */
	s.number = 1;
	strcpy(s.holder, "somebody");
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
}

static void each_start_counts_and_knows_the_one_before(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	for (int i = 1; i <= 10; i++) {
		char last[GENERATION_HOLDER_SIZE];

		TEXT_SET(last, s.holder);
		start(&g);
		assert_int_equal(look(&g, &s), i == 1 ? GENERATION_MISSING : GENERATION_OURS);
		raise_generation(&g, &s);
		assert_int_equal(s.number, i);
		assert_string_equal(g.before, last);
	}
}

static void one_process_raises_it_again_and_again(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	for (int i = 1; i <= 10; i++) {
		raise_generation(&g, &s);
		assert_int_equal(s.number, i);
	}
}

/* Committed, and the process died before the request. */
static void a_crash_before_the_write(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	start(&g);
	mean(&g, &s);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	assert_int_equal(g.pending, 2);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 3);
}

/* Written, and the process died before the answer. */
static void a_crash_after_the_write(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	start(&g);
	mean(&g, &s);
	put(&g, &s);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_ARRIVED);
	assert_int_equal(g.current, 2);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 3);
}

/* The very first raise, at both points. */
static void a_crash_around_the_first_write(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	mean(&g, &s);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	mean(&g, &s);
	assert_int_equal(g.pending, 2);
	put(&g, &s);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_ARRIVED);
	assert_int_equal(g.current, 2);
}

/* The process that sent the write gets no answer. */
static void a_lost_answer_is_no_surprise(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	mean(&g, &s);
	/* Not there (yet), and raised again. */
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	mean(&g, &s);
	assert_int_equal(g.pending, 3);
	/* Then both writes appear, one after the other. */
	s.number = 2;
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	s.number = 3;
	assert_int_equal(look(&g, &s), GENERATION_ARRIVED);
}

/*
 * The process died with its request in flight; the write arrives after the next process has
 * read.
 */
static void a_late_write_of_a_dead_process_is_known(void **state)
{
	struct sentinel s = { 0 }, late = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	start(&g);
	mean(&g, &s);
	put(&g, &late);
	start(&g);
	mean(&g, &s);
	s = late;
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 4);
	/* A higher counter corrects it. */
	s = late;
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 5);
}

/* So are the last few holders; the list is bounded. */
static void the_last_few_processes_are_known(void **state)
{
	struct sentinel s = { 0 }, writes[8] = { { 0 } };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	for (int i = 0; i < 8; i++) {
		start(&g);
		mean(&g, &s);
		put(&g, &writes[i]);
		/* Only whole names are dropped. */
		for (size_t k = 0; k < strlen(g.before); k++)
			assert_int_equal(g.before[k] == ' ',
					 k % GENERATION_HOLDER_SIZE == GENERATION_HOLDER_SIZE - 1);
		assert_int_equal(strlen(g.before) % GENERATION_HOLDER_SIZE,
				 GENERATION_HOLDER_SIZE - 1);
	}
	assert_int_equal(look(&g, &writes[7]), GENERATION_ARRIVED);
	g.current = 1;
	for (int i = 4; i < 7; i++)
		assert_int_equal(look(&g, &writes[i]), GENERATION_OURS);
	assert_int_equal(look(&g, &writes[0]), GENERATION_OVERTAKEN);
	/* Also the holder that they read and replace. */
	assert_int_equal(look(&g, &s), GENERATION_OURS);
}

static void fifty_starts_without_a_write(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	for (int i = 0; i < 50; i++) {
		start(&g);
		assert_int_equal(look(&g, &s), GENERATION_OURS);
		mean(&g, &s);
	}
	start(&g);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 52);
}

static void fifty_starts_that_do_not_even_read(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	for (int i = 0; i < 50; i++)
		start(&g);
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	raise_generation(&g, &s);
}

/* Somebody removed the labels or restored older ones. */
static void what_is_missing_is_written_again(void **state)
{
	struct sentinel s = { 0 }, old;
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	raise_generation(&g, &s);
	old = s;
	raise_generation(&g, &s);
	s = (struct sentinel){ 0 };
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 4);
	s = old;
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	raise_generation(&g, &s);
	/* Above every counter that was there. */
	assert_int_equal(s.number, 5);
}

/* A write in flight from a dead process. */
struct late_write {
	struct sentinel what;
	int starts;	/* since then */
};

static void random_moment(struct generation *g, struct sentinel *s, struct late_write *late,
			  uint32_t dice)
{
	switch (dice & 15) {
	case 0:
		start(g);
		late->starts++;
		break;
	case 1:
		*s = (struct sentinel){ 0 };
		break;
	case 2:
	case 3:
		assert_int_not_equal(look(g, s), GENERATION_OVERTAKEN);
		break;
	case 4:
		mean(g, s);
		break;
	case 5:
		mean(g, s);
		put(g, &late->what);
		late->starts = 1;
		start(g);
		break;
	case 6:
	case 7:
		if (late->what.number && late->starts <= 2)
			*s = late->what;
		late->what = (struct sentinel){ 0 };
		break;
	default:
		mean(g, s);
		put(g, s);
		break;
	}
}

/* Killed at any point, with late or lost writes, and with labels removed by hand. */
static void one_daemon_never_fences_itself(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int life = 0; life < 4000; life++) {
		struct late_write late = { 0 };
		struct sentinel s = { 0 };
		struct generation g = { 0 };
		int64_t greatest = 0;

		start(&g);
		for (int i = 0; i < 40; i++) {
			seed = seed * 1664525 + 1013904223;
			random_moment(&g, &s, &late, seed >> 24);
			assert_true(g.current <= g.pending && s.number <= g.pending);
			greatest = s.number > greatest ? s.number : greatest;
		}
		/* Every earlier counter stays below the next. */
		raise_generation(&g, &s);
		assert_true(s.number > greatest);
	}
}

/* ---- two daemons --------------------------------------------------------------------- */

static void an_older_copy_is_fenced(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 }, copy;

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	copy = g;
	raise_generation(&g, &s);
	start(&copy);
	assert_int_equal(look(&copy, &s), GENERATION_OVERTAKEN);
	/* It writes nothing, so the right one continues. */
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_OURS);
}

/* A copy from the last raise: detected as soon as either raises the counter. */
static void a_fresh_copy_overtakes_the_one_that_runs(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 }, copy;

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	copy = g;
	start(&copy);
	assert_int_equal(look(&copy, &s), GENERATION_OURS);
	raise_generation(&copy, &s);
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
}

/* Both raise to the same number: the holder distinguishes them. */
static void the_same_number_of_another_holder_is_not_ours(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 }, copy;

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	copy = g;
	start(&g);
	start(&copy);
	mean(&g, &s);
	mean(&copy, &s);
	assert_int_equal(g.pending, copy.pending);
	put(&copy, &s);
	assert_int_equal(look(&copy, &s), GENERATION_ARRIVED);
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
}

/* A counter below the one that was there: a late write by an overtaken process. */
static void a_smaller_number_is_a_late_write(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	for (int i = 0; i < 3; i++)
		raise_generation(&g, &s);
	s.number = 1;
	strcpy(s.holder, "somebody");
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	s.holder[0] = '\0';
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 4);
}

static void a_number_without_a_holder_is_not_ours(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	mean(&g, &s);
	s.number = 1;
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
}

/* A greater counter by a known holder: the store lost the raise. */
static void a_greater_number_of_ours_is_not_known(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 }, backup;

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	backup = g;
	raise_generation(&g, &s);
	assert_string_equal(s.holder, backup.holder);
	start(&backup);
	assert_int_equal(look(&backup, &s), GENERATION_OVERTAKEN);
}

static void a_restored_backup_is_fenced_until_somebody_looked(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 }, backup;

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	backup = g;
	for (int i = 0; i < 5; i++) {
		start(&g);
		raise_generation(&g, &s);
	}
	start(&backup);
	assert_int_equal(look(&backup, &s), GENERATION_OVERTAKEN);
	generation_fence(&backup, "it is older");
	/* Through restarts. */
	start(&backup);
	assert_true(backup.is_fenced);
	assert_string_equal(backup.why, "it is older");
	assert_int_equal(look(&backup, &s), GENERATION_OVERTAKEN);
	backup.is_wanted = 0;
	generation_take_over(&backup);
	assert_false(backup.is_fenced);
	assert_int_equal(backup.current, backup.pending);
	assert_string_equal(backup.why, "");
	assert_true(backup.is_wanted);
	/* The counter found is known now, even if it is read again before the write. */
	assert_int_equal(look(&backup, &s), GENERATION_OURS);
	raise_generation(&backup, &s);
	assert_int_equal(s.number, 7);
	/* The other daemon, if still running, is the one overtaken. */
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
}

/* The process died between the take-over and the write. */
static void a_take_over_outlives_the_process(void **state)
{
	struct sentinel s = { .number = 9, .holder = "somebody" };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_OVERTAKEN);
	generation_fence(&g, "it is older");
	generation_take_over(&g);
	start(&g);
	assert_int_equal(look(&g, &s), GENERATION_OURS);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 10);
}

/* Another holder with a smaller counter: the next one is above both. */
static void a_take_over_never_counts_down(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	for (int i = 0; i < 5; i++)
		raise_generation(&g, &s);
	s.number = 2;
	strcpy(s.holder, "somebody");
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	generation_fence(&g, "an operator is to look");
	generation_take_over(&g);
	assert_int_equal(look(&g, &s), GENERATION_MISSING);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 6);
}

/* Fenced because of its location; the sentinel was not read yet. */
static void a_take_over_before_the_sentinel_was_read_forgets_nobody(void **state)
{
	struct sentinel s = { 0 };
	struct generation g = { 0 };

	(void)state;
	start(&g);
	raise_generation(&g, &s);
	start(&g);
	mean(&g, &s);
	start(&g);
	generation_fence(&g, "the database is not where it was");
	generation_take_over(&g);
	assert_int_not_equal(look(&g, &s), GENERATION_OVERTAKEN);
	raise_generation(&g, &s);
	assert_int_equal(s.number, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_start_writes_one),
		cmocka_unit_test(a_store_that_never_raised_one_is_not_fenced),
		cmocka_unit_test(each_start_counts_and_knows_the_one_before),
		cmocka_unit_test(one_process_raises_it_again_and_again),
		cmocka_unit_test(a_crash_before_the_write),
		cmocka_unit_test(a_crash_after_the_write),
		cmocka_unit_test(a_crash_around_the_first_write),
		cmocka_unit_test(a_lost_answer_is_no_surprise),
		cmocka_unit_test(a_late_write_of_a_dead_process_is_known),
		cmocka_unit_test(the_last_few_processes_are_known),
		cmocka_unit_test(fifty_starts_without_a_write),
		cmocka_unit_test(fifty_starts_that_do_not_even_read),
		cmocka_unit_test(what_is_missing_is_written_again),
		cmocka_unit_test(one_daemon_never_fences_itself),
		cmocka_unit_test(an_older_copy_is_fenced),
		cmocka_unit_test(a_fresh_copy_overtakes_the_one_that_runs),
		cmocka_unit_test(the_same_number_of_another_holder_is_not_ours),
		cmocka_unit_test(a_smaller_number_is_a_late_write),
		cmocka_unit_test(a_number_without_a_holder_is_not_ours),
		cmocka_unit_test(a_greater_number_of_ours_is_not_known),
		cmocka_unit_test(a_restored_backup_is_fenced_until_somebody_looked),
		cmocka_unit_test(a_take_over_outlives_the_process),
		cmocka_unit_test(a_take_over_never_counts_down),
		cmocka_unit_test(a_take_over_before_the_sentinel_was_read_forgets_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
