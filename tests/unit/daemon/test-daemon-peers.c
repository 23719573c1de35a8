/* SPDX-License-Identifier: MIT */
/* What follows from the rows of the daemons and of the accounts, under a clock of the test's. */
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "daemon/peers.h"
#include "util/text.h"

#define SELF "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DB_MS INT64_C(5000000000)

static struct peers *peers;
static int64_t now;

static int setup(void **state)
{
	(void)state;
	now = 1000000;
	peers = peers_new(SELF);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peers_free(peers);
	return 0;
}

static void saw(const char *id, const char *address, int64_t seen_ms)
{
	struct store_daemon row = { .started_ms = 100, .seen_ms = seen_ms };

	TEXT_SET(row.id, id);
	TEXT_SET(row.address, address);
	peers_saw_daemon(peers, &row);
}

static void owned(const char *account, const char *owner, int64_t epoch, int64_t left_ms)
{
	struct shard row = { .epoch = epoch,
			     .seq = 10 * epoch,
			     .since_ms = 200,
			     .now_ms = DB_MS,
			     .expires_ms = DB_MS + left_ms };

	TEXT_SET(row.account, account);
	TEXT_SET(row.owner, owner[0] ? "nonce" : "");
	TEXT_SET(row.address, owner);
	peers_saw_shard(peers, &row);
}

static struct relay_route route(const char *account, int is_ours)
{
	struct relay_route ret;

	peers_route(peers, account, is_ours, now, &ret);
	return ret;
}

static void both(int64_t epoch, const char *owner, int64_t left_ms)
{
	peers_begin(peers, now);
	saw(SELF, "http://127.0.0.1:1", now);
	saw(OTHER, "http://127.0.0.1:2", now);
	owned("one", owner, epoch, left_ms);
	peers_end(peers);
}

static void the_owner_is_who_the_row_names(void **state)
{
	struct relay_route r;

	(void)state;
	assert_int_equal(route("one", 0).place, RELAY_UNKNOWN);
	both(1, OTHER, 3000);
	r = route("one", 0);
	assert_int_equal(r.place, RELAY_OTHER);
	assert_string_equal(r.daemon, OTHER);
	assert_string_equal(r.address, "http://127.0.0.1:2");
	/* By its address, too. */
	both(2, "http://127.0.0.1:2", 3000);
	assert_string_equal(route("one", 0).daemon, OTHER);
	/* An account without a row, and an owner without one. */
	assert_int_equal(route("two", 0).place, RELAY_UNKNOWN);
	both(3, "cccccccccccccccccccccccccccccccc", 3000);
	assert_int_equal(route("one", 0).place, RELAY_UNKNOWN);
	both(4, "", 3000);
	assert_int_equal(route("one", 0).place, RELAY_UNKNOWN);
}

static void an_ownership_ends_with_its_time(void **state)
{
	(void)state;
	both(1, OTHER, 3000);
	now += 2999;
	assert_int_equal(route("one", 0).place, RELAY_OTHER);
	now += 1;
	assert_int_equal(route("one", 0).place, RELAY_UNKNOWN);
}

/* What this daemon knows of itself is newer than any row. */
static void what_is_ours_is_served_here(void **state)
{
	(void)state;
	both(1, OTHER, 3000);
	assert_int_equal(route("one", 1).place, RELAY_SELF);
	both(2, SELF, 3000);
	assert_int_equal(route("one", 0).place, RELAY_UNKNOWN);
	assert_int_equal(route("one", -1).place, RELAY_SELF);
}

/* A restart on the same address: the old claim is not the new process's. */
static void a_predecessor_at_the_same_address_is_not_asked(void **state)
{
	struct store_daemon row = { .started_ms = 300, .seen_ms = 1 };

	(void)state;
	peers_begin(peers, now);
	TEXT_SET(row.id, OTHER);
	TEXT_SET(row.address, "http://127.0.0.1:2");
	peers_saw_daemon(peers, &row);
	owned("one", "http://127.0.0.1:2", 1, 3000);
	peers_end(peers);
	assert_int_equal(route("one", 0).place, RELAY_UNKNOWN);
}

static void a_reading_that_failed_changes_nothing(void **state)
{
	(void)state;
	both(1, OTHER, 3000);
	peers_begin(peers, now);
	saw(SELF, "", 1);
	assert_int_equal(route("one", 0).place, RELAY_OTHER);
	both(2, OTHER, 3000);
	assert_int_equal(route("one", 0).place, RELAY_OTHER);
	assert_int_equal(peers_seq(peers, "one"), 20);
	assert_int_equal(peers_seq(peers, "two"), 0);
}

static size_t living(void)
{
	char ids[8][STORE_DAEMON_ID_SIZE];

	return peers_living(peers, now, ids, 8);
}

