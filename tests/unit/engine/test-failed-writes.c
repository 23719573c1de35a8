/* SPDX-License-Identifier: MIT */
/*
 * Every kind of request, with each of its writes failing in turn, as when memory runs out:
 * the answer is never a success, and the request leaves no trace. What also changes what the
 * broker has in memory ends its process; what only writes rows is undone, and it goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"
#include "util/text.h"
#include "world.h"

#define ID "cbx_000000000001"
#define OTHER "cbx_000000000002"
#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define WRITES_MAX 64

static struct world w;
static sqlite3 *beside;		/* another connection to the world's database */

/* ---- the fuse ----------------------------------------------------------------------- */

static void run_sql(const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(beside, sql, NULL, NULL, &error))
		fail_msg("%s: %s", sql, error);
}

/*
 * Every row written takes one from fuse_left. The one that takes it to -1 fails, and those
 * after it do not: FAIL, unlike ABORT, leaves the count as it then is.
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

static void fuse_arm(void)
{
	char *triggers = sqlite3_mprintf("CREATE TABLE fuse(fuse_left);"
					 "INSERT INTO fuse VALUES(1000000000);");

	assert_int_equal(sqlite3_open_v2(w.path, &beside, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(beside, "SELECT name FROM sqlite_schema WHERE type = 'table'",
				      arm_table, &triggers, NULL), SQLITE_OK);
	run_sql(triggers);
	sqlite3_free(triggers);
}

static void fuse_set(int writes)
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

static int fuse_left(void)
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

static uint32_t sum_of_everything(void)
{
	uint32_t sum = 0;

	assert_int_equal(sqlite3_exec(beside, "SELECT name FROM sqlite_schema WHERE type = 'table'"
				      " AND name <> 'fuse'", add_table, &sum, NULL), SQLITE_OK);
	return sum;
}

/* ---- the state before the request --------------------------------------------------- */

static struct lease lease(void)
{
	struct lease l;

	assert_int_equal(world_lease(&w, ID, &l), 0);
	return l;
}

static void nothing(void)
{
}

static void lease_ready(void)
{
	struct asked a = { 0 };

	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(lease().state, LEASE_ACTIVE);
}

static void lease_provisioning(void)
{
	struct asked a = { 0 };

	TEXT_SET(a.request.create.attempt_token, "cat_1");
	w.boot_polls = 1000;
	world_create(&w, &a, ID);
	world_pass(&w, 5000);
	assert_int_equal(lease().state, LEASE_PROVISIONING);
}

static void lease_retained(void)
{
	struct asked a = { 0 };

	lease_ready();
	world_release(&w, &a, ID, 0);
	assert_int_equal(lease().cleanup, CLEANUP_RETAINED);
}

static void lease_with_a_sample(void)
{
	struct asked a = { 0 };

	lease_ready();
	a.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a.request.ref, ID);
	TEXT_SET(a.request.sample, "{\"load\":1}");
	a.request.sample_ms = w.now_ms;
	world_ask(&w, &a);
	assert_int_equal(a.request.result, RESULT_OK);
}

/* Released, with a server whose ownership cannot be proven. */
static void lease_in_attention(void)
{
	struct asked a = { 0 };

	lease_ready();
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease().cleanup, CLEANUP_ATTENTION);
}

/* Released while the outcome of its create is unknown. */
static void lease_unsure(void)
{
	struct asked a = { 0 };

	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 1000);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(lease().cleanup, CLEANUP_OWED);
}

static const struct store_share shares[] = { { .name = "bob" }, { .name = "carol", .manage = 1 } };

static void ask_share(struct asked *a, enum request_share what, size_t count)
{
	a->request.kind = REQUEST_SHARE;
	TEXT_SET(a->request.ref, ID);
	a->request.share = what;
	a->request.shares = shares;
	a->request.share_count = count;
	world_ask(&w, a);
}

static void lease_shared(void)
{
	struct asked a = { 0 };

	lease_ready();
	ask_share(&a, SHARE_PUT, 2);
	assert_int_equal(a.request.result, RESULT_OK);
}

static void a_stray(void)
{
	struct asked a = { 0 };

	w.sweep_ms = 30 * MINUTE;
	world_restart(&w, NULL);
	lease_ready();
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease().cleanup, CLEANUP_DONE);
	w.cloud[0].alive = 1;
	world_pass(&w, 3 * HOUR);
}

