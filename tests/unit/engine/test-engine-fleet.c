/* SPDX-License-Identifier: MIT */
/*
 * Two daemons' engines on one PostgreSQL, with two accounts of the example provider: who serves
 * what, what a request for all accounts means, and what is left after their connections were
 * ended again and again.
 */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver/postgres.h"
#include "engine/fleet.h"
#include "engine/store_watch.h"
#include "engine/unserved.h"
#include "store/shards.h"
#include "unit/engine/owned.h"
#include "unit/test.h"
#include "util/text.h"

#define ACCOUNTS 2
#define LEASES 10
#define CUTS 6

static const char *const names[ACCOUNTS] = { "north", "south" };
static struct postgres *pg;
static const char *url;
static char folder[64], clouds[ACCOUNTS][96];

/* As one lessord has it. */
struct side {
	int number;
	struct env env;
	struct account *accounts[ACCOUNTS];
	struct owner_config owners;
	atomic_int is_alone; /* there is no other daemon */
	struct fleet *fleet;
	char self[16];
	_Atomic int64_t told[ACCOUNTS]; /* the seq of its newest commit */
};

static struct side sides[2];

/* Each should own the account of its own number. */
static size_t rank(void *arg, const char *account, const char *without)
{
	struct side *side = arg;

	(void)without;
	return !atomic_load(&side->is_alone) && strcmp(account, names[side->number]) != 0;
}

static void committed(void *arg, const struct shard *row)
{
	struct side *side = arg;

	atomic_store(&side->told[strcmp(row->account, names[0]) != 0], row->seq);
}

static void broken(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "the store is broken, and not because of a loss: %s\n", why);
	abort();
}

static void account_open(struct side *side, int n)
{
	const char *const options[] = { "base", clouds[n], NULL };
	struct account_config config = { .provider = "folder",
					 .location_count = 1,
					 .locations = { "here" },
					 .image = "image",
					 .max_steps = 4,
					 .settle_ms = 100 };
	struct err err = { 0 };

	TEXT_SET(config.name, names[n]);
	driver_options(&config, options);
	if (account_new(&side->env, driver_plugin(FOLDER_SO), &config, &side->accounts[n], &err))
		fail_msg("%s", err.text);
}

static void side_start(struct side *side, int number)
{
	struct err err = { 0 };
	struct engine_config config = {
		.env = &side->env,
		.accounts = side->accounts,
		.account_count = ACCOUNTS,
		.worker_threads = 4,
		.boot_ms = 600000,
		.probe_ms = 300000,
		.sweep_ms = 6 * 3600000,
		.sweep_grace_ms = 3600000,
		.on_broken = broken,
	};

	memset(side, 0, sizeof(*side));
	side->number = number;
	env_system(&side->env);
	snprintf(side->self, sizeof(side->self), "daemon-%d", number);
	side->owners = (struct owner_config){ .store = url,
					      .env = &side->env,
					      .self = side->self,
					      .rank = rank,
					      .committed = committed,
					      .arg = side };
	for (int i = 0; i < ACCOUNTS; i++)
		account_open(side, i);
	if (store_open(url, &side->env, &config.store, &err) ||
	    fleet_new(&config, &side->owners, &side->fleet, &err))
		fail_msg("%s", err.text);
	assert_true(fleet_is_split(side->fleet));
}

static void side_stop(struct side *side)
{
	if (!side->fleet)
		return;
	fleet_stop(side->fleet, 10000);
	fleet_free(side->fleet);
	side->fleet = NULL;
	for (int i = 0; i < ACCOUNTS; i++)
		account_free(side->accounts[i]);
}

static enum request_result run(struct side *side, struct ask *a)
{
	sem_init(&a->answered, 0, 0);
	atomic_store(&a->is_open, 1);
	fleet_submit(side->fleet, &a->request);
	ask_await(a);
	return a->request.result;
}

/* As a client does: until it is answered. */
static enum request_result run_until_served(struct side *side, struct ask *a)
{
	int64_t until = env_mono_ms(&side->env) + 60000;

	do {
		assert_true(env_mono_ms(&side->env) < until);
		run(side, a);
	} while (ask_is_moving(a));
	return a->request.result;
}

