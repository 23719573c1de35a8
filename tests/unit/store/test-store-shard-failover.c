/* SPDX-License-Identifier: MIT */
/* A primary, its standby, and owners that know only one of them (T5); commits that only one has (R18). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "shard_scratch.h"

static int pair_setup(void **state)
{
	if (shard_group_setup(state))
		return -1;
	pair_standby_add(&pair);
	return 0;
}

/* Each of these tests ends with one server less. */
static int failover_setup(void **state)
{
	return pair_setup(state) || shard_setup(state) ? -1 : 0;
}

static int failover_teardown(void **state)
{
	shard_teardown(state);
	return shard_group_teardown(state);
}

/* From now on the proxy leads to the standby, which has been promoted. */
static void promote(void)
{
	char path[128];

	pair_promote(&pair);
	pair_socket(&pair, PAIR_STANDBY, path, sizeof(path));
	pg_proxy_tell(&proxy, "target %s", path);
}

static void *commit(void *arg)
{
	return store_commit(arg, NULL) ? arg : NULL;
}

/*
 * T5: B takes over from A and acknowledges; the promoted standby has seen nothing of that, and its
 * row says that A is the owner, with A's last seq. A must not go on.
 */
static void a_deposed_owner_is_none_after_a_fail_over(void **state)
{
	struct store *a = shard_store(&proxy), *b = shard_store(NULL), *c;
	struct shard own;

	(void)state;
	pair_sync(&pair, 1);
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	pair_sync(&pair, 0);
	pair_cut(&pair);
	shard_take_over(b, 10000, NULL);
	assert_int_equal(shard_write(b, 2, NULL), 0);
	shard_terms.seen_seq = 0;
	promote();
	assert_int_equal(shard_column(PAIR_STANDBY, "epoch"), 1);
	assert_int_equal(shard_column(PAIR_STANDBY, "seq"), store_shard(a)->seq);
	/* Its connection is gone, and it writes on a new one. */
	pg_proxy_tell(&proxy, "kill all");
	assert_int_equal(shard_write(a, 3, NULL), -1);
	assert_true(store_is_lost(a));
	assert_int_equal(shard_value(PAIR_STANDBY), 1);
	/* Who claims next knows that something may be missing, though nobody saw more than there is. */
	c = shard_store(&proxy);
	assert_int_equal(shard_take(c, &own), 0);
	assert_string_not_equal(own.frozen, "");
	assert_true(own.presumed_until_ms >= own.now_ms + 49000);
	assert_int_equal(shard_write(c, 5, NULL), 0);
	assert_int_equal(shard_value(PAIR_STANDBY), 5);
}

/*
 * Nobody was in between, and the connection is lost during a commit: the read-back comes to another
 * database, where it proves nothing.
 */
static void a_read_back_is_of_the_same_database(void **state)
{
	struct store *a = shard_store(&proxy);
	struct shard own;
	pthread_t thread;
	void *failed;

	(void)state;
	pair_sync(&pair, 1);
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	pair_cut(&pair);
	promote();
	shard_write_begin(a, 2);
	pg_proxy_tell(&proxy, "hold c2s all");
	assert_int_equal(pthread_create(&thread, NULL, commit, a), 0);
	pg_proxy_tell(&proxy, "await sync all");
	pg_proxy_tell(&proxy, "kill all");
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_non_null(failed);
	assert_true(store_is_lost(a));
	assert_int_equal(shard_value(PAIR_STANDBY), 1);
	/* It has to claim anew, even though its own row is there. */
	assert_int_equal(shard_take(a, &own), 0);
	assert_string_not_equal(own.frozen, "");
}

/* An epoch is given out twice: by the lost primary, and by the promoted standby. */
static void two_owners_of_one_epoch_differ(void **state)
{
	struct store *a, *b;

	(void)state;
	pair_sync(&pair, 1);
	a = shard_store(&proxy);
	assert_int_equal(shards_make(a, &shard_terms.account, 1, NULL), 0);
	pair_sync(&pair, 0);
	pair_cut(&pair);
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	promote();
	b = shard_store(&proxy);
	assert_int_equal(shard_take(b, NULL), 0);
	assert_int_equal(store_shard(b)->epoch, store_shard(a)->epoch);
	assert_int_equal(store_shard(b)->seq, store_shard(a)->seq);
	pg_proxy_tell(&proxy, "kill all");
	assert_int_equal(shard_write(a, 2, NULL), -1);
	assert_true(store_is_lost(a));
	assert_int_equal(shard_value(PAIR_STANDBY), 0);
	assert_int_equal(shard_write(b, 3, NULL), 0);
}

/* ---- standbys that must confirm ----------------------------------------------------------------- */

