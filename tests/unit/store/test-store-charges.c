/* SPDX-License-Identifier: MIT */
/* What leases take of each month, and that its totals are what adding it up would say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/rows.h"
#include "util/text.h"

#define LEASES 12
#define MONTHS 3
#define MONTH_MS INT64_C(2678400000)

static const char *const owners[] = { "ann", "ben", "cat" };
static const char *const orgs[] = { "acme", "beta" };
static struct lease leases[LEASES];
static struct charges charged[LEASES];

static void leases_insert(void)
{
	for (int i = 0; i < LEASES; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_%012d", i);
		leases[i] = scratch_lease(id);
		TEXT_SET(leases[i].owner, owners[i % 3]);
		TEXT_SET(leases[i].org, orgs[i % 2]);
		TEXT_SET(leases[i].account, i % 5 ? "one" : "two");
		charged[i].count = 0;
		scratch_begin();
		assert_int_equal(store_lease_insert(store, &leases[i], NULL), 0);
		scratch_commit();
	}
}

static struct charges random_charges(unsigned *seed)
{
	struct charges c = { .count = rand_r(seed) % (MONTHS + 1) };
	int first = rand_r(seed) % MONTHS;

	if (c.count > MONTHS - first)
		c.count = MONTHS - first;
	TEXT_SET(c.currency, rand_r(seed) % 2 ? "EUR" : "USD");
	for (int i = 0; i < c.count; i++)
		c.months[i] = (struct charge){ (first + i) * MONTH_MS, rand_r(seed) % 1000,
					       rand_r(seed) % 1000 };
	return c;
}

static void money_add(struct store_money *sum, const struct charge *c, int is_of)
{
	sum->reserved_micros += is_of ? c->reserved_micros : 0;
	sum->settled_micros += is_of ? c->settled_micros : 0;
}

static void spend_check(const char *owner, const char *org, const char *account)
{
	struct store_spend want[MONTHS] = { { 0 } }, got[MONTHS] = { { 0 } };

	for (int m = 0; m < MONTHS; m++)
		want[m].month_ms = got[m].month_ms = m * MONTH_MS;
	for (int i = 0; i < LEASES; i++) {
		const struct lease *l = &leases[i];
		int in_org = !strcmp(l->org, org);

		for (int k = 0; k < charged[i].count; k++) {
			const struct charge *c = &charged[i].months[k];
			struct store_spend *month = &want[c->month_ms / MONTH_MS];

			money_add(&month->all, c, 1);
			money_add(&month->org, c, in_org);
			money_add(&month->owner, c, in_org && !strcmp(l->owner, owner));
			money_add(&month->account, c, !strcmp(l->account, account));
		}
	}
	assert_int_equal(store_spend_get(store, owner, org, account, got, MONTHS, NULL), 0);
	assert_memory_equal(want, got, sizeof(got));
}

static void the_totals_of_a_month_are_what_adding_up_would_say(void **state)
{
	unsigned seed = 11;
	struct err err = { 0 };

	(void)state;
	leases_insert();
	for (int round = 0; round < 60; round++) {
		struct charges before[LEASES];

		memcpy(before, charged, sizeof(before));
		scratch_begin();
		for (int i = 0; i < 5; i++) {
			int k = rand_r(&seed) % LEASES;

			charged[k] = random_charges(&seed);
			assert_int_equal(store_charges_put(store, &leases[k], &charged[k], 0, NULL),
					 0);
		}
		if (rand_r(&seed) % 4) {
			scratch_commit();
		} else {
			store_rollback(store);
			memcpy(charged, before, sizeof(charged));
		}
		spend_check(owners[round % 3], orgs[round % 2], round % 4 ? "one" : "two");
	}
	if (store_check(store, &err))
		fail_msg("%s", err.text);
}

static void charges_are_returned_as_they_were_put(void **state)
{
	struct charges put = { .currency = "EUR",
			       .count = 2,
			       .months = { { MONTH_MS, 7, 0 }, { 2 * MONTH_MS, 9, 3 } } };
	struct charges got;

	(void)state;
	leases_insert();
	scratch_begin();
	assert_int_equal(store_charges_put(store, &leases[0], &put, 1, NULL), 0);
	scratch_commit();
	assert_int_equal(store_charges_get(store, leases[0].n, &got, NULL), 0);
	assert_int_equal(got.count, 2);
	assert_string_equal(got.currency, "EUR");
	assert_memory_equal(got.months, put.months, 2 * sizeof(put.months[0]));
	/* Shorter: what is no longer reserved is no longer there. */
	put.count = 1;
	put.months[0] = (struct charge){ 2 * MONTH_MS, 0, 5 };
	scratch_begin();
	assert_int_equal(store_charges_put(store, &leases[0], &put, 0, NULL), 0);
	scratch_commit();
	assert_int_equal(store_charges_get(store, leases[0].n, &got, NULL), 0);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.months[0].settled_micros, 5);
}

