/* SPDX-License-Identifier: MIT */
/* The runs' file by itself: what lies around when it is made, and what its rows are read as. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/runs.h"
#include "util/alloc.h"

/* A file with a second name, by which it is still found when the first one is removed. */
static void leave(const char *name, const char *witness)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs("left by somebody else", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(link(name, witness), 0);
}

/*
 * SQLite would apply them: a journal of an earlier file, an index of a log. A log itself is
 * never removed, see test-store-gone.c.
 */
static void what_an_earlier_file_has_left_is_removed(void **state)
{
	static const char *const ends[] = { "-journal",	    "-shm",	".new",
					    ".new-journal", ".new-wal", ".new-shm" };
	char file[STORE_RUNS_PATH_SIZE], name[STORE_RUNS_PATH_SIZE + 16], witness[120];
	struct stat st;

	(void)state;
	if (store_is_shared(store))
		skip();
	store_runs_path(path, file);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", file, ends[i]);
		snprintf(witness, sizeof(witness), "%s/witness-%zu", folder, i);
		leave(name, witness);
	}
	scratch_open_runs();
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(witness, sizeof(witness), "%s/witness-%zu", folder, i);
		assert_int_equal(stat(witness, &st), 0);
		assert_int_equal(st.st_nlink, 1);
		assert_int_equal(st.st_size, strlen("left by somebody else"));
	}
}

struct told {
	const char *fields[4];
	int count;
};

static int tell(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	struct told *told = arg;

	assert_int_equal(seq, told->count + 1);
	assert_int_equal(at_ms, 1000 + seq);
	assert_string_equal(fields, told->fields[told->count++]);
	return 0;
}

/* Whoever reads them takes them for an object, as it is. */
static void what_is_no_object_is_an_empty_one(void **state)
{
	static const char *const stored[] = { "{\"type\":\"stdout\"}", "", "[1]", "{}" };
	struct told told = { .fields = { stored[0], "{}", "{}", "{}" } };

	(void)state;
	scratch_open_runs();
	assert_int_equal(store_begin(runs, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(store_run_event_add(runs, 7, i + 1, 1001 + i, stored[i], NULL), 0);
	assert_int_equal(store_commit(runs, NULL), 0);
	assert_int_equal(store_run_event_each(runs, 7, 0, 100, tell, &told, NULL), 0);
	assert_int_equal(told.count, 4);
}

static int sample_count(void *arg, const char *text, size_t len)
{
	int *count = arg;
	char want[16];

	/* The oldest of them are the ones that went. */
	snprintf(want, sizeof(want), "%d", *count + 3);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
	++*count;
	return 0;
}

static int any_count(void *arg, const char *text, size_t len)
{
	(void)text;
	(void)len;
	++*(int *)arg;
	return 0;
}

static void samples_of_a_run_are_a_ring_of_its_own(void **state)
{
	int count = 0, others = 0;

	(void)state;
	scratch_open_runs();
	assert_int_equal(store_begin(runs, NULL), 0);
	assert_int_equal(store_run_sample_add(runs, 6, 1, "0", NULL), 0);
	for (int i = 0; i < STORE_SAMPLES_MAX + 3; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(store_run_sample_add(runs, 7, 1000 + i, text, NULL), 0);
	}
	assert_int_equal(store_commit(runs, NULL), 0);
	assert_int_equal(store_run_sample_each(runs, 7, sample_count, &count, NULL), 0);
	assert_int_equal(count, STORE_SAMPLES_MAX);
	assert_int_equal(store_run_sample_each(runs, 6, any_count, &others, NULL), 0);
	assert_int_equal(others, 1);
}

/* A file without the tables has no runs to tell of, and does not say that there are none. */
static void what_cannot_be_read_is_an_error(void **state)
{
	struct run_row row;
	int count = 0;

	(void)state;
	/* There it is one database. */
	if (store_is_shared(store))
		skip();
	assert_int_equal(store_run_oldest(store, 1000, &row, NULL), -1);
	assert_int_equal(store_run_sample_each(store, 7, any_count, &count, NULL), -1);
	assert_int_equal(store_run_event_each(store, 7, 0, 100, tell, &count, NULL), -1);
	assert_int_equal(count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_an_earlier_file_has_left_is_removed),
		TEST(what_is_no_object_is_an_empty_one),
		TEST(samples_of_a_run_are_a_ring_of_its_own),
		TEST(what_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
