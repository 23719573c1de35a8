/* SPDX-License-Identifier: MIT */
/*
 * The meaning of each API error for a create, a delete and a read: the table of the API's
 * documentation, row by row, and the rules for all other errors.
 */
#include <stdio.h>
#include <stdlib.h>

#include <lessor/provider.h>

#include "unit/test.h"
#include "error.h"

struct expected {
	int status;
	const char *code;
	uint32_t error_class;
	enum on_create on_create;
	enum on_delete on_delete;
	enum on_get on_get;
};

#define C(name) LESSOR_CLASS_##name

static const struct expected documented[] = {
	{ 400, "json_error", C(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED },
	{ 422, "json_error", C(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED },
	{ 401, "unauthorized", C(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 401, "token_readonly", C(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 403, "token_readonly", C(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 403, "forbidden", C(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 403, "maintenance", C(TRANSIENT), CREATE_WAIT, DELETE_RETRY, GET_RETRY },
	{ 403, "resource_limit_exceeded", C(QUOTA), CREATE_NEXT, DELETE_RETRY, GET_RETRY },
	{ 404, "not_found", C(INVALID), CREATE_REFUSED, DELETE_GONE, GET_GONE },
	{ 405, "method_not_allowed", C(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED },
	{ 409, "uniqueness_error", C(CONFLICT), CREATE_TAKEN, DELETE_RETRY, GET_RETRY },
	{ 409, "conflict", C(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY },
	{ 410, "deprecated_api_endpoint", C(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED },
	{ 412, "resource_unavailable", C(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY },
	{ 412, "placement_error", C(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY },
	{ 422, "placement_error", C(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY },
	{ 422, "invalid_input", C(INVALID), CREATE_FIELDS, DELETE_REFUSED, GET_REFUSED },
	{ 400, "invalid_input", C(INVALID), CREATE_FIELDS, DELETE_REFUSED, GET_REFUSED },
	{ 422, "invalid_server_type", C(INVALID), CREATE_NEXT, DELETE_REFUSED, GET_REFUSED },
	{ 422, "service_error", C(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY },
	{ 422, "unsupported_error", C(INVALID), CREATE_NEXT, DELETE_REFUSED, GET_REFUSED },
	{ 422, "must_be_unassigned", C(TRANSIENT), CREATE_REFUSED, DELETE_RETRY, GET_RETRY },
	{ 409, "must_be_unassigned", C(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY },
	{ 423, "locked", C(TRANSIENT), CREATE_WAIT, DELETE_RETRY, GET_RETRY },
	{ 423, "protected", C(PROTECTED), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 423, "resource_locked", C(PROTECTED), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 429, "rate_limit_exceeded", C(RATE), CREATE_WAIT, DELETE_RETRY, GET_RETRY },
	{ 500, "server_error", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 502, "bad_gateway", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 503, "unavailable", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 503, "robot_unavailable", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 504, "timeout", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
};

/* No code, an undocumented code, and a code that does not match the status. */
static const struct expected others[] = {
	{ 401, "", C(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 429, "", C(RATE), CREATE_WAIT, DELETE_RETRY, GET_RETRY },
	/* A proxy in front of the API responds: nothing is concluded. */
	{ 403, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 404, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 412, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 408, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 408, "unknown_error", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	/* With these statuses, even a code that is otherwise definite is not. */
	{ 408, "invalid_input", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 499, "resource_unavailable", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 409, "resource_unavailable", C(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY },
	{ 421, "unknown_error", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 425, "unknown_error", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 499, "unknown_error", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 403, "new_code", C(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY },
	{ 404, "new_code", C(PROVIDER), CREATE_REFUSED, DELETE_UNKNOWN, GET_RETRY },
	{ 412, "new_code", C(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY },
	{ 418, "new_code", C(INVALID), CREATE_REFUSED, DELETE_RETRY, GET_RETRY },
	{ 422, "new_code", C(INVALID), CREATE_REFUSED, DELETE_RETRY, GET_RETRY },
	{ 500, "not_found", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 503, "", C(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 422, "not_found", C(INVALID), CREATE_REFUSED, DELETE_RETRY, GET_RETRY },
	{ 307, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 304, "not_found", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 699, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
	{ 0, "", C(PROVIDER), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY },
};

static void check(const struct expected *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = error_rule(rows[i].status, rows[i].code);

		if (rule->error_class != rows[i].error_class || rule->on_create != rows[i].on_create ||
		    rule->on_delete != rows[i].on_delete || rule->on_get != rows[i].on_get)
			fail_msg("%d %s: class %u, create %d, delete %d, get %d", rows[i].status,
				 rows[i].code, rule->error_class, (int)rule->on_create,
				 (int)rule->on_delete, (int)rule->on_get);
	}
}

static void documented_rows(void **state)
{
	(void)state;
	check(documented, sizeof(documented) / sizeof(documented[0]));
}

static void all_others(void **state)
{
	(void)state;
	check(others, sizeof(others) / sizeof(others[0]));
}

/* Statuses for which the host never accepts a plugin's refusal of a create. */
static int host_calls_it_refused(int status)
{
	return status >= 400 && status < 500 && status != 408 && status != 409 && status != 421 &&
	       status != 425 && status != 499;
}

/*
 * Only a 404 with the API's own code is absence. Only a 4xx that the host accepts is a definite
 * refusal. A delete without permission needs operator action.
 */
static void what_must_always_hold(void **state)
{
	static const char *const codes[] = {
		"", "not_found", "uniqueness_error", "resource_unavailable", "locked", "conflict",
		"unknown_error", "rate_limit_exceeded", "invalid_input", "does not exist",
		"json_error", "resource_limit_exceeded", "placement_error", "invalid_server_type",
		"unsupported_error", "must_be_unassigned", "token_readonly", "protected",
	};

	(void)state;
	for (int status = -1; status < 1000; status++) {
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			const struct rule *rule = error_rule(status, codes[i]);
			int gone = status == 404 && i == 1;

			assert_int_equal(rule->on_get == GET_GONE, gone);
			assert_int_equal(rule->on_delete == DELETE_GONE, gone);
			if (rule->on_create != CREATE_UNKNOWN && rule->on_create != CREATE_TAKEN &&
			    !host_calls_it_refused(status))
				fail_msg("%d %s: no refusal of a create", status, codes[i]);
			if (rule->on_create == CREATE_TAKEN)
				assert_int_equal(status, 409);
			if (rule->error_class == LESSOR_CLASS_AUTH)
				assert_int_equal(rule->on_delete, DELETE_REFUSED);
			assert_int_not_equal(rule->error_class, LESSOR_CLASS_NONE);
		}
	}
}

static void without_an_answer(void **state)
{
	(void)state;
	assert_int_equal(error_rule_not_sent()->on_create, CREATE_WAIT);
	assert_int_equal(error_rule_not_sent()->on_delete, DELETE_RETRY);
	assert_int_equal(error_rule_lost()->on_create, CREATE_UNKNOWN);
	assert_int_equal(error_rule_lost()->on_delete, DELETE_UNKNOWN);
	assert_int_equal(error_rule_lost()->on_get, GET_RETRY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_rows),
		cmocka_unit_test(all_others),
		cmocka_unit_test(what_must_always_hold),
		cmocka_unit_test(without_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
