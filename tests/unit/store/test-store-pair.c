/* SPDX-License-Identifier: MIT */
/* The runs' file: its pairing with the leases' file, and moving older runs into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "store/sqlite/internal.h"
#include "store/runs.h"
#include "util/text.h"
#include "vfs.h"

#define LEASE "cbx_004b9c45860b"
#define INTERRUPTED VFS_POWER_CUT_EXIT

static char runs_file[STORE_RUNS_PATH_SIZE];

static int setup(void **state)
{
	if (scratch_setup(state))
		return -1;
	store_runs_path(path, runs_file);
	return 0;
}

/* ---- helpers ------------------------------------------------------------------------ */

/* Opens both; returns whether the runs' file was lost. */
static int reopen(void)
{
	struct err err = { 0 };
	int is_lost = -1;

	scratch_close();
	store = scratch_open();
	if (store_open_runs(store, &env, &runs, &is_lost, &err))
		fail_msg("%s", err.text);
	store_runs_use(runs, store);
	return is_lost;
}

static void refused(const char *why)
{
	struct err err = { 0 };
	int is_lost;

	scratch_close();
	store = scratch_open();
	assert_int_equal(store_open_runs(store, &env, &runs, &is_lost, &err), -1);
	assert_null(runs);
	if (!strstr(err.text, why))
		fail_msg("expected '%s' in '%s'", why, err.text);
	assert_false(store_broken(store));
}

static int is_there(const char *name, const char *end)
{
	char whole[STORE_RUNS_PATH_SIZE + 8];

	snprintf(whole, sizeof(whole), "%s%s", name, end);
	return access(whole, F_OK) == 0;
}

static void sql(const char *name, const char *text)
{
	char *error = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(name, &db), SQLITE_OK);
	/* What is written before the test need not survive a power failure. */
	sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	if (sqlite3_exec(db, text, NULL, NULL, &error))
		fail_msg("%s: %s", text, error);
	sqlite3_close(db);
}

static int first_number(void *arg, int count, char **values, char **names)
{
	(void)count;
	(void)names;
	*(long *)arg = values[0] ? strtol(values[0], NULL, 10) : -1;
	return 0;
}

static long number(const char *name, const char *text)
{
	long value = -1;
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(name, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, first_number, &value, NULL), SQLITE_OK);
	sqlite3_close(db);
	return value;
}

static struct run_row add_run(const char *id, const char *lease)
{
	struct run_row r = { .started_ms = 1, .bytes = 10 };

	TEXT_SET(r.id, id);
	TEXT_SET(r.owner, "alice@example.com");
	TEXT_SET(r.org, "acme");
	TEXT_SET(r.lease_id, lease);
	assert_int_equal(store_begin(runs, NULL), 0);
	assert_int_equal(store_run_insert(runs, &r, "[\"make\"]", NULL), 0);
	if (lease[0])
		assert_int_equal(store_run_lease_add(runs, r.n, lease, NULL), 0);
	assert_int_equal(store_commit(runs, NULL), 0);
	return r;
}

static int find(const char *id, const char *owner, const char *org, struct run_row *ret)
{
	struct store_scope scope = { .all = !owner, .owner = owner, .org = org };

	return store_run_find(runs, id, &scope, RUN_READ, ret, NULL);
}

/* ---- the pair ----------------------------------------------------------------------- */

