/* SPDX-License-Identifier: MIT */
/* Scripts depend on the numbers: this table changes only with a major version. */
#include "cli/exits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void statuses(void **state)
{
	static const struct {
		int status;
		const char *code;
		int want;
	} rows[] = {
		{ 400, "invalid_field", 4 }, { 401, "unauthorized", 5 }, { 403, "forbidden", 4 },
		{ 404, "not_found", 3 }, { 404, NULL, 3 }, { 408, NULL, 7 },
		{ 409, "lease_id_conflict", 4 }, { 409, NULL, 4 },
		{ 409, "lease_ended", 6 }, { 409, "lease_expired", 6 },
		{ 413, NULL, 4 }, { 424, "provider_not_configured", 4 },
		{ 429, "cost_limit_exceeded", 4 }, { 500, "internal", 1 },
		{ 502, NULL, 7 }, { 503, "unavailable", 7 }, { 504, NULL, 7 },
		{ 301, NULL, 1 }, { 101, NULL, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((int)exits_from_status(rows[i].status, rows[i].code) != rows[i].want)
			fail_msg("HTTP %d %s", rows[i].status, rows[i].code);
	}
}

static void numbers(void **state)
{
	(void)state;
	assert_int_equal(EXIT_OK, 0);
	assert_int_equal(EXIT_ERROR, 1);
	assert_int_equal(EXIT_USAGE, 2);
	assert_int_equal(EXIT_NOT_FOUND, 3);
	assert_int_equal(EXIT_REFUSED, 4);
	assert_int_equal(EXIT_UNAUTHORIZED, 5);
	assert_int_equal(EXIT_ENDED, 6);
	assert_int_equal(EXIT_UNREACHABLE, 7);
	assert_int_equal(EXIT_PENDING, 8);
	assert_int_equal(EXIT_INTERRUPTED, 130);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
