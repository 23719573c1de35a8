/* SPDX-License-Identifier: MIT */
/* Run history over time: runs end, age, and exceed the size limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "past.h"
#include "util/text.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define PART 65536

static struct past w;

static void start(int64_t keep_ms, int64_t stale_ms, int64_t bytes_max)
{
	past_start(&w, keep_ms, stale_ms, bytes_max);
}

/* The next request; tell() clears what belongs to a single one. */
static struct run_request change;

static void tell(enum run_op op, const char *id)
{
	change.op = op;
	if (id)
		snprintf(change.id, sizeof(change.id), "%s", id);
	assert_int_equal(past_ask(&w, &change), 0);
	change.part = 0;
	change.len = 0;
	change.text = NULL;
	memset(&change.told, 0, sizeof(change.told));
}

static char *begin(void)
{
	static char ids[64][24];
	static int at;

	change.text = "[\"make\"]";
	change.id[0] = '\0';
	tell(RUN_CREATE, NULL);
	assert_int_equal(change.result, RUN_RESULT_CREATED);
	at = (at + 1) % 64;
	strcpy(ids[at], change.id);
	return ids[at];
}

static void put_parts(const char *id, int parts, enum run_result result)
{
	static unsigned char data[PART];
	static uint32_t dice;

	for (int i = 0; i < parts; i++) {
		/* incompressible */
		for (size_t k = 0; k < sizeof(data); k++)
			data[k] = (unsigned char)((dice = dice * 1664525 + 1013904223) >> 24);
		change.data = data;
		change.len = PART;
		change.part = i;
		tell(RUN_LOG, id);
		assert_int_equal(change.result, result);
	}
}

static void put_log(const char *id, int parts)
{
	put_parts(id, parts, RUN_RESULT_OK);
}

static void finish(const char *id, int parts)
{
	put_log(id, parts);
	change.part = parts;
	change.told.log_bytes = (int64_t)parts * PART;
	tell(RUN_FINISH, id);
	assert_int_equal(change.result, RUN_RESULT_OK);
}

static int find(const char *id, struct run_row *ret)
{
	struct store_scope all = { .all = 1 };

	return store_run_find(w.store, id, &all, RUN_READ, ret, NULL);
}

static int count_part(void *arg, const char *text, size_t len)
{
	(void)text;
	*(int64_t *)arg += (int64_t)len;
	return 0;
}

static int64_t log_size(int64_t n)
{
	int64_t size = 0;

	for (int64_t part = 0; part < 1000; part++)
		store_run_log_get(w.store, n, part, count_part, &size, NULL);
	return size;
}

static void nobody_comes_to_finish_it(void **state)
{
	struct run_row r;
	char *id, *other;

	(void)state;
	start(30 * DAY, 2 * HOUR, 0);
	id = begin();
	other = begin();
	past_pass(&w, HOUR);
	change.text = "{\"type\":\"stdout\"}";
	tell(RUN_EVENT, other);
	past_pass(&w, HOUR + HOUR / 2);
	assert_int_equal(find(id, &r), 0);
	assert_int_equal(r.state, RUN_FAILED);
	assert_string_equal(r.phase, "abandoned");
	assert_true(r.ended_ms > 0 && r.ended_ms < w.now_ms - 2 * HOUR);
	assert_false(r.has_exit_code);
	assert_int_equal(find(other, &r), 0);
	assert_int_equal(r.state, RUN_RUNNING);
	/* its client was only slow: the end is still accepted */
	finish(id, 1);
	assert_int_equal(find(id, &r), 0);
	assert_int_equal(r.state, RUN_SUCCEEDED);
	past_end(&w);
}

static void what_is_old_goes_whole_and_what_runs_stays(void **state)
{
	struct run_row old, young, open;
	char *old_id, *young_id, *open_id;

	(void)state;
	start(30 * DAY, 30 * DAY, 0);
	old_id = begin();
	open_id = begin();
	put_log(open_id, 2);
	finish(old_id, 100);
	assert_int_equal(find(old_id, &old), 0);
	assert_int_equal(log_size(old.n), 100 * PART);
	past_pass(&w, 29 * DAY);
	young_id = begin();
	finish(young_id, 3);
	assert_int_equal(find(old_id, &old), 0);
	past_pass(&w, DAY + HOUR);
	assert_int_equal(find(old_id, &old), 1);
	assert_int_equal(log_size(old.n), 0);
	assert_int_equal(find(young_id, &young), 0);
	assert_int_equal(log_size(young.n), 3 * PART);
	/* it was ended because of its silence, and its age counts from there */
	assert_int_equal(find(open_id, &open), 1);
	if (store_check(w.store, NULL))
		fail_msg("the store is not whole");
	past_end(&w);
}

