/* SPDX-License-Identifier: MIT */
/*
 * The end of an engine's life while a step runs, and what it may still do. The provider stops
 * where a test wants it to.
 */
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "driver/instance.h"
#include "unit/engine/owned.h"
#include "unit/test.h"
#include "util/text.h"

#define ID "cbx_0123456789ab"

static struct owned o;
static struct account *accounts[1];
/* Steps, in the order in which they begin. */
#define STEPS 8
enum outcome { NOT_YET, GRANTED, REFUSED };
static sem_t began, ended, cleaned, may_claim[STEPS];
static atomic_int steps, outcomes[STEPS], cleanups, is_idle;

/* With I/O of its own: it may act as soon as a claim is granted. */
static int provision(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	int n;

	(void)instance;
	if (atomic_load(&is_idle))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 3600, "idle");
	n = atomic_fetch_add(&steps, 1);
	REQUIRE(n < STEPS);
	sem_post(&began);
	event_await(&may_claim[n]);
	if (lessor_attempt_open(call, lease->attempt_count + 1, lease->types[0],
				lease->locations[0]) ||
	    lessor_intend(call, LESSOR_KIND_SERVER, lease->attempt_count + 1, &intent)) {
		atomic_store(&outcomes[n], REFUSED);
		sem_post(&ended);
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 1, "refused");
	}
	atomic_store(&outcomes[n], GRANTED);
	lessor_not_created(call, intent.row, "nothing is created here");
	sem_post(&ended);
	return lessor_refuse(call, LESSOR_CLASS_CAPACITY, "nothing is created here");
}

static int cleanup(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)instance;
	(void)call;
	(void)lease;
	atomic_fetch_add(&cleanups, 1);
	sem_post(&cleaned);
	return LESSOR_GONE;
}

static const struct lessor_provider table = {
	.size = sizeof(table),
	.abi = LESSOR_ABI,
	.name = "own-io",
	.version = "1",
	.summary = "makes nothing",
	.concurrency = LESSOR_PARALLEL,
	.capabilities = LESSOR_OWN_IO,
	.open = instance_open,
	.close = instance_close,
	.provision = provision,
	.cleanup = cleanup,
};

/* The state and the number of ledger rows of the lease in the file. */
static struct lease lease_in_file(size_t *ret_rows)
{
	struct ledger ledger = { 0 };
	struct store *store = NULL;
	struct lease l;

	REQUIRE(store_open_reader(o.path, &store, NULL) == 0);
	REQUIRE(store_lease_by_id(store, ID, &l, NULL) == 0);
	REQUIRE(store_ledger(store, l.n, &ledger, NULL) == 0);
	*ret_rows = ledger.resource_count;
	ledger_fini(&ledger);
	store_close(store);
	return l;
}

static void create_init(struct ask *a, int64_t ttl_ms)
{
	ask_init(a, REQUEST_CREATE, "");
	driver_wish(&a->request.create, ID, "own-io", "small");
	TEXT_SET(a->request.create.slug, "box");
	TEXT_SET(a->request.idempotency_key, ID);
	TEXT_SET(a->request.body_hash, ID);
	a->request.create.ttl_ms = a->request.create.idle_ms = ttl_ms;
	a->request.wait_ms = 3600000;
}

static int setup(void **state)
{
	struct account_config config = { .name = "own-io",
					 .provider = "own-io",
					 .location_count = 1,
					 .locations = { "here" },
					 .image = "image",
					 .max_steps = 2 };
	struct err err = { 0 };

	(void)state;
	owned_make(&o);
	sem_init(&began, 0, 0);
	sem_init(&ended, 0, 0);
	sem_init(&cleaned, 0, 0);
	for (int i = 0; i < STEPS; i++) {
		sem_init(&may_claim[i], 0, 0);
		atomic_store(&outcomes[i], NOT_YET);
	}
	atomic_store(&steps, 0);
	atomic_store(&is_idle, 0);
	atomic_store(&cleanups, 0);
	if (account_new(&o.env, &table, &config, &accounts[0], &err))
		return -1;
	o.config.accounts = accounts;
	owned_start(&o);
	owned_claimed(&o);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (o.engine)
		owned_stop(&o);
	account_free(accounts[0]);
	owned_remove(&o);
	return 0;
}