static void a_lease_takes_its_charges_with_it(void **state)
{
	const struct charges put = { .currency = "EUR",
				     .count = 1,
				     .months = { { MONTH_MS, 7, 3 } } };
	struct charges got;
	struct statement *stmt;
	struct err err = { 0 };

	(void)state;
	leases_insert();
	scratch_begin();
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_charges_put(store, &leases[i], &put, 1, NULL), 0);
	scratch_commit();
	scratch_begin();
	stmt = store_prepare(store, "DELETE FROM lease WHERE n = ?1", NULL);
	assert_non_null(stmt);
	bind_number(stmt, 1, leases[0].n);
	assert_int_equal(store_run(store, stmt, "deleting a lease", NULL), 0);
	scratch_commit();
	assert_int_equal(store_charges_get(store, leases[0].n, &got, NULL), 0);
	assert_int_equal(got.count, 0);
	assert_int_equal(store_charges_get(store, leases[1].n, &got, NULL), 0);
	assert_int_equal(got.count, 1);
	if (store_check(store, &err))
		fail_msg("%s", err.text);
}

static void what_has_no_charge_in_a_month_or_is_late_is_found_in_steps(void **state)
{
	const struct charges put = { .count = 1, .months = { { MONTH_MS, 7, 0 } } };
	int64_t n[4], after = 0;
	int found = 0, late = 0, is_last = 0, steps = 0;

	(void)state;
	leases_insert();
	scratch_begin();
	/* Both have a charge; the TTL of the second is over. */
	leases[2].ttl_ms = 2 * MONTH_MS;
	assert_int_equal(store_lease_update(store, &leases[2], NULL), 0);
	assert_int_equal(store_charges_put(store, &leases[2], &put, 1, NULL), 0);
	assert_int_equal(store_charges_put(store, &leases[3], &put, 1, NULL), 0);
	leases[4].state = LEASE_RELEASED;
	leases[4].cleanup = CLEANUP_DONE;
	assert_int_equal(store_lease_update(store, &leases[4], NULL), 0);
	scratch_commit();
	for (; !is_last; steps++) {
		int count = store_charges_due(store, "one", MONTH_MS, 4, &after, n, &is_last, NULL);

		assert_in_range(count, 0, 4);
		for (int i = 0; i < count; i++) {
			assert_int_not_equal(n[i], leases[2].n);
			assert_int_not_equal(n[i], leases[4].n);
			late += n[i] == leases[3].n;
		}
		found += count;
	}
	/* Of account "one" are 9; one has a charge and is not late, and one has ended. */
	assert_int_equal(found, 7);
	assert_int_equal(late, 1);
	assert_int_equal(steps, 3);
}

static void a_check_finds_spend_that_is_not_what_the_leases_say(void **state)
{
	struct charges put = { .currency = "EUR", .count = 1, .months = { { MONTH_MS, 7, 0 } } };
	struct err err = { 0 };

	(void)state;
	leases_insert();
	scratch_begin();
	assert_int_equal(store_charges_put(store, &leases[0], &put, 1, NULL), 0);
	scratch_commit();
	assert_int_equal(store_check(store, &err), 0);
	put.months[0].reserved_micros = 8;
	for (int i = 0; i < 2; i++) {
		/* In vain: the triggers keep up with a change of a charge. */
		scratch_begin();
		assert_int_equal(store_charges_put(store, &leases[0], &put, 0, NULL), 0);
		scratch_commit();
		assert_int_equal(store_check(store, &err), 0);
		put.months[0].reserved_micros += 1;
	}
	/* A lease that is over has reserved nothing. */
	leases[0].state = LEASE_RELEASED;
	leases[0].cleanup = CLEANUP_DONE;
	scratch_begin();
	assert_int_equal(store_lease_update(store, &leases[0], NULL), 0);
	scratch_commit();
	assert_int_equal(store_check(store, &err), -1);
	assert_non_null(strstr(err.text, "reservations of leases that are over"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_totals_of_a_month_are_what_adding_up_would_say),
		TEST(charges_are_returned_as_they_were_put),
		TEST(a_lease_takes_its_charges_with_it),
		TEST(what_has_no_charge_in_a_month_or_is_late_is_found_in_steps),
		TEST(a_check_finds_spend_that_is_not_what_the_leases_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
