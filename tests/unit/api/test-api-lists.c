/* SPDX-License-Identifier: MIT */
/* Finding leases: filters and pages of lists, slugs that have ended, and short errors. */
#include "stage.h"

#include "util/text.h"

/* ---- lists ---------------------------------------------------------------- */

/* The ids on the pages of `target`, which has a query; returns the number of pages. */
static int pages_read(const char *target, const char *token, json_t *ids)
{
	char next[24] = "", path[256];
	int pages = 0;

	do {
		json_t *one;
		size_t i;

		snprintf(path, sizeof(path), "%s%s%s", target, *next ? "&cursor=" : "", next);
		GET(path, token);
		stage_expect(200, "");
		assert_string_equal(stage_text("pagination"), "keyset-v1");
		assert_string_equal(stage_text("nextCursor"), stage_text("nextBefore"));
		json_array_foreach(stage_at("leases"), i, one)
			json_array_append(ids, json_object_get(one, "id"));
		TEXT_SET(next, stage_text("nextCursor"));
		pages++;
	} while (*next);
	return pages;
}

/* `count` copies of a lease, in turn of alice and bob. */
static void leases_add(const struct lease *from, int count)
{
	struct store *tool;
	struct err err = { 0 };

	assert_int_equal(store_open_tool(stage.world.d.path, &stage.world.d.env, &tool, &err), 0);
	assert_int_equal(store_begin(tool, &err), 0);
	for (int i = 0; i < count; i++) {
		struct lease l = *from;

		snprintf(l.id, sizeof(l.id), "cbx_%012x", i + 1);
		snprintf(l.slug, sizeof(l.slug), "copy-%d", i);
		TEXT_SET(l.owner, i % 2 ? "alice" : "bob");
		if (store_lease_insert(tool, &l, &err))
			fail_msg("%s", err.text);
	}
	assert_int_equal(store_commit(tool, &err), 0);
	store_close(tool);
}

/* As clients from 0.71 on read the list; leases of others lie between. */
static void x3_pages_of_hundreds_of_leases(void **state)
{
	json_t *ids = json_array();
	struct lease l;

	(void)state;
	POST("/v1/leases", stage.bob, stage_create(MINE));
	assert_int_equal(store_lease_by_id(stage.reader, LEASE, &l, NULL), 0);
	leases_add(&l, 500);
	assert_int_equal(pages_read("/v1/leases?view=current&pagination=keyset-v1&limit=100&"
				    "provider=toy&x-later=1",
				    stage.alice, ids),
			 3);
	assert_int_equal(json_array_size(ids), 250);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(json_string_value(json_array_get(ids, i)),
						json_string_value(json_array_get(ids, k)));
	}
	json_array_clear(ids);
	/* A class that nobody has: pages without a lease. */
	assert_int_equal(pages_read("/v1/admin/leases?pagination=keyset-v1&class=tiny", stage.admin,
				    ids),
			 1);
	assert_int_equal(json_array_size(ids), 0);
	json_decref(ids);
}

static void x3_unknown_keys_of_a_get_are_ignored(void **state)
{
	static const char *const targets[] = {
		"/v1/whoami",
		"/v1/capacity",
		"/v1/leases",
		"/v1/leases/" LEASE,
		"/v1/providers",
		"/v1/usage",
		"/v1/leases/" LEASE "/events",
		"/v1/runs",
		"/v1/health",
	};
	char path[128];

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(targets); i++) {
		/* twice, too: what is not known has no meaning */
		snprintf(path, sizeof(path), "%s?later=1&later=2&x", targets[i]);
		print_message("%s\n", path);
		assert_int_equal(GET(path, stage.alice), 200);
	}
	POST("/v1/leases/" LEASE "/release?delete=false", stage.alice, "{}");
	stage_expect(400, "unknown_query");
	GET("/v1/leases?later=1&limit=1&limit=2", stage.alice);
	stage_expect(400, "duplicate_query");
	assert_string_equal(stage_text("message"), "The query key limit may be given only once.");
}

static void u8_a_bad_value_lists_what_is_allowed(void **state)
{
	static const struct {
		const char *query, *message;
	} rows[] = {
		{ "state=bogus", "state must be provisioning, active, released, expired or failed" },
		{ "cleanup=x", "cleanup must be none, owed, retained, attention or done" },
		{ "attention=1", "attention must be false or true" },
		{ "view=all", "view must be current" },
		{ "pagination=x", "pagination must be keyset-v1" },
		{ "since=yesterday", "since must be a time as in 2026-08-21T10:00:00Z" },
		{ "slug=a_b!", "slug must be a slug: letters, digits and single hyphens" },
	};
	char path[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(path, sizeof(path), "/v1/leases?%s", rows[i].query);
		print_message("%s\n", path);
		GET(path, stage.alice);
		stage_expect(400, "invalid_query");
		assert_string_equal(stage_text("message"), rows[i].message);
	}
	GET("/v1/leases?cursor=cbx_000000000000", stage.alice);
	stage_expect(400, "invalid_query");
	assert_memory_equal(stage_text("message"), "cursor must be", 14);
}

