/* SPDX-License-Identifier: MIT */
/* When blind, nothing ends: absences do not count, and no lease ends while nobody may decide it. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "engine/ownership.h"
#include "lease/lease.h"
#include "util/text.h"

/* The world's leases: TTL one hour, idle timeout half an hour. */
#define IDLE (30 * MINUTE)

/* For so long no daemon runs; then one starts, and its claim says how long. */
static void away(int64_t ms)
{
	w.d.now_ms += ms;
	driver_close(&w.d);
	driver_open(&w.d);
	core_gap(w.d.core, ms);
	world_settle(&w);
}

static void a_full_idle_time_after_all_were_away(void **state)
{
	(void)state;
	create_ready(ID);
	world_pass(&w, MINUTE);
	away(IDLE + SECOND);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	/* What had passed before it counts, and no more than that. */
	world_pass(&w, IDLE - 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 3 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(lease(ID).end_reason, LEASE_END_IDLE);
	assert_int_equal(world_alive(&w), 0);
}

static void a_heartbeat_ends_the_credit(void **state)
{
	(void)state;
	create_ready(ID);
	away(20 * MINUTE);
	assert_int_equal(beat(ID), RESULT_OK);
	assert_int_equal(lease(ID).idle_credit_ms, 0);
	assert_in_range(lease(ID).credit_ms, 20 * MINUTE, 20 * MINUTE);
	world_pass(&w, IDLE - MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* A gap that is told twice, or is longer than the lease is old, gives no more than a whole one. */
static void a_credit_is_never_more_than_a_whole_idle_time(void **state)
{
	struct lease l;

	(void)state;
	create_ready(ID);
	away(10 * MINUTE);
	core_gap(w.d.core, 10 * HOUR);
	driver_begin(&w.d);
	core_gap_credit(w.d.core);
	driver_flush(&w.d);
	l = lease(ID);
	assert_true(lease_expires_ms(&l) <= driver_wall(&w.d) + IDLE);
	world_pass(&w, IDLE + MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* The TTL bounds what a machine costs: an absence prolongs it by an hour at most. */
static void a_ttl_is_prolonged_within_bounds(void **state)
{
	int64_t begun_ms;

	(void)state;
	create_ready(ID);
	begun_ms = lease(ID).created_ms;
	for (int i = 0; i < 3; i++) {
		away(25 * MINUTE);
		assert_int_equal(beat(ID), RESULT_OK);
	}
	assert_int_equal(lease(ID).credit_ms, LEASE_CREDIT_MOST_MS);
	while (lease(ID).state == LEASE_ACTIVE) {
		beat(ID);
		world_pass(&w, MINUTE);
	}
	assert_int_equal(lease(ID).end_reason, LEASE_END_TTL);
	assert_in_range(lease(ID).ended_ms, begun_ms + 2 * HOUR, begun_ms + 2 * HOUR + MINUTE);
}

static void a_machine_in_the_making_is_waited_for(void **state)
{
	struct asked a = { 0 };
	int64_t deadline_ms;

	(void)state;
	w.boot_polls = 5;
	world_create(&w, &a, ID);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	deadline_ms = lease(ID).provision_deadline_ms;
	away(40 * MINUTE);
	assert_int_equal(lease(ID).provision_deadline_ms, deadline_ms + 40 * MINUTE);
	world_pass(&w, 5 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

/* More than are credited in one batch, which others wait for. */
static void many_are_credited_one_part_after_the_other(void **state)
{
	static const int count = 200;
	struct asked a = { 0 };
	char id[24];
	int credited = 0;

	(void)state;
	for (int i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "cbx_%012d", i);
		snprintf(a.request.create.slug, sizeof(a.request.create.slug), "box-%d", i);
		world_create(&w, &a, id);
	}
	world_pass(&w, MINUTE);
	w.d.now_ms += IDLE + SECOND;
	core_gap(w.d.core, IDLE + SECOND);
	driver_begin(&w.d);
	core_gap_credit(w.d.core);
	driver_flush(&w.d);
	for (int i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "cbx_%012d", i);
		credited += lease(id).credit_ms > 0;
	}
	assert_in_range(credited, 1, count - 1);
	assert_true(core_gap_left(w.d.core));
	/* Another one meanwhile. */
	core_gap(w.d.core, SECOND);
	world_settle(&w);
	assert_false(core_gap_left(w.d.core));
	for (int i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "cbx_%012d", i);
		assert_int_equal(lease(id).state, LEASE_ACTIVE);
		assert_int_equal(lease(id).credit_ms, IDLE + 2 * SECOND);
	}
	world_pass(&w, IDLE + MINUTE);
	assert_int_equal(lease(id).state, LEASE_EXPIRED);
}

static void store_change(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(w.d.path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Whoever reads an attempt of that lease gets an error. */
static void lease_damage(int64_t n)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "ALTER TABLE attempt RENAME TO attempt_kept;"
		 "CREATE VIEW attempt AS SELECT * FROM attempt_kept UNION ALL"
		 " SELECT * FROM attempt_kept WHERE lease = %lld"
		 " AND abs(lease - %lld - 9223372036854775807) > 0",
		 (long long)n, (long long)n + 1);
	store_change(sql);
}

static void lease_mend(void)
{
	store_change("DROP VIEW attempt; ALTER TABLE attempt_kept RENAME TO attempt");
}

/* Not even the list of leases: nothing ends, and the core waits before it tries again. */
static void what_cannot_be_read_at_all_is_tried_again(void **state)
{
	(void)state;
	create_ready(ID);
	world_pass(&w, MINUTE);
	store_change("ALTER TABLE beat RENAME TO beat_kept; ALTER TABLE lease RENAME TO lease_kept");
	core_gap(w.d.core, IDLE);
	driver_due(&w.d);
	assert_true(core_gap_is_stuck(w.d.core));
	assert_true(core_next_ms(w.d.core) > driver_wall(&w.d));
	store_change("ALTER TABLE lease_kept RENAME TO lease; ALTER TABLE beat_kept RENAME TO beat");
	w.d.now_ms += 4 * SECOND;
	driver_due(&w.d);
	assert_true(core_gap_left(w.d.core));
	w.d.now_ms += 2 * SECOND;
	driver_due(&w.d);
	assert_false(core_gap_left(w.d.core));
	assert_int_equal(lease(ID).credit_ms, IDLE);
}

static void one_that_cannot_be_read_hides_no_other(void **state)
{
	static const char *const ids[] = { "cbx_000000000001", "cbx_000000000002",
					   "cbx_000000000003" };
	struct asked a = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(a.request.create.slug, sizeof(a.request.create.slug), "box-%d", i);
		world_create(&w, &a, ids[i]);
		world_pass(&w, 5 * SECOND);
		assert_int_equal(lease(ids[i]).state, LEASE_ACTIVE);
	}
	lease_damage(lease(ids[1]).n);
	away(IDLE + SECOND);
	assert_false(core_gap_left(w.d.core));
	assert_int_equal(lease(ids[0]).credit_ms, IDLE + SECOND);
	assert_int_equal(lease(ids[1]).credit_ms, 0);
	assert_int_equal(lease(ids[2]).credit_ms, IDLE + SECOND);
	world_pass(&w, IDLE - MINUTE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lease(ids[i]).state, LEASE_ACTIVE);
	/* It is tried again. */
	lease_mend();
	world_pass(&w, 2 * MINUTE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lease(ids[i]).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

/* It stood still, say, and cannot know whether somebody else owns its leases by now. */
static void nothing_ends_beyond_the_own_deadline(void **state)
{
	(void)state;
	create_ready(ID);
	core_see_until(w.d.core, w.d.now_ms + MINUTE);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(beat(ID), RESULT_OK);
	assert_int_equal(world_alive(&w), 1);
	/* It has renewed, and knows that it missed nothing; the TTL is over. */
	core_see_until(w.d.core, w.d.now_ms + MINUTE);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

static void a_late_renewal_comes_before_the_expiry(void **state)
{
	(void)state;
	create_ready(ID);
	core_see_until(w.d.core, w.d.now_ms + 3 * SECOND);
	w.d.now_ms += IDLE + SECOND;
	world_settle(&w);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	core_gap(w.d.core, IDLE + SECOND);
	core_see_until(w.d.core, INT64_MAX);
	driver_begin(&w.d);
	core_gap_credit(w.d.core);
	driver_flush(&w.d);
	world_pass(&w, IDLE - MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
}

/* ---- a frozen account ------------------------------------------------------------------------ */

static struct asked ask_release(int delete_machine)
{
	struct asked a = { 0 };

	world_release(&w, &a, ID, delete_machine);
	return a;
}

static void nothing_ends_in_a_frozen_account(void **state)
{
	(void)state;
	create_ready(ID);
	core_freeze(w.d.core, "toy", "its newest commits may be lost");
	assert_string_equal(core_frozen(w.d.core, "toy"), "its newest commits may be lost");
	world_pass(&w, 2 * HOUR);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	assert_int_equal(beat(ID), RESULT_OK);
	core_freeze(w.d.core, "toy", NULL);
	assert_string_equal(core_frozen(w.d.core, "toy"), "");
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_EXPIRED);
	assert_int_equal(world_alive(&w), 0);
}

/* Until its next try is long after what a case waits for. */
static void wait_for_a_long_wait(void)
{
	int64_t until = driver_wall(&w.d) + 24 * HOUR;

	while (lease(ID).due_ms < driver_wall(&w.d) + 5 * MINUTE) {
		assert_true(driver_wall(&w.d) < until);
		world_pass(&w, MINUTE);
	}
}

/* A release is accepted and committed; its delete waits. */
static void nothing_is_deleted_in_a_frozen_account(void **state)
{
	(void)state;
	create_ready(ID);
	core_freeze(w.d.core, "toy", "why");
	assert_int_equal(ask_release(1).request.result, RESULT_OK);
	world_pass(&w, 10 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_RELEASED);
	assert_int_equal(lease(ID).cleanup, CLEANUP_OWED);
	assert_int_equal(w.deleted, 0);
	assert_int_equal(world_alive(&w), 1);
	wait_for_a_long_wait();
	assert_int_equal(w.deleted, 0);
	/* The wait that its refusals have come to is over, too. */
	core_freeze(w.d.core, "toy", "");
	world_pass(&w, 10 * SECOND);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

/* What has gone meanwhile is looked for as at any other time, from now on. */
static void what_is_gone_is_looked_for_after_a_freeze(void **state)
{
	(void)state;
	create_ready(ID);
	core_freeze(w.d.core, "toy", "why");
	w.cloud[0].alive = 0;
	assert_int_equal(ask_release(1).request.result, RESULT_OK);
	world_pass(&w, HOUR);
	assert_int_not_equal(lease(ID).cleanup, CLEANUP_DONE);
	core_freeze(w.d.core, "toy", "");
	/* Two observations, a minute apart. */
	world_pass(&w, 90 * SECOND);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(w.deleted, 0);
}

static void a_frozen_account_creates(void **state)
{
	(void)state;
	core_freeze(w.d.core, "toy", "why");
	create_ready(ID);
	core_freeze(w.d.core, "no such account", "why");
	assert_string_equal(core_frozen(w.d.core, "no such account"), "");
}

/* Not even of a lease of which nothing was made: a lost commit may say that something was. */
static void nothing_is_concluded_in_a_frozen_account(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_LOST_NOT_MADE;
	world_create(&w, &a, ID);
	world_pass(&w, SECOND);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_UNKNOWN);
	core_freeze(w.d.core, "toy", "why");
	world_pass(&w, 30 * MINUTE);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_UNKNOWN);
	assert_int_equal(w.creates_sent, 1);
	core_freeze(w.d.core, "toy", NULL);
	world_pass(&w, 5 * MINUTE);
	assert_int_not_equal(first_row(ID).state, LESSOR_STATE_UNKNOWN);
}

/* Lost commits may have permitted its delete: it may be under way until then. */
static void a_permit_is_presumed_where_commits_were_lost(void **state)
{
	(void)state;
	create_ready(ID);
	core_store_clock(w.d.core, 10 * SECOND);
	core_presume(w.d.core, "toy", driver_wall(&w.d) + 60 * SECOND);
	assert_int_equal(ask_release(0).request.result, RESULT_CONFLICT);
	world_pass(&w, 49 * SECOND);
	assert_int_equal(ask_release(0).request.result, RESULT_CONFLICT);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
	world_pass(&w, 2 * SECOND);
	assert_int_equal(ask_release(0).request.result, RESULT_OK);
	assert_int_equal(lease(ID).retained, 1);
}

/* ---- and how it goes on ---------------------------------------------------------------------- */

/* What the owner of the account was told. */
static struct {
	int compared, thawed;
	char ahead[128];
	const char *frozen; /* why, as the store has it */
} told;

static int told_reconciled(void *arg, struct store *store, const char *ahead, struct err *err)
{
	(void)arg;
	(void)store;
	(void)err;
	told.compared++;
	TEXT_SET(told.ahead, ahead);
	return 0;
}

static int told_thaw(void *arg, struct store *store, struct err *err)
{
	(void)arg;
	(void)store;
	(void)err;
	told.thawed++;
	return 0;
}

static int told_frozen(void *arg, struct store *store, char *ret, size_t size, struct err *err)
{
	(void)arg;
	(void)store;
	(void)err;
	text_set(ret, size, told.frozen ? told.frozen : "");
	return 0;
}

static void freeze_owned(void)
{
	static const struct engine_ownership ownership = { .reconciled = told_reconciled,
							   .thaw = told_thaw,
							   .frozen = told_frozen };

	memset(&told, 0, sizeof(told));
	w.d.config.ownership = &ownership;
	world_restart(&w, NULL);
	core_freeze(w.d.core, "toy", "its newest commits may be lost");
}

static struct asked ask_looked(enum request_kind kind)
{
	struct asked a = { 0 };

	a.request.kind = kind;
	a.request.caller.role = TOKEN_ADMIN;
	a.request.sweep = SWEEP_LOOKED;
	strcpy(a.request.expected_account, "toy");
	world_ask(&w, &a);
	return a;
}

static void a_frozen_account_is_compared_with_the_store(void **state)
{
	(void)state;
	create_ready(ID);
	freeze_owned();
	world_settle(&w);
	assert_int_equal(told.compared, 0);
	assert_int_equal(ask_looked(REQUEST_ACCOUNT).request.result, RESULT_CONFLICT);
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_CONFLICT);
	assert_int_equal(told.thawed, 0);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 1);
	assert_string_equal(told.ahead, "");
	assert_int_equal(lease(ID).retained, 0);
	assert_int_equal(ask_looked(REQUEST_ACCOUNT).request.result, RESULT_OK);
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_OK);
	assert_int_equal(told.thawed, 2);
	/* Once. */
	world_pass(&w, HOUR);
	assert_int_equal(told.compared, 1);
}

/* Another daemon has frozen it again, and this engine was not told yet. */
static void what_no_operator_has_seen_is_not_decided(void **state)
{
	(void)state;
	create_ready(ID);
	freeze_owned();
	told.frozen = "its newest commits may be lost";
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 1);
	told.frozen = "another daemon has seen more";
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_CONFLICT);
	assert_int_equal(told.thawed, 0);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 2);
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_OK);
	assert_int_equal(told.thawed, 1);
}