static struct run_change change;

static void ask_run(struct asked *a, enum run_op op)
{
	change.op = op;
	a->request.kind = REQUEST_RUN;
	a->request.change = &change;
	world_ask(&w, a);
}

static void ask_run_create(struct asked *a)
{
	change = (struct run_change){ .text = "[\"make\"]" };
	TEXT_SET(change.told.lease_id, ID);
	ask_run(a, RUN_CREATE);
}

static void a_run(void)
{
	struct asked a = { 0 };

	lease_ready();
	ask_run_create(&a);
	assert_int_equal(a.request.result, RESULT_CREATED);
}

static void a_run_with_a_log(void)
{
	struct asked a = { 0 };

	a_run();
	for (change.part = 0; change.part < 3; change.part++) {
		change.data = "hello";
		change.len = 5;
		ask_run(&a, RUN_LOG);
		assert_int_equal(a.request.result, RESULT_OK);
	}
}

/* ---- the requests ------------------------------------------------------------------- */

static void create_plain(struct asked *a)
{
	world_create(&w, a, ID);
}

static void create_with_a_key(struct asked *a)
{
	TEXT_SET(a->request.idempotency_key, "k");
	TEXT_SET(a->request.body_hash, "h");
	world_create(&w, a, "");
}

static void cancel_create(struct asked *a)
{
	a->request.kind = REQUEST_CANCEL_CREATE;
	TEXT_SET(a->request.ref, ID);
	TEXT_SET(a->request.attempt_token, "cat_1");
	world_ask(&w, a);
}

static void release_delete(struct asked *a)
{
	world_release(&w, a, ID, 1);
}

static void release_keep(struct asked *a)
{
	a->request.retain_until_ms = w.now_ms + HOUR;
	TEXT_SET(a->request.reason, "the disk is evidence");
	world_release(&w, a, ID, 0);
}

static void heartbeat(struct asked *a)
{
	a->request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a->request.ref, ID);
	w.now_ms++;
	a->request.idle_ms = 20 * MINUTE;
	TEXT_SET(a->request.sample, "{\"load\":2}");
	a->request.sample_ms = w.now_ms + 1;
	world_ask(&w, a);
}

static void as_admin(struct asked *a)
{
	a->request.caller.role = TOKEN_ADMIN;
	TEXT_SET(a->request.caller.owner, "root");
	TEXT_SET(a->request.caller.org, "ops");
	TEXT_SET(a->request.reason, "looked at it");
}

static void resolve(struct asked *a, enum request_resolve what)
{
	as_admin(a);
	a->request.kind = REQUEST_RESOLVE;
	a->request.resolve = what;
	TEXT_SET(a->request.ref, ID);
	TEXT_SET(a->request.resource_id, "1001");
	world_ask(&w, a);
}

static void resolve_retry(struct asked *a)
{
	resolve(a, RESOLVE_RETRY);
}

static void resolve_forget(struct asked *a)
{
	resolve(a, RESOLVE_FORGET);
}

static void resolve_adopt(struct asked *a)
{
	resolve(a, RESOLVE_ADOPT);
}

static void sweep(struct asked *a, enum request_sweep what)
{
	as_admin(a);
	a->request.kind = REQUEST_SWEEP;
	a->request.sweep = what;
	world_ask(&w, a);
}

static void sweep_looked(struct asked *a)
{
	sweep(a, SWEEP_LOOKED);
}

static void sweep_delete(struct asked *a)
{
	sweep(a, SWEEP_DELETE);
}

static void share_put(struct asked *a)
{
	ask_share(a, SHARE_PUT, 2);
}

static void share_drop(struct asked *a)
{
	ask_share(a, SHARE_DROP, 1);
}

static void share_drop_all(struct asked *a)
{
	ask_share(a, SHARE_DROP_ALL, 0);
}

static void run_event(struct asked *a)
{
	change.text = "{\"type\":\"stdout\"}";
	TEXT_SET(change.told.lease_id, OTHER);
	ask_run(a, RUN_EVENT);
}

static void run_sample(struct asked *a)
{
	TEXT_SET(change.sample, "{\"load\":3}");
	change.sample_ms = w.now_ms;
	ask_run(a, RUN_SAMPLE);
}