static void a_step_outlives_its_life(void **state)
{
	static struct ask a;
	size_t rows;

	(void)state;
	create_init(&a, 3600000);
	ask_submit(&o, &a);
	event_await(&began);
	/* The request that waits for the machine is answered, not forgotten. */
	owned_lose(&o, LOSS_AT_RENEWAL, 0);
	owned_advance(&o, 0);
	ask_await(&a);
	assert_true(ask_is_moving(&a));
	owned_claimed(&o);
	/* The new life runs a step of its own for the lease, beside the old one. */
	event_await(&began);
	sem_post(&may_claim[0]);
	event_await(&ended);
	assert_int_equal(atomic_load(&outcomes[0]), REFUSED);
	sem_post(&may_claim[1]);
	event_await(&ended);
	assert_int_equal(atomic_load(&outcomes[1]), GRANTED);
	assert_int_equal(ask_run(&o, &a), RESULT_REPLAY);
	assert_int_equal(a.request.lease.end_reason, LEASE_END_CLASS_CAPACITY);
	lease_in_file(&rows);
	assert_int_equal(rows, 1);
}

/* The claim is granted in memory, and lost with its batch: the step must not learn of a yes. */
static void a_claim_is_lost_with_its_batch(void **state)
{
	static struct ask a;
	size_t rows;

	(void)state;
	create_init(&a, 3600000);
	ask_submit(&o, &a);
	event_await(&began);
	owned_lose(&o, LOSS_BEFORE_COMMIT, 2); /* the attempt, then the intent */
	sem_post(&may_claim[0]);
	event_await(&ended);
	assert_int_equal(atomic_load(&outcomes[0]), REFUSED);
	lease_in_file(&rows);
	assert_int_equal(rows, 0);
	ask_await(&a);
	assert_true(ask_is_moving(&a));
	owned_claimed(&o);
	event_await(&began);
	sem_post(&may_claim[1]);
	event_await(&ended);
	assert_int_equal(atomic_load(&outcomes[1]), GRANTED);
}

static void a_stop_waits_for_steps_of_a_lost_life(void **state)
{
	static struct ask a;

	(void)state;
	create_init(&a, 3600000);
	ask_submit(&o, &a);
	event_await(&began);
	owned_lose(&o, LOSS_AND_TAKEN, 0);
	owned_advance(&o, 0);
	ask_await(&a);
	sem_post(&may_claim[0]);
	owned_stop(&o);
	assert_int_equal(atomic_load(&outcomes[0]), REFUSED);
}

/* It claims nothing any more, however long ago the next claim was due. */
static void a_stop_without_an_account_is_idle(void **state)
{
	static struct ask a;
	struct timespec until;
	int has_spun;

	(void)state;
	owned_stop(&o);
	o.ownership.retry_ms = 60000;
	owned_start(&o);
	owned_claimed(&o);
	create_init(&a, 3600000);
	ask_submit(&o, &a);
	event_await(&began);
	owned_lose(&o, LOSS_AND_TAKEN, 0);
	owned_advance(&o, 0);
	ask_await(&a);
	engine_stop_begin(o.engine);
	owned_advance(&o, 3600000);
	atomic_store(&o.clock_left, 2000);
	until = env_after_ms(CLOCK_REALTIME, 500);
	has_spun = sem_timedwait(&o.spun, &until) == 0;
	sem_post(&may_claim[0]);
	owned_stop(&o);
	assert_false(has_spun);
	assert_int_equal(atomic_load(&o.claims), 2);
}

/* The pause between two claims is an hour, and shorter if somebody waits for an owner. */
static void claim_pauses(int64_t seek_ms)
{
	owned_stop(&o);
	o.ownership.retry_ms = 3600000;
	o.ownership.seek_ms = seek_ms;
	atomic_store(&o.is_taken, 1);
	owned_start(&o);
	event_await(&o.refused);
}

static void who_waits_makes_it_claim(void **state)
{
	(void)state;
	claim_pauses(0);
	atomic_store(&o.is_taken, 0);
	engine_seek(o.engine);
	owned_claimed(&o);
}

