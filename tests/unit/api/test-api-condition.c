/* SPDX-License-Identifier: MIT */
/* Changes of a lease under a condition: If-Match and ETag, and an Idempotency-Key. */
#include "stage.h"

#include <stdlib.h>

#define RELEASE "/v1/leases/" LEASE "/release"

/* The ETag of the last answer. */
static const char *tag(void)
{
	static char text[32];
	const char *at = strstr(stage.headers, "ETag: ");

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(at + 6, "\n"), at + 6);
	assert_int_equal(text[0], '"');
	return text;
}

static int ask_if(const char *match, const char *target, const char *body)
{
	char fields[80];

	snprintf(fields, sizeof(fields), "If-Match: %s\r\n", match);
	return stage_ask("POST", target, stage.alice, fields, body);
}

static void each_answer_with_a_lease_has_its_epoch(void **state)
{
	char seen[32];

	(void)state;
	stage_active(MINE);
	GET("/v1/leases/" LEASE, stage.alice);
	snprintf(seen, sizeof(seen), "%s", tag());
	/* Once more, from the cache. */
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(tag(), seen);
	/* A heartbeat and an extension change no goal. */
	POST("/v1/leases/" LEASE "/heartbeat", stage.alice, "{}");
	assert_string_equal(tag(), seen);
	POST("/v1/leases/" LEASE "/extend", stage.alice, "{\"ttlSeconds\":7200}");
	assert_string_equal(tag(), seen);
	POST(RELEASE, stage.alice, "{\"delete\":false}");
	stage_expect(200, "");
	assert_string_not_equal(tag(), seen);
	snprintf(seen, sizeof(seen), "%s", tag());
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(tag(), seen);
}

static void a_change_is_made_only_at_the_epoch_that_was_seen(void **state)
{
	char seen[32];

	(void)state;
	stage_active(MINE);
	GET("/v1/leases/" LEASE, stage.alice);
	snprintf(seen, sizeof(seen), "%s", tag());
	POST(RELEASE, stage.alice, "{\"delete\":false}");
	stage_expect(200, "");
	ask_if(seen, RELEASE, "{\"delete\":true}");
	stage_expect(412, "lease_changed");
	assert_string_not_equal(tag(), seen);
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 1);
	/* With what the refusal shows, it is an explicit delete. */
	snprintf(seen, sizeof(seen), "%s", tag());
	ask_if(seen, RELEASE, "{\"delete\":true}");
	stage_expect(200, "");
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 0);
}

static void what_is_no_tag_of_ours_is_refused(void **state)
{
	static const char *const wrong[] = {
		"7", "W/\"7\"", "\"7\", \"8\"", "\"\"", "\"x\"", "\"0\"", "\"99999999999999999999\""
	};

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ask_if(wrong[i], RELEASE, "{\"delete\":true}");
		stage_expect(400, "invalid_if_match");
	}
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "active");
	ask_if("*", RELEASE, "{\"delete\":true}");
	stage_expect(200, "");
}

static void a_named_request_is_carried_out_once(void **state)
{
	static const char key[] = "Idempotency-Key: mine-1\r\n";
	char seen[32];

	(void)state;
	stage_active(MINE);
	stage_ask("POST", RELEASE, stage.alice, key, "{\"delete\":false}");
	stage_expect(200, "");
	snprintf(seen, sizeof(seen), "%s", tag());
	/* A release that is repeated without a name writes the reason again. */
	stage_ask("POST", RELEASE, stage.alice, key, "{\"delete\":false}");
	stage_expect(200, "");
	assert_string_equal(tag(), seen);
	/* The same key with another body is another request, and not hidden. */
	stage_ask("POST", RELEASE, stage.alice, key, "{\"delete\":true}");
	stage_expect(200, "");
	assert_string_not_equal(tag(), seen);
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 0);
	stage_ask("POST", RELEASE, stage.alice, "Idempotency-Key: a b\r\n", "{}");
	stage_expect(400, "invalid_idempotency_key");
}

/* The repetition of a request with a condition: its own change does not make it fail. */
static void a_named_request_meets_its_own_change(void **state)
{
	char fields[96];

	(void)state;
	stage_active(MINE);
	GET("/v1/leases/" LEASE, stage.alice);
	snprintf(fields, sizeof(fields), "Idempotency-Key: k\r\nIf-Match: %s\r\n", tag());
	for (int i = 0; i < 2; i++) {
		stage_ask("POST", RELEASE, stage.alice, fields, "{\"delete\":false}");
		stage_expect(200, "");
	}
	stage_ask("POST", RELEASE, stage.alice, fields, "{\"delete\":true}");
	stage_expect(412, "lease_changed");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_answer_with_a_lease_has_its_epoch),
		TEST(a_change_is_made_only_at_the_epoch_that_was_seen),
		TEST(what_is_no_tag_of_ours_is_refused),
		TEST(a_named_request_is_carried_out_once),
		TEST(a_named_request_meets_its_own_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
