/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "util/env.h"

static void test_clocks(void **state)
{
	struct env env;
	int64_t a, b;

	(void)state;
	env_system(&env);
	assert_true(env_wall_ms(&env) > 1700000000000);
	a = env_mono_ms(&env);
	b = env_mono_ms(&env);
	assert_true(a > 0 && b >= a);
	assert_null(env.http);
	env_point(&env, "none");	/* no point: does nothing */
}

static void test_random(void **state)
{
	unsigned char a[400] = { 0 }, b[400] = { 0 };
	struct env env;

	(void)state;
	env_system(&env);
	env_random(&env, a, sizeof(a) - 1);
	env_random(&env, b, sizeof(b) - 1);
	assert_memory_not_equal(a, b, sizeof(a) - 1);
	assert_int_equal(a[sizeof(a) - 1], 0);
}

static void test_answer_fini(void **state)
{
	struct env_http_response answer = { .body = malloc(10), .body_len = 10 };

	(void)state;
	env_http_response_fini(&answer);
	assert_null(answer.body);
	env_http_response_fini(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_answer_fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