static void create_init(struct ask *a, int account, int n)
{
	char id[24];

	ask_init(a, REQUEST_CREATE, "");
	snprintf(id, sizeof(id), "cbx_%06d%06d", account, n);
	driver_wish(&a->request.create, id, names[account], "small");
	snprintf(a->request.create.slug, sizeof(a->request.create.slug), "box-%d-%d", account, n);
	TEXT_SET(a->request.idempotency_key, id);
	TEXT_SET(a->request.body_hash, id);
	a->request.create.ttl_ms = a->request.create.idle_ms = 3600000;
}

static void release_init(struct ask *a, int account, int n)
{
	char id[24];

	snprintf(id, sizeof(id), "cbx_%06d%06d", account, n);
	ask_init(a, REQUEST_RELEASE, id);
	TEXT_SET(a->request.account, names[account]);
	a->request.delete_machine = 1;
}

static int machines(int account)
{
	return driver_files(clouds[account]);
}

static void count_owned(void *arg, const struct fleet_account *account)
{
	int *count = arg;

	*count += account->is_owner && account->epoch > 0 && account->since_ms > 0;
}

static int owned(struct side *side)
{
	int count = 0;

	fleet_each(side->fleet, count_owned, &count);
	return count;
}

/* The log and the answers say what is the case with this database, and not with a file. */
static void a_database_that_is_away_is_named(void **state)
{
	struct store_watch watch = { .state = STORE_WRITABLE };
	struct store *store = NULL;
	struct env env;

	(void)state;
	if (!postgres_can_crash(pg))
		skip();
	env_system(&env);
	assert_int_equal(store_open(url, &env, &store, NULL), 0);
	postgres_crash(pg);
	assert_int_equal(store_begin(store, NULL), -1);
	store_watch_note(&watch, store);
	assert_int_equal(store_watch_state(&watch), STORE_AWAY);
	assert_non_null(strstr(store_watch_message(&watch), "does not answer"));
	postgres_restart(pg);
	assert_int_equal(store_begin(store, NULL), 0);
	store_watch_note(&watch, store);
	assert_int_equal(store_watch_state(&watch), STORE_WRITABLE);
	store_rollback(store);
	store_close(store);
}

static void (*ask_done)(struct engine_request *request);
static int64_t told, seen;

/* Its engine makes no other commit until this returns. */
static void look_and_answer(struct engine_request *request)
{
	told = atomic_load(&sides[0].told[0]);
	seen = postgres_number(url, "SELECT seq FROM shard WHERE account = 'north'");
	ask_done(request);
}

/* After the answer it may be too late: the process may end. */
static void a_commit_is_told_before_it_is_answered(void **state)
{
	static struct ask a;

	(void)state;
	side_start(&sides[0], 0);
	do {
		create_init(&a, 0, 0);
		ask_done = a.request.done;
		a.request.done = look_and_answer;
		run(&sides[0], &a);
	} while (ask_is_moving(&a));
	assert_int_equal(a.request.result, RESULT_CREATED);
	assert_true(told > 0);
	assert_int_equal(told, seen);
	side_stop(&sides[0]);
}

static void each_serves_its_own(void **state)
{
	static struct ask a;

	(void)state;
	side_start(&sides[0], 0);
	side_start(&sides[1], 1);
	for (int i = 0; i < ACCOUNTS; i++) {
		create_init(&a, i, 0);
		a.request.wait_ms = 60000;
		TEXT_SET(a.request.create.attempt_token, "cat_0123456789abcdef0123456789abcdef");
		assert_in_range(run_until_served(&sides[i], &a), RESULT_CREATED, RESULT_REPLAY);
		assert_int_equal(a.request.lease.state, LEASE_ACTIVE);
		assert_int_equal(machines(i), 1);
	}
	assert_int_equal(owned(&sides[0]), 1);
	assert_true(fleet_owns(sides[0].fleet, "north"));
	assert_false(fleet_owns(sides[0].fleet, "south"));
	create_init(&a, 1, 1);
	run(&sides[0], &a);
	assert_true(ask_is_moving(&a));
	/* The lease of another account is not this engine's, whatever the request says. */
	release_init(&a, 1, 0);
	TEXT_SET(a.request.account, "north");
	run(&sides[0], &a);
	assert_true(ask_is_moving(&a));
	create_init(&a, 0, 0);
	TEXT_SET(a.request.create.id, "cbx_000001000000");
	TEXT_SET(a.request.idempotency_key, "another");
	assert_int_equal(run(&sides[0], &a), RESULT_CONFLICT);
	assert_string_equal(a.request.code, "lease_id_conflict");
	ask_init(&a, REQUEST_SWEEP, "");
	a.request.caller.role = TOKEN_ADMIN;
	assert_int_equal(run(&sides[0], &a), RESULT_UNAVAILABLE);
	assert_string_equal(a.request.code, "account_elsewhere");
}

