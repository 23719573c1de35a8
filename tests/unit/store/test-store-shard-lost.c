/* SPDX-License-Identifier: MIT */
/* Connections that are lost while a commit is under way: what the read-back finds, and what arrives
 * late (T3). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "shard_scratch.h"

/* An owner whose commit waits for what the test does to its connection. */
struct owner {
	struct store *store;
	pthread_t thread;
	int rc;
	int number; /* of its connection */
};

static void *commit(void *arg)
{
	struct owner *o = arg;

	o->rc = store_commit(o->store, NULL);
	return NULL;
}

/* The number of the newest connection. */
static int newest(void)
{
	const char *last;

	pg_proxy_tell(&proxy, "list");
	last = strrchr(proxy.answer, ' ');
	assert_non_null(last);
	return atoi(last);
}

/* Claims, and writes 1. */
static void owner_claim(struct owner *o)
{
	o->store = shard_store(&proxy);
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(o->store, NULL), 0);
	assert_int_equal(shard_write(o->store, 1, NULL), 0);
}

/* Begins to write 2, and commits in a thread, with what `hold` says in the way. */
static void owner_commit(struct owner *o, const char *hold)
{
	o->number = newest();
	shard_write_begin(o->store, 2);
	pg_proxy_tell(&proxy, "hold %s %d", hold, o->number);
	assert_int_equal(pthread_create(&o->thread, NULL, commit, o), 0);
	/* Whichever direction it is, what it waits for is there. */
	if (strcmp(hold, "s2c") == 0) {
		pg_proxy_tell(&proxy, "await ready %d", o->number);
		pg_proxy_tell(&proxy, "await kept s2c %d", o->number);
	} else {
		pg_proxy_tell(&proxy, "await sync %d", o->number);
	}
}

static void owner_begin(struct owner *o, const char *hold)
{
	owner_claim(o);
	owner_commit(o, hold);
}

static void owner_join(struct owner *o)
{
	assert_int_equal(pthread_join(o->thread, NULL), 0);
}

/* It still owns the account, and goes on. */
static void owner_goes_on(struct owner *o, int64_t value)
{
	if (o->rc) {
		/* Its memory is ahead of the database: it starts anew. */
		assert_true(store_broken(o->store));
		assert_int_equal(shard_take(o->store, NULL), 0);
	}
	assert_int_equal(shard_value(PAIR_PRIMARY), value);
	assert_int_equal(shard_write(o->store, 9, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 9);
}

/* The whole batch is held, and comes after the read-back: too late. */
static void what_comes_after_the_read_back_is_refused(void **state)
{
	struct owner o;

	(void)state;
	owner_begin(&o, "c2s");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	owner_join(&o);
	assert_int_equal(o.rc, -1);
	assert_false(store_is_lost(o.store));
	assert_int_equal(shard_value(PAIR_PRIMARY), 1);
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	assert_string_equal(proxy.answer, " 22012");
	owner_goes_on(&o, 1);
}

static void what_comes_before_the_read_back_is_committed(void **state)
{
	struct owner o;

	(void)state;
	owner_begin(&o, "c2s");
	pg_proxy_tell(&proxy, "hold c2s new");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	pg_proxy_tell(&proxy, "await kept c2s %d", o.number + 1);
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	assert_string_equal(proxy.answer, "");
	pg_proxy_tell(&proxy, "pass c2s new");
	pg_proxy_tell(&proxy, "pass c2s all");
	owner_join(&o);
	assert_int_equal(o.rc, 0);
	owner_goes_on(&o, 2);
}

/* The server has the fence, and waits for a Sync that never comes: its backend is ended. */
static void what_waits_for_its_sync_is_ended(void **state)
{
	struct owner o;

	(void)state;
	owner_begin(&o, "sync");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	owner_join(&o);
	assert_int_equal(o.rc, -1);
	assert_false(store_is_lost(o.store));
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	owner_goes_on(&o, 1);
}

/* The read-back waits for the row while the batch is still committing. */
static void what_comes_during_the_read_back_counts(void **state)
{
	struct owner o;

	(void)state;
	owner_begin(&o, "sync");
	pg_proxy_tell(&proxy, "hold sync new");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	pg_proxy_tell(&proxy, "await open %d", o.number + 1);
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "DO 'BEGIN WHILE NOT EXISTS(SELECT FROM pg_locks WHERE NOT granted) LOOP"
		 " PERFORM pg_stat_clear_snapshot(); END LOOP; END'");
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	assert_string_equal(proxy.answer, "");
	pg_proxy_tell(&proxy, "pass c2s new");
	pg_proxy_tell(&proxy, "pass c2s all");
	owner_join(&o);
	assert_int_equal(o.rc, 0);
	owner_goes_on(&o, 2);
}

static void an_answer_that_is_lost_was_a_commit(void **state)
{
	struct owner o;

	(void)state;
	owner_begin(&o, "s2c");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	owner_join(&o);
	assert_int_equal(o.rc, 0);
	assert_false(store_is_lost(o.store));
	owner_goes_on(&o, 2);
}

/* The first read-back is cut, too; it has been done (`is_done`), or it has not and comes late. */
static void read_back_cut(const char *hold, int is_done)
{
	struct owner o;
	int second;

	owner_begin(&o, hold);
	second = o.number + 1;
	pg_proxy_tell(&proxy, "hold sync new");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	pg_proxy_tell(&proxy, "await sync %d", second);
	pg_proxy_tell(&proxy, "pass c2s new");
	if (is_done) {
		pg_proxy_tell(&proxy, "hold s2c %d", second);
		pg_proxy_tell(&proxy, "pass c2s %d", second);
		pg_proxy_tell(&proxy, "await ready %d", second);
	}
	pg_proxy_tell(&proxy, "cut %d", second);
	owner_join(&o);
	assert_int_equal(o.rc, strcmp(hold, "s2c") == 0 ? 0 : -1);
	assert_false(store_is_lost(o.store));
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	if (!is_done)
		pg_proxy_tell(&proxy, "deliver %d", second);
	owner_goes_on(&o, strcmp(hold, "s2c") == 0 ? 2 : 1);
}

