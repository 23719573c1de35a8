/* SPDX-License-Identifier: MIT */
/*
 * The runs thread: what is in the file when a request is answered, what a broken file does,
 * and shutdown. The answers arrive on the runs thread, and the tests wait for them.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "unit/test.h"
#include "runs/runs.h"
#include "util/log.h"
#include "util/text.h"
#include "vfs.h"

#define MANY 200

static char folder[64], path[96];
static struct env env;
static struct store *leases, *reader;
static struct runs *runs;
static sem_t answers;
static int broken;		/* how often on_broken was called */
static int not_in_the_file;	/* answered, but not visible to another connection */
static int still_usable;	/* refused by a store that was reported as usable */

static void on_broken(void *arg, const char *why)
{
	(void)arg;
	assert_true(why[0]);
	broken++;
}

/* Another connection reads the file as soon as the answer arrives, before anything else happens. */
static void answered(struct run_request *r)
{
	const struct store_scope all = { .all = 1 };
	struct run_row row;

	if (r->result == RUN_RESULT_CREATED &&
	    store_run_find(reader, r->id, &all, RUN_READ, &row, NULL))
		not_in_the_file++;
	if (r->result == RUN_RESULT_UNAVAILABLE && !strcmp(r->code, "store_unavailable") &&
	    runs_is_usable(runs))
		still_usable++;
	sem_post(&answers);
}

static void wait_for(int count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	while (count--)
		assert_int_equal(sem_timedwait(&answers, &until), 0);
}

static struct run_request *create(void)
{
	struct run_request *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->op = RUN_CREATE;
	r->text = "[\"make\"]";
	r->done = answered;
	TEXT_SET(r->caller.owner, "alice");
	TEXT_SET(r->caller.org, "acme");
	return r;
}

static void begin(int with_store)
{
	struct runs_config config = { .env = &env, .stale_ms = 3600000, .on_broken = on_broken };
	struct err err = { 0 };
	int is_lost;

	if (store_open(path, &env, &leases, &err) ||
	    (with_store && store_open_runs(leases, &env, &config.store, &is_lost, &err)) ||
	    store_open_reader(path, &config.leases, &err) ||
	    (with_store && store_open_runs_reader(path, &reader, &err)) ||
	    runs_new(&config, &runs, &err))
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	(void)state;
	umask(077);
	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	snprintf(folder, sizeof(folder), "%.30s/lessor-runs-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/lessor.db", folder);
	env_system(&env);
	sem_init(&answers, 0, 0);
	broken = not_in_the_file = still_usable = 0;
	return 0;
}

static void end(void)
{
	store_close(reader);
	runs_free(runs);
	store_close(leases);
	reader = leases = NULL;
	runs = NULL;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	vfs_set(NULL);
	end();
	sem_destroy(&answers);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static int count_run(void *arg, const struct run_row *r, const char *command)
{
	(void)r;
	(void)command;
	++*(int *)arg;
	return 0;
}

static int runs_in_file(void)
{
	struct store_run_list list = { .scope = { .all = 1 }, .state = -1, .limit = 1000 };
	int count = 0;

	assert_int_equal(store_run_each(reader, &list, count_run, &count, NULL), 0);
	return count;
}

static void what_is_answered_is_in_the_file(void **state)
{
	struct run_request *all[MANY];

	(void)state;
	begin(1);
	assert_true(runs_is_usable(runs));
	for (int i = 0; i < MANY; i++) {
		all[i] = create();
		runs_submit(runs, all[i]);
	}
	wait_for(MANY);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(all[i]->result, RUN_RESULT_CREATED);
		free(all[i]);
	}
	assert_int_equal(not_in_the_file, 0);
	assert_int_equal(runs_in_file(), MANY);
}

/* Queued requests are processed, later ones are refused: each is answered exactly once. */
static void a_stop_answers_everything(void **state)
{
	struct run_request *all[MANY], *late = create();
	int created = 0;

	(void)state;
	begin(1);
	for (int i = 0; i < MANY; i++) {
		all[i] = create();
		runs_submit(runs, all[i]);
	}
	runs_stop(runs);
	wait_for(MANY);
	for (int i = 0; i < MANY; i++) {
		created += all[i]->result == RUN_RESULT_CREATED;
		free(all[i]);
	}
	assert_int_equal(created, MANY);
	assert_int_equal(runs_in_file(), MANY);
	runs_submit(runs, late);
	wait_for(1);
	assert_int_equal(late->result, RUN_RESULT_UNAVAILABLE);
	assert_string_equal(late->code, "shutting_down");
	free(late);
	runs_stop(runs);
}