static void the_name_follows_from_the_leases(void **state)
{
	static const char *const names[][2] = {
		{ "/var/lib/lessor/lessor.db", "/var/lib/lessor/lessor-runs.db" },
		{ "/a/store", "/a/store-runs" },
		{ "/a.db/store", "/a.db/store-runs" },
		{ "/a/x.db.old", "/a/x.db.old-runs" },
		{ "/a/.db", "/a/.db-runs" },
	};
	char longest[256], got[STORE_RUNS_PATH_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		store_runs_path(names[i][0], got);
		assert_string_equal(got, names[i][1]);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	memcpy(longest + 252, ".db", 4);
	store_runs_path(longest, got);
	assert_int_equal(strlen(got), 255 + 5);
}

static void it_is_made_as_the_first_one_is(void **state)
{
	struct stat st;
	struct store *second = NULL;
	struct err err = { 0 };
	int is_lost;

	(void)state;
	assert_false(is_there(runs_file, ""));
	assert_int_equal(reopen(), 0);
	assert_int_equal(stat(runs_file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(is_there(runs_file, ".lock"));
	assert_int_equal(store_check(runs, NULL), 0);
	/* No second daemon may open it, whatever leases it has. */
	assert_int_equal(store_open_runs(store, &env, &second, &is_lost, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(reopen(), 0);
	scratch_close();
	assert_int_equal(chmod(runs_file, 0644), 0);
	refused("chmod 600");
	assert_int_equal(chmod(runs_file, 0600), 0);
	assert_int_equal(reopen(), 0);
}

static void tools_and_views_make_none(void **state)
{
	struct store *other = NULL;

	(void)state;
	assert_int_equal(store_open_tool(path, &env, &other, NULL), 0);
	store_close(other);
	assert_int_equal(store_open_view(path, &other, NULL), 0);
	store_close(other);
	scratch_close();
	assert_int_equal(store_open_tool(path, &env, &other, NULL), 0);
	store_close(other);
	assert_false(is_there(runs_file, ""));
	assert_false(is_there(runs_file, ".lock"));
}

static char *bytes_of(const char *name, size_t *ret_len)
{
	int fd = open(name, O_RDONLY);
	struct stat st;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return bytes;
}

static void one_of_another_store_is_refused_and_left_alone(void **state)
{
	struct stat before, after;
	char *old, *now;
	size_t old_len, now_len;
	struct run_row r;

	(void)state;
	reopen();
	add_run("run_000000000001", "");
	scratch_close();
	/* The leases' file is lost, and the next daemon creates a new store. */
	assert_int_equal(unlink(path), 0);
	old = bytes_of(runs_file, &old_len);
	assert_int_equal(stat(runs_file, &before), 0);
	for (int i = 0; i < 2; i++)
		refused("belongs to another store");
	assert_int_equal(stat(runs_file, &after), 0);
	now = bytes_of(runs_file, &now_len);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(old_len, now_len);
	assert_memory_equal(old, now, old_len);
	assert_false(is_there(runs_file, "-wal"));
	free(old);
	free(now);
	/* Moved away, it is no obstacle, and nothing was lost: this store never had one. */
	assert_int_equal(unlink(runs_file), 0);
	assert_int_equal(reopen(), 0);
	assert_int_equal(find("run_000000000001", NULL, NULL, &r), 1);
}

static void a_missing_one_is_made_anew_and_said_to_be_lost(void **state)
{
	struct run_row r;

	(void)state;
	reopen();
	add_run("run_000000000001", "");
	scratch_close();
	assert_int_equal(unlink(runs_file), 0);
	assert_int_equal(reopen(), 1);
	assert_int_equal(find("run_000000000001", NULL, NULL, &r), 1);
	assert_int_equal(reopen(), 0);
	/* An empty file does not count, either. */
	scratch_close();
	assert_int_equal(truncate(runs_file, 0), 0);
	assert_int_equal(reopen(), 1);
}

static void copy(const char *from, const char *to)
{
	size_t len;
	char *bytes = bytes_of(from, &len);
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
	free(bytes);
}

/* Either half may be restored alone: they refer to each other by ids. */
static void a_backup_of_one_half_goes_with_the_other(void **state)
{
	char saved[2][STORE_RUNS_PATH_SIZE + 8];
	struct run_row r;

	(void)state;
	reopen();
	add_run("run_000000000001", "");
	scratch_close();
	snprintf(saved[0], sizeof(saved[0]), "%s.saved", path);
	snprintf(saved[1], sizeof(saved[1]), "%s.saved", runs_file);
	copy(path, saved[0]);
	copy(runs_file, saved[1]);
	reopen();
	add_run("run_000000000002", "");
	scratch_close();
	copy(saved[0], path);
	assert_int_equal(reopen(), 0);
	assert_int_equal(find("run_000000000002", NULL, NULL, &r), 0);
	scratch_close();
	copy(saved[1], runs_file);
	assert_int_equal(reopen(), 0);
	assert_int_equal(find("run_000000000001", NULL, NULL, &r), 0);
	assert_int_equal(find("run_000000000002", NULL, NULL, &r), 1);
}

static void what_is_no_runs_file_is_refused(void **state)
{
	int fd;

	(void)state;
	reopen();
	scratch_close();
	sql(runs_file, "PRAGMA user_version = 99");
	refused("newer lessord");
	sql(runs_file, "PRAGMA user_version = 1");
	assert_int_equal(reopen(), 0);
	scratch_close();
	copy(path, runs_file);
	refused("another program");
	fd = open(runs_file, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "this is no database at all, whatever its name says", 50), 50);
	close(fd);
	refused("damaged");
	/* A runs' file is not a store. */
	assert_int_equal(unlink(runs_file), 0);
	reopen();
	scratch_close();
	store_runs_path(path, runs_file);
	{
		struct err err = { 0 };

		assert_int_equal(store_open(runs_file, &env, &store, &err), -1);
		assert_non_null(strstr(err.text, "another program"));
		store = NULL;
	}
}

/* ---- access --------------------------------------------------------------------------- */

/* A run used another user's lease: that user may see the run, too, wherever the leases are. */
static void whose_lease_it_was_may_see_the_run(void **state)
{
	struct lease l;
	struct run_row r;

	(void)state;
	reopen();
	l = scratch_lease("cbx_000000000001");
	TEXT_SET(l.owner, "carol@example.com");
	scratch_begin();
	assert_int_equal(store_lease_insert(store, &l, NULL), 0);
	scratch_commit();
	add_run("run_000000000001", "cbx_000000000001");
	add_run("run_000000000002", "cbx_00000000dead");
	assert_int_equal(find("run_000000000001", "alice@example.com", "acme", &r), 0);
	assert_int_equal(find("run_000000000001", "carol@example.com", "acme", &r), 0);
	assert_int_equal(find("run_000000000001", "carol@example.com", "other", &r), 1);
	assert_int_equal(find("run_000000000001", "dave@example.com", "acme", &r), 1);
	assert_int_equal(find("run_000000000002", "carol@example.com", "acme", &r), 1);
	/* Unreadable leases give no access. */
	store_runs_use(runs, NULL);
	assert_int_equal(find("run_000000000001", "carol@example.com", "acme", &r), -1);
	store_runs_use(runs, store);
}

/*
 * ---- before the split
 * ---------------------------------------------------------------------
 */

static char *text_of(const char *name)
{
	size_t len;
	char *text = bytes_of(name, &len);

	text[len] = '\0';
	return text;
}

/* A database of schema 7, changed before it is opened. */
static void load(const char *change)
{
	char *text = text_of(SCHEMA_7);

	scratch_close();
	unlink(path);
	unlink(runs_file);
	sql(path, text);
	sql(path, change);
	free(text);
}

static int count_text(void *arg, const char *text, size_t len)
{
	(void)text;
	(void)len;
	++*(int *)arg;
	return 0;
}

static int count_event(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	(void)seq;
	(void)at_ms;
	assert_int_equal(fields[0], '{');
	++*(int *)arg;
	return 0;
}

static int check_log(void *arg, const char *text, size_t len)
{
	static const char log[] = "all tests passed\npassed\npassed\nbut one\n";

	assert_int_equal(len, strlen(log));
	assert_memory_equal(text, log, len);
	++*(int *)arg;
	return 0;
}

static int same_text(void *arg, const char *text, size_t len)
{
	const char *want = *(const char *const *)arg;

	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
	return 0;
}

static const struct {
	const char *id, *owner, *lease;
	enum run_state state;
	int finished, events;
	int64_t bytes;
} moved[] = {
	{ "run_7888ea33a46d", "alice@example.com", LEASE, RUN_FAILED, 1, 3, 1628 },
	{ "run_83dec9806a66", "bob@example.com", "", RUN_RUNNING, 0, 2, 1258 },
	{ "run_7f77b0044651", "alice@example.com", LEASE, RUN_SUCCEEDED, 1, 2, 1266 },
	{ "run_be8474aa0088", "alice@example.com", "", RUN_FAILED, 0, 2, 1267 },
};

#define MOVED (sizeof(moved) / sizeof(moved[0]))

static void check_whole_run(const struct run_row *r)
{
	static const char *command = "[\"make\",\"test\"]", *receipt = "{\"signed\":\"so\"}";
	static const char *lease = LEASE;
	int logs = 0, samples = 0, results = 0;

	assert_string_equal(r->label, "nightly");
	assert_int_equal(r->exit_code, 3);
	assert_int_equal(r->has_exit_code, 1);
	assert_int_equal(r->log_bytes, 39);
	assert_int_equal(r->command_ms, 3400);
	assert_int_equal(store_run_command(runs, r->n, same_text, &command, NULL), 0);
	assert_int_equal(store_run_receipt(runs, r->n, same_text, &receipt, NULL), 0);
	assert_int_equal(store_run_lease_each(runs, r->n, same_text, &lease, NULL), 0);
	assert_int_equal(store_run_log_get(runs, r->n, 0, check_log, &logs, NULL), 0);
	assert_int_equal(store_run_sample_each(runs, r->n, count_text, &samples, NULL), 0);
	assert_int_equal(store_run_results(runs, r->n, count_text, &results, NULL), 0);
	assert_int_equal(logs + samples + results, 3);
}

/* Each run once, with all its parts, and nothing left in the leases' file. */
static void check_moved(void)
{
	struct err err = { 0 };
	int64_t bytes = 0;

	for (size_t i = 0; i < MOVED; i++) {
		struct run_row r;
		int events = 0;

		assert_int_equal(find(moved[i].id, NULL, NULL, &r), 0);
		assert_string_equal(r.owner, moved[i].owner);
		assert_string_equal(r.org, "acme");
		assert_string_equal(r.lease_id, moved[i].lease);
		assert_int_equal(r.state, moved[i].state);
		assert_int_equal(r.finished, moved[i].finished);
		assert_int_equal(r.bytes, moved[i].bytes);
		assert_int_equal(store_run_event_each(runs, r.n, 0, 1000, count_event, &events, NULL), 0);
		assert_int_equal(events, moved[i].events);
		if (i == 0)
			check_whole_run(&r);
	}
	if (store_check(runs, &err) || store_check(store, &err))
		fail_msg("%s", err.text);
	assert_int_equal(store_run_bytes(runs, &bytes, NULL), 0);
	assert_int_equal(number(runs_file, "SELECT count(*) FROM run"), MOVED);
	assert_int_equal(number(runs_file, "SELECT count(*) FROM run_event"), 9);
	assert_int_equal(number(runs_file, "SELECT count(*) FROM run_lease"), 2);
	assert_int_equal(number(runs_file, "SELECT count(*) FROM run_log"), 1);
	assert_int_equal(number(path, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'run%'"), 0);
	assert_int_equal(number(path, "SELECT count(*) FROM lease"), 1);
	assert_int_equal(number(path, "SELECT count(*) FROM token"), 4);
}

static void an_upgrade_moves_every_run(void **state)
{
	struct run_row r;

	(void)state;
	load("");
	assert_int_equal(reopen(), 0);
	check_moved();
	assert_int_equal(reopen(), 0);
	check_moved();
	/* And it is in use. */
	add_run("run_000000000001", LEASE);
	assert_int_equal(find("run_000000000001", NULL, NULL, &r), 0);
}

/* A tool that opens it first migrates the leases' file and leaves the rows to the daemon. */
static void a_tool_that_upgrades_loses_no_run(void **state)
{
	struct store *tool = NULL;

	(void)state;
	load("");
	assert_int_equal(store_open_tool(path, &env, &tool, NULL), 0);
	store_close(tool);
	assert_false(is_there(runs_file, ""));
	assert_int_equal(number(path, "SELECT count(*) FROM run"), MOVED);
	assert_int_equal(reopen(), 0);
	check_moved();
}

static void an_old_store_without_runs_has_their_tables_no_more(void **state)
{
	struct store *tool = NULL;

	(void)state;
	load("DELETE FROM run; DELETE FROM run_event; DELETE FROM run_lease; DELETE FROM run_log;"
	     "DELETE FROM run_sample; DELETE FROM run_results; DELETE FROM run_receipt;");
	assert_int_equal(store_open_tool(path, &env, &tool, NULL), 0);
	store_close(tool);
	assert_int_equal(number(path, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'run%'"), 0);
}

/* Older programs do not know the second file and would show an empty history. */
static void a_downgrade_is_refused(void **state)
{
	(void)state;
	load("");
	reopen();
	scratch_close();
	assert_int_equal(number(path, "PRAGMA user_version"), schema_leases.newest);
}

static int points_left;

static void die_at_point(void *data, const char *name)
{
	(void)data;
	(void)name;
	if (--points_left == 0)
		_exit(INTERRUPTED);
}

/*
 * Opens both in a child that dies at the n-th crash point. 1: it did, 0: there were fewer
 * points.
 */
static int open_and_die(int n, const struct vfs_fault *fault)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store *s = NULL, *r = NULL;
		int is_lost;

		points_left = n;
		env.point = die_at_point;
		vfs_set(fault);
		if (store_open(path, &env, &s, NULL) == 0 &&
		    store_open_runs(s, &env, &r, &is_lost, NULL) == 0)
			store_close(r);
		store_close(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == INTERRUPTED;
}

static void a_crash_at_any_point_loses_and_doubles_nothing(void **state)
{
	int n = 1;

	(void)state;
	for (;; n++) {
		int died;

		load("");
		died = open_and_die(n, NULL);
		/* In every case, this store has lost nothing and reports so. */
		assert_int_equal(reopen(), 0);
		check_moved();
		if (!died)
			break;
	}
	assert_true(n > 3);
	/* Repeatedly, one point further each time. */
	load("");
	for (n = 1; open_and_die(n, NULL); n++)
		;
	assert_int_equal(reopen(), 0);
	check_moved();
}

/* Mapped memory does not survive a power failure. */
static void memory_lost(void)
{
	char name[STORE_RUNS_PATH_SIZE + 8];

	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", runs_file);
	unlink(name);
}

/* At the n-th write or sync. Returns how many there were. */
static long power_cuts(enum vfs_op op, long step)
{
	long n = 1;

	for (;; n += step) {
		struct vfs_fault fault = { .op = op, .nth = n, .code = VFS_POWER_CUT,
					   .seed = (uint32_t)n };
		int died;

		load("");
		died = open_and_die(0, &fault);
		memory_lost();
		assert_int_equal(reopen(), 0);
		check_moved();
		if (!died)
			return n;
	}
}

static void a_power_cut_at_any_time_loses_and_doubles_nothing(void **state)
{
	(void)state;
	assert_true(power_cuts(VFS_SYNC, 1) > 8);
	assert_true(power_cuts(VFS_WRITE, 11) > 50);
}

static void a_failed_write_while_moving_loses_and_doubles_nothing(void **state)
{
	int failed = 1;

	(void)state;
	for (long n = 1; failed; n++) {
		struct vfs_fault fault = { .op = VFS_WRITE, .nth = n, .code = SQLITE_FULL,
					   .for_good = n % 2 };
		int is_lost;

		load("");
		vfs_set(&fault);
		failed = store_open(path, &env, &store, NULL) ||
			 store_open_runs(store, &env, &runs, &is_lost, NULL);
		failed |= vfs_count(VFS_WRITE) >= n;
		vfs_set(NULL);
		reopen();
		check_moved();
	}
}

/* The leases' file is a backup from before the split, beside a newer runs' file. */
static void an_old_backup_adds_what_is_not_there(void **state)
{
	struct run_row r;
	char *text;

	(void)state;
	load("");
	reopen();
	assert_int_equal(store_begin(runs, NULL), 0);
	assert_int_equal(find("run_83dec9806a66", NULL, NULL, &r), 0);
	assert_int_equal(store_run_drop(runs, r.n, 1000, NULL), 0);
	assert_int_equal(find(moved[0].id, NULL, NULL, &r), 0);
	TEXT_SET(r.phase, "newer");
	assert_int_equal(store_run_update(runs, &r, NULL), 0);
	assert_int_equal(store_commit(runs, NULL), 0);
	add_run("run_000000000001", "");
	scratch_close();
	assert_int_equal(unlink(path), 0);
	text = text_of(SCHEMA_7);
	sql(path, text);
	free(text);
	assert_int_equal(reopen(), 0);
	assert_int_equal(find(moved[0].id, NULL, NULL, &r), 0);
	assert_string_equal(r.phase, "newer");
	assert_int_equal(find("run_000000000001", NULL, NULL, &r), 0);
	assert_int_equal(number(runs_file, "SELECT count(*) FROM run"), MOVED + 1);
	assert_int_equal(find("run_83dec9806a66", NULL, NULL, &r), 0);
	assert_int_equal(store_check(runs, NULL), 0);
}

/* Runs that cannot be moved stay where they are. */
static void a_foreign_file_in_the_way_loses_no_run(void **state)
{
	char aside[STORE_RUNS_PATH_SIZE + 8];

	(void)state;
	reopen();
	scratch_close();
	snprintf(aside, sizeof(aside), "%s.aside", runs_file);
	assert_int_equal(rename(runs_file, aside), 0);
	load("");
	assert_int_equal(rename(aside, runs_file), 0);
	refused("belongs to another store");
	scratch_close();
	assert_int_equal(number(path, "SELECT count(*) FROM run"), MOVED);
	assert_int_equal(unlink(runs_file), 0);
	assert_int_equal(reopen(), 0);
	check_moved();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_name_follows_from_the_leases),
		TEST(it_is_made_as_the_first_one_is),
		TEST(tools_and_views_make_none),
		TEST(one_of_another_store_is_refused_and_left_alone),
		TEST(a_missing_one_is_made_anew_and_said_to_be_lost),
		TEST(a_backup_of_one_half_goes_with_the_other),
		TEST(what_is_no_runs_file_is_refused),
		TEST(whose_lease_it_was_may_see_the_run),
		TEST(an_upgrade_moves_every_run),
		TEST(a_tool_that_upgrades_loses_no_run),
		TEST(an_old_store_without_runs_has_their_tables_no_more),
		TEST(a_downgrade_is_refused),
		TEST(a_crash_at_any_point_loses_and_doubles_nothing),
		TEST(a_power_cut_at_any_time_loses_and_doubles_nothing),
		TEST(a_failed_write_while_moving_loses_and_doubles_nothing),
		TEST(an_old_backup_adds_what_is_not_there),
		TEST(a_foreign_file_in_the_way_loses_no_run),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
