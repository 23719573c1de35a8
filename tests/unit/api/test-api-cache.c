/* SPDX-License-Identifier: MIT */
/* The cache of rendered leases: who gets an entry, and that no answer is older than the store. */
#include "stage.h"

#include "api/cache.h"

/* ---- the table alone ------------------------------------------------------------------- */

static const struct caller alice = { .owner = "alice", .org = "acme", .role = TOKEN_USER };

#define EPOCH 3

static const struct buf *find(struct cache *cache, uint64_t version, const struct caller *caller,
			      const char *id)
{
	int64_t epoch;

	return cache_find(cache, version, caller, id, &epoch);
}

static int holds(struct cache *cache, uint64_t version, const struct caller *caller, const char *id,
		 const char *text)
{
	int64_t epoch;
	const struct buf *found = cache_find(cache, version, caller, id, &epoch);

	return found && !strcmp(buf_str(found), text) && epoch == EPOCH;
}

static void put(struct cache *cache, uint64_t version, const struct caller *caller, const char *id,
		size_t len, char fill)
{
	auto_buf struct buf b;

	buf_init(&b, 100000);
	for (size_t i = 0; i < len; i++)
		buf_addc(&b, fill);
	cache_put(cache, version, caller, id, EPOCH, &b);
}

static void it_is_found_by_the_same_only(void **state)
{
	struct cache *cache = cache_new();
	struct caller other;

	(void)state;
	assert_null(find(cache, 1, &alice, LEASE));
	put(cache, 7, &alice, LEASE, 3, 'a');
	assert_true(holds(cache, 7, &alice, LEASE, "aaa"));
	assert_null(find(cache, 8, &alice, LEASE));
	assert_null(find(cache, 6, &alice, LEASE));
	assert_null(find(cache, 0, &alice, LEASE));
	assert_null(find(cache, 7, &alice, "cbx_0123456789ac"));
	assert_null(find(cache, 7, &alice, ""));
	other = alice;
	other.role = TOKEN_ADMIN;
	assert_null(find(cache, 7, &other, LEASE));
	other = alice;
	other.owner[4] = 'E';
	assert_null(find(cache, 7, &other, LEASE));
	other = alice;
	other.org[0] = 'b';
	assert_null(find(cache, 7, &other, LEASE));
	/* Bytes after the end of a text do not count. */
	other = alice;
	other.owner[100] = 'x';
	assert_true(holds(cache, 7, &other, LEASE, "aaa"));
	put(cache, 8, &alice, LEASE, 2, 'b');
	assert_null(find(cache, 7, &alice, LEASE));
	assert_true(holds(cache, 8, &alice, LEASE, "bb"));
	cache_free(cache);
}

static void it_has_its_bounds(void **state)
{
	struct cache *cache = cache_new();
	char id[24];
	int found = 0;

	(void)state;
	put(cache, 0, &alice, LEASE, 3, 'a');
	assert_null(find(cache, 0, &alice, LEASE));
	put(cache, 1, &alice, LEASE, CACHE_ENTRY_MAX, 'a');
	assert_non_null(find(cache, 1, &alice, LEASE));
	put(cache, 2, &alice, LEASE, CACHE_ENTRY_MAX + 1, 'a');
	assert_null(find(cache, 2, &alice, LEASE));
	put(cache, 2, &alice, "an id that is longer than ids are", 1, 'a');
	assert_null(find(cache, 2, &alice, "an id that is longer than ids are"));
	for (int i = 0; i < 10 * CACHE_SLOTS; i++) {
		snprintf(id, sizeof(id), "cbx_%012x", i);
		put(cache, 3, &alice, id, 8, 'c');
	}
	for (int i = 0; i < 10 * CACHE_SLOTS; i++) {
		snprintf(id, sizeof(id), "cbx_%012x", i);
		found += find(cache, 3, &alice, id) != NULL;
	}
	/* Most slots are used, each by one entry. */
	assert_in_range(found, CACHE_SLOTS / 2, CACHE_SLOTS);
	cache_free(cache);
}

/* ---- no answer is older than the store ------------------------------------------------- */

/* A GET by slug always reads the store. Of two by id, the first fills the cache. */
static void same_both_ways(const char *token)
{
	char *asked;
	int status = GET("/v1/leases/my-box", token);

	asked = strdup(stage.body);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(GET("/v1/leases/" LEASE, token), status);
		if (status == 404) /* the message repeats what was asked for */
			stage_expect(404, "not_found");
		else
			assert_string_equal(stage.body, asked);
	}
	free(asked);
}

static void all_see_it_as_it_is(void)
{
	const char *const who[] = { stage.alice, stage.bob, stage.reader_token, stage.admin,
				    stage.stranger };

	for (size_t i = 0; i < COUNT(who); i++)
		same_both_ways(who[i]);
}

static void each_change_is_seen_at_once(void **state)
{
	static const struct {
		const char *method, *path, *body;
	} changes[] = {
		{ "POST", "/heartbeat", "{}" },
		{ "POST", "/heartbeat", "{\"idleTimeoutSeconds\":900}" },
		{ "POST", "/heartbeat", "{\"telemetry\":{\"load1\":0.5,\"cpuCount\":4}}" },
		{ "POST", "/extend", "{\"ttlSeconds\":7200}" },
		{ "PUT", "/share", "{\"users\":{\"bob\":\"use\"}}" },
		{ "POST", "/heartbeat", "{}" },
		{ "PUT", "/share", "{\"users\":{\"bob\":\"manage\"},\"org\":\"use\"}" },
		{ "DELETE", "/share", "{\"user\":\"bob\"}" },
		{ "DELETE", "/share", "{}" },
	};

	(void)state;
	POST("/v1/leases", stage.alice, stage_create(MINE));
	all_see_it_as_it_is();
	world_pass(&stage.world, 5000);
	all_see_it_as_it_is();
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "active");
	for (size_t i = 0; i < COUNT(changes); i++) {
		char path[64];

		print_message("%s %s\n", changes[i].path, changes[i].body);
		world_pass(&stage.world, 1000);
		snprintf(path, sizeof(path), "/v1/leases/" LEASE "%s", changes[i].path);
		stage_ask(changes[i].method, path, stage.alice, "", changes[i].body);
		stage_expect(200, "");
		all_see_it_as_it_is();
	}
	assert_int_equal(GET("/v1/leases/" LEASE, stage.bob), 404);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_int_equal(json_integer_value(stage_at("lease.idleTimeoutSeconds")), 900);
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "released");
	world_pass(&stage.world, 20000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.cleanup.state"), "done");
}

/* Entries in the cache do not replace the check of the token. */
static void a_token_that_ended_sees_nothing(void **state)
{
	struct store *tool;
	char id[17];

	(void)state;
	stage_active(MINE);
	assert_int_equal(GET("/v1/leases/" LEASE, stage.alice), 200);
	assert_int_equal(GET("/v1/leases/" LEASE, stage.alice), 200);
	snprintf(id, sizeof(id), "%.16s", stage.alice + 4);
	assert_int_equal(store_open_tool(stage.world.d.path, &stage.world.d.env, &tool, NULL), 0);
	assert_int_equal(store_token_revoke(tool, id, 1, NULL), 0);
	store_close(tool);
	world_pass(&stage.world, 1000);
	assert_int_equal(GET("/v1/leases/" LEASE, stage.alice), 401);
	assert_int_equal(GET("/v1/leases/" LEASE, stage.admin), 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_found_by_the_same_only),
		cmocka_unit_test(it_has_its_bounds),
		TEST(each_change_is_seen_at_once),
		TEST(a_token_that_ended_sees_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
