/* SPDX-License-Identifier: MIT */
/* The owner of an account stops as planned, and requests at another daemon wait for the next. */
#include "pair.h"

#include "engine/fleet.h"

#define A (&pair.a)
#define B (&pair.b)
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yBg7v5l4r0p8C0kq1J3m8ZkqX5b5w5y5e5r5t5y5u x"
#define CREATE "{\"slug\":\"my-box\",\"serverType\":\"small\",\"sshPublicKey\":\"" KEY "\"}"
#define ASYNC "Prefer: respond-async"

/* Whoever can take the account is told, and need not find out by itself. */
static void requests_that_wait_ask_for_an_owner(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_nobody();
	pair_begin(A, &told, "POST", "/v1/leases/" PAIR_LEASE "/release", "", "{}");
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 404);
	assert_int_equal(A->sought, 0);
	told_clear(&told);
	pair_begin(A, &told, "POST", "/v1/leases", ASYNC, CREATE);
	PAIR_WAIT(A->sought > 0);
	assert_int_equal(told.is_there, 0);
	pair_owner_is_a();
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 201);
	told_clear(&told);
	assert_int_equal(B->sought, 0);
}

/* It still has the account, and its connections: what it refuses is for the next owner. */
static void an_owner_that_stops_is_waited_out(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	fleet_stop(pair.fleet, 1000);
	pair_begin(A, &told, "POST", "/v1/leases", ASYNC, CREATE);
	PAIR_WAIT(A->sought > 0);
	assert_int_equal(B->requests, 1);
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 503);
	assert_string_equal(told_text(&told, "error", NULL), "account_moving");
	told_clear(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(requests_that_wait_ask_for_an_owner),
		PAIR_TEST(an_owner_that_stops_is_waited_out),
	};

	pair_wait_ms = 1000;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