static void who_waits_does_not_make_it_claim_all_the_time(void **state)
{
	static struct ask a;
	int count;

	(void)state;
	claim_pauses(60000);
	for (int i = 0; i < 100; i++) {
		engine_seek(o.engine);
		ask_init(&a, REQUEST_HEARTBEAT, "cbx_000000000000");
		ask_run(&o, &a);
		assert_true(ask_is_moving(&a));
	}
	sem_getvalue(&o.refused, &count);
	assert_int_equal(count, 0);
	owned_advance(&o, 60000);
	engine_seek(o.engine);
	event_await(&o.refused);
}

/* Waits until the engine has made so many turns. */
static void turns_await(int count)
{
	static struct ask a;

	for (int i = 0; i < count; i++) {
		ask_init(&a, REQUEST_HEARTBEAT, "cbx_000000000000");
		assert_int_equal(ask_run(&o, &a), RESULT_NOT_FOUND);
	}
}

/* No clock advances: an ordinary renewal is due in twenty seconds. */
static void what_must_be_renewed_is_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct timespec until = env_after_ms(CLOCK_REALTIME, 10000);

		atomic_store(&o.must_renew, 1);
		owned_advance(&o, 0);
		assert_int_equal(sem_timedwait(&o.renewed, &until), 0);
	}
}

static void nothing_expires_while_another_may_own_it(void **state)
{
	static struct ask a;
	size_t rows;

	(void)state;
	create_init(&a, 60000);
	a.request.wait_ms = 0;
	assert_int_equal(ask_run(&o, &a), RESULT_CREATED);
	event_await(&began);
	atomic_store(&o.is_blind, 1);
	owned_advance(&o, 3600000);
	turns_await(20);
	assert_int_equal(lease_in_file(&rows).state, LEASE_PROVISIONING);
	assert_int_equal(atomic_load(&cleanups), 0);
	atomic_store(&o.is_blind, 0);
	sem_post(&may_claim[0]);
	event_await(&ended);
	/*
	 * Its deadline has passed: it is looked at again within a minute, from when the step has come
	 * back, which may take a while.
	 */
	for (int i = 0; i < 100 && lease_in_file(&rows).state == LEASE_PROVISIONING; i++) {
		owned_advance(&o, 60000);
		turns_await(20);
	}
	assert_int_equal(lease_in_file(&rows).state, LEASE_FAILED);
}

/* The clock was set, and the life that has seen it ends. */
static void a_doubted_clock_is_doubted_in_the_next_life(void **state)
{
	static struct ask a;
	size_t rows;

	(void)state;
	atomic_store(&is_idle, 1);
	create_init(&a, 3600000);
	a.request.wait_ms = 0;
	assert_int_equal(ask_run(&o, &a), RESULT_CREATED);
	atomic_store(&o.wall_ms, 2 * 3600000);
	turns_await(20);
	owned_lose(&o, LOSS_AT_RENEWAL, 0);
	owned_advance(&o, 0);
	owned_claimed(&o);
	turns_await(20);
	assert_int_equal(lease_in_file(&rows).state, LEASE_PROVISIONING);
}

static void an_account_is_yielded_when_no_step_runs(void **state)
{
	static struct ask a, late;

	(void)state;
	create_init(&a, 3600000);
	ask_submit(&o, &a);
	event_await(&began);
	owned_lose(&o, LOSS_YIELD, 0);
	turns_await(20);
	assert_int_equal(atomic_load(&o.losses), 0);
	/* It serves requests until then, and starts no step. */
	ask_init(&late, REQUEST_RELEASE, ID);
	late.request.delete_machine = 1;
	assert_int_equal(ask_run(&o, &late), RESULT_OK);
	sem_post(&may_claim[0]);
	ask_await(&a);
	owned_claimed(&o);
	assert_int_equal(atomic_load(&o.losses), 1);
	assert_int_equal(atomic_load(&outcomes[0]), REFUSED); /* the lease was released meanwhile */
}

/* ---- no hot loop ----------------------------------------------------------------------------- */

static int never(void *arg)
{
	(void)arg;
	return 0;
}

