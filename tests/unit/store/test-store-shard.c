/* SPDX-License-Identifier: MIT */
/* Claims, renewals and the fence, against a real server. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "shard_scratch.h"
#include "util/log.h"

/* ---- claims -------------------------------------------------------------------------------- */

static void a_claim_is_of_one_owner(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard own, seen;

	(void)state;
	assert_int_equal(shard_take(a, &own), 0);
	assert_int_equal(own.epoch, 1);
	assert_string_equal(own.frozen, "");
	assert_int_equal(own.gap_ms, 0);
	assert_string_equal(store_shard(a)->owner, own.owner);
	assert_true(shard_deadline_mono_ms(a) <= shard_clock_ms() + TTL_MS);
	assert_int_equal(shard_take(b, &seen), 1);
	assert_string_equal(seen.owner, own.owner);
	assert_string_equal(seen.address, "10.0.0.1:8080");
	assert_true(shard_is_held(&seen));
	assert_null(store_shard(b));
	assert_int_equal(shard_deadline_mono_ms(b), 0);
}

static void what_is_yielded_is_free_at_once(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard own;

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	assert_int_equal(shard_yield(a, NULL), 0);
	assert_null(store_shard(a));
	assert_false(store_is_lost(a));
	assert_int_equal(shard_take(b, &own), 0);
	assert_int_equal(own.epoch, 2);
	/* And who gave it up writes nothing more. */
	assert_int_equal(shard_write(a, 2, NULL), -1);
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(store_pause_put(a, "hetzner", 2, NULL), -1);
	assert_int_equal(store_commit(a, NULL), -1);
	assert_int_equal(shard_deadline_mono_ms(a), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 1);
}

/* The daemon's memory is wrong, but the account is still its own: it need not wait to begin anew. */
static void a_broken_store_yields(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_write_begin(a, 2);
	store_break(a);
	assert_int_equal(store_commit(a, NULL), -1);
	assert_false(store_is_lost(a));
	assert_int_equal(shard_yield(a, NULL), 0);
	assert_true(store_broken(a));
	assert_int_equal(shard_take(b, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 0);
}

/* A claim whose answer was lost is none; the next one need not wait for its end. */
static void the_own_nonce_is_not_waited_for(void **state)
{
	struct store *a = shard_store(NULL);
	struct shard own;

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_take(a, &own), 0);
	assert_int_equal(own.epoch, 2);
	assert_int_equal(shard_write(a, 3, NULL), 0);
}