/* Its newest commits are lost, and with them the release that kept the machine. */
static void what_lost_releases_kept_is_kept_again(void **state)
{
	(void)state;
	create_ready(ID);
	labels_add(&w.cloud[0].labels, LESSOR_LABEL_RETAIN, "7");
	freeze_owned();
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 1);
	assert_string_equal(told.ahead, "1 kept by releases that are lost");
	assert_int_equal(lease(ID).state, LEASE_RELEASED);
	assert_int_equal(lease(ID).retained, 1);
	assert_true(lease(ID).epoch > 7);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_RETAINED);
	assert_int_equal(first_row(ID).retain_epoch, 7);
	core_freeze(w.d.core, "toy", "");
	world_pass(&w, 2 * HOUR);
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(w.deleted, 0);
}

/* The store of now, which store_forgets brings back. */
static void store_keep(void)
{
	char command[300];

	snprintf(command, sizeof(command),
		 "cd '%s' && cp store old && cp store-wal old-wal 2>&-; true", w.d.folder);
	assert_int_equal(system(command), 0);
}

static void store_forgets(void)
{
	char command[300];

	snprintf(command, sizeof(command),
		 "cd '%s' && rm -f store-wal store-shm && mv old store && "
		 "mv old-wal store-wal 2>&-; true",
		 w.d.folder);
	w.between_lives = command;
	freeze_owned();
}

