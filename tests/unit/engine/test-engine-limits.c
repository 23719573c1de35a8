/* SPDX-License-Identifier: MIT */
/* Caps on leases and hourly cost, and the order of steps when an account has no free slot. */

#include <stdio.h>

#include "engine/internal.h"
#include "util/text.h"
#include "fixture.h"

#define PRICE 12345

/* ---- limits ------------------------------------------------------------------------- */

static void set_price(void)
{
	const struct store_price price = {
		.type = "small", .location = "here", .hour_micros = PRICE, .currency = "EUR",
		.available = 1,
	};

	driver_begin(&w.d);
	assert_int_equal(core_prices_replace(w.d.core, "toy", &price, 1, NULL), 0);
	driver_flush(&w.d);
}

static struct asked create_as(const char *owner, const char *org)
{
	struct asked a = { 0 };

	TEXT_SET(a.request.caller.owner, owner);
	TEXT_SET(a.request.caller.org, org);
	world_create(&w, &a, "");
	assert_int_equal(a.answered, 1);
	return a;
}

static void expect(const char *owner, const char *org, enum request_result result)
{
	struct asked a = create_as(owner, org);

	assert_int_equal(a.request.result, result);
	if (result == RESULT_LIMIT)
		assert_string_equal(a.request.code, "cost_limit_exceeded");
}

/* A cap that two leases of alice's reach. */
struct limit {
	const char *name;
	int64_t value;
	size_t at;		/* offset in struct engine_limits */
	int colleague, stranger;	/* does it also stop bob@acme, and alice@other? */
};

#define LIMIT(member, most, colleague, stranger) \
	{ #member, (most), offsetof(struct engine_limits, member), colleague, stranger }

static void check_limit(const struct limit *limit)
{
	struct engine_limits limits = { 0 };
	struct asked first, again = { 0 };

	print_message("%s %lld\n", limit->name, (long long)limit->value);
	memcpy((char *)&limits + limit->at, &limit->value, sizeof(limit->value));
	world_start(&w, &limits);
	set_price();
	first = create_as("alice", "acme");
	assert_int_equal(first.request.result, RESULT_CREATED);
	assert_int_equal(first.request.lease.price_hour_micros, PRICE);
	expect("alice", "acme", RESULT_CREATED);
	expect("alice", "acme", RESULT_LIMIT);
	world_pass(&w, MINUTE);
	assert_int_equal(w.made, 2);
	/* Active leases count like those still provisioning. */
	expect("alice", "acme", RESULT_LIMIT);
	expect("bob", "acme", limit->colleague ? RESULT_LIMIT : RESULT_CREATED);
	expect("alice", "other", limit->stranger ? RESULT_LIMIT : RESULT_CREATED);
	/* A released lease counts until its cleanup is done. */
	world_release(&w, &again, first.request.lease.id, 1);
	assert_int_equal(again.request.result, RESULT_OK);
	expect("alice", "acme", RESULT_LIMIT);
	world_pass(&w, MINUTE);
	expect("alice", "acme", RESULT_CREATED);
	expect("alice", "acme", RESULT_LIMIT);
	world_end(&w);
}

static void each_limit_stops_whom_it_is_for(void **state)
{
	static const struct limit limits[] = {
		LIMIT(max_active, 2, 1, 1),
		LIMIT(max_active_owner, 2, 0, 0),
		LIMIT(max_active_org, 2, 1, 0),
		LIMIT(max_active_account, 2, 1, 1),
		/* Exactly the price of two leases, and one micro below that of three. */
		LIMIT(max_hour_micros, 2 * PRICE, 1, 1),
		LIMIT(max_hour_micros, 3 * PRICE - 1, 1, 1),
		LIMIT(max_hour_micros_owner, 2 * PRICE, 0, 0),
		LIMIT(max_hour_micros_owner, 3 * PRICE - 1, 0, 0),
		LIMIT(max_hour_micros_org, 2 * PRICE, 1, 0),
		LIMIT(max_hour_micros_org, 3 * PRICE - 1, 1, 0),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		check_limit(&limits[i]);
}

/* ---- slots -------------------------------------------------------------------------- */

static int creates_before;	/* before the first cleanup */

static void count_create(struct world *world)
{
	creates_before += !world->cleanups;
}

static void a_cleanup_goes_before_waiting_creates(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.d.account->config.max_steps = 1;
	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(world_alive(&w), 1);
	w.during_create = count_create;
	creates_before = 0;
	for (int i = 0; i < 5; i++)
		create_as("alice", "acme");
	/* The first create has the only slot; the others wait. */
	driver_due(&w.d);
	assert_int_equal(core_steps_running(w.d.core), 1);
	world_release(&w, &a, ID, 1);
	driver_due(&w.d);
	world_pass(&w, MINUTE);
	assert_int_equal(creates_before, 1);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(w.made, 6);
}

/* A name that is taken is truncated only as far as needed to append four digits. */
static void a_long_slug_that_is_taken_keeps_its_length(void **state)
{
	struct lease l[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct asked a = { 0 };

		memset(a.request.create.slug, 'x', 41);
		world_create(&w, &a, i ? "cbx_000000000002" : ID);
		assert_int_equal(a.request.result, RESULT_CREATED);
		l[i] = lease(i ? "cbx_000000000002" : ID);
	}
	assert_int_equal(strlen(l[0].slug), 41);
	assert_int_equal(strlen(l[1].slug), 41);
	assert_memory_equal(l[0].slug, l[1].slug, 36);
	assert_int_equal(l[1].slug[36], '-');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit_stops_whom_it_is_for),
		TEST(a_cleanup_goes_before_waiting_creates),
		TEST(a_long_slug_that_is_taken_keeps_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
