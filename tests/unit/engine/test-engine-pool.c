/* SPDX-License-Identifier: MIT */
/* The inventory that an operator requests: shared, never stale, never incomplete. */
#include <stdlib.h>

#include "fixture.h"

static void pool_ask(struct asked *a, enum token_role role, const char *account)
{
	memset(a, 0, sizeof(*a));
	a->request.kind = REQUEST_POOL;
	a->request.caller.role = role;
	strcpy(a->request.caller.owner, "root");
	strcpy(a->request.expected_account, account);
	world_ask(&w, a);
}

static void pool_forget(struct asked *a)
{
	free(a->request.pool);
	a->request.pool = NULL;
}

static void make(const char *id)
{
	struct asked *a = calloc(1, sizeof(*a));

	world_create(&w, a, id);
	world_pass(&w, 5000);
	free(a);
}

static void all_of_it_with_the_lease(void **state)
{
	struct asked *a = calloc(1, sizeof(*a));

	(void)state;
	make("cbx_000000000001");
	make("cbx_000000000002");
	pool_ask(a, TOKEN_ADMIN, "");
	world_settle(&w);
	assert_int_equal(a->answered, 1);
	assert_int_equal(a->request.result, RESULT_OK);
	assert_int_equal(a->request.pool_count, 2);
	assert_string_equal(a->request.pool[0].lease, "cbx_000000000001");
	assert_string_equal(a->request.pool[0].account, "toy");
	assert_string_equal(a->request.pool[1].lease, "cbx_000000000002");
	assert_string_equal(a->request.pool[1].status, "");
	pool_forget(a);
	/* A server that does not match its signature belongs to no lease. */
	strcpy(w.cloud[0].name, "renamed");
	world_pass(&w, 6000);
	pool_ask(a, TOKEN_ADMIN, "toy");
	world_settle(&w);
	assert_int_equal(a->request.pool_count, 2);
	assert_string_equal(a->request.pool[0].name, "renamed");
	assert_string_equal(a->request.pool[0].lease, "");
	pool_forget(a);
	free(a);
}

static void one_list_serves_many_and_not_for_long(void **state)
{
	struct asked *a = calloc(3, sizeof(*a));
	int lists = w.lists;

	(void)state;
	for (int i = 0; i < 3; i++)
		pool_ask(&a[i], TOKEN_ADMIN, i == 1 ? "toy" : "");
	world_settle(&w);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].answered, 1);
		assert_int_equal(a[i].request.result, RESULT_OK);
		pool_forget(&a[i]);
	}
	assert_int_equal(w.lists, lists + 1);
	world_pass(&w, 4000);
	pool_ask(&a[0], TOKEN_ADMIN, "");
	world_settle(&w);
	assert_int_equal(w.lists, lists + 1);
	pool_forget(&a[0]);
	make("cbx_000000000003");
	world_pass(&w, 2000);
	pool_ask(&a[0], TOKEN_ADMIN, "");
	world_settle(&w);
	assert_int_equal(w.lists, lists + 2);
	assert_int_equal(a[0].request.pool_count, 1);
	pool_forget(&a[0]);
	free(a);
}

static void half_of_it_is_none(void **state)
{
	struct asked *a = calloc(1, sizeof(*a));

	(void)state;
	w.list_fails = 1;
	pool_ask(a, TOKEN_ADMIN, "");
	world_settle(&w);
	assert_int_equal(a->answered, 1);
	assert_int_equal(a->request.result, RESULT_UNAVAILABLE);
	assert_string_equal(a->request.code, "inventory_unavailable");
	assert_null(a->request.pool);
	/* After a failure it is requested again at once, not after the lifetime of a valid one. */
	pool_ask(a, TOKEN_ADMIN, "");
	world_settle(&w);
	assert_int_equal(a->request.result, RESULT_OK);
	pool_forget(a);
	free(a);
}

static void who_may_and_what_of(void **state)
{
	struct asked *a = calloc(1, sizeof(*a));

	(void)state;
	pool_ask(a, TOKEN_USER, "");
	world_settle(&w);
	assert_int_equal(a->request.result, RESULT_FORBIDDEN);
	pool_ask(a, TOKEN_ADMIN, "aws");
	world_settle(&w);
	assert_int_equal(a->request.result, RESULT_INVALID);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_AUTH;
	world_pass(&w, 10 * 60 * 1000);
	pool_ask(a, TOKEN_ADMIN, "");
	world_settle(&w);
	assert_int_equal(a->request.result, RESULT_UNAVAILABLE);
	assert_string_equal(a->request.code, "provider_blocked");
	free(a);
}

static void the_end_answers_who_waits(void **state)
{
	struct asked *a = calloc(1, sizeof(*a));

	(void)state;
	pool_ask(a, TOKEN_ADMIN, "");
	assert_int_equal(a->answered, 0);
	driver_begin(&w.d);
	core_drain(w.d.core);
	driver_flush(&w.d);
	assert_int_equal(a->answered, 1);
	assert_string_equal(a->request.code, "shutting_down");
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_of_it_with_the_lease),	 TEST(one_list_serves_many_and_not_for_long),
		TEST(half_of_it_is_none),	 TEST(who_may_and_what_of),
		TEST(the_end_answers_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