/* A create that came first elsewhere, for another account: whose engine answers, the request says. */
static void a_repeated_create_is_of_its_account(void **state)
{
	static struct ask a;

	(void)state;
	for (int by_id = 0; by_id < 2; by_id++) {
		create_init(&a, 0, 0);
		TEXT_SET(a.request.create.id, by_id ? "cbx_000001000000" : "");
		TEXT_SET(a.request.idempotency_key, by_id ? "" : "cbx_000001000000");
		TEXT_SET(a.request.body_hash, "cbx_000001000000");
		TEXT_SET(a.request.create.attempt_token, "cat_0123456789abcdef0123456789abcdef");
		run(&sides[0], &a);
		assert_true(ask_is_moving(&a));
		assert_string_equal(a.request.account, "south");
		assert_int_equal(run(&sides[1], &a), RESULT_REPLAY);
		assert_string_equal(a.request.lease.id, "cbx_000001000000");
	}
	/* What is not told of the lease of somebody else: neither where it is, nor what it is. */
	create_init(&a, 0, 0);
	TEXT_SET(a.request.create.id, "cbx_000001000000");
	TEXT_SET(a.request.create.attempt_token, "cat_0123456789abcdef0123456789abcdef");
	TEXT_SET(a.request.caller.owner, "mallory");
	assert_int_equal(run(&sides[0], &a), RESULT_CONFLICT);
	assert_string_equal(a.request.code, "lease_id_conflict");
	assert_string_equal(a.request.lease.id, "");
}

/* One stops: the other has both within moments, and its leases with them. */
static void the_other_takes_over(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];
	int64_t begun = env_mono_ms(&side->env);

	(void)state;
	atomic_store(&side->is_alone, 1);
	side_stop(&sides[1]);
	create_init(&a, 1, 1);
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	assert_in_range(env_mono_ms(&side->env) - begun, 0, 6000);
	/* Until its machine is there. */
	create_init(&a, 1, 1);
	a.request.wait_ms = 60000;
	assert_int_equal(run_until_served(side, &a), RESULT_REPLAY);
	assert_int_equal(owned(side), 2);
	ask_init(&a, REQUEST_SWEEP, "");
	a.request.caller.role = TOKEN_ADMIN;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	ask_init(&a, REQUEST_POOL, "");
	a.request.caller.role = TOKEN_ADMIN;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	assert_int_equal(a.request.pool_count, (size_t)(machines(0) + machines(1)));
	free(a.request.pool);
}

/* The engine's connections end under load; what was acknowledged is true, and nothing is left. */
static void connections_are_ended(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];
	int cuts = 0, n;

	(void)state;
	for (n = 1; n < LEASES; n++) {
		for (int i = 0; i < ACCOUNTS; i++) {
			create_init(&a, i, n);
			assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
		}
		if (cuts++ < CUTS)
			postgres_sql(url,
				     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
				     "datname = current_database() AND pid <> pg_backend_pid()");
		release_init(&a, n % ACCOUNTS, n);
		assert_int_equal(run_until_served(side, &a), RESULT_OK);
	}
	/*
	 * A connection that ends right after the commit of an intent leaves an unknown create, and this
	 * provider does its own I/O: it is given up when the step's deadline (90 s), the guard (30 s) and
	 * the second observation are over.
	 */
	for (n = 0; n < LEASES; n++) {
		for (int i = 0; i < ACCOUNTS; i++) {
			release_init(&a, i, n);
			a.request.wait_ms = a.patience_ms = 180000;
			assert_int_equal(run_until_served(side, &a), RESULT_OK);
		}
	}
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM lease"), ACCOUNTS * LEASES);
}

