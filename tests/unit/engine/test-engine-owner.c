/* SPDX-License-Identifier: MIT */
/*
 * When a daemon claims an account, on PostgreSQL. The daemons' clock stands still unless the test
 * moves it: what is claimed at once is claimed without waiting for anything.
 */
#include <stdlib.h>
#include <string.h>

#include "driver/postgres.h"
#include "engine/owner.h"
#include "unit/test.h"
#include "util/text.h"

#define ACCOUNT "north"
#define DAEMONS 3

/* In the order in which they should own the account. */
static const char *const ids[DAEMONS] = { "first", "second", "third" };
static struct postgres *pg;
static const char *url;
static int64_t now_ms;

struct side {
	size_t place;
	struct env env;
	struct owner_config config;
	struct owner *owner;
	struct store *store; /* while it owns the account */
	_Atomic int64_t last_move_ms;
	int64_t told_seq; /* that it committed */
	char told_frozen[128];
};

static struct side sides[DAEMONS];

static int64_t mono_ms(void *data)
{
	(void)data;
	return now_ms;
}

static size_t rank(void *arg, const char *account, const char *without)
{
	const struct side *side = arg;
	size_t count = 0;

	assert_string_equal(account, ACCOUNT);
	for (size_t i = 0; i < side->place; i++)
		count += strcmp(ids[i], without) != 0;
	return count;
}

static void committed(void *arg, const struct shard *row)
{
	struct side *side = arg;

	assert_string_equal(row->account, ACCOUNT);
	side->told_seq = row->seq;
	TEXT_SET(side->told_frozen, row->frozen);
}

static int setup(void **state)
{
	(void)state;
	postgres_clear(url);
	now_ms = 1000;
	for (size_t i = 0; i < DAEMONS; i++) {
		struct side *side = &sides[i];

		memset(side, 0, sizeof(*side));
		side->place = i;
		env_system(&side->env);
		side->env.mono_ms = mono_ms;
		side->config = (struct owner_config){
			.store = url,
			.env = &side->env,
			.self = ids[i],
			.rank = rank,
			.committed = committed,
			.arg = side,
		};
		side->owner = owner_new(&side->config, ACCOUNT, &side->last_move_ms);
	}
	return 0;
}

static void end(struct side *side, int yield)
{
	const struct engine_ownership *ownership = owner_ownership(side->owner);

	if (side->store)
		ownership->end(ownership->arg, side->store, yield);
	side->store = NULL;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < DAEMONS; i++) {
		end(&sides[i], 0);
		owner_free(sides[i].owner);
	}
	return 0;
}

/* Is it the owner now? */
static int claims(struct side *side)
{
	const struct engine_ownership *ownership = owner_ownership(side->owner);
	struct err err = { 0 };
	int rc = ownership->claim(ownership->arg, &side->store, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	return !rc;
}

/* A planned stop: the row says that it is over, before the others miss the daemon. */
static void what_its_owner_gave_up_is_claimed_at_once(void **state)
{
	(void)state;
	assert_true(claims(&sides[0]));
	assert_false(claims(&sides[1]));
	end(&sides[0], 1);
	/* There is still one that comes before the third. */
	assert_false(claims(&sides[2]));
	assert_true(claims(&sides[1]));
	assert_false(claims(&sides[2]));
}

static void the_next_one_gets_its_time(void **state)
{
	(void)state;
	assert_true(claims(&sides[0]));
	end(&sides[0], 1);
	assert_false(claims(&sides[2]));
	now_ms += OWNER_HEAD_START_MS - 1;
	assert_false(claims(&sides[2]));
	now_ms++;
	assert_true(claims(&sides[2]));
}

/* Whoever gave it up for a better one claims it again only if that does not come. */
static void who_gave_it_up_waits_for_the_better_one(void **state)
{
	(void)state;
	now_ms += OWNER_HEAD_START_MS;
	assert_false(claims(&sides[1]));
	now_ms += OWNER_HEAD_START_MS;
	assert_true(claims(&sides[1]));
	end(&sides[1], 1);
	assert_false(claims(&sides[1]));
	assert_true(claims(&sides[0]));
}

/* After a failover all owners' time is up, and who was the owner is probably still there. */
static void an_owner_whose_time_is_up_gave_nothing_up(void **state)
{
	(void)state;
	assert_true(claims(&sides[0]));
	postgres_sql(url, "UPDATE shard SET expires_ms = 1");
	assert_false(claims(&sides[1]));
	now_ms += OWNER_HEAD_START_MS;
	assert_true(claims(&sides[1]));
}

static void renew(struct side *side)
{
	const struct engine_ownership *ownership = owner_ownership(side->owner);
	struct engine_owned owned;
	struct err err = { 0 };

	if (ownership->renew(ownership->arg, side->store, &err))
		fail_msg("%s", err.text);
	ownership->look(ownership->arg, side->store, &owned);
}

/* Others read the row from time to time only: what came last, nobody else has seen. */
static void each_commit_is_told(void **state)
{
	(void)state;
	assert_true(claims(&sides[0]));
	renew(&sides[0]);
	assert_int_equal(sides[0].told_seq, postgres_number(url, "SELECT seq FROM shard"));
	postgres_sql(url, "UPDATE shard SET frozen = 'seen'");
	renew(&sides[0]);
	assert_int_equal(sides[0].told_seq, postgres_number(url, "SELECT seq FROM shard"));
	assert_string_equal(sides[0].told_frozen, "seen");
}

static void thaw(struct side *side)
{
	const struct engine_ownership *ownership = owner_ownership(side->owner);

	assert_int_equal(store_begin(side->store, NULL), 0);
	assert_int_equal(ownership->thaw(ownership->arg, side->store, NULL), 0);
	assert_int_equal(store_commit(side->store, NULL), 0);
}

/* What another daemon has found since, no operator has seen. */
static void an_operator_ends_the_freeze_that_was_seen(void **state)
{
	(void)state;
	assert_true(claims(&sides[0]));
	postgres_sql(url, "UPDATE shard SET frozen = 'seen'");
	renew(&sides[0]);
	postgres_sql(url, "UPDATE shard SET frozen = 'worse'");
	thaw(&sides[0]);
	assert_string_equal(store_shard(sides[0].store)->frozen, "worse");
	thaw(&sides[0]);
	assert_string_equal(store_shard(sides[0].store)->frozen, "");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_its_owner_gave_up_is_claimed_at_once),
		TEST(the_next_one_gets_its_time),
		TEST(who_gave_it_up_waits_for_the_better_one),
		TEST(an_owner_whose_time_is_up_gave_nothing_up),
		TEST(each_commit_is_told),
		TEST(an_operator_ends_the_freeze_that_was_seen),
	};
	int rc;

	pg = postgres_start();
	if (!pg)
		return 77;
	url = postgres_database(pg);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	postgres_stop(pg);
	return rc;
}
