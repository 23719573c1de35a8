/* SPDX-License-Identifier: MIT */
/* The bills of resources: every server that was made, in the transaction of its row. */
#include <stdio.h>

#include "engine/internal.h"
#include "fixture.h"
#include "lease/cost.h"
#include "util/text.h"

#define PRICE 10000
#define BILLS_MAX 8

static struct store_cost_row bills[BILLS_MAX];
static int bill_count;

static void prices_are(int64_t hour_micros)
{
	struct store_price price = { .type = "small",
				     .location = "here",
				     .currency = "EUR",
				     .hour_micros = hour_micros,
				     .unit_ms = HOUR };

	driver_begin(&w.d);
	assert_int_equal(core_prices_replace(w.d.core, "toy", &price, 1, NULL), 0);
	driver_flush(&w.d);
}

static void note_bill(void *arg, const struct store_cost_row *row)
{
	(void)arg;
	assert_in_range(bill_count, 0, BILLS_MAX - 1);
	bills[bill_count++] = *row;
}

/* Reads the bills of the lease; returns how many there are. */
static int bills_of(const char *id)
{
	bill_count = 0;
	assert_int_equal(store_cost_of_lease(core_store(w.d.core), lease(id).n, note_bill, NULL,
					     NULL),
			 0);
	return bill_count;
}

static int64_t micros(void)
{
	int64_t sum = 0;

	for (int i = 0; i < bill_count; i++)
		sum += cost_total(&bills[i].cost, w.d.now_ms).micros;
	return sum;
}

static void u12_a_server_is_billed_until_it_is_proven_gone(void **state)
{
	struct asked a = { 0 };
	struct lease l;

	(void)state;
	prices_are(PRICE);
	create_ready(ID);
	l = lease(ID);
	assert_int_equal(bills_of(ID), 1);
	assert_string_equal(bills[0].cost.lease_id, ID);
	assert_string_equal(bills[0].cost.slug, l.slug);
	assert_string_equal(bills[0].cost.owner, l.owner);
	assert_string_equal(bills[0].cost.org, l.org);
	assert_string_equal(bills[0].cost.account, "toy");
	assert_string_equal(bills[0].cost.type, "small");
	assert_string_equal(bills[0].cost.location, "here");
	assert_int_equal(bills[0].cost.to_ms, 0);
	assert_int_equal(bills[0].live_until_ms, l.created_ms + l.ttl_ms);
	w.delete_refusals = 3;
	world_release(&w, &a, ID, 1);
	assert_int_equal(bills_of(ID), 1);
	assert_int_equal(bills[0].cost.to_ms, 0);
	assert_int_equal(bills[0].live_until_ms, 0);
	world_pass(&w, 3 * HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(bills_of(ID), 1);
	assert_in_range(bills[0].cost.to_ms, bills[0].cost.from_ms, w.d.now_ms);
	assert_int_equal(bills[0].cost.to_ms, first_row(ID).changed_ms);
	assert_int_equal(micros(), PRICE);
}

static void u12_a_retained_server_is_billed_through_a_restart(void **state)
{
	struct asked a = { 0 };

	(void)state;
	prices_are(PRICE);
	create_ready(ID);
	world_release(&w, &a, ID, 0);
	world_pass(&w, 5 * HOUR / 2);
	world_restart(&w, NULL);
	world_pass(&w, MINUTE);
	assert_int_equal(bills_of(ID), 1);
	assert_int_equal(bills[0].cost.to_ms, 0);
	assert_int_equal(micros(), 3 * PRICE);
	world_release(&w, &a, ID, 1);
	world_pass(&w, 10 * MINUTE);
	assert_int_equal(bills_of(ID), 1);
	assert_true(bills[0].cost.to_ms > 0);
	world_pass(&w, 9 * HOUR);
	assert_int_equal(micros(), 3 * PRICE);
}

/* It is billed from the intent on, as soon as a look-up has found it. */
static void u12_a_lost_create_is_billed_once_it_is_seen(void **state)
{
	struct asked a = { 0 };

	(void)state;
	prices_are(PRICE);
	w.create_fault = TOY_LOST_MADE;
	world_create(&w, &a, ID);
	while (w.made == 0)
		world_pass(&w, SECOND);
	if (first_row(ID).id[0] == '\0')
		assert_int_equal(bills_of(ID), 0);
	world_pass(&w, 30 * MINUTE);
	assert_true(bills_of(ID) >= 1);
	assert_int_equal(bills[0].cost.from_ms, first_row(ID).created_ms);
	assert_int_equal(bill_count, w.made);
}

static void u12_what_was_never_made_costs_nothing(void **state)
{
	struct asked a = { 0 };

	(void)state;
	prices_are(PRICE);
	w.create_fault = TOY_SOLD_OUT;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, HOUR);
	assert_int_equal(w.made, 0);
	assert_int_equal(bills_of(ID), 0);
}

static void u12_a_price_counts_as_it_was_when_the_server_was_made(void **state)
{
	(void)state;
	create_ready(ID);
	assert_int_equal(bills_of(ID), 1);
	assert_string_equal(bills[0].cost.terms.currency, "");
	assert_int_equal(micros(), 0);
	/* It was not known: that of the next catalogue counts ... */
	prices_are(PRICE);
	bills_of(ID);
	assert_string_equal(bills[0].cost.terms.currency, "EUR");
	assert_int_equal(micros(), PRICE);
	/* ... and no later one. */
	prices_are(5 * PRICE);
	bills_of(ID);
	assert_int_equal(micros(), PRICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(u12_a_server_is_billed_until_it_is_proven_gone),
		TEST(u12_a_retained_server_is_billed_through_a_restart),
		TEST(u12_a_lost_create_is_billed_once_it_is_seen),
		TEST(u12_what_was_never_made_costs_nothing),
		TEST(u12_a_price_counts_as_it_was_when_the_server_was_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