/* Until the query returns a number above 0. */
static void sql_await(const char *sql)
{
	int64_t until = env_mono_ms(&sides[0].env) + 60000;

	while (postgres_number(url, sql) <= 0) {
		if (env_mono_ms(&sides[0].env) > until)
			fail_msg("not within a minute: %s", sql);
	}
}

/* Changes the row of the account "north", and waits until its engine has read it. */
static void row_set(const char *what)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "UPDATE shard SET %s WHERE account = 'north'", what);
	postgres_sql(url, sql);
	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM shard WHERE account = 'north' AND seq > %lld",
		 (long long)postgres_number(url, "SELECT seq FROM shard WHERE account = 'north'") +
			 1);
	sql_await(sql);
}

/* What the row says stops the engine: its delete is refused until the row says otherwise. */
static void a_frozen_row_stops_deletes(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];

	(void)state;
	create_init(&a, 0, LEASES);
	a.request.wait_ms = 60000;
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	assert_int_equal(machines(0), 1);
	row_set("frozen = 'a test'");
	create_init(&a, 0, LEASES + 1);
	a.request.wait_ms = 60000;
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	assert_int_equal(machines(0), 2);
	release_init(&a, 0, LEASES);
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	sql_await("SELECT count(*) FROM event WHERE kind LIKE '%delete-refused'");
	assert_int_equal(machines(0), 2);
	ask_init(&a, REQUEST_HEARTBEAT, "cbx_000000000011");
	TEXT_SET(a.request.account, "north");
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	row_set("frozen = ''");
	for (int n = LEASES; n < LEASES + 2; n++) {
		release_init(&a, 0, n);
		a.request.wait_ms = 600000;
		assert_int_equal(run_until_served(side, &a), RESULT_OK);
	}
	assert_int_equal(machines(0), 0);
}

/* A lost commit may have permitted the delete of what is to be kept. */
static void a_presumed_permit_stops_retention(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];

	(void)state;
	create_init(&a, 0, LEASES + 2);
	a.request.wait_ms = 60000;
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	row_set("presumed_until_ms = renewed_ms + 3600000");
	release_init(&a, 0, LEASES + 2);
	a.request.delete_machine = 0;
	assert_int_equal(run_until_served(side, &a), RESULT_CONFLICT);
	assert_string_equal(a.request.code, "cleanup_in_progress");
	row_set("presumed_until_ms = renewed_ms - 1000");
	release_init(&a, 0, LEASES + 2);
	a.request.delete_machine = 0;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	release_init(&a, 0, LEASES + 2);
	a.request.wait_ms = 600000;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	assert_int_equal(machines(0), 0);
}

/* The last owner's clock was ahead: the next one corrects what it wrote, of its own account only. */
static void times_of_the_future_are_corrected(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];

	(void)state;
	for (int i = 0; i < ACCOUNTS; i++) {
		create_init(&a, i, LEASES + 3);
		a.request.wait_ms = 60000;
		assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	}
	postgres_sql(url, "UPDATE lease SET created_ms = created_ms + 7200000 WHERE cleanup <> 4");
	/* Both know it as it was, and only one of them is lost. */
	postgres_sql(url, "UPDATE shard SET owner = '' WHERE account = 'north'");
	sql_await("SELECT count(*) FROM lease WHERE account = 'north' AND cleanup <> 4"
		  " AND created_ms <= extract(epoch FROM clock_timestamp()) * 1000");
	assert_int_equal(postgres_number(url, "SELECT count(*) FROM lease WHERE account = 'south'"
					      " AND created_ms > extract(epoch FROM "
					      "clock_timestamp()) * 1000"),
			 1);
	for (int i = 0; i < ACCOUNTS; i++) {
		release_init(&a, i, LEASES + 3);
		a.request.wait_ms = 600000;
		assert_int_equal(run_until_served(side, &a), RESULT_OK);
		assert_int_equal(machines(i), 0);
	}
}

static enum request_result take_over(struct side *side, struct ask *a)
{
	ask_init(a, REQUEST_ACCOUNT, "");
	a->request.caller.role = TOKEN_ADMIN;
	TEXT_SET(a->request.expected_account, "north");
	return run_until_served(side, a);
}

