/* SPDX-License-Identifier: MIT */
/* The leases' file becomes smaller, and an older one is copied once for that. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/backup.h"
#include "store/history.h"
#include "store/sqlite/reserve.h"
#include "unit/store/scratch.h"
#include "unit/test.h"

#define ID "cbx_000000000001"
#define MANY 2000
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

static int64_t size_of(const char *file)
{
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	return st.st_size;
}

/* While no store is open. */
static int64_t ask(const char *file, const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t value;

	assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static int64_t mode(void)
{
	return ask(path, "PRAGMA auto_vacuum");
}

/* As an earlier version has made it. */
static void make_older(void)
{
	sqlite3 *db;

	scratch_close();
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA auto_vacuum = NONE; VACUUM", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(mode(), 0);
}

static void check(void)
{
	struct err err = { .text = "" };
	struct lease l;

	assert_int_equal(store_lease_by_id(store, ID, &l, NULL), 0);
	if (store_check(store, &err))
		fail_msg("%s", err.text);
}

static void a_new_file_can_become_smaller(void **state)
{
	(void)state;
	scratch_close();
	assert_int_equal(mode(), 2);
}

static void an_older_file_is_copied_once(void **state)
{
	int64_t version;

	(void)state;
	scratch_insert(ID);
	make_older();
	version = ask(path, "PRAGMA user_version");
	store = scratch_open();
	check();
	scratch_close();
	assert_int_equal(mode(), 2);
	assert_int_equal(ask(path, "PRAGMA user_version"), version);
	store = scratch_open();
	check();
}

static int64_t room;

static int no_allocate(int fd, int keep_size, int64_t at, int64_t len)
{
	(void)fd;
	(void)keep_size;
	(void)at;
	(void)len;
	return 0;
}

static int64_t the_room(const char *at)
{
	(void)at;
	return room;
}

static void it_waits_for_room_on_the_disk(void **state)
{
	static const struct reserve_disk disk = { .allocate = no_allocate, .free_bytes = the_room };

	(void)state;
	scratch_insert(ID);
	make_older();
	reserve_disk_set(&disk);
	room = size_of(path) + RESERVE_BYTES;
	store = scratch_open();
	check();
	scratch_close();
	assert_int_equal(mode(), 0);
	room = 2 * size_of(path) + RESERVE_BYTES;
	store = scratch_open();
	check();
	scratch_close();
	assert_int_equal(mode(), 2);
	reserve_disk_set(NULL);
}

static void a_tool_leaves_it_alone(void **state)
{
	struct store *tool;

	(void)state;
	make_older();
	assert_int_equal(store_open_tool(path, &env, &tool, NULL), 0);
	store_close(tool);
	assert_int_equal(mode(), 0);
}

/* A reader beside it goes on with what was there. */
static void whoever_reads_is_not_disturbed(void **state)
{
	struct store *view;
	struct lease l;

	(void)state;
	scratch_insert(ID);
	make_older();
	assert_int_equal(store_open_view(path, &view, NULL), 0);
	store = scratch_open();
	assert_int_equal(store_lease_by_id(view, ID, &l, NULL), 0);
	store_close(view);
	check();
}

/* ---- page by page -------------------------------------------------------------------------- */

static int64_t fill(int64_t first[1])
{
	struct lease l;

	scratch_begin();
	for (int i = 0; i < MANY; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_00000000%04d", i + 1000);
		l = scratch_lease(id);
		snprintf(l.slug, sizeof(l.slug), "slug-%d", i);
		assert_int_equal(store_lease_insert(store, &l, NULL), 0);
		if (i == 0)
			*first = l.n;
		for (int k = 0; k < 10; k++)
			assert_int_equal(store_event_add(store, l.n, 1, "k", l.public_key, NULL), 0);
	}
	scratch_commit();
	return l.n;
}

static int never(void)
{
	return 0;
}

static void back_up(const char *target)
{
	struct store_backup_result result;
	struct store_backup *backup = NULL;
	struct err err = { .text = "" };

	assert_int_equal(store_backup_open(path, &backup, &err), 0);
	if (store_backup_write(backup, target, never, &result, &err))
		fail_msg("%s", err.text);
	store_backup_close(backup);
}

static void what_was_pruned_makes_it_smaller(void **state)
{
	char target[160];
	int64_t first, last, before;
	int left = 1, steps = 0;

	(void)state;
	last = fill(&first);
	scratch_insert(ID);
	scratch_close();
	before = size_of(path);
	store = scratch_open();
	for (int64_t n = first; n <= last; n++) {
		scratch_begin();
		assert_int_equal(store_history_drop(store, "hetzner", n, NULL), 0);
		scratch_commit();
	}
	while (left) {
		scratch_begin();
		assert_int_equal(store_shrink(store, 8, &left, NULL), 0);
		scratch_commit();
		steps++;
	}
	assert_true(steps > 3);
	check();
	/* The files beside it, the backup and the next start take it as it is. */
	snprintf(target, sizeof(target), "%s/copy.db", folder);
	back_up(target);
	scratch_close();
	if (size_of(path) >= before / 2)
		fail_msg("%lld of %lld bytes are left", (long long)size_of(path), (long long)before);
	assert_true(size_of(target) <= size_of(path));
	assert_int_equal(ask(target, "PRAGMA auto_vacuum"), 2);
	store = scratch_open();
	check();
	/* Some free pages stay. */
	scratch_begin();
	assert_int_equal(store_shrink(store, 8, &left, NULL), 0);
	assert_int_equal(left, 0);
	assert_int_equal(store_is_written(store), 0);
	scratch_commit();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_can_become_smaller),  TEST(an_older_file_is_copied_once),
		TEST(it_waits_for_room_on_the_disk),  TEST(a_tool_leaves_it_alone),
		TEST(whoever_reads_is_not_disturbed), TEST(what_was_pruned_makes_it_smaller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