static void freeze_again(struct world *world)
{
	(void)world;
	w.during_list = NULL;
	core_freeze(w.d.core, "toy", "");
	core_freeze(w.d.core, "toy", "another daemon has seen more");
}

/* What that sweep listed may be older than what the second one is about. */
static void a_second_freeze_waits_for_a_sweep_of_its_own(void **state)
{
	(void)state;
	create_ready(ID);
	freeze_owned();
	w.during_list = freeze_again;
	while (w.during_list)
		world_pass(&w, SECOND);
	assert_int_equal(told.compared, 0);
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_CONFLICT);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 1);
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_OK);
}

static void an_unknown_machine_is_ahead_of_the_store(void **state)
{
	(void)state;
	store_keep();
	create_ready(ID);
	store_forgets();
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 1);
	assert_string_equal(told.ahead, "orphans that it does not know");
	assert_int_equal(world_alive(&w), 1);
}

/* Since the last transactions may be lost that intended a create which is still under way. */
static void a_freeze_outlasts_what_was_under_way(void **state)
{
	(void)state;
	freeze_owned();
	core_store_clock(w.d.core, 10 * SECOND);
	core_presume(w.d.core, "toy", driver_wall(&w.d) + (10 + 50) * SECOND);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(told.compared, 0);
	/* An operator may decide earlier. */
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_OK);
	assert_int_equal(told.thawed, 1);
	/* 50 s, and 30 until the provider shows it; no sweep is due by itself. */
	world_pass(&w, 68 * SECOND);
	assert_int_equal(told.compared, 0);
	world_pass(&w, 5 * SECOND);
	assert_int_equal(told.compared, 1);
	assert_string_equal(told.ahead, "");
	world_pass(&w, HOUR);
	assert_int_equal(told.compared, 1);
}