/* By itself after a failover that has lost nothing; else with an operator, who has looked. */
static void a_freeze_ends(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];
	int64_t until;

	(void)state;
	row_set("frozen = '" SHARD_FAILED_OVER "' || seq");
	sql_await("SELECT count(*) FROM shard WHERE account = 'north' AND frozen = ''");
	row_set("frozen = ''");
	row_set("frozen = '" SHARD_LOST_SEEN "'");
	assert_int_equal(take_over(side, &a), RESULT_CONFLICT);
	assert_string_equal(a.request.code, "not_reconciled");
	until = env_mono_ms(&side->env) + 60000;
	while (take_over(side, &a) != RESULT_OK)
		assert_true(env_mono_ms(&side->env) < until);
	sql_await("SELECT count(*) FROM shard WHERE account = 'north' AND frozen = ''");
}

/* Whoever has seen the freeze in the table knows of it before the owner's next commit. */
static void a_freeze_counts_at_once(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];

	(void)state;
	for (int i = 0; i < 5; i++) {
		postgres_sql(url, "UPDATE shard SET frozen = 'a test' WHERE account = 'north'");
		assert_int_equal(take_over(side, &a), RESULT_CONFLICT);
		assert_string_equal(a.request.code, "not_reconciled");
		row_set("frozen = ''");
	}
	assert_int_equal(take_over(side, &a), RESULT_OK);
}

/* A look of a daemon that has the first `count` accounts: how many it marks. */
static int looked(int count)
{
	struct side *side = &sides[1];
	const struct engine_config config = { .env = &side->env,
					      .accounts = side->accounts,
					      .account_count = (size_t)count };
	struct err err = { 0 };
	int marked;

	if (unserved_look(&config, &side->owners, 0, &marked, &err))
		fail_msg("%s", err.text);
	return marked;
}

#define OPEN_IN_SOUTH "SELECT count(*) FROM lease WHERE account = 'south' AND cleanup <> 4"

/* Its leases need an operator, and somebody must say it; they lose no time by that. */
static void an_account_that_nobody_has_is_reported(void **state)
{
	static struct ask a;
	struct side *side = &sides[0], *other = &sides[1];

	(void)state;
	create_init(&a, 1, LEASES + 4);
	a.request.wait_ms = 60000;
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	env_system(&other->env);
	account_open(other, 0);
	account_open(other, 1);
	other->owners = (struct owner_config){ .store = url, .env = &other->env, .self = "other" };
	assert_int_equal(looked(1), 0);
	side_stop(side);
	/* If all are configured, somebody will come. */
	assert_int_equal(looked(2), 0);
	assert_int_equal(postgres_number(url, OPEN_IN_SOUTH " AND attention = ''"), 1);
	postgres_sql(url, "UPDATE shard SET renewed_ms = renewed_ms - 3600000,"
			  " watched_ms = watched_ms - 3600000 WHERE account = 'south'");
	assert_int_equal(looked(1), 1);
	assert_int_equal(postgres_number(url, OPEN_IN_SOUTH " AND attention LIKE '%configured%'"
							    " AND credit_ms >= 3600000"),
			 1);
	/* Once; and the account is free. */
	assert_int_equal(looked(1), 0);
	account_free(other->accounts[0]);
	account_free(other->accounts[1]);
	side_start(side, 0);
	atomic_store(&side->is_alone, 1);
	sql_await(OPEN_IN_SOUTH " AND attention = ''");
	release_init(&a, 1, LEASES + 4);
	a.request.wait_ms = 600000;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	assert_int_equal(machines(1), 0);
}

/* Makes the last sweep of the account "south" an older one: when it began. */
static int64_t sweep_age(void)
{
	postgres_sql(url,
		     "UPDATE sweep SET begun_ms = begun_ms - 600000, done_ms = done_ms - 600000"
		     " WHERE account = 'south'");
	return postgres_number(url, "SELECT begun_ms FROM sweep WHERE account = 'south'");
}