static void too_much_goes_oldest_first(void **state)
{
	struct run_row r;
	char *ids[6];
	int64_t bytes;

	(void)state;
	start(0, DAY, 40 * PART);
	for (int i = 0; i < 6; i++) {
		ids[i] = begin();
		finish(ids[i], 10);
		past_pass(&w, 1000);
	}
	past_pass(&w, HOUR);
	for (int i = 0; i < 6; i++)
		assert_int_equal(find(ids[i], &r), i < 3 ? 1 : 0);
	assert_int_equal(store_run_bytes(w.store, &bytes, NULL), 0);
	assert_true(bytes <= 40 * PART && bytes > 29 * PART);
	/* kept for ever, within the size limit */
	past_pass(&w, 100 * DAY);
	assert_int_equal(find(ids[5], &r), 0);
	/* parts of an unfinished run count as well */
	put_log(begin(), 60);
	past_pass(&w, 2 * DAY);
	assert_int_equal(store_run_bytes(w.store, &bytes, NULL), 0);
	assert_true(bytes <= 40 * PART);
	past_end(&w);
}

static int count_event(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	(void)seq;
	(void)at_ms;
	(void)fields;
	++*(int *)arg;
	return 0;
}

static int events(int64_t n)
{
	int count = 0;

	assert_int_equal(store_run_event_each(w.store, n, 0, 1000, count_event, &count,
					      NULL), 0);
	return count;
}

static void expect_same_end(const struct run_row *before, int event_count)
{
	struct run_row now;

	assert_int_equal(find(before->id, &now), 0);
	assert_int_equal(now.state, before->state);
	assert_string_equal(now.phase, before->phase);
	assert_int_equal(now.exit_code, before->exit_code);
	assert_int_equal(now.ended_ms, before->ended_ms);
	assert_int_equal(now.command_ms, before->command_ms);
	assert_int_equal(now.log_bytes, before->log_bytes);
	assert_int_equal(now.bytes, before->bytes);
	assert_int_equal(log_size(now.n), before->log_bytes);
	assert_int_equal(events(now.n), event_count);
}

/*
 * A client that got no response to its finish repeats it, perhaps with other values: the first
 * one counts.
 */
static void a_second_finish_changes_nothing(void **state)
{
	/* Parts of the log with the first finish, and with the second. */
	static const int parts[][2] = { { 0, 0 }, { 2, 2 }, { 2, 0 }, { 2, 3 }, { 0, 2 } };

	(void)state;
	start(30 * DAY, DAY, 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *id = begin();
		struct run_row first;
		int event_count;

		finish(id, parts[i][0]);
		assert_int_equal(find(id, &first), 0);
		assert_int_equal(first.state, RUN_SUCCEEDED);
		event_count = events(first.n);
		past_pass(&w, 1000);
		put_parts(id, parts[i][1], RUN_RESULT_REPLAY);
		change.part = parts[i][1];
		change.told.log_bytes = (int64_t)parts[i][1] * PART;
		change.told.exit_code = 7;
		change.told.command_ms = 99;
		tell(RUN_FINISH, id);
		assert_int_equal(change.result, RUN_RESULT_REPLAY);
		assert_int_equal(change.run.exit_code, 0);
		expect_same_end(&first, event_count);
	}
	past_end(&w);
}

/* A crash during a finish leaves parts that no one sees; the next finish replaces them. */
static void a_crash_between_the_parts(void **state)
{
	struct run_row r;
	char *id;

	(void)state;
	start(30 * DAY, DAY, 0);
	id = begin();
	put_log(id, 5);
	past_restart(&w);
	past_settle(&w);
	assert_int_equal(find(id, &r), 0);
	assert_false(r.finished);
	assert_int_equal(r.log_bytes, 0);
	finish(id, 2);
	assert_int_equal(find(id, &r), 0);
	assert_int_equal(log_size(r.n), 2 * PART);
	past_end(&w);
}

static void a_doubted_clock_takes_nothing_away(void **state)
{
	struct run_row r;
	char *id;

	(void)state;
	start(30 * DAY, DAY, 0);
	id = begin();
	finish(id, 1);
	w.now_ms += 400 * DAY;
	w.jumped_ms += 400 * DAY;
	past_settle(&w);
	past_pass(&w, 9 * 60000);
	assert_int_equal(find(id, &r), 0);
	w.now_ms -= 400 * DAY;
	w.jumped_ms -= 400 * DAY;
	past_settle(&w);
	past_pass(&w, DAY);
	assert_int_equal(find(id, &r), 0);
	past_end(&w);
}

