/* SPDX-License-Identifier: MIT */
/* What a resource costs: units, months, limits. */
#include <string.h>
#include <time.h>

#include "unit/test.h"
#include "lease/cost.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define MILLION INT64_C(1000000)

static int64_t at(int year, int month, int day, int64_t ms)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

	return (int64_t)timegm(&tm) * 1000 + ms;
}

/* Started hours for 0.01 each. */
static struct cost server(int64_t from_ms, int64_t to_ms)
{
	return (struct cost){ .from_ms = from_ms,
			      .to_ms = to_ms,
			      .terms = {
				      .hour_micros = 10000, .unit_ms = HOUR, .currency = "EUR" } };
}

static int64_t micros(int64_t from_ms, int64_t to_ms)
{
	struct cost c = server(from_ms, to_ms);

	return cost_total(&c, 0).micros;
}

static void u12_each_hour_that_has_begun_is_billed(void **state)
{
	int64_t from = at(2026, 8, 21, 12345);

	(void)state;
	assert_int_equal(micros(from, from), 10000);
	assert_int_equal(micros(from, from + 1), 10000);
	assert_int_equal(micros(from, from + HOUR - 1), 10000);
	assert_int_equal(micros(from, from + HOUR), 10000);
	assert_int_equal(micros(from, from + HOUR + 1), 20000);
	/* A clock that was set back. */
	assert_int_equal(micros(from, from - HOUR), 10000);
}

static void u12_what_may_exist_is_billed_until_now(void **state)
{
	int64_t from = at(2026, 8, 21, 0);
	struct cost c = server(from, 0);

	(void)state;
	assert_int_equal(cost_total(&c, from + 5 * HOUR + 1).billed_ms, 6 * HOUR);
	c.to_ms = from + HOUR;
	assert_int_equal(cost_total(&c, from + 5 * HOUR + 1).billed_ms, HOUR);
}

static void u12_a_unit_belongs_to_the_month_in_which_it_begins(void **state)
{
	int64_t from = at(2026, 10, 31, 23 * HOUR + HOUR / 2);
	struct cost c = server(from, from + 2 * HOUR);
	int64_t october = at(2026, 10, 5, 0), november = at(2026, 11, 5, 0);

	(void)state;
	assert_int_equal(cost_month_ms(october), at(2026, 10, 1, 0));
	assert_int_equal(cost_next_month_ms(october), at(2026, 11, 1, 0));
	assert_int_equal(cost_next_month_ms(at(2026, 12, 31, 0)), at(2027, 1, 1, 0));
	assert_int_equal(cost_in_month(&c, october, 0).billed_ms, HOUR);
	assert_int_equal(cost_in_month(&c, november, 0).billed_ms, HOUR);
	assert_int_equal(cost_in_month(&c, at(2026, 9, 5, 0), 0).billed_ms, 0);
	assert_int_equal(cost_in_month(&c, at(2026, 12, 5, 0), 0).billed_ms, 0);
	c.to_ms = from + HOUR;
	assert_int_equal(cost_in_month(&c, november, 0).billed_ms, 0);
	/* One that begins with the month. */
	c = server(at(2026, 11, 1, 0), at(2026, 11, 1, 1));
	assert_int_equal(cost_in_month(&c, october, 0).billed_ms, 0);
	assert_int_equal(cost_in_month(&c, november, 0).billed_ms, HOUR);
}

static void u12_a_month_never_costs_more_than_its_price(void **state)
{
	struct cost c = server(at(2026, 10, 21, 0), at(2026, 12, 3, 0));

	(void)state;
	c.terms.month_micros = 5 * MILLION;
	assert_int_equal(cost_in_month(&c, at(2026, 10, 1, 0), 0).micros, 11 * 24 * 10000);
	assert_int_equal(cost_in_month(&c, at(2026, 11, 1, 0), 0).micros, 5 * MILLION);
	assert_int_equal(cost_in_month(&c, at(2026, 12, 1, 0), 0).micros, 2 * 24 * 10000);
	assert_int_equal(cost_total(&c, 0).micros, 5 * MILLION + 13 * 24 * 10000);
	assert_int_equal(cost_total(&c, 0).billed_ms, 43 * DAY);
}