/* Whoever has not watched the row lists the account before it deletes; whoever has, need not. */
static void a_fresh_start_lists(void **state)
{
	static struct ask a;
	struct side *side = &sides[0];
	char sql[160];
	int64_t begun;

	(void)state;
	side_stop(side);
	begun = sweep_age();
	side_start(side, 0);
	atomic_store(&side->is_alone, 1);
	create_init(&a, 1, LEASES + 5);
	a.request.wait_ms = 60000;
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	release_init(&a, 1, LEASES + 5);
	a.request.wait_ms = 600000;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	assert_true(postgres_number(url, "SELECT begun_ms FROM sweep WHERE account = 'south'"
					 " AND done_ms >= begun_ms") > begun);
	begun = sweep_age();
	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM shard WHERE account = 'south' AND epoch > %lld",
		 (long long)postgres_number(url, "SELECT epoch FROM shard WHERE account = 'south'"));
	postgres_sql(url, "UPDATE shard SET owner = '' WHERE account = 'south'");
	sql_await(sql);
	create_init(&a, 1, LEASES + 6);
	a.request.wait_ms = 60000;
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	release_init(&a, 1, LEASES + 6);
	a.request.wait_ms = 600000;
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	assert_int_equal(postgres_number(url, "SELECT begun_ms FROM sweep WHERE account = 'south'"),
			 begun);
}

/*
 * Another daemon, of another account, stands still in a create. Creates fail meanwhile, and nothing
 * else: the account stays in its epoch, and its leases are served.
 */
static void a_stopped_create_stops_creates_only(void **state)
{
	static const char sql[] = "SELECT epoch FROM shard WHERE account = 'north'";
	static const struct shard_claim claim = { .account = "west",
						  .nonce = "33333333333333333333333333333333",
						  .address = "other",
						  .ttl_ms = 60000 };
	static struct ask a;
	struct side *side = &sides[0];
	struct store *other = NULL;
	struct shard row;
	int64_t epoch, begun;

	(void)state;
	create_init(&a, 0, LEASES + 20);
	assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	epoch = postgres_number(url, sql);
	assert_int_equal(store_open_tool(url, &side->env, &other, NULL), 0);
	assert_int_equal(shard_claim(other, &claim, &row, NULL), 0);
	assert_int_equal(store_begin(other, NULL), 0);
	assert_int_equal(store_create_lock(other, NULL), 0);
	begun = env_mono_ms(&side->env);
	create_init(&a, 0, LEASES + 21);
	assert_int_equal(run(side, &a), RESULT_UNAVAILABLE);
	assert_string_equal(a.request.code, "store_unavailable");
	ask_init(&a, REQUEST_CANCEL_CREATE, "cbx_000000000032");
	TEXT_SET(a.request.account, "north");
	TEXT_SET(a.request.attempt_token, "token");
	assert_int_equal(run(side, &a), RESULT_UNAVAILABLE);
	assert_string_equal(a.request.code, "store_unavailable");
	assert_in_range(env_mono_ms(&side->env) - begun, 0, 10000);
	ask_init(&a, REQUEST_HEARTBEAT, "cbx_000000000030");
	TEXT_SET(a.request.account, "north");
	assert_int_equal(run(side, &a), RESULT_OK);
	store_rollback(other);
	store_close(other);
	create_init(&a, 0, LEASES + 21);
	assert_int_equal(run(side, &a), RESULT_CREATED);
	assert_int_equal(postgres_number(url, sql), epoch);
	for (int n = LEASES + 20; n < LEASES + 22; n++) {
		release_init(&a, 0, n);
		a.request.wait_ms = 600000;
		assert_int_equal(run_until_served(side, &a), RESULT_OK);
	}
	assert_int_equal(machines(0), 0);
}

/* Whoever reads a resource of that lease gets an error. */
static void lease_damage(int64_t n)
{
	char sql[800];

	snprintf(sql, sizeof(sql),
		 "CREATE FUNCTION is_whole(lease bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE"
		 " COST 1000000 AS $$ BEGIN IF lease = %lld THEN RAISE 'missing chunk number 0'; END IF;"
		 " RETURN true; END $$; ALTER TABLE resource RENAME TO resource_kept;"
		 " CREATE VIEW resource AS SELECT * FROM resource_kept WHERE is_whole(lease)",
		 (long long)n);
	postgres_sql(url, sql);
}

