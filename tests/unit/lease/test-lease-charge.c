/* SPDX-License-Identifier: MIT */
/* What a lease takes of the money of each month: what it reserves, and what is settled. */
#include <string.h>
#include <time.h>

#include "unit/test.h"
#include "lease/charge.h"
#include "util/text.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define PRICE 10000

static struct lease_aggregate a;
static struct resource rows[2];
static struct charges charges;
static const struct cost_terms terms = { .hour_micros = PRICE, .unit_ms = HOUR, .currency = "EUR" };

static int64_t at(int month, int day, int64_t ms)
{
	struct tm tm = { .tm_year = 126, .tm_mon = month - 1, .tm_mday = day };

	return (int64_t)timegm(&tm) * 1000 + ms;
}

static void lease_is(int64_t created_ms, int64_t ttl_ms)
{
	memset(&a, 0, sizeof(a));
	memset(rows, 0, sizeof(rows));
	a.lease.n = 1;
	a.lease.created_ms = created_ms;
	a.lease.ttl_ms = ttl_ms;
	a.lease.state = LEASE_PROVISIONING;
	a.ledger.resources = rows;
}

static void server_is(int i, int64_t from_ms, int64_t gone_ms)
{
	rows[i] = (struct resource){ .n = i + 1,
				     .lease = 1,
				     .kind = LESSOR_KIND_SERVER,
				     .ours = 1,
				     .id = "7",
				     .terms = terms,
				     .created_ms = from_ms,
				     .changed_ms = gone_ms ? gone_ms : from_ms,
				     .state = gone_ms ? LESSOR_STATE_GONE : LESSOR_STATE_PRESENT };
	if (a.ledger.resource_count <= (size_t)i)
		a.ledger.resource_count = (size_t)i + 1;
	a.lease.is_billed = 1;
}

static void charge_at(int64_t now_ms)
{
	charges_of(&a, &terms, now_ms, &charges);
}

static void expect(int i, int64_t month_ms, int64_t reserved_hours, int64_t settled_hours)
{
	assert_in_range(i, 0, charges.count - 1);
	assert_int_equal(charges.months[i].month_ms, month_ms);
	assert_int_equal(charges.months[i].reserved_micros, reserved_hours * PRICE);
	assert_int_equal(charges.months[i].settled_micros, settled_hours * PRICE);
}

static void what_a_lease_may_cost_is_reserved(void **state)
{
	int64_t from = at(3, 10, 0);

	(void)state;
	lease_is(from, 5 * HOUR);
	charge_at(from);
	assert_int_equal(charges.count, 1);
	assert_string_equal(charges.currency, "EUR");
	expect(0, at(3, 1, 0), 5, 0);
	/* It stays, also once there is a server, which ends with the lease. */
	server_is(0, from + 1000, 0);
	charge_at(from + HOUR);
	assert_int_equal(charges.count, 1);
	expect(0, at(3, 1, 0), 5, 0);
}

static void a_lease_reserves_of_each_month_what_it_takes_of_it(void **state)
{
	int64_t from = at(3, 31, 22 * HOUR);

	(void)state;
	lease_is(from, 5 * HOUR);
	charge_at(from);
	assert_int_equal(charges.count, 2);
	expect(0, at(3, 1, 0), 2, 0);
	expect(1, at(4, 1, 0), 3, 0);
	assert_int_equal(charges_in(&charges, at(4, 1, 0)), 3 * PRICE);
	assert_int_equal(charges_in(&charges, at(5, 1, 0)), 0);
	/* In the next month the first is a bill. */
	server_is(0, from, 0);
	charge_at(at(4, 1, HOUR));
	expect(0, at(3, 1, 0), 0, 2);
	expect(1, at(4, 1, 0), 3, 0);
}

static void bills_take_the_place_of_the_reservation_at_the_proven_end(void **state)
{
	int64_t from = at(3, 10, 0);

	(void)state;
	lease_is(from, 20 * HOUR);
	server_is(0, from, 0);
	a.lease.state = LEASE_RELEASED;
	a.lease.cleanup = CLEANUP_OWED;
	charge_at(from + HOUR);
	/* It may exist: nothing is given back. */
	expect(0, at(3, 1, 0), 20, 0);
	server_is(0, from, from + 2 * HOUR);
	a.lease.cleanup = CLEANUP_DONE;
	charge_at(from + 3 * HOUR);
	assert_int_equal(charges.count, 1);
	expect(0, at(3, 1, 0), 0, 2);
}

static void what_never_was_gives_back_all(void **state)
{
	int64_t from = at(3, 10, 0);

	(void)state;
	lease_is(from, 20 * HOUR);
	a.lease.state = LEASE_RELEASED;
	a.lease.cleanup = CLEANUP_DONE;
	charge_at(from);
	assert_int_equal(charges.count, 0);
	/* In the queue it takes nothing yet. */
	lease_is(from, 20 * HOUR);
	a.lease.queue_ms = HOUR;
	charge_at(from);
	assert_int_equal(charges.count, 0);
	a.lease.admitted_ms = from + HOUR;
	charge_at(from + HOUR);
	expect(0, at(3, 1, 0), 20, 0);
	/* The outcome of its create is unknown. */
	a.lease.state = LEASE_RELEASED;
	a.lease.cleanup = CLEANUP_OWED;
	a.lease.is_billed = 1;
	charge_at(from + HOUR);
	expect(0, at(3, 1, 0), 20, 0);
}

