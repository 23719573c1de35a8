/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include "util/time.h"

#define ADMIN_RESOLVE "/v1/admin/leases/" LEASE "/resolve"
#define HOURS 3600000

static void make_stuck(void)
{
	stage_active(MINE);
	stage.world.strip_labels = 1;
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	stage_expect(200, "");
	world_pass(&stage.world, 60000);
}

static void attention_is_in_the_lease_the_list_and_the_metric(void **state)
{
	(void)state;
	stage_active(MINE);
	GET("/v1/leases?attention=true", stage.alice);
	assert_int_equal(stage_count("leases"), 0);
	stage.world.strip_labels = 1;
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	world_pass(&stage.world, 60000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_non_null(strstr(stage_text("lease.attention"), "lessor resolve " LEASE " retry"));
	GET("/v1/leases?attention=true", stage.alice);
	stage_expect(200, "");
	assert_int_equal(stage_count("leases"), 1);
	assert_int_equal(stage_count("leases.0.cleanup.residue"), 1);
	assert_true(json_integer_value(stage_at("leases.0.cleanup.residue.0.row")) > 0);
	GET("/v1/leases?attention=true", stage.bob);
	assert_int_equal(stage_count("leases"), 0);
	GET("/v1/admin/leases?attention=true", stage.admin);
	assert_int_equal(stage_count("leases"), 1);
	GET("/v1/leases?attention=maybe", stage.alice);
	stage_expect(400, "invalid_query");
	GET("/v1/metrics", stage.admin);
	assert_non_null(strstr(stage.body, "\nlessor_leases_attention{account=\"toy\",class=\""));
}

static void an_owner_may_retry(void **state)
{
	(void)state;
	make_stuck();
	stage.world.strip_labels = 0;
	POST("/v1/leases/" LEASE "/retry", stage.bob, "{}");
	stage_expect(404, "not_found");
	POST("/v1/leases/" LEASE "/retry", stage.alice, "{\"reason\":\"labels are back\"}");
	stage_expect(200, "");
	world_pass(&stage.world, 1000);
	assert_int_equal(world_alive(&stage.world), 0);
	POST("/v1/leases/" LEASE "/retry", stage.alice, NULL);
	stage_expect(409, "nothing_to_retry");
}

static void an_admin_decides_with_a_reason(void **state)
{
	char body[200];
	long long row;

	(void)state;
	make_stuck();
	GET("/v1/leases/" LEASE "/residue", stage.admin);
	row = json_integer_value(stage_at("resources.0.row"));
	POST(ADMIN_RESOLVE, stage.admin, "{\"action\":\"forget\"}");
	stage_expect(400, "invalid_field");
	POST(ADMIN_RESOLVE, stage.admin, "{\"action\":\"delete\",\"reason\":\"x\"}");
	stage_expect(400, "invalid_field");
	POST(ADMIN_RESOLVE, stage.admin, "{\"action\":\"adopt\",\"reason\":\"x\",\"id\":\"1/../2\"}");
	stage_expect(400, "invalid_field");
	POST(ADMIN_RESOLVE, stage.admin, "{\"action\":\"forget\",\"reason\":\"x\\ny\"}");
	stage_expect(400, "invalid_field");
	POST(ADMIN_RESOLVE, stage.admin, "{\"action\":\"forget\",\"reason\":\"x\",\"resource\":99}");
	stage_expect(409, "nothing_to_forget");
	snprintf(body, sizeof(body), "{\"action\":\"forget\",\"reason\":\"moved to ops\","
		 "\"resource\":%lld}", row);
	POST(ADMIN_RESOLVE, stage.admin, body);
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.cleanup.state"), "done");
	world_pass(&stage.world, 3600000);
	assert_int_equal(world_alive(&stage.world), 1);
	GET("/v1/leases/" LEASE "/events", stage.alice);
	assert_non_null(strstr(stage.body, "by root: moved to ops"));
}

static void a_retention_has_an_end_a_reason_and_a_price(void **state)
{
	char body[200], until[TIME_TEXT_ROOM];

	(void)state;
	stage_active(MINE);
	POST("/v1/leases/" LEASE "/release", stage.alice,
	     "{\"delete\":true,\"retainUntil\":\"2099-01-01T00:00:00Z\"}");
	stage_expect(400, "invalid_field");
	POST("/v1/leases/" LEASE "/release", stage.alice,
	     "{\"delete\":false,\"retainUntil\":\"yesterday\"}");
	stage_expect(400, "invalid_field");
	POST("/v1/leases/" LEASE "/release", stage.alice,
	     "{\"delete\":false,\"retainUntil\":\"2001-01-01T00:00:00Z\"}");
	stage_expect(400, "invalid_field");
	time_format(stage.world.d.now_ms + 4 * HOURS, until);
	snprintf(body, sizeof(body), "{\"delete\":false,\"retainUntil\":\"%s\","
		 "\"reason\":\"a look at the disk\"}", until);
	POST("/v1/leases/" LEASE "/release", stage.alice, body);
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.retainUntil"), until);
	assert_string_equal(stage_text("lease.retainReason"), "a look at the disk");
	GET("/v1/leases?cleanup=retained", stage.alice);
	assert_int_equal(stage_count("leases"), 1);
	assert_int_equal(stage_count("leases.0.cleanup.residue"), 1);
	assert_string_equal(stage_text("leases.0.retainUntil"), until);
	world_pass(&stage.world, 5 * HOURS);
	GET("/v1/leases?attention=true", stage.alice);
	assert_int_equal(stage_count("leases"), 1);
	assert_string_equal(stage_text("leases.0.cleanup.state"), "retained");
	assert_int_equal(world_alive(&stage.world), 1);
}

static void a_sweep_is_shown_and_asked_for(void **state)
{
	(void)state;
	GET("/v1/admin/sweep", stage.alice);
	stage_expect(403, "forbidden");
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"wipe\"}");
	stage_expect(400, "invalid_field");
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"run\",\"provider\":\"none\"}");
	stage_expect(400, "invalid_provider");
	stage_active(MINE);
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	world_pass(&stage.world, 60000);
	stage.world.cloud[0].alive = 1;
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"run\"}");
	stage_expect(200, "");
	assert_string_equal(stage_text("mode"), "report");
	world_pass(&stage.world, 60000);
	GET("/v1/admin/sweep", stage.admin);
	stage_expect(200, "");
	assert_int_equal(stage_count("accounts.0.strays"), 1);
	assert_string_equal(stage_text("accounts.0.strays.0.lease"), LEASE);
	assert_string_equal(stage_text("accounts.0.strays.0.why"), "ended");
	assert_non_null(strstr(stage_text("accounts.0.strays.0.stays"), "twice"));
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"delete\"}");
	assert_int_equal(json_integer_value(stage_at("deleting")), 0);
	world_pass(&stage.world, 2 * HOURS);
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"run\"}");
	world_pass(&stage.world, 60000);
	GET("/v1/metrics", stage.admin);
	assert_non_null(strstr(stage.body, "\nlessor_sweep_orphans{account=\"toy\"} 1\n"));
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"delete\",\"reason\":\"seen\"}");
	stage_expect(200, "");
	assert_int_equal(json_integer_value(stage_at("deleting")), 1);
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 0);
	GET("/v1/leases/" LEASE "/events", stage.alice);
	assert_non_null(strstr(stage.body, "by root: seen"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attention_is_in_the_lease_the_list_and_the_metric),
		TEST(an_owner_may_retry),
		TEST(an_admin_decides_with_a_reason),
		TEST(a_retention_has_an_end_a_reason_and_a_price),
		TEST(a_sweep_is_shown_and_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
