/* SPDX-License-Identifier: MIT */
/* Sharing a lease through its routes: bodies, and who may see and change it. */
#include "stage.h"

#define SHARE "/v1/leases/" LEASE "/share"

static void put(const char *body)
{
	stage_ask("PUT", SHARE, stage.alice, "", body);
}

static void drop(const char *body)
{
	stage_ask("DELETE", SHARE, stage.alice, "", body);
}

static void bodies_of_a_put(void **state)
{
	static const struct {
		const char *body, *code;
	} rows[] = {
		{ "{\"users\":[]}", "invalid_field" },
		{ "{\"users\":{\"bob\":\"own\"}}", "invalid_share" },
		{ "{\"users\":{\"bob\":1}}", "invalid_share" },
		{ "{\"users\":{\"b b\":\"use\"}}", "invalid_share" },
		{ "{\"users\":{\"\":\"use\"}}", "invalid_share" },
		{ "{\"users\":{\"bob\":\"use\",\" Bob \":\"manage\"}}", "invalid_share" },
		{ "{\"org\":true}", "invalid_share" },
		{ "{\"org\":\"own\"}", "invalid_share" },
		{ "{\"share\":[]}", "invalid_field" },
		{ "{\"share\":{\"org\":1}}", "invalid_share" },
		{ "{\"share\":{},\"users\":null}", "invalid_field" },
		{ "{\"share\":{},\"org\":5}", "invalid_share" },
	};
	static char many[4000] = "{\"users\":{";
	static char name[200] = "{\"users\":{\"";

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].body);
		put(rows[i].body);
		stage_expect(400, rows[i].code);
	}
	for (int i = 0; i < 65; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "%s\"u%d\":\"use\"",
			 i ? "," : "", i);
	strcat(many, "}}");
	put(many);
	stage_expect(400, "invalid_share");
	memset(name + strlen(name), 'x', 128);
	strcat(name, "\":\"use\"}}");
	put(name);
	stage_expect(400, "invalid_share");
	assert_int_equal(GET(SHARE, stage.alice), 200);
	assert_int_equal(json_object_size(stage_at("share.users")), 0);
}

static void what_is_put_is_shown(void **state)
{
	(void)state;
	stage_active(MINE);
	/* Members outside of "share" are ignored beside it. */
	put("{\"users\":{\"eve\":5},\"share\":{\"users\":{\" BOB \":\"use\",\"carol\":\"manage\","
	    "\"dave\":null,\"frank\":\"\"},\"org\":\"\"}}");
	stage_expect(200, "");
	assert_string_equal(stage_text("leaseID"), LEASE);
	assert_string_equal(stage_text("share.users.bob"), "use");
	assert_string_equal(stage_text("share.users.carol"), "manage");
	assert_int_equal(json_object_size(stage_at("share.users")), 2);
	assert_null(stage_at("share.org"));
	assert_string_equal(stage_text("share.updatedBy"), "alice");
	GET(SHARE, stage.bob);
	stage_expect(403, "forbidden");
	stage_ask("PUT", SHARE, stage.bob, "", "{}");
	stage_expect(403, "forbidden");
	assert_int_equal(GET(SHARE, stage.stranger), 404);
	assert_int_equal(GET(SHARE, stage.admin), 200);
	assert_int_equal(GET("/v1/leases/" LEASE, stage.bob), 200);
	assert_null(stage_at("lease.share"));
	assert_int_equal(GET("/v1/leases/" LEASE, stage.alice), 200);
	assert_non_null(stage_at("lease.share"));
	put("{\"org\":\"manage\"}");
	stage_expect(200, "");
	assert_string_equal(stage_text("share.org"), "manage");
	assert_int_equal(GET(SHARE, stage.bob), 200);
	assert_int_equal(GET("/v1/leases/A_B/share", stage.alice), 404);
	stage_ask("PUT", "/v1/leases/A*B/share", stage.alice, "", "{}");
	assert_int_equal(stage.status, 404);
}

static void bodies_of_a_drop(void **state)
{
	(void)state;
	stage_active(MINE);
	put("{\"users\":{\"bob\":\"use\",\"carol\":\"use\",\"dave\":\"use\"},\"org\":\"use\"}");
	stage_expect(200, "");
	drop("{\"user\":5}");
	stage_expect(400, "invalid_field");
	drop("{\"user\":\"b b\"}");
	stage_expect(400, "invalid_share");
	drop("{\"org\":\"use\"}");
	stage_expect(400, "invalid_field");
	drop("{\"user\":\"Bob\"}");
	stage_expect(200, "");
	assert_null(stage_at("share.users.bob"));
	assert_string_equal(stage_text("share.org"), "use");
	drop("{\"user\":\"carol\",\"org\":true}");
	stage_expect(200, "");
	assert_int_equal(json_object_size(stage_at("share.users")), 1);
	assert_null(stage_at("share.org"));
	drop(NULL);
	stage_expect(200, "");
	assert_int_equal(json_object_size(stage_at("share.users")), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(bodies_of_a_put),
		TEST(what_is_put_is_shown),
		TEST(bodies_of_a_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