static void run_log(struct asked *a)
{
	change.data = "hello";
	change.len = 5;
	change.part = 0;
	ask_run(a, RUN_LOG);
}

static void run_finish(struct asked *a)
{
	change.text = "{\"tests\":1}";
	change.receipt = "{\"signed\":\"so\"}";
	TEXT_SET(change.sample, "{\"load\":4}");
	change.sample_ms = w.now_ms;
	change.part = 2;
	ask_run(a, RUN_FINISH);
}

static const struct request {
	const char *name;
	void (*before)(void);
	void (*ask)(struct asked *a);
	int least;		/* writes it makes at least; more is fine */
} requests[] = {
	{ "create", nothing, create_plain, 4 },
	{ "create with a key", nothing, create_with_a_key, 5 },
	{ "cancel a create that has not come", nothing, cancel_create, 1 },
	{ "cancel a create", lease_provisioning, cancel_create, 2 },
	{ "release", lease_ready, release_delete, 2 },
	{ "release with samples", lease_with_a_sample, release_delete, 3 },
	{ "release and keep", lease_ready, release_keep, 4 },
	{ "release what is kept", lease_retained, release_delete, 3 },
	{ "heartbeat", lease_with_a_sample, heartbeat, 3 },
	{ "resolve: retry", lease_in_attention, resolve_retry, 2 },
	{ "resolve: forget", lease_in_attention, resolve_forget, 3 },
	{ "resolve: adopt", lease_unsure, resolve_adopt, 2 },
	{ "sweep: looked", a_stray, sweep_looked, 1 },
	{ "sweep: delete", a_stray, sweep_delete, 4 },
	{ "share", lease_ready, share_put, 4 },
	{ "share otherwise", lease_shared, share_put, 6 },
	{ "share less", lease_shared, share_drop, 5 },
	{ "share no more", lease_shared, share_drop_all, 4 },
	{ "run: create", lease_ready, ask_run_create, 4 },
	{ "run: event", a_run, run_event, 3 },
	{ "run: sample", a_run, run_sample, 2 },
	{ "run: log", a_run, run_log, 2 },
	{ "run: finish", a_run_with_a_log, run_finish, 6 },
};

/* ---- the test ----------------------------------------------------------------------- */

static int is_success(enum request_result result)
{
	return result == RESULT_OK || result == RESULT_CREATED || result == RESULT_REPLAY;
}

/* Lets the write after `writes` others fail. 1: it failed; 0: the request makes no more writes. */
static int fails_at(const struct request *request, int writes)
{
	struct asked a = { 0 };
	uint32_t before;
	int left;

	fuse_set(writes);
	before = sum_of_everything();
	request->ask(&a);
	left = fuse_left();
	if (w.is_broken) {
		assert_false(a.answered);
		if (sum_of_everything() != before)
			fail_msg("%s: write %d failed, and something of it stayed", request->name,
				 writes + 1);
		fuse_set(1000000000);
		world_restart(&w, NULL);
		return 1;
	}
	assert_int_equal(a.answered, 1);
	if (is_success(a.request.result)) {
		if (left < 0)
			fail_msg("%s: write %d failed, and the answer was a success", request->name,
				 writes + 1);
		return 0;
	}
	if (a.request.result != RESULT_UNAVAILABLE)
		fail_msg("%s: write %d failed: %s", request->name, writes + 1, a.request.code);
	assert_string_equal(a.request.code, "store_unavailable");
	if (sum_of_everything() != before)
		fail_msg("%s: write %d failed, and something of it stayed", request->name,
			 writes + 1);
	return 1;
}

static int setup(void **state)
{
	const struct request *request = *state;

	world_start(&w, NULL);
	request->before();
	fuse_arm();
	w.may_break = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sqlite3_close(beside);
	beside = NULL;
	world_end(&w);
	return 0;
}

static void no_failed_write_is_answered_with_success(void **state)
{
	const struct request *request = *state;
	int writes = 0;

	while (writes < WRITES_MAX && fails_at(request, writes))
		writes++;
	assert_in_range(writes, request->least, WRITES_MAX - 1);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(requests) / sizeof(requests[0])];

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		tests[i] = (struct CMUnitTest){
			.name = requests[i].name,
			.test_func = no_failed_write_is_answered_with_success,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = (void *)(uintptr_t)&requests[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