static int orphan_count(void *arg, const struct orphan *s)
{
	(void)s;
	++*(int *)arg;
	return 0;
}

static int orphans(void)
{
	int count = 0;

	assert_int_equal(store_orphan_each(core_store(w.d.core), "toy", orphan_count, &count, NULL),
			 0);
	return count;
}

/* Its machine shows up when an operator has ended the freeze, and under the next owner. */
static void what_a_lost_create_made_is_found(void **state)
{
	(void)state;
	store_keep();
	create_ready(ID);
	w.cloud[0].alive = 0;
	store_forgets();
	core_presume(w.d.core, "toy", driver_wall(&w.d) + 50 * SECOND);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(ask_looked(REQUEST_SWEEP).request.result, RESULT_OK);
	core_freeze(w.d.core, "toy", "");
	world_restart(&w, NULL);
	w.cloud[0].alive = 1;
	world_pass(&w, 65 * SECOND);
	assert_int_equal(orphans(), 0);
	world_pass(&w, 10 * SECOND);
	assert_int_equal(orphans(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_idle_time_after_all_were_away),
		TEST(a_heartbeat_ends_the_credit),
		TEST(a_credit_is_never_more_than_a_whole_idle_time),
		TEST(a_ttl_is_prolonged_within_bounds),
		TEST(a_machine_in_the_making_is_waited_for),
		TEST(many_are_credited_one_part_after_the_other),
		TEST(what_cannot_be_read_at_all_is_tried_again),
		TEST(one_that_cannot_be_read_hides_no_other),
		TEST(nothing_ends_beyond_the_own_deadline),
		TEST(a_late_renewal_comes_before_the_expiry),
		TEST(nothing_ends_in_a_frozen_account),
		TEST(nothing_is_deleted_in_a_frozen_account),
		TEST(what_is_gone_is_looked_for_after_a_freeze),
		TEST(a_frozen_account_creates),
		TEST(nothing_is_concluded_in_a_frozen_account),
		TEST(a_permit_is_presumed_where_commits_were_lost),
		TEST(a_frozen_account_is_compared_with_the_store),
		TEST(what_no_operator_has_seen_is_not_decided),
		TEST(what_lost_releases_kept_is_kept_again),
		TEST(a_second_freeze_waits_for_a_sweep_of_its_own),
		TEST(an_unknown_machine_is_ahead_of_the_store),
		TEST(a_freeze_outlasts_what_was_under_way),
		TEST(what_a_lost_create_made_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