/* The clocks of the machines may differ by hours: only that a row changes counts. */
static void who_is_silent_is_not_there(void **state)
{
	struct store_daemon forgotten;

	(void)state;
	assert_int_equal(living(), 1);
	for (int i = 0; i < 5; i++) {
		now += 1000;
		peers_begin(peers, now);
		saw(SELF, "", i);
		saw(OTHER, "", -7200000 + i);
		peers_end(peers);
		assert_int_equal(living(), 2);
	}
	now += PEERS_SILENT_MS - 1;
	assert_int_equal(living(), 2);
	now += 1;
	assert_int_equal(living(), 1);
	assert_int_equal(peers_forgotten(peers, now, &forgotten), -1);
	now += PEERS_FORGOTTEN_MS;
	peers_begin(peers, now);
	saw(SELF, "", 4);
	saw(OTHER, "", -7200000 + 4);
	peers_end(peers);
	assert_int_equal(living(), 1);
	/* Its own row is not forgotten, however old. */
	assert_int_equal(peers_forgotten(peers, now, &forgotten), 0);
	assert_string_equal(forgotten.id, OTHER);
}

static void account_look(void *arg, const struct owned_view *view)
{
	*(int64_t *)arg = view->takeovers;
	assert_string_equal(view->account, "one");
	assert_string_equal(view->daemon, OTHER);
}

static void each_passing_on_is_counted(void **state)
{
	int64_t takeovers = -1;

	(void)state;
	both(1, SELF, 3000);
	both(1, SELF, 3000);
	both(2, OTHER, 3000);
	both(2, OTHER, 3000);
	both(5, OTHER, 3000);
	peers_each_account(peers, now, account_look, &takeovers);
	assert_int_equal(takeovers, 2);
}

static void at_seq(int64_t seq, const char *frozen)
{
	struct shard row = { .account = "one", .seq = seq };

	TEXT_SET(row.frozen, frozen);
	peers_begin(peers, now);
	peers_saw_shard(peers, &row);
	peers_end(peers);
}

static int64_t lost(void)
{
	const char *account;
	size_t at = 0;
	int64_t seq = peers_lost(peers, &at, &account);

	if (seq) {
		assert_string_equal(account, "one");
		assert_int_equal(peers_lost(peers, &at, &account), 0);
	}
	return seq;
}

/* The server that was promoted has less than was read from the one before. */
static void a_failover_is_compared_with_what_was_seen(void **state)
{
	(void)state;
	at_seq(100, "");
	at_seq(90, "");
	assert_int_equal(peers_seq(peers, "one"), 100);
	at_seq(93, SHARD_FAILED_OVER "90");
	assert_int_equal(lost(), 100);
	/* Until it is told, or over; and once for each failover. */
	at_seq(97, SHARD_FAILED_OVER "90");
	assert_int_equal(lost(), 100);
	at_seq(98, SHARD_LOST_SEEN);
	assert_int_equal(lost(), 0);
	at_seq(99, "");
	assert_int_equal(peers_seq(peers, "one"), 99);
	at_seq(101, SHARD_FAILED_OVER "99");
	assert_int_equal(lost(), 0);
}

/* When the database was read again, the fail-over was over. */
static void a_loss_that_is_seen_late_is_told(void **state)
{
	(void)state;
	at_seq(100, "");
	at_seq(97, "");
	assert_int_equal(lost(), 100);
	/* A claim that comes first knows it, too. */
	assert_int_equal(peers_seq(peers, "one"), 100);
	at_seq(105, "");
	assert_int_equal(lost(), 100);
	peers_told(peers, "one");
	assert_int_equal(lost(), 0);
	assert_int_equal(peers_seq(peers, "one"), 105);
	/* Once; and not at all, if it was found otherwise. */
	at_seq(106, "");
	assert_int_equal(lost(), 0);
	at_seq(50, "the account is ahead");
	assert_int_equal(lost(), 0);
	at_seq(51, "");
	assert_int_equal(lost(), 0);
	assert_int_equal(peers_seq(peers, "one"), 51);
}

static void committed(int64_t seq, const char *frozen)
{
	struct shard row = { .account = "one", .seq = seq };

	TEXT_SET(row.frozen, frozen);
	peers_committed(peers, &row, now);
	now++;
}

/* Nobody has read what was committed just before the database lost it: its owner knows. */
static void a_failover_is_compared_with_what_was_committed_here(void **state)
{
	(void)state;
	at_seq(95, "");
	committed(100, "");
	at_seq(98, SHARD_FAILED_OVER "97");
	assert_int_equal(lost(), 100);
	/* A claim that comes now knows it, too. */
	assert_int_equal(peers_seq(peers, "one"), 100);
	at_seq(150, SHARD_FAILED_OVER "97");
	assert_int_equal(lost(), 100);
	peers_told(peers, "one");
	/* Once, whatever an operator decides. */
	at_seq(99, SHARD_LOST_SEEN);
	at_seq(99, "");
	assert_int_equal(lost(), 0);
	/* The same if it was found otherwise. */
	committed(120, "");
	at_seq(110, SHARD_LOST_SEEN);
	assert_int_equal(lost(), 0);
	at_seq(111, "");
	assert_int_equal(lost(), 0);
	/* Without a failover that it names: it is over by now. */
	committed(130, "");
	at_seq(125, "");
	assert_int_equal(lost(), 130);
}

