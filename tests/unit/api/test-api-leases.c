/* SPDX-License-Identifier: MIT */
#include "stage.h"

/* ---- whose it is ---------------------------------------------------------- */

static void text_1_a_missing_lease_is_named(const char *ref)
{
	char want[128];

	snprintf(want, sizeof(want), "There is no lease '%s' of yours.", ref);
	stage_expect(404, "not_found");
	assert_string_equal(stage_text("message"), want);
}

static void b160_b161_foreign_and_missing_look_the_same(void **state)
{
	static const char *const refs[] = { LEASE, "my-box", "cbx_0123456789ac", "no-box", "1001" };
	static const char *const tails[] = { "", "/events", "/residue" };
	static const char *const posts[] = { "/heartbeat", "/release" };
	const char *const others[] = { stage.bob, stage.stranger };
	char path[128];

	(void)state;
	stage_active(MINE);
	for (size_t o = 0; o < COUNT(others); o++) {
		for (size_t r = 0; r < COUNT(refs); r++) {
			for (size_t t = 0; t < COUNT(tails); t++) {
				snprintf(path, sizeof(path), "/v1/leases/%s%s", refs[r], tails[t]);
				assert_int_equal(GET(path, others[o]), 404);
				text_1_a_missing_lease_is_named(refs[r]);
			}
			for (size_t t = 0; t < COUNT(posts); t++) {
				snprintf(path, sizeof(path), "/v1/leases/%s%s", refs[r], posts[t]);
				assert_int_equal(POST(path, others[o], "{}"), 404);
				text_1_a_missing_lease_is_named(refs[r]);
			}
		}
		GET("/v1/leases", others[o]);
		assert_int_equal(stage_count("leases"), 0);
	}
	/* A reader sees the leases of its organisation and changes nothing. */
	assert_int_equal(GET("/v1/leases/my-box", stage.reader_token), 200);
	assert_int_equal(POST("/v1/leases/my-box/release", stage.reader_token, "{}"), 403);
	GET("/v1/leases", stage.reader_token);
	assert_int_equal(stage_count("leases"), 1);
	/* An admin may see and do everything. */
	assert_int_equal(GET("/v1/leases/" LEASE, stage.admin), 200);
	assert_int_equal(POST("/v1/leases/" LEASE "/heartbeat", stage.admin, "{}"), 200);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "active");
}