/* It is asked in each turn whether another should be the owner. */
static void a_queue_for_capacity_is_looked_at_now_and_then(void **state)
{
	static const struct engine_limits limits = { .max_active = 1,
						     .max_queued = 10,
						     .max_queued_owner = 10 };
	static struct ask a, b;
	struct timespec until;

	(void)state;
	o.ownership.is_unwanted = never;
	atomic_store(&is_idle, 1);
	engine_set_limits(o.engine, &limits);
	create_init(&a, 3600000);
	a.request.wait_ms = 0;
	assert_int_equal(ask_run(&o, &a), RESULT_CREATED);
	create_init(&b, 3600000);
	TEXT_SET(b.request.create.id, "cbx_0123456789ac");
	TEXT_SET(b.request.create.slug, "second");
	TEXT_SET(b.request.idempotency_key, "second");
	b.request.create.queue_ms = 3600000;
	b.request.wait_ms = 0;
	assert_int_equal(ask_run(&o, &b), RESULT_CREATED);
	turns_await(3);
	atomic_store(&o.clock_left, 2000);
	until = env_after_ms(CLOCK_REALTIME, 500);
	assert_int_equal(sem_timedwait(&o.spun, &until), -1);
}

static void store_change(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(o.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Each claim gives the account another epoch, and reads it. */
static void what_cannot_be_loaded_is_claimed_more_and_more_slowly(void **state)
{
	static struct ask a;
	int64_t begun;

	(void)state;
	store_change("UPDATE meta SET key = 'lost' WHERE key = 'signing_key'");
	owned_lose(&o, LOSS_AT_RENEWAL, 0);
	owned_advance(&o, 0);
	owned_claimed(&o);
	begun = env_mono_ms(&o.env);
	for (int i = 0; i < 5; i++)
		owned_claimed(&o);
	/* 20 ms, and twice as much each time. */
	assert_true(env_mono_ms(&o.env) - begun >= 300);
	store_change("UPDATE meta SET key = 'signing_key' WHERE key = 'lost'");
	do {
		ask_init(&a, REQUEST_HEARTBEAT, ID);
		ask_run(&o, &a);
	} while (ask_is_moving(&a));
	assert_int_equal(a.request.result, RESULT_NOT_FOUND);
}

/* ---- a gap ----------------------------------------------------------------------------------- */

static sem_t recorded;
static int uncredited, leases;

static int count_uncredited(void *arg, const struct lease *l)
{
	(void)arg;
	leases++;
	uncredited += l->credit_ms == 0;
	return 0;
}

/* On the engine thread, in the transaction. */
static void credits_count(struct owned *of)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = LEASE_PROVISIONING, .cleanup = -1, .limit = 1000
	};

	REQUIRE(store_lease_each(of->store, &list, count_uncredited, NULL, NULL) >= 0);
	sem_post(&recorded);
}

/* Of more leases than are credited in one batch. */
static void a_gap_is_recorded_with_the_last_credit(void **state)
{
	static struct ask a;
	char id[24];

	(void)state;
	uncredited = leases = 0;
	sem_init(&recorded, 0, 0);
	atomic_store(&is_idle, 1);
	for (int i = 0; i < 150; i++) {
		create_init(&a, 3600000);
		snprintf(id, sizeof(id), "cbx_%012d", i);
		TEXT_SET(a.request.create.id, id);
		snprintf(a.request.create.slug, sizeof(a.request.create.slug), "box-%d", i);
		TEXT_SET(a.request.idempotency_key, id);
		a.request.wait_ms = 0;
		assert_int_equal(ask_run(&o, &a), RESULT_CREATED);
	}
	o.credited = credits_count;
	atomic_store(&o.gap_ms, 1800000);
	owned_lose(&o, LOSS_AT_RENEWAL, 0);
	owned_advance(&o, 0);
	owned_claimed(&o);
	event_await(&recorded);
	assert_int_equal(leases, 150);
	assert_int_equal(uncredited, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_step_outlives_its_life),
		T(a_claim_is_lost_with_its_batch),
		T(a_stop_waits_for_steps_of_a_lost_life),
		T(a_stop_without_an_account_is_idle),
		T(who_waits_makes_it_claim),
		T(who_waits_does_not_make_it_claim_all_the_time),
		T(what_must_be_renewed_is_at_once),
		T(nothing_expires_while_another_may_own_it),
		T(a_doubted_clock_is_doubted_in_the_next_life),
		T(an_account_is_yielded_when_no_step_runs),
		T(a_queue_for_capacity_is_looked_at_now_and_then),
		T(what_cannot_be_loaded_is_claimed_more_and_more_slowly),
		T(a_gap_is_recorded_with_the_last_credit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
