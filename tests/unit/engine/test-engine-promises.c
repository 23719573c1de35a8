/* SPDX-License-Identifier: MIT */
/* The engine's promises: permits in the ledger, absence, attention, no answer before its commit. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "util/log.h"
#include "util/text.h"
#include "fixture.h"

static struct asked release(int delete_machine)
{
	struct asked a = { 0 };

	world_release(&w, &a, ID, delete_machine);
	return a;
}

/* Runs a statement on the database, without the core. */
static void sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w.d.path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
	world_forget(&w);
}

/* ---- permits --------------------------------------------------------------------------- */

static uint32_t state_in_between;
static struct asked kept_in_between;

static void keep_in_between(struct world *world)
{
	world->during_delete = NULL;
	state_in_between = first_row(ID).state;
	kept_in_between = release(0);
}

static void a_permit_is_a_state_of_the_row(void **state)
{
	(void)state;
	create_ready(ID);
	w.during_delete = keep_in_between;
	release(1);
	world_pass(&w, MINUTE);
	assert_int_equal(state_in_between, LESSOR_STATE_DELETE_AUTHORIZED);
	assert_int_equal(kept_in_between.request.result, RESULT_CONFLICT);
	assert_string_equal(kept_in_between.request.code, "cleanup_in_progress");
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

/* R2: a delete that was permitted when the process crashed may have been done. */
static void a_permit_outlives_its_process(void **state)
{
	struct asked a;

	(void)state;
	create_ready(ID);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_AUTH;
	world_pass(&w, 10 * MINUTE);
	release(1);
	sql("UPDATE resource SET state = 8 WHERE lease > 0");
	world_restart(&w, NULL);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_DELETE_UNKNOWN);
	assert_int_equal(first_row(ID).deletes_unknown, 1);
	a = release(0);
	assert_int_equal(a.request.result, RESULT_CONFLICT);
	assert_string_equal(a.request.code, "cleanup_in_progress");
	assert_false(lease(ID).retained);
	/* It is read and deleted again once the account is verified. */
	w.probe_refuses = 0;
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

/* R1: a delete whose response was lost does not count as "still there". */
static void a_lost_delete_keeps_nothing(void **state)
{
	struct asked a;

	(void)state;
	create_ready(ID);
	w.delete_silent = 1;
	release(1);
	world_settle(&w);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_DELETE_UNKNOWN);
	a = release(0);
	assert_int_equal(a.request.result, RESULT_CONFLICT);
	world_pass(&w, 10 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

/* The machine is gone: only a key is left, which cannot be retained. */
static void nothing_is_kept_of_a_machine_that_is_gone(void **state)
{
	struct asked a;

	(void)state;
	create_ready(ID);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_AUTH;
	world_pass(&w, 10 * MINUTE);
	release(1);
	sql("UPDATE resource SET state = 5 WHERE kind = 1;"
	    "INSERT INTO resource(lease, account, attempt, kind, state, ours, name, id, action,"
	    " evidence, created_ms, changed_ms, first_absent_ms, absent_count)"
	    " SELECT lease, account, 0, 2, 3, 1, 'key', '77', '', '', created_ms, changed_ms, 0, 0"
	    " FROM resource WHERE kind = 1");
	a = release(0);
	assert_int_equal(a.request.result, RESULT_CONFLICT);
	assert_string_equal(a.request.code, "cleanup_in_progress");
	assert_non_null(strstr(a.request.message, "already gone"));
}

/* ---- absence ---------------------------------------------------------------------------- */

/* A server that shows up after it was concluded to be absent is deleted after all. */
static void what_shows_late_is_owed_again(void **state)
{
	(void)state;
	create_ready(ID);
	w.cloud[0].alive = 0;
	release(1);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_GONE);
	w.cloud[0].alive = 1;
	/* In report mode, and although no regular sweep is due. */
	world_pass(&w, 20 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(world_alive(&w), 0);
}

/* The sweep that such a conclusion requires also runs after a restart. */
static void what_shows_after_a_restart_is_owed_again(void **state)
{
	(void)state;
	create_ready(ID);
	w.cloud[0].alive = 0;
	release(1);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	world_restart(&w, NULL);
	w.cloud[0].alive = 1;
	world_pass(&w, 20 * MINUTE);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(world_alive(&w), 0);
}

static void what_shows_late_of_a_kept_lease_is_kept(void **state)
{
	(void)state;
	create_ready(ID);
	w.cloud[0].alive = 0;
	release(1);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	sql("UPDATE lease SET retained = 1, epoch = epoch + 1");
	w.cloud[0].alive = 1;
	world_pass(&w, 20 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_RETAINED);
	assert_int_equal(w.deleted, 0);
}

/* ---- time --------------------------------------------------------------------------------- */

/* R11: a due time that somebody set ten days ahead. */
static void a_stored_due_time_is_not_believed(void **state)
{
	(void)state;
	create_ready(ID);
	sql("UPDATE lease SET due_ms = due_ms + 864000000");
	world_restart(&w, NULL);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

/* After a start nothing expires before the account is verified. */
static void nothing_expires_while_the_account_is_unknown(void **state)
{
	(void)state;
	create_ready(ID);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_TRANSIENT;
	w.between_lives = "true";
	world_restart(&w, NULL);
	world_pass(&w, 3 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	w.probe_refuses = 0;
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

/* ---- attention ----------------------------------------------------------------------------- */

/* R14: it is retried forever, and raises attention. */
static void what_is_owed_for_too_long_needs_an_operator(void **state)
{
	(void)state;
	create_ready(ID);
	w.delete_refusals = 1000;
	release(1);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_non_null(strstr(lease(ID).attention, "cleanup not complete"));
	w.delete_refusals = 0;
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_string_equal(lease(ID).attention, "");
}

/* R9: a plugin that repeatedly reports GONE although the ledger still holds resources. */
static void breaches_in_a_row_need_an_operator(void **state)
{
	(void)state;
	create_ready(ID);
	w.cleanup_lies = 1;
	release(1);
	world_pass(&w, 3 * HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_int_equal(lease(ID).attention_class, LESSOR_CLASS_BUG);
	assert_non_null(strstr(lease(ID).attention, "provider toy violates its contract"));
	assert_int_equal(world_alive(&w), 1);
}

/* What the plugin does next does not hide a refusal that an operator must see. */
static void a_refused_permit_is_not_hidden(void **state)
{
	(void)state;
	create_ready(ID);
	w.strip_labels = 1;
	w.cleanup_lies_after_refusal = 1;
	release(1);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_int_equal(lease(ID).attention_class, LESSOR_CLASS_OWNERSHIP);
}

static void deny(struct world *world, struct lessor_call *call)
{
	(void)call;
	world->before_cleanup = NULL;
	account_probed(world->d.account, 0, LESSOR_CLASS_AUTH, "denied");
}

/* Not the plugin's words, which cannot know the reason. */
static void text_2_a_permit_that_is_refused_for_now_says_why(void **state)
{
	(void)state;
	create_ready(ID);
	w.before_cleanup = deny;
	release(1);
	world_settle(&w);
	assert_int_equal(world_alive(&w), 1);
	assert_non_null(
		strstr(lease(ID).last_error, " is not deleted yet: the account is not verified"));
	assert_null(strstr(lease(ID).last_error, "no permit"));
}

/* ---- answers and log lines ------------------------------------------------------------------- */

static char *log_of(void (*act)(void))
{
	static char text[16384];
	char path[] = "/tmp/lessor-log-XXXXXX";
	int fd = mkstemp(path), saved = dup(2);
	ssize_t len;

	assert_true(fd >= 0 && saved >= 0);
	unlink(path);
	log_setup(2, LOG_HUMAN, LOG_LEVEL_INFO);
	assert_true(dup2(fd, 2) >= 0);
	act();
	assert_true(dup2(saved, 2) >= 0);
	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	len = pread(fd, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	close(fd);
	close(saved);
	return text;
}

static void answered(struct engine_request *request)
{
	(void)request;
}

/* The batch ends without its commit, as when the disk fails. */
static void release_without_commit(void)
{
	static struct asked a;

	memset(&a, 0, sizeof(a));
	a.request.kind = REQUEST_RELEASE;
	TEXT_SET(a.request.ref, ID);
	a.request.delete_machine = 1;
	TEXT_SET(a.request.caller.owner, "alice");
	TEXT_SET(a.request.caller.org, "acme");
	a.request.done = answered;
	driver_begin(&w.d);
	core_request(w.d.core, &a.request);
}

static void flush(void)
{
	driver_flush(&w.d);
}

/* R9: a key costs nothing, and counts against no limit on machines. */
static void what_is_free_is_not_counted(void **state)
{
	(void)state;
	create_ready(ID);
	assert_true(lease(ID).is_billed);
	w.delete_refusals = 100;
	sql("UPDATE resource SET kind = 2");
	release(1);
	assert_int_equal(lease(ID).cleanup, CLEANUP_OWED);
	assert_false(lease(ID).is_billed);
}

/* ---- keys of several leases ------------------------------------------------------------------- */

static int reused;

static void reuse(struct world *world, struct lessor_call *call)
{
	(void)world;
	reused = lessor_reuse(call, LESSOR_KIND_KEY, "77", "a-key");
}

static void create_another(const char *id)
{
	struct asked a = { 0 };

	snprintf(a.request.create.slug, sizeof(a.request.create.slug), "box-%s", id + 14);
	w.before_create = reuse;
	world_create(&w, &a, id);
	world_pass(&w, 5000);
	w.before_create = NULL;
}

/* A key whose delete may be in progress cannot be reused. */
static void a_dying_key_is_not_used(void **state)
{
	(void)state;
	create_ready(ID);
	sql("UPDATE resource SET kind = 2, id = '77', state = 9 WHERE lease = 1");
	create_another("cbx_000000000002");
	assert_int_equal(reused, -1);
	sql("UPDATE resource SET state = 3 WHERE lease = 1");
	create_another("cbx_000000000003");
	assert_int_equal(reused, 0);
}

/* Gives the lease its own key, with this id at the provider. */
static void add_key(int lease_n)
{
	char text[400];

	snprintf(text, sizeof(text),
		 "CREATE TEMP TABLE t AS SELECT * FROM resource WHERE lease = %d LIMIT 1;"
		 "UPDATE t SET n = (SELECT MAX(n) + 1 FROM resource), attempt = 0, kind = 2, state = 3,"
		 " ours = 1, id = '77', name = 'a-key'; INSERT INTO resource SELECT * FROM t",
		 lease_n);
	sql(text);
}

static struct resource key_of(const char *id)
{
	struct resource key = { 0 };
	struct ledger ledger;

	assert_int_equal(store_ledger(core_store(w.d.core), lease(id).n, &ledger, NULL), 0);
	for (size_t i = 0; i < ledger.resource_count; i++) {
		if (ledger.resources[i].kind == LESSOR_KIND_KEY)
			key = ledger.resources[i];
	}
	ledger_fini(&ledger);
	return key;
}

/* The last lease that uses it deletes it, whether or not that lease created it. */
static void a_key_goes_to_the_lease_that_still_uses_it(void **state)
{
	static const char other[] = "cbx_000000000002";

	(void)state;
	for (int owns = 0; owns < 2; owns++) {
		struct resource key;

		create_ready(ID);
		add_key(1);
		create_another(other);
		assert_int_equal(reused, 0);
		if (owns)
			sql("UPDATE resource SET ours = 1 WHERE lease = 2 AND kind = 2");
		assert_int_equal(key_of(other).ours, owns);
		release(1);
		world_pass(&w, MINUTE);
		key = key_of(ID);
		assert_int_equal(key.state, LESSOR_STATE_HANDED_OVER);
		assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
		key = key_of(other);
		assert_int_equal(key.state, LESSOR_STATE_PRESENT);
		assert_int_equal(key.ours, 1);
		assert_string_equal(key.id, "77");
		world_end(&w);
		world_start(&w, NULL);
	}
}

/* R12 */
static void nothing_is_logged_before_it_is_true(void **state)
{
	(void)state;
	create_ready(ID);
	assert_null(strstr(log_of(release_without_commit), "lease.released"));
	assert_non_null(strstr(log_of(flush), "lease.released"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_permit_is_a_state_of_the_row),
		TEST(a_permit_outlives_its_process),
		TEST(a_lost_delete_keeps_nothing),
		TEST(nothing_is_kept_of_a_machine_that_is_gone),
		TEST(what_shows_late_is_owed_again),
		TEST(what_shows_after_a_restart_is_owed_again),
		TEST(what_is_free_is_not_counted),
		TEST(a_dying_key_is_not_used),
		TEST(a_key_goes_to_the_lease_that_still_uses_it),
		TEST(what_shows_late_of_a_kept_lease_is_kept),
		TEST(a_stored_due_time_is_not_believed),
		TEST(nothing_expires_while_the_account_is_unknown),
		TEST(what_is_owed_for_too_long_needs_an_operator),
		TEST(breaches_in_a_row_need_an_operator),
		TEST(a_refused_permit_is_not_hidden),
		TEST(text_2_a_permit_that_is_refused_for_now_says_why),
		TEST(nothing_is_logged_before_it_is_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