static void admins_have_their_routes(void **state)
{
	(void)state;
	stage_active(MINE);
	POST("/v1/leases", stage.bob, stage_create(""));
	GET("/v1/admin/leases?state=active&limit=1000", stage.admin);
	stage_expect(200, "");
	assert_int_equal(stage_count("leases"), 1);
	GET("/v1/admin/leases", stage.admin);
	assert_int_equal(stage_count("leases"), 2);
	GET("/v1/admin/leases?owner=bob&org=acme", stage.admin);
	assert_int_equal(stage_count("leases"), 1);
	GET("/v1/admin/leases?owner=alice", stage.admin);
	assert_int_equal(stage_count("leases"), 1);
	assert_string_equal(stage_text("leases.0.owner"), "alice");
	GET("/v1/admin/leases", stage.alice);
	stage_expect(403, "forbidden");
	POST("/v1/admin/leases/" LEASE "/release", stage.admin,
	     "{\"delete\":false,\"expectedProvider\":\"toy\"}");
	stage_expect(200, "");
	assert_true(json_is_false(stage_at("lease.releaseDeletesServer")));
	POST("/v1/admin/leases/" LEASE "/delete", stage.admin, "{}");
	stage_expect(200, "");
	world_pass(&stage.world, 20000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.cleanup.state"), "done");
}

/* ---- lists, events, residue, usage, metrics ------------------------------- */

static void lists_are_newest_first_and_paged(void **state)
{
	char before[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		POST("/v1/leases", stage.alice, stage_create(""));
		world_pass(&stage.world, 5000);
	}
	GET("/v1/leases?state=active&limit=1000", stage.alice);
	stage_expect(200, "");
	assert_int_equal(stage_count("leases"), 3);
	assert_true(strcmp(stage_text("leases.0.createdAt"), stage_text("leases.2.createdAt")) > 0);
	assert_string_equal(stage_text("leases.0.provider"), "toy");
	GET("/v1/leases?limit=2", stage.alice);
	assert_int_equal(stage_count("leases"), 2);
	snprintf(before, sizeof(before), "/v1/leases?limit=2&before=%s", stage_text("nextBefore"));
	GET(before, stage.alice);
	assert_int_equal(stage_count("leases"), 1);
	assert_null(stage_at("nextBefore"));
	GET("/v1/leases?provider=hetzner", stage.alice);
	assert_int_equal(stage_count("leases"), 0);
	GET("/v1/leases?cleanup=none&provider=toy", stage.alice);
	assert_int_equal(stage_count("leases"), 3);
	GET("/v1/leases?state=released", stage.alice);
	assert_int_equal(stage_count("leases"), 0);
	/* For a user the token decides what is listed, not the query. */
	GET("/v1/leases?owner=bob&org=acme", stage.alice);
	assert_int_equal(stage_count("leases"), 3);
}

static void events_and_residue(void **state)
{
	int events;
	char path[128];

	(void)state;
	stage_active(MINE);
	GET("/v1/leases/" LEASE "/events", stage.alice);
	stage_expect(200, "");
	events = stage_count("events");
	assert_true(events >= 2);
	assert_true(stage_text("events.0.type")[0] != '\0');
	snprintf(path, sizeof(path), "/v1/leases/" LEASE "/events?after=%lld&limit=1",
		 (long long)json_integer_value(stage_at("events.0.seq")));
	GET(path, stage.alice);
	assert_int_equal(stage_count("events"), 1);
	GET("/v1/leases/my-box/residue", stage.alice);
	stage_expect(200, "");
	assert_string_equal(stage_text("leaseID"), LEASE);
	assert_int_equal(json_integer_value(stage_at("residue")), 1);
	assert_string_equal(stage_text("resources.0.kind"), "server");
	assert_string_equal(stage_text("resources.0.state"), "present");
}

static void usage_adds_up(void **state)
{
	(void)state;
	stage_active(MINE);
	POST("/v1/leases", stage.bob, stage_create(""));
	GET("/v1/usage?scope=user", stage.alice);
	stage_expect(200, "");
	assert_int_equal(json_integer_value(stage_at("usage.leases")), 1);
	assert_int_equal(json_integer_value(stage_at("usage.activeLeases")), 1);
	assert_true(json_is_integer(stage_at("usage.runtimeSeconds")));
	assert_true(json_is_number(stage_at("usage.estimatedUSD")));
	assert_string_equal(stage_text("usage.scope"), "user");
	assert_string_equal(stage_text("usage.byOwner.0.key"), "alice");
	assert_int_equal(json_integer_value(stage_at("limits.maxActiveLeasesPerOwner")), 3);
	/* The token decides, not the query. */
	GET("/v1/usage?scope=all&owner=bob&org=acme", stage.alice);
	assert_int_equal(json_integer_value(stage_at("usage.leases")), 1);
	GET("/v1/usage", stage.reader_token);
	assert_int_equal(json_integer_value(stage_at("usage.leases")), 2);
	GET("/v1/usage?scope=all", stage.admin);
	assert_int_equal(json_integer_value(stage_at("usage.leases")), 2);
	assert_int_equal(stage_count("usage.byOwner"), 2);
	GET("/v1/usage?scope=user&owner=bob&org=acme", stage.admin);
	assert_int_equal(json_integer_value(stage_at("usage.leases")), 1);
	GET("/v1/usage?scope=user&month=1999-01", stage.alice);
	assert_int_equal(json_integer_value(stage_at("usage.leases")), 0);
	assert_string_equal(stage_text("usage.month"), "1999-01");
}

static void metrics_are_text_for_machines(void **state)
{
	static const char *const lines[] = { "lessor_build_info{", "lessor_leases_counted 1\n",
		"lessor_account_blocked{account=\"toy\"} 0\n",
		"lessor_account_fenced{account=\"toy\"} 0\n", "lessor_leases_without_account 0\n",
		"lessor_auth_tokens 5\n",
		"lessor_api_answers_total{method=\"GET\",route=\"/v1/leases/{lease}\","
		"status=\"2xx\"}" };

	(void)state;
	stage_active(MINE);
	GET("/v1/leases/" LEASE, stage.alice);
	GET("/v1/metrics", stage.reader_token);
	assert_int_equal(stage.status, 200);
	assert_non_null(strstr(stage.headers, "text/plain; version=0.0.4"));
	for (size_t i = 0; i < COUNT(lines); i++) {
		print_message("%s\n", lines[i]);
		assert_non_null(strstr(stage.body, lines[i]));
	}
	GET("/v1/metrics", stage.alice);
	stage_expect(403, "forbidden");
	GET("/v1/providers", stage.alice);
	stage_expect(200, "");
	assert_string_equal(stage_text("providers.0.name"), "toy");
	assert_int_equal(stage_count("classes"), 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(b160_b161_foreign_and_missing_look_the_same),
		TEST(admins_have_their_routes),
		TEST(lists_are_newest_first_and_paged),
		TEST(events_and_residue),
		TEST(usage_adds_up),
		TEST(metrics_are_text_for_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
