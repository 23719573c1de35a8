/* SPDX-License-Identifier: MIT */
/* Which daemon should own which account. */
#include <stdio.h>

#include "unit/test.h"
#include "schedule/rendezvous.h"
#include "util/alloc.h"

#define ACCOUNTS 1000

static const char *const three[] = { "aaaa", "bbbb", "cccc" };
static const char *const turned[] = { "cccc", "aaaa", "bbbb" };

static const char *account_name(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "account-%d", i);
	return name;
}

static void every_daemon_computes_the_same_whatever_the_order(void **state)
{
	(void)state;
	for (int i = 0; i < ACCOUNTS; i++) {
		const char *account = account_name(i);
		const char *owner = rendezvous_owner(account, three, 3);
		unsigned ranks = 0;

		assert_string_equal(rendezvous_owner(account, turned, 3), owner);
		assert_int_equal(rendezvous_rank(account, three, 3, owner), 0);
		for (int d = 0; d < 3; d++) {
			size_t rank = rendezvous_rank(account, three, 3, three[d]);

			assert_int_equal(rendezvous_rank(account, turned, 3, three[d]), rank);
			assert_true(rank < 3);
			ranks |= 1u << rank;
		}
		assert_int_equal(ranks, 7); /* each rank once */
	}
}

static void each_daemon_has_its_share(void **state)
{
	int shares[3] = { 0 };

	(void)state;
	for (int i = 0; i < ACCOUNTS; i++) {
		for (int d = 0; d < 3; d++)
			shares[d] += rendezvous_rank(account_name(i), three, 3, three[d]) == 0;
	}
	for (int d = 0; d < 3; d++)
		assert_in_range(shares[d], ACCOUNTS / 3 - 60, ACCOUNTS / 3 + 60);
}

static void only_the_accounts_of_a_daemon_that_left_move(void **state)
{
	int moved = 0;

	(void)state;
	for (int i = 0; i < ACCOUNTS; i++) {
		const char *before = rendezvous_owner(account_name(i), three, 3);
		const char *after = rendezvous_owner(account_name(i), three, 2);

		if (before == three[2])
			moved++;
		else
			assert_string_equal(after, before);
	}
	assert_true(moved > 0);
}

static void a_daemon_that_is_not_listed_yet_has_a_rank(void **state)
{
	static const char *const four[] = { "aaaa", "bbbb", "cccc", "dddd" };

	(void)state;
	for (int i = 0; i < ACCOUNTS; i++)
		assert_int_equal(rendezvous_rank(account_name(i), three, 3, "dddd"),
				 rendezvous_rank(account_name(i), four, 4, "dddd"));
	assert_int_equal(rendezvous_rank("one", NULL, 0, "dddd"), 0);
	assert_null(rendezvous_owner("one", NULL, 0));
}

/* What one process concludes must be what another version of it does: the rule is fixed. */
static void the_rule_does_not_change(void **state)
{
	static const char *const owners[] = { "cccc", "bbbb", "cccc", "cccc",
					      "bbbb", "aaaa", "bbbb", "aaaa" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owners); i++)
		assert_string_equal(rendezvous_owner(account_name((int)i), three, 3), owners[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_daemon_computes_the_same_whatever_the_order),
		cmocka_unit_test(each_daemon_has_its_share),
		cmocka_unit_test(only_the_accounts_of_a_daemon_that_left_move),
		cmocka_unit_test(a_daemon_that_is_not_listed_yet_has_a_rank),
		cmocka_unit_test(the_rule_does_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