/* With a failure at each write of a turn: no false answer, and the leases' file is unaffected. */
static void a_broken_file_is_told_once_and_refuses(void **state)
{
	static const struct {
		enum vfs_op op;
		int code;
	} kinds[] = {
		{ VFS_WRITE, SQLITE_IOERR_WRITE },
		{ VFS_SYNC, SQLITE_IOERR_FSYNC },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct vfs_fault fault = { .op = kinds[i].op, .nth = 1, .code = kinds[i].code };
		struct run_request *first = create(), *second = create();
		int before;

		broken = 0;
		begin(1);
		before = runs_in_file();
		vfs_set(&fault);
		runs_submit(runs, first);
		wait_for(1);
		assert_int_equal(first->result, RUN_RESULT_UNAVAILABLE);
		assert_string_equal(first->code, "store_unavailable");
		vfs_set(NULL);
		runs_submit(runs, second);
		wait_for(1);
		assert_int_equal(second->result, RUN_RESULT_UNAVAILABLE);
		assert_string_equal(second->code, "store_unavailable");
		assert_false(runs_is_usable(runs));
		assert_int_equal(still_usable, 0);
		/* the leases' file still works, in the same process */
		assert_int_equal(store_begin(leases, NULL), 0);
		assert_int_equal(store_place_put(leases, "here", NULL), 0);
		assert_int_equal(store_commit(leases, NULL), 0);
		runs_stop(runs);
		assert_int_equal(broken, 1);
		free(first);
		free(second);
		/* the next start finds what was acknowledged, and accepts more */
		end();
		begin(1);
		/* after a failed sync the result is uncertain; it was not acknowledged */
		assert_in_range(runs_in_file(), before, before + (kinds[i].op == VFS_SYNC));
		first = create();
		runs_submit(runs, first);
		wait_for(1);
		assert_int_equal(first->result, RUN_RESULT_CREATED);
		free(first);
		end();
	}
}

/* With a full disk at each write of a turn: refused, and the next report is stored. */
static void d5_a_full_disk_refuses_and_recovers(void **state)
{
	(void)state;
	begin(1);
	broken = 0;
	for (long nth = 1; nth <= 6; nth++) {
		struct vfs_fault fault = {
			.op = VFS_WRITE, .nth = nth, .code = SQLITE_FULL, .for_good = nth % 2
		};
		struct run_request *first = create(), *second = create();
		int before = runs_in_file();

		vfs_set(&fault);
		runs_submit(runs, first);
		wait_for(1);
		if (first->result != RUN_RESULT_CREATED) {
			assert_int_equal(first->result, RUN_RESULT_UNAVAILABLE);
			assert_string_equal(first->code, "store_unavailable");
		} else {
			before++;
		}
		vfs_set(NULL);
		runs_submit(runs, second);
		wait_for(1);
		assert_int_equal(second->result, RUN_RESULT_CREATED);
		assert_int_equal(runs_in_file(), before + 1);
		free(first);
		free(second);
	}
	assert_true(runs_is_usable(runs));
	assert_int_equal(broken, 0);
	runs_stop(runs);
	end();
}

static void without_a_store_everything_is_refused(void **state)
{
	struct run_request *r = create();

	(void)state;
	begin(0);
	assert_false(runs_is_usable(runs));
	runs_submit(runs, r);
	wait_for(1);
	assert_int_equal(r->result, RUN_RESULT_UNAVAILABLE);
	assert_string_equal(r->code, "store_unavailable");
	runs_stop(runs);
	assert_int_equal(broken, 0);
	free(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_answered_is_in_the_file),
		TEST(a_stop_answers_everything),
		TEST(a_broken_file_is_told_once_and_refuses),
		TEST(d5_a_full_disk_refuses_and_recovers),
		TEST(without_a_store_everything_is_refused),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