static void until_a_commit_waits(void)
{
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "DO 'BEGIN WHILE NOT EXISTS(SELECT FROM pg_stat_activity WHERE wait_event = ''SyncRep''"
		 " AND usename = ''lessor'') LOOP PERFORM pg_stat_clear_snapshot(); END LOOP; END'");
}

static void without_a_standby_there_is_no_claim(void **state)
{
	struct store *a = shard_store(NULL);
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim;
	struct shard own;
	struct err err = { 0 };

	(void)state;
	shard_terms.require_sync = 1;
	shard_nonce(nonce);
	claim = shard_terms;
	claim.nonce = nonce;
	assert_int_equal(shard_claim(a, &claim, &own, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	pair_sync(&pair, 1);
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	/* As after a fail-over to a server that waits for nobody. */
	pair_sync(&pair, 0);
	assert_int_equal(shard_write(a, 2, NULL), -1);
	assert_true(store_is_lost(a));
	assert_int_equal(shard_value(PAIR_PRIMARY), 1);
}

/* The standby stops confirming: nothing is acknowledged, and in the end the account is lost. */
static void what_no_standby_has_is_not_acknowledged(void **state)
{
	struct store *a = shard_store(NULL);

	(void)state;
	pair_sync(&pair, 1);
	shard_terms.require_sync = 1;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	pg_proxy_tell(&pair.link, "hold c2s all");
	assert_int_equal(shard_write(a, 2, NULL), -1);
	assert_true(store_is_lost(a));
	pg_proxy_tell(&pair.link, "pass c2s all");
	shard_take_over(a, 10000, NULL);
	assert_int_equal(shard_write(a, 3, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
	pair_sync(&pair, 0);
}

/* An administrator cancels the wait: the server says "committed", with a warning. */
static void a_commit_with_a_warning_is_read_back(void **state)
{
	struct store *a = shard_store(NULL);
	pthread_t thread;
	void *failed;

	(void)state;
	pair_sync(&pair, 1);
	shard_terms.require_sync = 1;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	pg_proxy_tell(&pair.link, "hold c2s all");
	shard_write_begin(a, 2);
	assert_int_equal(pthread_create(&thread, NULL, commit, a), 0);
	until_a_commit_waits();
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
	/* The read-back waits, too; only its answer counts. */
	until_a_commit_waits();
	pg_proxy_tell(&pair.link, "pass c2s all");
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(shard_column(PAIR_PRIMARY, "seq"), store_shard(a)->seq);
	assert_int_equal(store_shard(a)->seq, 4); /* the claim, the write, and the read-back's two */
	assert_int_equal(shard_write(a, 3, NULL), 0);
	pair_sync(&pair, 0);
}

/* Cut while the server waits for the standby: it has committed, but so far for itself only. */
static void a_commit_that_waits_is_cut(void **state)
{
	struct store *a = shard_store(&proxy);
	pthread_t thread;
	void *failed;

	(void)state;
	pair_sync(&pair, 1);
	shard_terms.require_sync = 1;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	pg_proxy_tell(&pair.link, "hold c2s all");
	shard_write_begin(a, 2);
	assert_int_equal(pthread_create(&thread, NULL, commit, a), 0);
	until_a_commit_waits();
	pg_proxy_tell(&proxy, "cut all");
	/* The old backend, which holds the lock, is ended; then the read-back waits. */
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "DO 'BEGIN WHILE NOT EXISTS(SELECT FROM pg_stat_activity WHERE wait_event = ''SyncRep''"
		 " AND usename = ''lessor'' AND query_start > (SELECT min(backend_start) FROM"
		 " pg_stat_activity WHERE pid = pg_backend_pid()))"
		 " LOOP PERFORM pg_stat_clear_snapshot(); END LOOP; END'");
	pg_proxy_tell(&pair.link, "pass c2s all");
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(shard_value(PAIR_PRIMARY), 2);
	assert_int_equal(shard_write(a, 3, NULL), 0);
	pair_sync(&pair, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shard_setup, shard_teardown)
#define FAILOVER(name) cmocka_unit_test_setup_teardown(name, failover_setup, failover_teardown)

int main(void)
{
	const struct CMUnitTest failovers[] = {
		FAILOVER(a_deposed_owner_is_none_after_a_fail_over),
		FAILOVER(a_read_back_is_of_the_same_database),
		FAILOVER(two_owners_of_one_epoch_differ),
	};
	const struct CMUnitTest standbys[] = {
		TEST(without_a_standby_there_is_no_claim),
		TEST(what_no_standby_has_is_not_acknowledged),
		TEST(a_commit_with_a_warning_is_read_back),
		TEST(a_commit_that_waits_is_cut),
	};

	if (!pair_possible()) {
		puts("SKIP: PostgreSQL is not installed");
		return 77;
	}
	return cmocka_run_group_tests(standbys, pair_setup, shard_group_teardown) +
	       cmocka_run_group_tests(failovers, NULL, NULL);
}