static void what_was_committed_here_and_is_there_is_not_lost(void **state)
{
	(void)state;
	committed(100, "");
	at_seq(100, "");
	at_seq(101, SHARD_FAILED_OVER "100");
	assert_int_equal(lost(), 0);
	/* Its own commits after a failover. */
	committed(140, SHARD_FAILED_OVER "100");
	at_seq(141, SHARD_FAILED_OVER "100");
	assert_int_equal(lost(), 0);
	/* A reading that began before it was committed. */
	peers_begin(peers, now);
	committed(150, "");
	peers_saw_shard(peers, &(struct shard){ .account = "one", .seq = 145 });
	peers_end(peers);
	assert_int_equal(lost(), 0);
	at_seq(150, "");
	assert_int_equal(lost(), 0);
}

/* The owner ended with the database, and its last answers went through this daemon. */
static void a_failover_is_compared_with_what_was_answered(void **state)
{
	int64_t at;

	(void)state;
	at_seq(95, "");
	peers_heard(peers, "one", 100, -1, now++);
	peers_heard(peers, "one", 99, -1, now++);
	at_seq(98, SHARD_FAILED_OVER "97");
	assert_int_equal(lost(), 100);
	peers_told(peers, "one");
	/* Answers of after the failover. */
	peers_heard(peers, "one", 110, 97, now++);
	at_seq(111, SHARD_FAILED_OVER "97");
	assert_int_equal(lost(), 0);
	/* What this daemon says itself. */
	committed(120, SHARD_FAILED_OVER "97");
	assert_int_equal(peers_newest(peers, "one", &at), 120);
	assert_int_equal(at, 97);
	assert_int_equal(peers_newest(peers, "two", &at), 0);
}

/* A loss that a failed reading has found is found again. */
static void a_loss_is_found_by_a_reading_that_ends(void **state)
{
	(void)state;
	at_seq(95, "");
	committed(100, "");
	peers_begin(peers, now);
	peers_saw_shard(peers, &(struct shard){ .account = "one", .seq = 97 });
	assert_int_equal(lost(), 0);
	at_seq(98, "");
	assert_int_equal(lost(), 100);
}

static void the_clock_goes_on_after_it_was_read(void **state)
{
	(void)state;
	assert_int_equal(peers_clock(peers, now), 0);
	peers_begin(peers, now);
	peers_saw_clock(peers, DB_MS, now + 5);
	assert_int_equal(peers_clock(peers, now), 0);
	peers_end(peers);
	assert_int_equal(peers_clock(peers, now + 5), DB_MS);
	assert_int_equal(peers_clock(peers, now + 1005), DB_MS + 1000);
	/* It was set back. */
	peers_begin(peers, now + 2000);
	peers_saw_clock(peers, DB_MS - 60000, now + 2000);
	peers_end(peers);
	assert_int_equal(peers_clock(peers, now + 2000), DB_MS - 60000);
}

static void two_with_one_address_are_noticed(void **state)
{
	struct store_daemon other;

	(void)state;
	peers_begin(peers, now);
	saw(SELF, "http://127.0.0.1:1", 1);
	saw(OTHER, "http://127.0.0.1:1", 1);
	peers_end(peers);
	/* It may be this one's predecessor, which crashed. */
	assert_int_equal(peers_namesake(peers, now, &other), -1);
	now += 1000;
	peers_begin(peers, now);
	saw(SELF, "http://127.0.0.1:1", 2);
	saw(OTHER, "http://127.0.0.1:1", 2);
	peers_end(peers);
	assert_int_equal(peers_namesake(peers, now, &other), 0);
	assert_string_equal(other.id, OTHER);
	/* It has ended. */
	assert_int_equal(peers_namesake(peers, now + PEERS_SILENT_MS, &other), -1);
	now += 1000;
	peers_begin(peers, now);
	saw(SELF, "http://127.0.0.1:1", 3);
	saw(OTHER, "http://127.0.0.1:2", 3);
	peers_end(peers);
	assert_int_equal(peers_namesake(peers, now, &other), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_owner_is_who_the_row_names, setup, teardown),
		cmocka_unit_test_setup_teardown(an_ownership_ends_with_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_ours_is_served_here, setup, teardown),
		cmocka_unit_test_setup_teardown(a_predecessor_at_the_same_address_is_not_asked,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_reading_that_failed_changes_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_silent_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(each_passing_on_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failover_is_compared_with_what_was_seen, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_failover_is_compared_with_what_was_committed_here,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_committed_here_and_is_there_is_not_lost,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_failover_is_compared_with_what_was_answered,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_loss_is_found_by_a_reading_that_ends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_clock_goes_on_after_it_was_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_loss_that_is_seen_late_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(two_with_one_address_are_noticed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
