/* SPDX-License-Identifier: MIT */
/* POST /v1/leases/{lease}/extend: contract 2.14. */
#include "stage.h"

#define PATH "/v1/leases/" LEASE "/extend"

static int64_t number(const char *path)
{
	return json_integer_value(stage_at(path));
}

static void u1_a_lease_is_extended(void **state)
{
	char expires[40], document[8192];
	int extended = 0;

	(void)state;
	stage_active(MINE ",\"ttlSeconds\":600,\"idleTimeoutSeconds\":600");
	POST(PATH, stage.alice, "{\"ttlSeconds\":7200,\"idleTimeoutSeconds\":7200}");
	stage_expect(200, "");
	assert_int_equal(number("lease.ttlSeconds"), 7200);
	assert_int_equal(number("lease.idleTimeoutSeconds"), 7200);
	assert_null(stage_at("lease.notices"));
	snprintf(expires, sizeof(expires), "%s", stage_text("lease.expiresAt"));
	GET("/v1/leases/my-box", stage.alice);
	assert_string_equal(stage_text("lease.expiresAt"), expires);
	snprintf(document, sizeof(document), "%s", stage.body);
	/* A repetition changes nothing, nor does less. */
	POST("/v1/leases/my-box/extend", stage.alice,
	     "{\"ttlSeconds\":7200,\"expectedProvider\":\"toy\"}");
	stage_expect(200, "");
	POST(PATH, stage.alice, "{\"ttlSeconds\":1,\"idleTimeoutSeconds\":1}");
	stage_expect(200, "");
	assert_null(stage_at("lease.notices"));
	GET("/v1/leases/my-box", stage.alice);
	assert_string_equal(stage.body, document);
	GET("/v1/leases/" LEASE "/events", stage.alice);
	for (int i = 0; i < stage_count("events"); i++) {
		char path[40];

		snprintf(path, sizeof(path), "events.%d.type", i);
		if (!strcmp(stage_text(path), "lease.extended"))
			extended++;
	}
	assert_int_equal(extended, 1);
	/* It ends then, and not when it would have without. */
	world_pass(&stage.world, 3600000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "active");
	world_pass(&stage.world, 3700000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "expired");
	assert_string_equal(stage_text("lease.endReason"), "ttl");
	POST(PATH, stage.alice, "{\"ttlSeconds\":9000}");
	stage_expect(409, "lease_ended");
}

static void u1_more_than_the_limit_is_reduced(void **state)
{
	static const char *const bodies[] = {
		"{\"ttlSeconds\":259200,\"idleTimeoutSeconds\":172800}",
		"{\"ttlSeconds\":9223372036854775807,\"idleTimeoutSeconds\":9223372036854775807}",
	};

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(bodies); i++) {
		POST(PATH, stage.alice, bodies[i]);
		stage_expect(200, "");
		assert_int_equal(number("lease.ttlSeconds"), 86400);
		assert_int_equal(number("lease.idleTimeoutSeconds"), 86400);
		assert_string_equal(stage_text("lease.notices.0.code"), "ttl_shortened");
		assert_string_equal(stage_text("lease.notices.1.code"), "idle_shortened");
		if (!i)
			assert_string_equal(stage_text("lease.notices.0.message"),
					    "ttl: 3d is more than this server allows: 24h");
	}
}

static void u1_what_an_extension_refuses(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *error;
	} rows[] = {
		{ "{}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":0}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":-1}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":\"7200\"}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":5.0}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":null}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":7200,\"idleTimeoutSeconds\":0}", 400, "invalid_field" },
		{ "{\"ttlSeconds\":7200,\"expectedProvider\":\"../\"}", 400,
		  "invalid_expected_provider" },
		{ "{\"ttlSeconds\":7200,\"expectedProvider\":\"other\"}", 409,
		  "provider_identity_mismatch" },
		{ "[]", 400, "invalid_json" },
	};

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(rows); i++) {
		POST(PATH, stage.alice, rows[i].body);
		stage_expect(rows[i].status, rows[i].error);
	}
	POST(PATH, stage.reader_token, "{\"ttlSeconds\":7200}");
	stage_expect(403, "forbidden");
	POST(PATH, stage.bob, "{\"ttlSeconds\":7200}");
	stage_expect(404, "not_found");
	POST("/v1/leases/cbx_ffffffffffff/extend", stage.alice, "{\"ttlSeconds\":7200}");
	stage_expect(404, "not_found");
	stage_ask("PUT", "/v1/leases/" LEASE "/share", stage.alice, "",
		  "{\"users\":{\"bob\":\"use\"}}");
	stage_expect(200, "");
	POST(PATH, stage.bob, "{\"ttlSeconds\":7200}");
	stage_expect(403, "forbidden");
	stage_ask("PUT", "/v1/leases/" LEASE "/share", stage.alice, "",
		  "{\"users\":{\"bob\":\"manage\"}}");
	POST(PATH, stage.bob, "{\"ttlSeconds\":7200}");
	stage_expect(200, "");
	assert_int_equal(number("lease.ttlSeconds"), 7200);
	POST(PATH, stage.admin, "{\"ttlSeconds\":7300}");
	stage_expect(200, "");
	assert_int_equal(number("lease.ttlSeconds"), 7300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(u1_a_lease_is_extended, stage_setup, stage_teardown),
		cmocka_unit_test_setup_teardown(u1_more_than_the_limit_is_reduced, stage_setup,
						stage_teardown),
		cmocka_unit_test_setup_teardown(u1_what_an_extension_refuses, stage_setup,
						stage_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