/* Not even if its lost transaction has the row locked. */
static void the_own_lock_is_not_waited_for(void **state)
{
	struct store *a = shard_store(&proxy);
	int64_t value;

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_write_begin(a, 2);
	assert_true(store_pause_get(a, "hetzner", &value, NULL) >= 0);
	/* The server notices nothing. */
	pg_proxy_tell(&proxy, "cut all");
	assert_int_equal(store_commit(a, NULL), -1);
	if (store_shard(a))
		assert_int_equal(shard_take(a, NULL), 0);
	else
		shard_take_over(a, 10000, NULL);
	assert_int_equal(shard_write(a, 3, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
}

#define CLAIMERS 12

struct claimer {
	pthread_t thread;
	pthread_barrier_t *barrier;
	struct store *store;
	int rc;
};

static void *claim_at_once(void *arg)
{
	struct claimer *c = arg;
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim = shard_terms;
	struct shard own;

	shard_nonce(nonce);
	claim.nonce = nonce;
	pthread_barrier_wait(c->barrier);
	c->rc = shard_claim(c->store, &claim, &own, NULL);
	return NULL;
}

static void of_twelve_claimers_one_wins(void **state)
{
	static const char *const accounts[] = { "a", "b", "c" };
	struct claimer claimers[CLAIMERS] = { 0 };
	pthread_barrier_t barrier;

	(void)state;
	pthread_barrier_init(&barrier, NULL, CLAIMERS);
	for (int i = 0; i < CLAIMERS; i++)
		claimers[i] = (struct claimer){ .barrier = &barrier, .store = shard_store(NULL) };
	shard_terms.ttl_ms = 60000;
	for (size_t n = 0; n < 3; n++) {
		int won = 0;

		shard_terms.account = accounts[n];
		for (int i = 0; i < CLAIMERS; i++)
			assert_int_equal(pthread_create(&claimers[i].thread, NULL, claim_at_once,
							&claimers[i]),
					 0);
		for (int i = 0; i < CLAIMERS; i++) {
			assert_int_equal(pthread_join(claimers[i].thread, NULL), 0);
			assert_true(claimers[i].rc >= 0);
			won += claimers[i].rc == 0;
		}
		assert_int_equal(won, 1);
		assert_int_equal(shard_column(PAIR_PRIMARY, "epoch"), 1);
	}
	pthread_barrier_destroy(&barrier);
}

/* ---- the fence ------------------------------------------------------------------------------ */

static void a_deposed_owner_writes_nothing(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct err err = { 0 };
	int64_t epoch;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	shard_take_over(b, 10000, NULL);
	assert_int_equal(shard_write(a, 2, &err), -1);
	assert_true(store_is_lost(a));
	assert_true(store_broken(a));
	assert_int_equal(shard_deadline_mono_ms(a), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 1);
	assert_int_equal(shard_write(b, 3, NULL), 0);
	epoch = store_shard(b)->epoch;
	/* It may claim again, as if it were new. */
	shard_take_over(a, 10000, NULL);
	assert_false(store_is_lost(a));
	assert_int_equal(store_shard(a)->epoch, epoch + 1);
	assert_int_equal(shard_write(a, 4, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 4);
}

/* The module has a log of its own, whose lines must be where all others are. */
static void a_loss_is_in_the_log_of_the_program(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	char line[1024] = "";
	int ends[2];

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_take_over(b, 10000, NULL);
	assert_int_equal(pipe(ends), 0);
	log_setup(ends[1], LOG_JSON, LOG_LEVEL_WARNING);
	assert_int_equal(shard_write(a, 2, NULL), -1);
	log_setup(STDERR_FILENO, LOG_HUMAN, LOG_LEVEL_INFO);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	assert_int_equal(line[0], '{');
	assert_non_null(strstr(line, "hetzner is no longer owned"));
	close(ends[0]);
	close(ends[1]);
}

static void each_commit_renews(void **state)
{
	struct store *a = shard_store(NULL);
	int64_t seq, expires_ms, deadline_ms;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	seq = store_shard(a)->seq;
	expires_ms = store_shard(a)->expires_ms;
	deadline_ms = shard_deadline_mono_ms(a);
	while (shard_clock_ms() < deadline_ms - TTL_MS / 2)
		;
	assert_int_equal(shard_renew(a, NULL), 0);
	assert_int_equal(store_shard(a)->seq, seq + 1);
	assert_true(store_shard(a)->expires_ms > expires_ms);
	assert_true(shard_deadline_mono_ms(a) > deadline_ms);
	assert_true(store_shard(a)->gap_ms >= TTL_MS / 2 - 1);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	assert_int_equal(shard_column(PAIR_PRIMARY, "seq"), seq + 2);
	assert_int_equal(store_shard(a)->seq, seq + 2);
}

/* What a read finds out counts as what a commit does. */
static void a_read_in_a_transaction_notices_too(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	int64_t value;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_take_over(b, 10000, NULL);
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(store_pause_get(a, "hetzner", &value, NULL), -1);
	store_rollback(a);
	assert_true(store_is_lost(a));
}

/* A statement that fails undoes its transaction, and is no loss of the account. */
static void another_error_loses_nothing(void **state)
{
	struct store *a = shard_store(NULL);
	int64_t seq;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	seq = store_shard(a)->seq;
	shard_write_begin(a, 5);
	assert_int_equal(store_pause_put(a, "", INT64_MIN, NULL), 0);
	assert_int_equal(shard_freeze(a, "a \xff b", NULL), 0);
	store_rollback(a);
	assert_false(store_is_lost(a));
	assert_int_equal(store_shard(a)->seq, seq);
	assert_int_equal(shard_write(a, 6, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 6);
}

static void standing_read(void *arg, const struct shard *row)
{
	struct shard_standing *ret = arg;

	*ret = row->standing;
}

/* What an owner tells of its account others read, until the next claim. */
static void what_is_told_is_of_one_claim(void **state)
{
	const struct shard_standing blocked = { .blocked_class = 2,
						.why = "the token is refused",
						.verified_ms = 1787306400000 };
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard_standing told = { .is_fenced = 1 };

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shards_each(b, standing_read, &told, NULL), 0);
	assert_int_equal(told.is_fenced, 0);
	shard_write_begin(a, 7);
	assert_int_equal(shard_tell(a, &blocked, NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_int_equal(shards_each(b, standing_read, &told, NULL), 0);
	assert_int_equal(told.blocked_class, 2);
	assert_string_equal(told.why, "the token is refused");
	assert_int_equal(told.verified_ms, 1787306400000);
	assert_int_equal(shard_yield(a, NULL), 0);
	assert_int_equal(shard_take(b, NULL), 0);
	assert_int_equal(shards_each(a, standing_read, &told, NULL), 0);
	assert_int_equal(told.blocked_class, 0);
	assert_string_equal(told.why, "");
	assert_int_equal(told.verified_ms, 0);
}

/* ---- an owner that is stopped ----------------------------------------------------------------- */

struct owner {
	pid_t pid;
	int answer; /* a pipe */
};
static pid_t left_behind; /* by a test that failed */

struct owner_answer {
	int rc, is_lost, read_rc;
};

/* In a process of its own: claims, writes, stops itself before the Sync, and commits. */
static void owner_run(int answer, int is_fence_sent)
{
	struct store *own = shard_store(NULL);
	struct owner_answer told = { 0 };
	int64_t value;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (shard_take(own, NULL) != 0 || shard_write(own, 1, NULL))
		_exit(1);
	shard_write_begin(own, 2);
	/* A read makes the server work on what was sent. */
	if (is_fence_sent && store_pause_get(own, "hetzner", &value, NULL) < 0)
		_exit(1);
	raise(SIGSTOP);
	told.rc = store_commit(own, NULL);
	told.is_lost = store_is_lost(own);
	told.read_rc = store_pause_get(own, "hetzner", &value, NULL);
	(void)!write(answer, &told, sizeof(told));
	/* The session stays open until the test has looked at it. */
	raise(SIGSTOP);
	_exit(0);
}

static void owner_start(struct owner *o, int is_fence_sent)
{
	int answer[2], status;

	assert_int_equal(pipe(answer), 0);
	o->pid = fork();
	assert_true(o->pid >= 0);
	if (!o->pid)
		owner_run(answer[1], is_fence_sent);
	left_behind = o->pid;
	assert_int_equal(waitpid(o->pid, &status, WUNTRACED), o->pid);
	assert_true(WIFSTOPPED(status));
	close(answer[1]);
	o->answer = answer[0];
}

static struct owner_answer owner_continue(struct owner *o)
{
	struct owner_answer told;
	int status;

	assert_int_equal(kill(o->pid, SIGCONT), 0);
	assert_int_equal(waitpid(o->pid, &status, WUNTRACED), o->pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(read(o->answer, &told, sizeof(told)), sizeof(told));
	return told;
}

static void owner_end(struct owner *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
	close(o->answer);
	left_behind = 0;
}

static int owner_teardown(void **state)
{
	if (left_behind) {
		kill(left_behind, SIGKILL);
		waitpid(left_behind, NULL, 0);
		left_behind = 0;
	}
	return shard_teardown(state);
}

/* T2: its batch comes after the takeover, and nothing of it counts. */
static void a_stopped_owner_comes_too_late(void **state)
{
	struct store *b = shard_store(NULL);
	struct owner owner;
	struct owner_answer told;
	char busy[8];

	(void)state;
	owner_start(&owner, 0);
	shard_take_over(b, 10000, NULL);
	assert_int_equal(shard_write(b, 3, NULL), 0);
	told = owner_continue(&owner);
	assert_int_equal(told.rc, -1);
	assert_true(told.is_lost);
	/* Its connection works, in no failed transaction. */
	assert_true(told.read_rc >= 0);
	pair_sql(&pair, PAIR_PRIMARY, database, busy, sizeof(busy),
		 "SELECT count(*) FROM pg_stat_activity WHERE usename = 'lessor' AND state <> 'idle'");
	assert_string_equal(busy, "0");
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
	owner_end(&owner);
}

/* T12: it has the row locked, and no timeout of the server ends that. */
static void a_stopped_owner_that_holds_the_lock_is_taken_over(void **state)
{
	struct store *b = shard_store(NULL);
	struct owner owner;
	struct owner_answer told;

	(void)state;
	shard_terms.ttl_ms = SHARD_TTL_MS;
	owner_start(&owner, 1);
	assert_true(shard_take_over(b, 20000, NULL) <= 6000);
	assert_int_equal(shard_write(b, 3, NULL), 0);
	told = owner_continue(&owner);
	assert_int_equal(told.rc, -1);
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
	owner_end(&owner);
}

/* Whoever is alive is waited for, and not ended. */
static void a_living_owner_keeps_its_lock(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	char nonce[SHARD_NONCE_CHARS + 1];
	struct shard_claim claim;
	struct shard own;
	int64_t value;
	int rc;

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_write_begin(a, 2);
	assert_true(store_pause_get(a, "hetzner", &value, NULL) >= 0);
	shard_nonce(nonce);
	claim = shard_terms;
	claim.nonce = nonce;
	rc = shard_claim(b, &claim, &own, NULL);
	assert_int_not_equal(rc, 0);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_int_equal(shard_value(PAIR_PRIMARY), 2);
}

/* ---- what else is in the row ------------------------------------------------------------------ */

static void what_the_owner_writes_into_its_row(void **state)
{
	struct store *a = shard_store(NULL);
	const struct shard *own;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_freeze(a, "the holder is not ours", NULL), 0);
	assert_int_equal(shard_gen_put(a, 7, NULL), 0);
	assert_int_equal(shard_presume(a, 40000, NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	own = store_shard(a);
	assert_string_equal(own->frozen, "the holder is not ours");
	assert_int_equal(own->gen, 7);
	assert_true(own->presumed_until_ms >= own->renewed_ms + 39000);
	assert_int_equal(shard_column(PAIR_PRIMARY, "gen"), 7);
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_freeze(a, "", NULL), 0);
	assert_int_equal(shard_gen_put(a, 5, NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_int_equal(shard_renew(a, NULL), 0);
	own = store_shard(a);
	assert_string_equal(own->frozen, "");
	assert_int_equal(own->gen, 7);
	assert_true(own->presumed_until_ms > own->now_ms);
}

static void a_database_that_has_lost_something_is_frozen(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard own;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_terms.seen_seq = store_shard(a)->seq;
	shard_take_over(b, 10000, &own);
	assert_string_equal(own.frozen, "");
	assert_int_equal(own.presumed_until_ms, 0);
	shard_terms.seen_seq = own.seq + 1;
	shard_take_over(a, 10000, &own);
	assert_string_not_equal(own.frozen, "");
	assert_true(own.presumed_until_ms >= own.now_ms + 49000);
	/* It stays frozen until somebody has looked. */
	shard_terms.seen_seq = own.seq;
	shard_take_over(b, 10000, &own);
	assert_string_not_equal(own.frozen, "");
}

/* After a failover: another daemon, which has seen more, tells before the owner goes on. */
static void who_has_seen_more_tells(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard row;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_freeze(a, SHARD_FAILED_OVER "90", NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	row = *store_shard(a);
	assert_int_equal(shards_failed_over_at(&row), 90);
	assert_true(shard_thaws_by_itself(&row));
	assert_int_equal(shards_doubt(b, row.account, 90, 50000, NULL), 0);
	assert_int_equal(shard_renew(a, NULL), 0);
	assert_string_equal(store_shard(a)->frozen, row.frozen);
	assert_int_equal(shards_doubt(b, row.account, 91, 50000, NULL), 0);
	/* The owner has not read that yet. */
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_thaw(a, row.frozen, NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_string_equal(store_shard(a)->frozen, SHARD_LOST_SEEN);
	assert_false(shard_thaws_by_itself(store_shard(a)));
	assert_true(store_shard(a)->presumed_until_ms >= row.now_ms + 50000);
	assert_int_equal(shards_doubt(b, row.account, 92, 50000, NULL), 0);
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_thaw(a, SHARD_LOST_SEEN, NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_string_equal(store_shard(a)->frozen, "");
}

/* The failover is over, or the account was not claimed since. */
static void who_tells_late_is_heard(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shards_doubt(b, store_shard(a)->account, 91, 50000, NULL), 0);
	assert_int_equal(shard_renew(a, NULL), 0);
	assert_string_equal(store_shard(a)->frozen, SHARD_LOST_SEEN);
	assert_true(store_shard(a)->presumed_until_ms >= store_shard(a)->now_ms + 40000);
	/* What is found to be ahead says more. */
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_freeze(a, "ahead", NULL), 0);
	assert_int_equal(store_commit(a, NULL), 0);
	assert_int_equal(shards_doubt(b, store_shard(a)->account, 92, 50000, NULL), 0);
	assert_int_equal(shard_renew(a, NULL), 0);
	assert_string_equal(store_shard(a)->frozen, "ahead");
}

static void the_gap_of_a_claim(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard own;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_true(shard_take_over(b, 10000, &own) >= TTL_MS / 2);
	assert_true(own.gap_ms >= TTL_MS && own.gap_ms < 20000);
}

static int credit(struct store *store)
{
	if (store_begin(store, NULL))
		return -1;
	return shard_credit(store, NULL) ? -1 : store_commit(store, NULL);
}

/* Leases are credited after the transaction that measured the gap, or by the next owner. */
static void a_gap_is_told_until_it_is_credited(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard own;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shard_renew(a, NULL), 0);
	assert_int_equal(credit(a), 0);
	shard_take_over(b, 10000, &own);
	assert_in_range(own.gap_ms, TTL_MS, 2 * TTL_MS - 1);
	assert_true(own.is_owed);
	/* One that loads and renews, and dies before it has credited. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(shard_renew(b, NULL), 0);
	assert_true(store_shard(b)->is_owed);
	shard_take_over(a, 10000, &own);
	assert_in_range(own.gap_ms, 2 * TTL_MS, 3 * TTL_MS - 1);
	/* Nor does a credit count that was not committed. */
	assert_int_equal(store_begin(a, NULL), 0);
	assert_int_equal(shard_credit(a, NULL), 0);
	store_rollback(a);
	shard_take_over(b, 10000, &own);
	assert_in_range(own.gap_ms, 3 * TTL_MS, 4 * TTL_MS - 1);
	assert_int_equal(own.gaps_ms, own.gap_ms);
	assert_int_equal(credit(b), 0);
	/* The sum stays: whoever was told of it counts from there. */
	assert_true(store_shard(b)->gaps_ms >= own.gaps_ms);
	shard_take_over(a, 10000, &own);
	assert_in_range(own.gap_ms, TTL_MS, 2 * TTL_MS - 1);
}

/* What was credited is not told again, and short pauses are none. */
static void only_a_gap_is_owed(void **state)
{
	struct store *a = shard_store(NULL);
	int64_t renewed_ms;

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_false(store_shard(a)->is_owed);
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "UPDATE shard SET renewed_ms = renewed_ms - 100000, watched_ms = 0");
	assert_int_equal(shard_yield(a, NULL), 0);
	assert_int_equal(shard_take(a, NULL), 0);
	assert_true(store_shard(a)->gap_ms >= 100000);
	assert_true(store_shard(a)->is_owed);
	renewed_ms = store_shard(a)->renewed_ms;
	assert_int_equal(credit(a), 0);
	assert_false(store_shard(a)->is_owed);
	assert_int_equal(shard_column(PAIR_PRIMARY, "watched_ms"), renewed_ms);
	for (int i = 0; i < 2; i++) {
		renewed_ms = store_shard(a)->renewed_ms;
		assert_int_equal(shard_renew(a, NULL), 0);
		assert_int_equal(shard_column(PAIR_PRIMARY, "watched_ms"), renewed_ms);
	}
}

/* ---- clocks ------------------------------------------------------------------------------------- */

static void a_clock_that_moves_presumes_permits(void **state)
{
	struct store *a;
	const struct shard *own;
	int64_t gaps_ms;

	(void)state;
	shard_clock_fake();
	a = shard_store(NULL);
	shard_terms.ttl_ms = 60000;
	for (int step = -60; step <= 60; step += 120) {
		assert_int_equal(shard_take(a, NULL), 0);
		assert_int_equal(shard_renew(a, NULL), 0);
		pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
			 "UPDATE shard SET presumed_until_ms = 0");
		assert_int_equal(shard_renew(a, NULL), 0);
		assert_int_equal(store_shard(a)->presumed_until_ms, 0);
		shard_clock_step(step);
		assert_int_equal(shard_write(a, 1, NULL), 0);
		own = store_shard(a);
		/* At once for the owner, and for others with a renewal that must not wait. */
		assert_true(own->presumed_until_ms >= own->now_ms + 49000);
		assert_true(step < 0 ? own->gap_ms < 30000 : own->gap_ms >= 60000);
		assert_true(own->must_renew);
		assert_int_equal(shard_column(PAIR_PRIMARY, "presumed_until_ms"), 0);
		assert_int_equal(shard_renew(a, NULL), 0);
		own = store_shard(a);
		assert_false(own->must_renew);
		assert_true(own->presumed_until_ms >= own->now_ms + 40000);
		assert_true(shard_column(PAIR_PRIMARY, "presumed_until_ms") ==
			    own->presumed_until_ms);
		/* A renewal that finds it does both, and the second one does not hide the gap. */
		pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
			 "UPDATE shard SET presumed_until_ms = 0");
		gaps_ms = store_shard(a)->gaps_ms;
		assert_true(step < 0 ? gaps_ms < 30000 : gaps_ms >= 60000);
		shard_clock_step(step);
		assert_int_equal(shard_renew(a, NULL), 0);
		own = store_shard(a);
		assert_true(own->gap_ms < 30000);
		if (step < 0)
			assert_int_equal(own->gaps_ms, gaps_ms);
		else
			assert_true(own->gaps_ms >= gaps_ms + 60000 && own->is_owed);
		assert_false(own->must_renew);
		assert_true(own->presumed_until_ms >= own->now_ms + 40000);
		assert_true(shard_column(PAIR_PRIMARY, "presumed_until_ms") ==
			    own->presumed_until_ms);
		/* Once. */
		assert_int_equal(shard_renew(a, NULL), 0);
		assert_int_equal(store_shard(a)->presumed_until_ms, own->presumed_until_ms);
	}
}

/* Its owner died before it could renew by that clock. */
static void a_clock_that_is_set_back_keeps_nobody_out(void **state)
{
	struct store *a, *b;
	struct shard row;

	(void)state;
	shard_clock_fake();
	a = shard_store(NULL);
	b = shard_store(NULL);
	shard_terms.ttl_ms = SHARD_TTL_MS;
	assert_int_equal(shard_take(a, NULL), 0);
	shard_clock_step(-3600);
	/* If it lives, it is simply not the owner any longer. */
	assert_int_equal(shard_take(b, &row), 0);
	assert_int_equal(shard_write(a, 1, NULL), -1);
	assert_true(store_is_lost(a));
	/* A clock that is corrected a little is no reason. */
	shard_clock_step(-10);
	assert_int_equal(shard_take(a, &row), 1);
	assert_true(shard_is_held(&row));
	row.now_ms -= 3600 * 1000;
	assert_false(shard_is_held(&row));
}

/* ---- the list ------------------------------------------------------------------------------------ */

struct listed {
	char names[64];
	int held;
};

static void row_add(void *arg, const struct shard *row)
{
	struct listed *l = arg;

	strncat(l->names, row->account, sizeof(l->names) - strlen(l->names) - 1);
	strncat(l->names, " ", sizeof(l->names) - strlen(l->names) - 1);
	l->held += shard_is_held(row);
}

static void all_rows_are_read(void **state)
{
	static const char *const accounts[] = { "zebra", "hetzner", "apple" };
	struct store *a = shard_store(NULL), *b = shard_store(NULL), *reader;
	struct listed listed = { .held = 0 };
	char url[256];

	(void)state;
	shard_terms.ttl_ms = 60000;
	assert_int_equal(shard_take(a, NULL), 0);
	assert_int_equal(shards_make(b, accounts, 3, NULL), 0);
	assert_int_equal(shards_make(b, accounts, 2, NULL), 0);
	assert_int_equal(shards_each(b, row_add, &listed, NULL), 0);
	assert_string_equal(listed.names, "apple hetzner zebra ");
	assert_int_equal(listed.held, 1);
	/* A reader may look, too. */
	pair_url(&pair, NULL, database, url, sizeof(url));
	assert_int_equal(store_open_reader(url, &reader, NULL), 0);
	listed = (struct listed){ .held = 0 };
	assert_int_equal(shards_each(reader, row_add, &listed, NULL), 0);
	store_close(reader);
	assert_string_equal(listed.names, "apple hetzner zebra ");
	assert_int_equal(listed.held, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shard_setup, shard_teardown)
#define OWNER(name) cmocka_unit_test_setup_teardown(name, shard_setup, owner_teardown)

/* ---- a newer lessord ------------------------------------------------------------------------ */

static void schema_set(int number, int oldest)
{
	char text[8];

	pair_sql(&pair, PAIR_PRIMARY, database, text, sizeof(text),
		 "UPDATE lessor_schema SET number = %d, oldest = %d", number, oldest);
}

static void assert_too_old(const struct err *err)
{
	assert_int_equal(err->kind, ERR_REFUSED);
	if (!strstr(err->text, "install the newer version here, too"))
		fail_msg("%s", err->text);
}

/* It upgrades the database while this one runs: what it may still write is the newer one's to say. */
static void a_newer_schema_ends_what_it_excludes(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct shard_claim claim = shard_terms;
	char nonce[SHARD_NONCE_CHARS + 1];
	struct err err = { 0 };
	struct shard row;
	char text[8];
	int64_t value;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	schema_set(99, 15);
	assert_int_equal(shard_write(a, 1, NULL), 0);
	assert_int_equal(shard_write(b, 2, NULL), 0);
	/* An upgrade that excludes older ones waits for what they write. */
	shard_write_begin(a, 3);
	assert_true(store_pause_get(a, "hetzner", &value, NULL) >= 0);
	pair_sql(&pair, PAIR_PRIMARY, database, text, sizeof(text),
		 "SELECT count(*) FROM pg_locks WHERE relation = 'shard'::regclass AND granted"
		 " AND mode = 'RowExclusiveLock'");
	assert_string_equal(text, "1");
	assert_int_equal(store_commit(a, NULL), 0);
	schema_set(99, 98);
	assert_int_equal(shard_write(a, 4, NULL), -1);
	assert_true(store_is_lost(a));
	/* Nor does it claim again, and who has no account writes nothing either. */
	shard_nonce(nonce);
	claim.nonce = nonce;
	assert_int_equal(shard_claim(a, &claim, &row, &err), -1);
	assert_too_old(&err);
	assert_int_equal(shard_write(b, 5, &err), -1);
	assert_too_old(&err);
	assert_int_equal(shard_value(PAIR_PRIMARY), 3);
	assert_true(store_pause_get(b, "hetzner", &value, NULL) >= 0);
	schema_set(15, 13);
	shard_take_over(a, 10000, NULL);
	assert_int_equal(shard_write(a, 6, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_claim_is_of_one_owner),
		TEST(what_is_yielded_is_free_at_once),
		TEST(a_broken_store_yields),
		TEST(the_own_nonce_is_not_waited_for),
		TEST(the_own_lock_is_not_waited_for),
		TEST(of_twelve_claimers_one_wins),
		TEST(a_deposed_owner_writes_nothing),
		TEST(a_loss_is_in_the_log_of_the_program),
		TEST(each_commit_renews),
		TEST(a_read_in_a_transaction_notices_too),
		TEST(another_error_loses_nothing),
		TEST(what_is_told_is_of_one_claim),
		OWNER(a_stopped_owner_comes_too_late),
		OWNER(a_stopped_owner_that_holds_the_lock_is_taken_over),
		TEST(a_living_owner_keeps_its_lock),
		TEST(what_the_owner_writes_into_its_row),
		TEST(a_database_that_has_lost_something_is_frozen),
		TEST(who_has_seen_more_tells),
		TEST(a_newer_schema_ends_what_it_excludes),
		TEST(who_tells_late_is_heard),
		TEST(the_gap_of_a_claim),
		TEST(a_gap_is_told_until_it_is_credited),
		TEST(only_a_gap_is_owed),
		TEST(a_clock_that_moves_presumes_permits),
		TEST(a_clock_that_is_set_back_keeps_nobody_out),
		TEST(all_rows_are_read),
	};

	if (!pair_possible()) {
		puts("SKIP: PostgreSQL is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, shard_group_setup, shard_group_teardown);
}