static void lease_mend(void)
{
	postgres_sql(url, "DROP VIEW resource; ALTER TABLE resource_kept RENAME TO resource;"
			  " DROP FUNCTION is_whole");
}

/* It is due, and has missed some time: the account is served, and the others get their time. */
static void a_lease_that_cannot_be_read_stops_no_other(void **state)
{
	static const char epoch_sql[] = "SELECT epoch FROM shard WHERE account = 'north'";
	static struct ask a;
	struct side *side = &sides[0];
	int64_t epoch, n;

	(void)state;
	for (int i = 30; i < 33; i++) {
		create_init(&a, 0, LEASES + i);
		a.request.wait_ms = 60000;
		assert_in_range(run_until_served(side, &a), RESULT_CREATED, RESULT_REPLAY);
	}
	n = postgres_number(url, "SELECT n FROM lease WHERE id = 'cbx_000000000041'");
	lease_damage(n);
	postgres_sql(url, "UPDATE lease SET due_ms = 1 WHERE id = 'cbx_000000000041'");
	epoch = postgres_number(url, epoch_sql);
	postgres_sql(url, "UPDATE shard SET owner = '', renewed_ms = renewed_ms - 1800000,"
			  " watched_ms = watched_ms - 1800000 WHERE account = 'north'");
	sql_await("SELECT (count(*) = 2)::int FROM lease WHERE credit_ms >= 1800000"
		  " AND id IN ('cbx_000000000040', 'cbx_000000000042')");
	sql_await("SELECT (now_ms - watched_ms < 60000)::int FROM shard, (SELECT (extract(epoch FROM"
		  " clock_timestamp()) * 1000)::bigint AS now_ms) t WHERE account = 'north'");
	ask_init(&a, REQUEST_HEARTBEAT, "cbx_000000000042");
	TEXT_SET(a.request.account, "north");
	assert_int_equal(run(side, &a), RESULT_OK);
	assert_int_equal(postgres_number(url, epoch_sql), epoch + 1);
	/* Nobody missed anything, and it is due at once. */
	postgres_sql(url, "UPDATE shard SET owner = '' WHERE account = 'north'");
	sql_await("SELECT (owner <> '')::int FROM shard WHERE account = 'north'");
	assert_int_equal(run_until_served(side, &a), RESULT_OK);
	assert_int_equal(postgres_number(url, epoch_sql), epoch + 2);
	lease_mend();
	for (int i = 30; i < 33; i++) {
		release_init(&a, 0, LEASES + i);
		a.request.wait_ms = 600000;
		assert_int_equal(run_until_served(side, &a), RESULT_OK);
	}
	assert_int_equal(machines(0), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/lessor-fleet-XXXXXX");
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < ACCOUNTS; i++) {
		snprintf(clouds[i], sizeof(clouds[i]), "%s/%s", folder, names[i]);
		assert_int_equal(mkdir(clouds[i], 0700), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	side_stop(&sides[0]);
	side_stop(&sides[1]);
	for (int i = 0; i < ACCOUNTS; i++)
		rmdir(clouds[i]);
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_that_is_away_is_named),
		cmocka_unit_test(a_commit_is_told_before_it_is_answered),
		cmocka_unit_test(each_serves_its_own),
		cmocka_unit_test(a_repeated_create_is_of_its_account),
		cmocka_unit_test(the_other_takes_over),
		cmocka_unit_test(connections_are_ended),
		cmocka_unit_test(a_stopped_create_stops_creates_only),
		cmocka_unit_test(a_lease_that_cannot_be_read_stops_no_other),
		cmocka_unit_test(a_frozen_row_stops_deletes),
		cmocka_unit_test(a_presumed_permit_stops_retention),
		cmocka_unit_test(a_freeze_counts_at_once),
		cmocka_unit_test(times_of_the_future_are_corrected),
		cmocka_unit_test(a_freeze_ends),
		cmocka_unit_test(an_account_that_nobody_has_is_reported),
		cmocka_unit_test(a_fresh_start_lists),
	};
	int rc;

	pg = postgres_start();
	if (!pg)
		return 77;
	url = postgres_database(pg);
	rc = cmocka_run_group_tests(tests, setup, teardown);
	postgres_stop(pg);
	return rc;
}
