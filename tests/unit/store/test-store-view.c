/* SPDX-License-Identifier: MIT */
/* A view of the database: it changes nothing, whoever has the database open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "store/sqlite/internal.h"
#include "vfs.h"

static int files(void)
{
	DIR *d = opendir(folder);
	int count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count - 2;
}

static struct store *view(void)
{
	struct store *v = NULL;
	struct err err = { 0 };

	if (store_open_view(path, &v, &err))
		fail_msg("%s", err.text);
	return v;
}

static void refused(const char *why)
{
	struct store *v = NULL;
	struct err err = { 0 };

	assert_int_equal(store_open_view(path, &v, &err), -1);
	if (!strstr(err.text, why))
		fail_msg("expected '%s' in '%s'", why, err.text);
}

static void close_store(void)
{
	store_close(store);
	store = NULL;
}

static void sees(struct store *v, const char *id)
{
	struct lease l;

	assert_int_equal(store_lease_by_id(v, id, &l, NULL), 0);
}

static void where_there_is_none_none_is_made(void **state)
{
	struct store *v = NULL;
	struct stat st;
	int fd;

	(void)state;
	close_store();
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_open_view(path, &v, NULL), 1);
	assert_int_equal(stat(path, &st), -1);
	/* A database that a first start had only created. */
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(store_open_view(path, &v, NULL), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	snprintf(path, sizeof(path), "%s/no/db", folder);
	assert_int_equal(store_open_view(path, &v, NULL), 1);
}

static void nothing_is_left_beside_a_file_that_nobody_has(void **state)
{
	struct stat before, after;
	struct store *v;
	int count;

	(void)state;
	scratch_insert("cbx_1");
	close_store();
	count = files();
	assert_int_equal(stat(path, &before), 0);
	v = view();
	sees(v, "cbx_1");
	assert_int_equal(store_begin(v, NULL), -1);
	assert_int_equal(store_view_holds(v), 1);
	store_close(v);
	assert_int_equal(files(), count);
	assert_int_equal(stat(path, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(after.st_mtim));
}

static void a_name_is_taken_as_it_is(void **state)
{
	char odd[sizeof(path)];
	struct store *v;

	(void)state;
	scratch_insert("cbx_1");
	close_store();
	snprintf(odd, sizeof(odd), "%s/a b?x=1&y#%%41", folder);
	assert_int_equal(rename(path, odd), 0);
	strcpy(path, odd);
	v = view();
	sees(v, "cbx_1");
	store_close(v);
}

static void beside_a_daemon_it_is_of_one_moment(void **state)
{
	struct store *v;
	struct lease l;

	(void)state;
	scratch_insert("cbx_1");
	v = view();
	sees(v, "cbx_1");
	scratch_insert("cbx_2");
	assert_int_equal(store_lease_by_id(v, "cbx_2", &l, NULL), 1);
	assert_int_equal(store_view_holds(v), 1);
	store_close(v);
	v = view();
	sees(v, "cbx_2");
	store_close(v);
}

static void whoever_comes_meanwhile_is_noticed(void **state)
{
	/*
	 * An old time stamp, since two changes may be closer than the resolution of file
	 * times.
	 */
	static const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct store *v;

	(void)state;
	close_store();
	assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	v = view();
	assert_int_equal(store_view_holds(v), 1);
	store = scratch_open();
	scratch_insert("cbx_1");
	assert_int_equal(store_view_holds(v), 0);
	/* And has closed it again. */
	close_store();
	assert_int_equal(store_view_holds(v), 0);
	store_close(v);
	v = view();
	sees(v, "cbx_1");
	assert_int_equal(store_view_holds(v), 1);
	store_close(v);
}

static void what_a_killed_daemon_left_in_its_log_counts(void **state)
{
	struct store *v;
	int status;
	pid_t pid;

	(void)state;
	close_store();
	pid = fork();
	if (pid == 0) {
		store = scratch_open();
		scratch_insert("cbx_1");
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	v = view();
	sees(v, "cbx_1");
	store_close(v);
}

static void change(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void another_schema_stays_as_it_is(void **state)
{
	(void)state;
	close_store();
	change("PRAGMA user_version = 1");
	refused("older lessord");
	change("PRAGMA user_version = 99");
	refused("newer lessord");
}

static void it_checks_as_the_others_do(void **state)
{
	char target[sizeof(path) + 8];
	int fd;

	(void)state;
	close_store();
	assert_int_equal(chmod(path, 0644), 0);
	refused("chmod 600");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	refused("is writable by others");
	assert_int_equal(chmod(folder, 0700), 0);
	snprintf(target, sizeof(target), "%s.real", path);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	refused("the store");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("not a regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(target, path), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "this is no database at all.....", 32, 0), 32);
	close(fd);
	refused("damaged");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_there_is_none_none_is_made),
		TEST(nothing_is_left_beside_a_file_that_nobody_has),
		TEST(a_name_is_taken_as_it_is),
		TEST(beside_a_daemon_it_is_of_one_moment),
		TEST(whoever_comes_meanwhile_is_noticed),
		TEST(what_a_killed_daemon_left_in_its_log_counts),
		TEST(another_schema_stays_as_it_is),
		TEST(it_checks_as_the_others_do),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
