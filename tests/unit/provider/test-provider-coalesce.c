/* SPDX-License-Identifier: MIT */
/* What the steps of an account share, with threads: responses, workers, serial operations. */
#include "toy.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "places.h"
#include "provider/text_cache.h"

static struct toy toy;
static atomic_int network_status = 200;
static _Atomic enum env_http_outcome network_outcome;

static int is_cancelled(void *arg)
{
	const struct env_http_request *request = arg;

	return request->cancel && atomic_load_explicit(request->cancel, memory_order_relaxed);
}

static void network(struct toy *t, const struct env_http_request *request,
		    struct env_http_response *answer)
{
	(void)t;
	places_stay(is_cancelled, (void *)request);
	answer->outcome = network_outcome;
	answer->status = network_status;
}

static int setup(void **state)
{
	(void)state;
	toy_start(&toy, 0);
	toy.network = network;
	network_status = 200;
	network_outcome = ENV_HTTP_ANSWERED;
	places_reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_stop(&toy);
	return 0;
}

/* The step returns what it saw in its reason. */
static int shares(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_http_response response;

	(void)lease;
	toy_get(call, "/servers?page=1", 1000, &response);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "%u %d %s age %d", response.outcome,
			    (int)response.status, response.body_len ? "answer" : "nothing",
			    (int)response.age_ms);
}

static void saw(struct step *step, const char *text)
{
	if (step->violation || !strstr(step->reason, text))
		fail_msg("'%s' does not say '%s'", step->reason, text);
	step_free(step);
}

static void test_age(void **state)
{
	(void)state;
	saw(toy_run(&toy, STEP_PROVISION, shares), "2 200 answer age 0");
	toy.mono_ms += 1000;
	saw(toy_run(&toy, STEP_PROVISION, shares), "2 200 answer age 1000");
	assert_int_equal(toy.sent_count, 1);
	toy.mono_ms += 1;
	saw(toy_run(&toy, STEP_PROVISION, shares), "2 200 answer age 0");
	assert_int_equal(toy.sent_count, 2);

	struct account_figures figures;
	account_figures(toy.account, &figures);
	assert_int_equal(figures.calls, 2);
	assert_int_equal(figures.calls_coalesced, 1);
}

/* Only successful responses are kept. */
static void test_failures_are_not_kept(void **state)
{
	(void)state;
	network_status = 404;
	saw(toy_run(&toy, STEP_PROVISION, shares), "2 404");
	saw(toy_run(&toy, STEP_PROVISION, shares), "2 404");
	network_outcome = ENV_HTTP_LOST;
	saw(toy_run(&toy, STEP_PROVISION, shares), "3 0");
	saw(toy_run(&toy, STEP_PROVISION, shares), "3 0");
	assert_int_equal(toy.sent_count, 4);
}

/* After an effect of its own, a step does not get older responses. */
static int effect_then_share(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	struct lessor_http_response response;

	toy_get(call, "/servers?page=1", 1000, &response);
	assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent), 0);
	toy.mono_ms += 10;
	toy_send(call, "POST", "/servers", intent.row, "{}", &response);
	lessor_created(call, intent.row, "4711", "");
	return shares(call, lease);
}

static void test_own_effect(void **state)
{
	(void)state;
	saw(toy_run(&toy, STEP_PROVISION, effect_then_share), "age 0");
	assert_int_equal(toy.sent_count, 3);
}

/* ---- with threads ---- */

struct pool {
	struct workers *workers;
	pthread_mutex_t lock;
	pthread_cond_t one_more;
	struct step *done[64];
	int count;
};

static void pool_done(void *arg, struct step *step)
{
	struct pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	pool->done[pool->count++] = step;
	pthread_cond_signal(&pool->one_more);
	pthread_mutex_unlock(&pool->lock);
}

static void pool_start(struct pool *pool, int threads)
{
	memset(pool, 0, sizeof(*pool));
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->one_more, NULL);
	assert_int_equal(workers_new(threads, pool_done, pool, &pool->workers, NULL), 0);
}