static void a_read_back_that_is_cut_is_repeated(void **state)
{
	(void)state;
	read_back_cut("c2s", 0);
}

static void a_commit_and_a_read_back_that_is_cut(void **state)
{
	(void)state;
	read_back_cut("s2c", 0);
}

static void what_a_lost_read_back_found_is_kept(void **state)
{
	(void)state;
	read_back_cut("c2s", 1);
}

static void a_commit_that_a_lost_read_back_found(void **state)
{
	(void)state;
	read_back_cut("s2c", 1);
}

/* Nobody answers: the account is given up. */
static void without_a_server_the_account_is_lost(void **state)
{
	struct owner o;
	struct store *b;

	(void)state;
	owner_begin(&o, "c2s");
	pg_proxy_tell(&proxy, "refuse");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	owner_join(&o);
	assert_int_equal(o.rc, -1);
	assert_true(store_is_lost(o.store));
	/* The same daemon need not wait for its own time to end, another one must. */
	b = shard_store(NULL);
	assert_int_equal(shard_take(b, NULL), 1);
	pg_proxy_tell(&proxy, "accept");
	assert_int_equal(shard_take(o.store, NULL), 0);
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	assert_string_equal(proxy.answer, " 22012");
	o.rc = 0;
	owner_goes_on(&o, 1);
}

/* Taken over while the commit was in doubt. */
static void a_read_back_after_a_takeover_is_a_loss(void **state)
{
	struct owner o;
	struct store *b = shard_store(NULL);

	(void)state;
	owner_begin(&o, "c2s");
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0, "UPDATE shard SET expires_ms = 1");
	assert_int_equal(shard_take(b, NULL), 0);
	assert_int_equal(shard_write(b, 3, NULL), 0);
	pg_proxy_tell(&proxy, "cut %d", o.number);
	owner_join(&o);
	assert_int_equal(o.rc, -1);
	assert_true(store_is_lost(o.store));
	pg_proxy_tell(&proxy, "deliver %d", o.number);
	assert_string_equal(proxy.answer, " 22012");
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
}

/* A claim whose answer is lost is no claim, and one that comes late takes nothing. */
/* The clock moved, and the transaction that would have told the next owner so had no effect. */
static void a_presumption_that_was_not_committed_is_kept(void **state)
{
	const struct shard *own;
	struct owner o;

	(void)state;
	shard_clock_fake();
	owner_claim(&o);
	shard_clock_step(-60);
	assert_int_equal(shard_write(o.store, 1, NULL), 0);
	assert_true(store_shard(o.store)->must_renew);
	owner_commit(&o, "c2s");
	pg_proxy_tell(&proxy, "cut %d", o.number);
	owner_join(&o);
	assert_int_equal(o.rc, -1);
	assert_int_equal(shard_column(PAIR_PRIMARY, "presumed_until_ms"), 0);

	assert_int_equal(shard_take(o.store, NULL), 0);
	own = store_shard(o.store);
	assert_true(own->must_renew);
	assert_true(own->presumed_until_ms >= own->now_ms + 40000);
	assert_int_equal(shard_renew(o.store, NULL), 0);
	own = store_shard(o.store);
	assert_false(own->must_renew);
	assert_true(own->presumed_until_ms >= own->now_ms + 49000);
	assert_true(shard_column(PAIR_PRIMARY, "presumed_until_ms") == own->presumed_until_ms);
}

static void a_claim_that_is_lost_is_none(void **state)
{
	struct store *a = shard_store(&proxy), *b = shard_store(NULL);
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim;
	struct shard own;
	int number = newest();

	(void)state;
	shard_terms.ttl_ms = 60000;
	shard_nonce(nonce);
	claim = shard_terms;
	claim.nonce = nonce;
	pg_proxy_tell(&proxy, "hold c2s %d", number);
	/* Its patience ends. */
	assert_int_equal(shard_claim(a, &claim, &own, NULL), -1);
	assert_null(store_shard(a));
	assert_int_equal(shard_write(a, 1, NULL), -1);
	assert_int_equal(shard_take(b, NULL), 0);
	pg_proxy_tell(&proxy, "deliver %d", number);
	assert_int_equal(shard_write(b, 3, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shard_setup, shard_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_after_the_read_back_is_refused),
		TEST(what_comes_before_the_read_back_is_committed),
		TEST(what_waits_for_its_sync_is_ended),
		TEST(what_comes_during_the_read_back_counts),
		TEST(an_answer_that_is_lost_was_a_commit),
		TEST(a_read_back_that_is_cut_is_repeated),
		TEST(a_commit_and_a_read_back_that_is_cut),
		TEST(what_a_lost_read_back_found_is_kept),
		TEST(a_commit_that_a_lost_read_back_found),
		TEST(without_a_server_the_account_is_lost),
		TEST(a_read_back_after_a_takeover_is_a_loss),
		TEST(a_presumption_that_was_not_committed_is_kept),
		TEST(a_claim_that_is_lost_is_none),
	};

	if (!pair_possible()) {
		puts("SKIP: PostgreSQL is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, shard_group_setup, shard_group_teardown);
}