static int listed(const char *query, const char *token)
{
	char path[200];

	snprintf(path, sizeof(path), "/v1/leases?%s", query);
	print_message("%s\n", path);
	GET(path, token);
	stage_expect(200, "");
	return stage_count("leases");
}

static void u8_filters(void **state)
{
	char since[100];

	(void)state;
	stage_active(MINE ",\"class\":\"tiny\"");
	world_pass(&stage.world, 60000);
	POST("/v1/leases", stage.alice, stage_create(",\"slug\":\"other\",\"class\":\"small\""));
	POST("/v1/leases", stage.bob, stage_create(",\"slug\":\"my-box\",\"class\":\"small\""));
	assert_int_equal(listed("class=small", stage.alice), 1);
	assert_string_equal(stage_text("leases.0.slug"), "other");
	assert_int_equal(listed("slug=My_Box", stage.alice), 1);
	assert_string_equal(stage_text("leases.0.id"), LEASE);
	assert_int_equal(listed("slug=my-box&class=small", stage.alice), 0);
	GET("/v1/leases/other", stage.alice);
	snprintf(since, sizeof(since), "since=%s", stage_text("lease.createdAt"));
	assert_int_equal(listed(since, stage.alice), 1);
	assert_int_equal(listed("since=2027-01-15T08:00:30Z", stage.alice), 1);
	assert_int_equal(listed("since=2027-01-15T10:00:30+02:00", stage.alice), 1);
	assert_int_equal(listed("since=2027-01-15T08:00:00Z", stage.alice), 2);
	assert_int_equal(listed("slug=my-box", stage.admin), 2);
	assert_int_equal(listed("owner=bob", stage.admin), 1);
	assert_int_equal(listed("owner=nobody", stage.admin), 0);
	assert_int_equal(listed("owner=alice&class=tiny&state=active&provider=toy", stage.admin), 1);
	assert_int_equal(listed("owner=bob&class=small", stage.alice), 1);
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	world_pass(&stage.world, 20000);
	assert_int_equal(listed("slug=my-box", stage.alice), 1);
	assert_int_equal(listed("slug=my-box&view=current", stage.alice), 0);
	assert_int_equal(listed("state=released", stage.alice), 1);
}

/* ---- slugs of leases that have ended ----------------------------------------------------- */

static void end_it(void)
{
	POST("/v1/leases/my-box/release", stage.alice, "{\"delete\":true}");
	stage_expect(200, "");
	world_pass(&stage.world, 20000);
	assert_int_equal(world_alive(&stage.world), 0);
}

static void u21_an_ended_slug_is_found_by_its_owner(void **state)
{
	static const char *const tails[] = { "", "/events", "/residue" };
	const char *const others[] = { stage.bob, stage.reader_token, stage.admin, stage.stranger };
	char path[128];

	(void)state;
	stage_active(MINE);
	end_it();
	for (size_t t = 0; t < COUNT(tails); t++) {
		snprintf(path, sizeof(path), "/v1/leases/My_Box%s", tails[t]);
		assert_int_equal(GET(path, stage.alice), 200);
		for (size_t i = 0; i < COUNT(others); i++) {
			assert_int_equal(GET(path, others[i]), 404);
			assert_non_null(strstr(stage.body, "{\"error\":\"not_found\","));
		}
	}
	POST("/v1/leases/my-box/heartbeat", stage.alice, "{}");
	stage_expect(409, "lease_ended");
	POST("/v1/leases/my-box/release", stage.bob, "{}");
	stage_expect(404, "not_found");
	/* A live lease with the slug is meant first; then the newer of two that ended. */
	POST("/v1/leases", stage.alice, stage_create(",\"slug\":\"my-box\""));
	stage_expect(201, "");
	GET("/v1/leases/my-box", stage.alice);
	assert_string_not_equal(stage_text("lease.id"), LEASE);
	assert_string_not_equal(stage_text("lease.state"), "released");
	end_it();
	GET("/v1/leases/my-box", stage.alice);
	assert_string_not_equal(stage_text("lease.id"), LEASE);
	assert_string_equal(stage_text("lease.state"), "released");
}

/* A live lease that somebody shares is meant before one's own that ended, in every request. */
static void u21_a_shared_live_lease_is_meant_first(void **state)
{
	(void)state;
	stage_active(MINE);
	end_it();
	POST("/v1/leases", stage.bob, stage_create(",\"slug\":\"my-box\""));
	stage_expect(201, "");
	stage_ask("PUT", "/v1/leases/my-box/share", stage.bob, "",
		  "{\"users\":{\"alice\":\"use\"}}");
	stage_expect(200, "");
	GET("/v1/leases/my-box", stage.alice);
	assert_string_equal(stage_text("lease.owner"), "bob");
	POST("/v1/leases/my-box/release", stage.alice, "{}");
	stage_expect(403, "forbidden");
}

