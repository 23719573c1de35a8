/* SPDX-License-Identifier: MIT */
/* A database that is removed, moved or replaced under the daemon, and what is left of it at a start. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/sqlite/internal.h"
#include "store/runs.h"

static void file_name(const char *suffix, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s", path, suffix);
}

static int64_t file_size(const char *suffix)
{
	char name[128];
	struct stat st;

	file_name(suffix, name, sizeof(name));
	return stat(name, &st) ? -1 : st.st_size;
}

static void file_write(const char *suffix, const char *text)
{
	char name[128];
	int fd;

	file_name(suffix, name, sizeof(name));
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* The next transaction does not begin, and the store stays broken. */
static void expect_noticed(void)
{
	struct err err = { 0 };

	assert_int_equal(store_begin_at_write(store, &err), -1);
	assert_int_equal(err.kind, ERR_IO);
	if (!strstr(err.text, "removed or replaced"))
		fail_msg("%s", err.text);
	assert_true(store_broken(store));
}

/* D1: each file that SQLite has open, removed. */
static void d1_a_removed_file_is_noticed_before_the_next_transaction(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };

	(void)state;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char name[128];

		scratch_insert("cbx_000000000001");
		file_name(suffixes[i], name, sizeof(name));
		assert_int_equal(unlink(name), 0);
		expect_noticed();
		scratch_teardown(NULL);
		scratch_setup(NULL);
	}
}

static void d1_a_moved_database_is_noticed(void **state)
{
	char to[128];

	(void)state;
	file_name(".moved", to, sizeof(to));
	assert_int_equal(rename(path, to), 0);
	expect_noticed();
}

/* `cp` to another name and `mv` over it: another file of the same name. */
static void d1_a_replaced_database_is_noticed(void **state)
{
	char from[128];

	(void)state;
	file_write(".other", "SQLite format 3");
	file_name(".other", from, sizeof(from));
	assert_int_equal(rename(from, path), 0);
	expect_noticed();
}

/* It disappears between the first write of a transaction and its commit. */
static void d1_nothing_is_committed_to_a_file_without_a_name(void **state)
{
	struct lease l = scratch_lease("cbx_000000000001");
	struct err err = { 0 };

	(void)state;
	scratch_begin();
	assert_int_equal(store_lease_insert(store, &l, &err), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_commit(store, &err), -1);
	assert_non_null(strstr(err.text, "removed or replaced"));
	assert_true(store_broken(store));
}

static void expect_refused(int (*open_it)(struct err *err))
{
	struct err err = { 0 };

	assert_int_equal(open_it(&err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	if (!strstr(err.text, "-wal"))
		fail_msg("%s", err.text);
}

static int open_daemon(struct err *err)
{
	return store_open(path, &env, &store, err);
}

static int open_tool(struct err *err)
{
	return store_open_tool(path, &env, &store, err);
}

static int open_view(struct err *err)
{
	return store_open_view(path, &store, err);
}

/* D2: the log is all that is left. Nobody touches it. */
static void d2_a_log_without_its_database_is_refused_and_left_alone(void **state)
{
	static const char log[] = "all that is left of the leases";

	(void)state;
	scratch_close();
	assert_int_equal(unlink(path), 0);
	for (int is_empty = 0; is_empty < 2; is_empty++) {
		if (is_empty)
			file_write("", "");
		file_write("-wal", log);
		expect_refused(open_daemon);
		expect_refused(open_tool);
		expect_refused(open_view);
		assert_int_equal(file_size("-wal"), (int64_t)strlen(log));
		assert_int_equal(file_size(""), is_empty ? 0 : -1);
	}
	/* An empty log holds nothing. */
	file_write("-wal", "");
	assert_false(store_is_missing(path));
	assert_int_equal(unlink(path), 0);
	assert_true(store_is_missing(path));
	store = scratch_open();
}

/* The same of the file of run history, which can wait: leases are served without it. */
static void d2_a_log_without_the_runs_is_left_alone(void **state)
{
	static const char log[] = "all that is left of the runs";
	struct err err = { 0 };
	int is_lost;

	(void)state;
	file_write("-runs-wal", log);
	assert_int_equal(store_open_runs(store, &env, &runs, &is_lost, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_int_equal(file_size("-runs-wal"), (int64_t)strlen(log));
	assert_int_equal(file_size("-runs"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
		TEST(d1_a_removed_file_is_noticed_before_the_next_transaction),
		TEST(d1_a_moved_database_is_noticed),
		TEST(d1_a_replaced_database_is_noticed),
		TEST(d1_nothing_is_committed_to_a_file_without_a_name),
		TEST(d2_a_log_without_its_database_is_refused_and_left_alone),
		TEST(d2_a_log_without_the_runs_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