static void the_last_one_goes_too(void **state)
{
	(void)state;
	start(30 * DAY, DAY, 0);
	finish(begin(), 1);
	past_pass(&w, 31 * DAY);
	assert_int_equal(store_run_any(w.store, NULL), 0);
	past_end(&w);
}

/* Leases are in the other file: their present owner decides. */
static void a_run_names_leases_that_its_owner_may_see(void **state)
{
	struct run_row r;
	char *id;

	(void)state;
	start(30 * DAY, DAY, 0);
	past_lease(&w, "cbx_00000000000a", "alice");
	past_lease(&w, "cbx_00000000000b", "bob");
	id = begin();
	change.text = "{\"type\":\"lease.created\"}";
	TEXT_SET(change.told.lease_id, "cbx_00000000000b");
	tell(RUN_EVENT, id);
	assert_int_equal(change.result, RUN_RESULT_NOT_FOUND);
	assert_int_equal(find(id, &r), 0);
	assert_string_equal(r.lease_id, "");
	assert_int_equal(r.event_count, 1);
	change.text = "[\"make\"]";
	change.id[0] = '\0';
	TEXT_SET(change.told.lease_id, "cbx_00000000000b");
	tell(RUN_CREATE, NULL);
	assert_int_equal(change.result, RUN_RESULT_NOT_FOUND);
	/* its own lease, and one that does not exist yet */
	change.text = "{\"type\":\"lease.created\"}";
	TEXT_SET(change.told.lease_id, "cbx_00000000000a");
	tell(RUN_EVENT, id);
	assert_int_equal(change.result, RUN_RESULT_OK);
	change.text = "{\"type\":\"lease.replaced\"}";
	TEXT_SET(change.told.lease_id, "cbx_00000000000c");
	tell(RUN_EVENT, id);
	assert_int_equal(change.result, RUN_RESULT_OK);
	assert_int_equal(find(id, &r), 0);
	assert_string_equal(r.lease_id, "cbx_00000000000c");
	past_end(&w);
}

static void only_its_owner_and_admins_tell_of_a_run(void **state)
{
	static const struct { const char *owner, *org; enum token_role role; int may; } who[] = {
		{ "alice", "acme", TOKEN_USER, 1 }, { "bob", "acme", TOKEN_USER, 0 },
		{ "alice", "other", TOKEN_USER, 0 }, { "root", "ops", TOKEN_ADMIN, 1 },
	};
	char *id;

	(void)state;
	start(30 * DAY, DAY, 0);
	id = begin();
	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		TEXT_SET(change.caller.owner, who[i].owner);
		TEXT_SET(change.caller.org, who[i].org);
		change.caller.role = who[i].role;
		change.text = "{\"type\":\"stdout\"}";
		tell(RUN_EVENT, id);
		assert_int_equal(change.result, who[i].may ? RUN_RESULT_OK : RUN_RESULT_NOT_FOUND);
	}
	change.caller.role = TOKEN_READER;
	tell(RUN_EVENT, id);
	assert_int_equal(change.result, RUN_RESULT_FORBIDDEN);
	memset(&change, 0, sizeof(change));
	past_end(&w);
}

static void events_have_a_limit(void **state)
{
	char *text = calloc(1, 70000);
	char *id;
	int taken = 0;

	(void)state;
	start(30 * DAY, DAY, 0);
	id = begin();
	memset(text, 'x', 69999);
	memcpy(text, "{\"data\":\"", 9);
	memcpy(text + 69997, "\"}", 2);
	for (; taken < 1000; taken++) {
		change.text = text;
		tell(RUN_EVENT, id);
		if (change.result != RUN_RESULT_OK)
			break;
	}
	assert_string_equal(change.code, "run_too_large");
	assert_true(taken > 50 && taken < 70);
	/* it can be finished nevertheless */
	finish(id, 1);
	free(text);
	past_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_comes_to_finish_it),
		cmocka_unit_test(what_is_old_goes_whole_and_what_runs_stays),
		cmocka_unit_test(too_much_goes_oldest_first),
		cmocka_unit_test(a_second_finish_changes_nothing),
		cmocka_unit_test(a_crash_between_the_parts),
		cmocka_unit_test(a_doubted_clock_takes_nothing_away),
		cmocka_unit_test(the_last_one_goes_too),
		cmocka_unit_test(events_have_a_limit),
		cmocka_unit_test(a_run_names_leases_that_its_owner_may_see),
		cmocka_unit_test(only_its_owner_and_admins_tell_of_a_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