static void u12_other_units_and_a_minimum(void **state)
{
	int64_t from = at(2026, 8, 21, 0);
	struct cost c = server(from, from + 1500);

	(void)state;
	c.terms.hour_micros = 3600;
	c.terms.unit_ms = 1000;
	assert_int_equal(cost_total(&c, 0).micros, 2);
	c.terms.minimum_ms = 60000;
	assert_int_equal(cost_total(&c, 0).micros, 60);
	/* How it is billed is not known yet: by time, and nothing while there is no price. */
	c.terms = (struct cost_terms){ .hour_micros = 3600 };
	assert_int_equal(cost_total(&c, 0).billed_ms, 1500);
	c.terms.hour_micros = 0;
	assert_int_equal(cost_total(&c, 0).micros, 0);
}

static void u12_what_is_expected_and_other_currencies(void **state)
{
	struct cost_terms terms = server(0, 0).terms;

	(void)state;
	assert_int_equal(cost_expected(&terms, 0), 0);
	assert_int_equal(cost_expected(&terms, -5), 0);
	assert_int_equal(cost_expected(&terms, 90 * 60000), 20000);
	assert_int_equal(cost_convert(2 * MILLION, 1080000), 2160000);
	assert_int_equal(cost_convert(2 * MILLION, 0), 0);
	/* Rounded, not truncated. */
	assert_int_equal(cost_convert(1, 500000), 1);
}

/* Whatever a damaged store holds. */
static void u12_no_time_or_price_overflows(void **state)
{
	static const int64_t odd[] = { INT64_MIN, -1, 0, 1, HOUR, INT64_C(1) << 50, INT64_MAX };
	size_t n = sizeof(odd) / sizeof(odd[0]);

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		struct cost c = { .from_ms = odd[i % n],
				  .to_ms = odd[i / n % n],
				  .terms = { .unit_ms = odd[i / n / n % n],
					     .hour_micros = odd[i / n / n / n % n],
					     .minimum_ms = odd[(i * 5 + 3) % n] } };

		cost_in_month(&c, odd[(i * 3 + 1) % n], odd[(i * 3 + 2) % n]);
		if (i % 50 == 0)
			cost_total(&c, odd[(i * 3 + 1) % n]);
	}
}

static void u12_only_what_the_provider_has_shown_is_billed(void **state)
{
	struct resource r = { .lease = 1,
			      .ours = 1,
			      .kind = LESSOR_KIND_SERVER,
			      .id = "4711",
			      .created_ms = 1000,
			      .changed_ms = 5000 };
	static const struct {
		uint32_t state;
		int is_billed;
		int64_t to_ms;
	} cases[] = {
		{ LESSOR_STATE_PRESENT, 1, 0 },	       { LESSOR_STATE_DELETING, 1, 0 },
		{ LESSOR_STATE_RETAINED, 1, 0 },       { LESSOR_STATE_DELETE_AUTHORIZED, 1, 0 },
		{ LESSOR_STATE_DELETE_UNKNOWN, 1, 0 }, { LESSOR_STATE_UNPROTECT_UNKNOWN, 1, 0 },
		{ LESSOR_STATE_GONE, 1, 5000 },	       { LESSOR_STATE_DISOWNED, 1, 5000 },
		{ LESSOR_STATE_HANDED_OVER, 1, 5000 }, { LESSOR_STATE_NEVER_EXISTED, 0, 0 },
	};
	int64_t from = 0, to = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r.state = cases[i].state;
		to = 0;
		assert_int_equal(cost_of_resource(&r, &from, &to), cases[i].is_billed);
		assert_int_equal(to, cases[i].to_ms);
		assert_int_equal(from, 1000);
	}
	/* A create whose outcome is unknown has no id. */
	r.state = LESSOR_STATE_UNKNOWN;
	r.id[0] = '\0';
	assert_false(cost_of_resource(&r, &from, &to));
	strcpy(r.id, "4711");
	r.state = LESSOR_STATE_PRESENT;
	r.ours = 0;
	assert_false(cost_of_resource(&r, &from, &to));
	r.ours = 1;
	r.kind = LESSOR_KIND_KEY;
	assert_false(cost_of_resource(&r, &from, &to));
	/* The account's own. */
	r.kind = LESSOR_KIND_SERVER;
	r.lease = 0;
	assert_false(cost_of_resource(&r, &from, &to));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(u12_each_hour_that_has_begun_is_billed),
		cmocka_unit_test(u12_what_may_exist_is_billed_until_now),
		cmocka_unit_test(u12_a_unit_belongs_to_the_month_in_which_it_begins),
		cmocka_unit_test(u12_a_month_never_costs_more_than_its_price),
		cmocka_unit_test(u12_other_units_and_a_minimum),
		cmocka_unit_test(u12_what_is_expected_and_other_currencies),
		cmocka_unit_test(u12_no_time_or_price_overflows),
		cmocka_unit_test(u12_only_what_the_provider_has_shown_is_billed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
