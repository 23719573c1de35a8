/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "util/alloc.h"
#include "util/hash.h"

#define WRITES_MAX 64
#define NO_WRITE 1000000000

static sqlite3 *beside; /* a second connection to the database */

/* ---- the fuse ----------------------------------------------------------------------- */

static void run_sql(const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(beside, sql, NULL, NULL, &error))
		fail_msg("%s: %s", sql, error);
}

/*
 * Each row written decrements fuse_left. The write that brings it to -1 fails, and later ones
 * succeed: FAIL, unlike ABORT, does not roll back the decrement.
 */
static int arm_table(void *arg, int count, char **values, char **names)
{
	static const char *const verbs[] = { "INSERT", "UPDATE", "DELETE" };
	char *text = *(char **)arg;

	(void)count;
	(void)names;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char *more = sqlite3_mprintf(
			"%z CREATE TRIGGER fuse_%s_%s BEFORE %s ON %s BEGIN"
			" UPDATE fuse SET fuse_left = fuse_left - 1;"
			" SELECT RAISE(FAIL, 'the fuse') FROM fuse WHERE fuse_left = -1; END;",
			text, values[0], verbs[i], verbs[i], values[0]);

		text = more;
	}
	*(char **)arg = text;
	return 0;
}

void fuse_arm(const char *path)
{
	char *triggers = sqlite3_mprintf("CREATE TABLE fuse(fuse_left);"
					 "INSERT INTO fuse VALUES(1000000000);");

	assert_int_equal(sqlite3_open_v2(path, &beside, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(beside, "SELECT name FROM sqlite_schema WHERE type = 'table'",
				      arm_table, &triggers, NULL), SQLITE_OK);
	run_sql(triggers);
	sqlite3_free(triggers);
}

void fuse_set(int writes)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "UPDATE fuse SET fuse_left = %d", writes);
	run_sql(sql);
}

static int read_left(void *arg, int count, char **values, char **names)
{
	(void)count;
	(void)names;
	*(int *)arg = atoi(values[0]);
	return 0;
}

int fuse_left(void)
{
	int left = 0;

	assert_int_equal(sqlite3_exec(beside, "SELECT fuse_left FROM fuse", read_left, &left, NULL),
			 SQLITE_OK);
	return left;
}

/* ---- the whole database ------------------------------------------------------------- */

static int add_row(void *arg, int count, char **values, char **names)
{
	uint32_t *sum = arg;

	(void)names;
	for (int i = 0; i < count; i++) {
		const char *value = values[i] ? values[i] : "";

		*sum = *sum * 31 + hash_fnv32(value, strlen(value));
	}
	return 0;
}

static int add_table(void *arg, int count, char **values, char **names)
{
	char *sql = sqlite3_mprintf("SELECT * FROM %s", values[0]);

	(void)count;
	(void)names;
	assert_int_equal(sqlite3_exec(beside, sql, add_row, arg, NULL), SQLITE_OK);
	sqlite3_free(sql);
	return 0;
}

uint32_t fuse_sum_of_everything(void)
{
	uint32_t sum = 0;

	assert_int_equal(sqlite3_exec(beside, "SELECT name FROM sqlite_schema WHERE type = 'table'"
				      " AND name <> 'fuse'", add_table, &sum, NULL), SQLITE_OK);
	return sum;
}

void fuse_end(void)
{
	sqlite3_close(beside);
	beside = NULL;
}

/* ---- a room's requests ---------------------------------------------------------------- */

static const struct fuse_room *the_room;

static int setup(void **state)
{
	const struct fuse_case *one = *state;
	const char *path = the_room->start();

	one->before();
	fuse_arm(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_end();
	the_room->end();
	return 0;
}

/* Makes write number `writes` + 1 fail. 1: it failed; 0: the request makes fewer writes. */
static int fails_at(const struct fuse_case *one, int writes)
{
	enum fuse_answer answer;
	uint32_t before;
	int left;

	the_room->prepare();
	fuse_set(writes);
	before = fuse_sum_of_everything();
	one->ask();
	left = fuse_left();
	answer = the_room->answer(one);
	if (answer == FUSE_SUCCESS && left < 0)
		fail_msg("%s: write %d failed, but the request succeeded", one->name, writes + 1);
	if (answer == FUSE_SUCCESS)
		return 0;
	if (fuse_sum_of_everything() != before)
		fail_msg("%s: write %d failed, but changes remained", one->name, writes + 1);
	fuse_set(NO_WRITE);
	return 1;
}

static void no_failed_write_is_answered_with_success(void **state)
{
	const struct fuse_case *one = *state;
	int writes = 0;

	while (writes < WRITES_MAX && fails_at(one, writes))
		writes++;
	assert_in_range(writes, one->least, WRITES_MAX - 1);
}

int fuse_run(const struct fuse_room *room)
{
	struct CMUnitTest *tests = xcalloc(room->count, sizeof(*tests));
	int failed;

	the_room = room;
	for (size_t i = 0; i < room->count; i++)
		tests[i] = (struct CMUnitTest){
			.name = room->cases[i].name,
			.test_func = no_failed_write_is_answered_with_success,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = (void *)(uintptr_t)&room->cases[i],
		};
	failed = _cmocka_run_group_tests("requests", tests, room->count, NULL, NULL);
	free(tests);
	return failed;
}