static void pool_wait(struct pool *pool, int count)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->count < count)
		pthread_cond_wait(&pool->one_more, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

static void pool_stop(struct pool *pool)
{
	workers_free(pool->workers);
	pthread_cond_destroy(&pool->one_more);
	pthread_mutex_destroy(&pool->lock);
}

/*
 * Eight steps request the same, and one does so for all; the response comes when all wait for
 * it.
 */
static void eight_share(struct pool *pool)
{
	places_shut();
	pool_start(pool, 8);
	for (int i = 0; i < 8; i++)
		workers_submit(pool->workers, toy_step(&toy, STEP_PROVISION, shares));
	places_await_waiters(7);
	places_open();
	pool_wait(pool, 8);
	pool_stop(pool);
}

static void step_cancel(struct step *step)
{
	atomic_store(&step->cancel, 1);
	places_poke();
}

static void test_single_flight(void **state)
{
	struct pool pool;
	(void)state;

	eight_share(&pool);
	for (int i = 0; i < 8; i++)
		saw(pool.done[i], "2 200 answer");
	assert_int_equal(toy.sent_count, 1);
}

/* Waiters share a failure: seven more requests would fail as well. */
static void test_shared_failure(void **state)
{
	struct pool pool;
	(void)state;

	network_status = 503;
	eight_share(&pool);
	for (int i = 0; i < 8; i++)
		saw(pool.done[i], "2 503");
	assert_int_equal(toy.sent_count, 1);
}

/* The leader is cancelled: the waiter sends a request of its own. */
static void test_leader_cancelled(void **state)
{
	struct pool pool;
	(void)state;

	places_shut();
	pool_start(&pool, 2);
	struct step *leader = toy_step(&toy, STEP_PROVISION, shares);
	workers_submit(pool.workers, leader);
	places_await_arrived(1);
	network_outcome = ENV_HTTP_LOST;
	workers_submit(pool.workers, toy_step(&toy, STEP_PROVISION, shares));
	places_await_waiters(1);
	step_cancel(leader);
	pool_wait(&pool, 1);
	assert_ptr_equal(pool.done[0], leader);
	saw(leader, "3 0");
	/* the second step now sends its own request */
	places_await_arrived(2);
	pool_stop(&pool);
	assert_int_equal(pool.count, 2);
	saw(pool.done[1], "3 0");
	assert_int_equal(toy.sent_count, 2);
}

/* A waiter may give up without an effect on the others. */
static void test_waiter_cancelled(void **state)
{
	struct pool pool;
	(void)state;

	places_shut();
	pool_start(&pool, 2);
	workers_submit(pool.workers, toy_step(&toy, STEP_PROVISION, shares));
	places_await_arrived(1);
	struct step *waiter = toy_step(&toy, STEP_PROVISION, shares);
	workers_submit(pool.workers, waiter);
	places_await_waiters(1);
	step_cancel(waiter);
	pool_wait(&pool, 1);
	assert_ptr_equal(pool.done[0], waiter);
	saw(waiter, "1 0");
	places_open();
	pool_wait(&pool, 2);
	saw(pool.done[1], "2 200 answer");
	pool_stop(&pool);
	assert_int_equal(toy.sent_count, 1);
}

static int is_told_to_end(void *arg)
{
	return lessor_cancelled((struct lessor_call *)arg);
}

static int never_done(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	places_stay(is_told_to_end, call);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "cancelled");
}

static void test_pool_end(void **state)
{
	struct pool pool;
	int unrun = 0;
	(void)state;

	places_shut();
	pool_start(&pool, 2);
	for (int i = 0; i < 10; i++)
		workers_submit(pool.workers, toy_step(&toy, STEP_PROVISION, never_done));
	places_await_arrived(2);
	pool_stop(&pool);
	assert_int_equal(pool.count, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pool.done[i]->verdict, LESSOR_RETRY);
		unrun += strstr(pool.done[i]->reason, "not run") != NULL;
		step_free(pool.done[i]);
	}
	assert_int_equal(unrun, 8);
}

static int asks(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_http_response response;

	(void)lease;
	toy_get(call, "/servers/1", 0, &response);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "x");
}

static void run_at_once(uint32_t concurrency, int most)
{
	struct lessor_provider table = toy_table;
	const struct lessor_provider *kept = toy.account->table;
	struct pool pool;

	table.concurrency = concurrency;
	toy.account->table = &table;
	places_reset();
	places_shut();
	pool_start(&pool, 4);
	for (int i = 0; i < 4; i++)
		workers_submit(pool.workers, toy_step(&toy, STEP_PROVISION, asks));
	/* all four have come as far as they can: to the network, or to the lock */
	places_await_arrived(most);
	if (most < 4)
		places_await_blocked(4 - most);
	places_open();
	pool_wait(&pool, 4);
	pool_stop(&pool);
	for (int i = 0; i < 4; i++)
		step_free(pool.done[i]);
	assert_int_equal(places_most(), most);
	toy.account->table = kept;
}

static void test_turns(void **state)
{
	(void)state;
	run_at_once(LESSOR_SERIAL, 1);
	run_at_once(LESSOR_PER_INSTANCE, 1);
	run_at_once(0, 1);
	run_at_once(LESSOR_PARALLEL, 4);
}

/* ---- the text cache ---- */

static void test_text_cache(void **state)
{
	struct text_cache *cache = text_cache_new();
	char key[TEXT_CACHE_KEY_MAX + 2], *big, *text;
	(void)state;

	assert_int_equal(text_cache_put(cache, "a", "1", 100), 0);
	text = text_cache_get(cache, "a", 99);
	assert_string_equal(text, "1");
	free(text);
	assert_null(text_cache_get(cache, "a", 100));
	text_cache_put(cache, "a", "1", 100);
	text_cache_put(cache, "a", NULL, 100);
	assert_null(text_cache_get(cache, "a", 0));

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_int_equal(text_cache_put(cache, key, "1", 100), -1);
	big = malloc(TEXT_CACHE_VALUE_MAX + 1);
	memset(big, 'v', TEXT_CACHE_VALUE_MAX);
	big[TEXT_CACHE_VALUE_MAX] = '\0';
	assert_int_equal(text_cache_put(cache, "b", big, 100), -1);
	big[TEXT_CACHE_VALUE_MAX - 8] = '\0';
	/* full: the entry that expires first is evicted first */
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(text_cache_put(cache, key, i < 20 ? big : "small", 1000 + i), 0);
	}
	assert_null(text_cache_get(cache, "k0", 0));
	text = text_cache_get(cache, "k299", 0);
	assert_string_equal(text, "small");
	free(text);
	free(big);
	text_cache_free(cache);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_age),		T(test_failures_are_not_kept), T(test_own_effect),
		T(test_single_flight),	T(test_shared_failure),	       T(test_leader_cancelled),
		T(test_waiter_cancelled), T(test_pool_end),	       T(test_turns),
		cmocka_unit_test(test_text_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