static void each_server_that_was_made_counts(void **state)
{
	int64_t from = at(3, 10, 0);

	(void)state;
	lease_is(from, 5 * HOUR);
	server_is(0, from, from + 1000);
	charge_at(from + 2000);
	/* The first is gone, and another one will be made. */
	expect(0, at(3, 1, 0), 6, 0);
	server_is(1, from + HOUR, 0);
	charge_at(from + 2 * HOUR);
	expect(0, at(3, 1, 0), 5, 0);
}

static void what_is_kept_reserves_the_rest_of_the_month(void **state)
{
	int64_t from = at(3, 10, 0);

	(void)state;
	lease_is(from, HOUR);
	server_is(0, from, 0);
	a.lease.state = LEASE_RELEASED;
	a.lease.cleanup = CLEANUP_RETAINED;
	charge_at(from + HOUR);
	assert_int_equal(charges.count, 1);
	expect(0, at(3, 1, 0), 22 * 24, 0);
	charge_at(at(5, 2, 0));
	assert_int_equal(charges.count, 3);
	expect(0, at(3, 1, 0), 0, 22 * 24);
	expect(1, at(4, 1, 0), 0, 30 * 24);
	expect(2, at(5, 1, 0), 31 * 24, 0);
	server_is(0, from, at(5, 2, HOUR));
	a.lease.cleanup = CLEANUP_DONE;
	charge_at(at(5, 2, 2 * HOUR));
	expect(2, at(5, 1, 0), 0, 25);
	/* For years: the newest months. */
	lease_is(at(3, 1, 0) - 60 * 31 * DAY, HOUR);
	server_is(0, at(3, 1, 0) - 60 * 31 * DAY, 0);
	a.lease.state = LEASE_RELEASED;
	a.lease.cleanup = CLEANUP_RETAINED;
	charge_at(at(3, 2, 0));
	assert_int_equal(charges.count, CHARGE_MONTHS_MAX);
	assert_int_equal(charges.months[CHARGE_MONTHS_MAX - 1].month_ms, at(3, 1, 0));
}

static void what_is_late_reserves_an_hour_more(void **state)
{
	int64_t from = at(3, 10, 0);

	(void)state;
	lease_is(from, HOUR);
	server_is(0, from, 0);
	assert_int_equal(charge_is_late(&a.lease, from + HOUR - 1), 0);
	a.lease.state = LEASE_EXPIRED;
	a.lease.cleanup = CLEANUP_OWED;
	assert_int_equal(charge_is_late(&a.lease, from + HOUR), 1);
	charge_at(from + 2 * HOUR - 1);
	expect(0, at(3, 1, 0), 2, 0);
}

static void what_is_late_for_long_reserves_the_rest_of_the_month(void **state)
{
	int64_t from = at(3, 31, 20 * HOUR);

	(void)state;
	lease_is(from, HOUR);
	server_is(0, from, 0);
	/* Nothing ends while the clock is in doubt, or the account cannot be reached. */
	a.lease.state = LEASE_ACTIVE;
	charge_at(from + 2 * HOUR);
	expect(0, at(3, 1, 0), 4, 0);
	a.lease.state = LEASE_EXPIRED;
	a.lease.cleanup = CLEANUP_OWED;
	charge_at(from + 2 * HOUR);
	assert_int_equal(charges.count, 1);
	expect(0, at(3, 1, 0), 4, 0);
	charge_at(at(4, 1, 0));
	expect(0, at(3, 1, 0), 0, 4);
	expect(1, at(4, 1, 0), 30 * 24, 0);
	server_is(0, from, at(4, 1, HOUR));
	a.lease.cleanup = CLEANUP_DONE;
	charge_at(at(4, 1, 2 * HOUR));
	assert_int_equal(charge_is_late(&a.lease, at(4, 1, 2 * HOUR)), 0);
	expect(0, at(3, 1, 0), 0, 4);
	expect(1, at(4, 1, 0), 0, 1);
	/* Released long before its TTL: until then it has a reservation. */
	lease_is(from, 20 * DAY);
	server_is(0, from, 0);
	a.lease.state = LEASE_RELEASED;
	a.lease.cleanup = CLEANUP_OWED;
	assert_int_equal(charge_is_late(&a.lease, from + DAY), 0);
	/* What needs a person reserves the rest of the month in any case. */
	a.lease.cleanup = CLEANUP_ATTENTION;
	assert_int_equal(charge_is_late(&a.lease, from + 30 * DAY), 0);
}

static void a_digest_differs_with_any_number(void **state)
{
	uint64_t digest;

	(void)state;
	lease_is(at(3, 10, 0), 5 * HOUR);
	charge_at(at(3, 10, 0));
	digest = charges_digest(&charges);
	assert_int_equal(digest, charges_digest(&charges));
	charges.months[0].reserved_micros++;
	assert_int_not_equal(digest, charges_digest(&charges));
	charges.months[0].reserved_micros--;
	charges.months[0].settled_micros++;
	assert_int_not_equal(digest, charges_digest(&charges));
	charges.months[0].settled_micros--;
	TEXT_SET(charges.currency, "USD");
	assert_int_not_equal(digest, charges_digest(&charges));
	charges.count = 0;
	assert_int_not_equal(charges_digest(&charges), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_lease_may_cost_is_reserved),
		cmocka_unit_test(a_lease_reserves_of_each_month_what_it_takes_of_it),
		cmocka_unit_test(bills_take_the_place_of_the_reservation_at_the_proven_end),
		cmocka_unit_test(what_never_was_gives_back_all),
		cmocka_unit_test(each_server_that_was_made_counts),
		cmocka_unit_test(what_is_kept_reserves_the_rest_of_the_month),
		cmocka_unit_test(what_is_late_reserves_an_hour_more),
		cmocka_unit_test(what_is_late_for_long_reserves_the_rest_of_the_month),
		cmocka_unit_test(a_digest_differs_with_any_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