static void x6_a_second_stop_by_slug_is_200_and_changes_nothing(void **state)
{
	static const char *const bodies[] = {
		"{\"delete\":true,\"expectedProvider\":\"toy\"}",
		"{\"delete\":true}",
		"{}",
	};
	char updated[40];

	(void)state;
	stage_active(MINE);
	end_it();
	GET("/v1/leases/" LEASE, stage.alice);
	TEXT_SET(updated, stage_text("lease.updatedAt"));
	for (size_t i = 0; i < COUNT(bodies); i++) {
		POST("/v1/leases/my-box/release", stage.alice, bodies[i]);
		stage_expect(200, "");
		assert_string_equal(stage_text("lease.id"), LEASE);
		assert_string_equal(stage_text("lease.state"), "released");
		assert_string_equal(stage_text("lease.cleanupStatus"), "complete");
		assert_string_equal(stage_text("lease.updatedAt"), updated);
	}
}

static void x6_what_is_kept_is_deleted_by_its_id_only(void **state)
{
	(void)state;
	stage_active(MINE);
	POST("/v1/leases/my-box/release", stage.alice, "{\"delete\":false}");
	stage_expect(200, "");
	/* Repeated, it asks for nothing new. */
	POST("/v1/leases/my-box/release", stage.alice, "{\"delete\":false}");
	stage_expect(200, "");
	POST("/v1/leases/my-box/release", stage.alice, "{}");
	stage_expect(200, "");
	POST("/v1/leases/my-box/release", stage.alice, "{\"delete\":true}");
	stage_expect(409, "retained_needs_id");
	assert_non_null(strstr(stage_text("message"), LEASE));
	assert_string_equal(stage_text("lease.id"), LEASE);
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 1);
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	stage_expect(200, "");
	world_pass(&stage.world, 20000);
	assert_int_equal(world_alive(&stage.world), 0);
}

/* ---- errors about a lease ------------------------------------------------------------------ */

static void check_short(void)
{
	print_message("%zu: %s\n", stage.body_len, stage.body);
	assert_in_range(stage.body_len, 1, 599);
	assert_memory_equal(stage.body, "{\"error\":\"", 10);
	assert_string_equal(stage_text("lease.id"), LEASE);
	assert_null(stage_at("lease.sshUser"));
}

static void x5_errors_about_a_lease_are_short(void **state)
{
	char message[100];

	(void)state;
	stage_active(MINE);
	POST("/v1/admin/leases/" LEASE "/resolve", stage.admin, "{\"action\":\"retry\"}");
	stage_expect(409, "nothing_to_retry");
	assert_in_range(stage.body_len, 1, 599);
	end_it();
	POST("/v1/leases/" LEASE "/heartbeat", stage.alice, "{}");
	stage_expect(409, "lease_ended");
	check_short();
	snprintf(message, sizeof(message), "the lease ended at %s (released); create a new one",
		 stage_text("lease.endedAt"));
	assert_string_equal(stage_text("message"), message);
	assert_string_equal(stage_text("lease.endReason"), "released");
	POST("/v1/leases", stage.alice, stage_create(MINE));
	stage_expect(409, "lease_state_changed");
	check_short();
}

/* As many as there are, with what there is room for. */
static void x5_a_failed_create_tells_as_many_attempts_as_fit(void **state)
{
	(void)state;
	stage.world.create_fault = TOY_SOLD_OUT;
	stage.world.create_fault_sticky = 1;
	stage_ask("POST", "/v1/leases", stage.alice, "Prefer: wait=10\r\n",
		  stage_create(MINE ",\"class\":\"beast\""));
	stage_expect(409, "provisioning_failed");
	check_short();
	assert_int_equal(stage_count("provisioningAttempts") +
				 json_integer_value(stage_at("attemptsOmitted")),
			 5);
	assert_true(stage_count("provisioningAttempts") >= 2);
	assert_string_equal(stage_text("provisioningAttempts.0.category"), "capacity");
}

/* ---- the address ------------------------------------------------------------------------- */

static void x7_an_ended_lease_keeps_its_last_address(void **state)
{
	char host[64];

	(void)state;
	stage_active(MINE);
	GET("/v1/leases/" LEASE, stage.alice);
	TEXT_SET(host, stage_text("lease.host"));
	assert_true(host[0] != '\0');
	assert_null(stage_at("lease.lastHost"));
	end_it();
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.lastHost"), host);
	/* Complete: clients believe it only without an address to connect to. */
	assert_string_equal(stage_text("lease.cleanupStatus"), "complete");
	assert_string_equal(stage_text("lease.host"), "");
	assert_null(stage_at("lease.sshHostKey"));
	listed("slug=my-box", stage.alice);
	assert_string_equal(stage_text("leases.0.lastHost"), host);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(x3_pages_of_hundreds_of_leases),
		TEST(x3_unknown_keys_of_a_get_are_ignored),
		TEST(u8_a_bad_value_lists_what_is_allowed),
		TEST(u8_filters),
		TEST(u21_an_ended_slug_is_found_by_its_owner),
		TEST(u21_a_shared_live_lease_is_meant_first),
		TEST(x6_a_second_stop_by_slug_is_200_and_changes_nothing),
		TEST(x6_what_is_kept_is_deleted_by_its_id_only),
		TEST(x5_errors_about_a_lease_are_short),
		TEST(x5_a_failed_create_tells_as_many_attempts_as_fit),
		TEST(x7_an_ended_lease_keeps_its_last_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
