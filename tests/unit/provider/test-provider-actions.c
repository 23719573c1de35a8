/* SPDX-License-Identifier: MIT */
/* Matching requests to declared actions. Pure. */
#include "toy.h"

#include "provider/actions.h"

#define ID_ROOM 16

static const struct lessor_action actions[] = {
	{ .name = "list", .method = "GET", .path = "/servers" },
	{ .name = "read", .method = "GET", .path = "/servers/{id}" },
	{ .name = "delete", .method = "DELETE", .path = "/servers/{id}" },
	{ .name = "poweron", .method = "POST", .path = "/servers/{id}/actions/poweron" },
	{ .name = "any", .method = "POST", .path = "/servers/{id}/any/{verb}" },
	{ .name = "zoned", .method = "GET", .path = "/zones/{zone}/disks/{id}" },
	{ .name = "word", .method = "GET", .path = "/catalog/{word}" },
	{ .name = "brace", .method = "GET", .path = "/odd/{}" },
	{ .name = "root", .method = "GET", .path = "/" },
};

static struct lessor_provider table_of(const struct lessor_action *list, size_t count)
{
	return (struct lessor_provider){ .actions = list, .action_count = count,
					 .action_size = sizeof(*list) };
}

static void finds(const char *method, const char *path, const char *name, const char *id)
{
	struct lessor_provider table = table_of(actions, ARRAY_LEN(actions));
	struct lessor_action action;
	char have[ID_ROOM] = "x";

	if (action_find(&table, method, path, &action, have, sizeof(have)))
		fail_msg("%s %s is none", method, path);
	if (strcmp(action.name, name) != 0 || strcmp(have, id) != 0)
		fail_msg("%s %s is '%s' of '%s'", method, path, action.name, have);
}

static void finds_none(const char *method, const char *path)
{
	struct lessor_provider table = table_of(actions, ARRAY_LEN(actions));
	struct lessor_action action;
	char id[ID_ROOM];

	if (action_find(&table, method, path, &action, id, sizeof(id)) == 0)
		fail_msg("%s %s is '%s' of '%s'", method, path, action.name, id);
}

static void test_segments_are_compared_whole(void **state)
{
	(void)state;
	finds("GET", "/servers", "list", "");
	finds("GET", "/servers/42", "read", "42");
	finds("POST", "/servers/42/actions/poweron", "poweron", "42");
	finds("GET", "/", "root", "");
	finds_none("GET", "/server");
	finds_none("GET", "/serversx");
	finds_none("GET", "/Servers");
	finds_none("GET", "/servers/42/43");
	finds_none("GET", "/servers/42/actions");
	finds_none("POST", "/servers/42/actions");
	finds_none("POST", "/servers/42/actions/power");
	finds_none("POST", "/servers/42/actions/poweron/now");
	finds_none("POST", "/servers/actions/poweron");
	finds_none("GET", "servers");
	finds_none("GET", "");
	finds_none("GET", "x/servers");
}

static void test_the_method_counts(void **state)
{
	(void)state;
	finds("DELETE", "/servers/42", "delete", "42");
	finds_none("PUT", "/servers/42");
	finds_none("delete", "/servers/42");
	finds_none("DELETE", "/servers");
	finds_none("POST", "/servers");
	finds_none("", "/servers");
	finds_none("GETS", "/servers");
}

static void test_the_query_does_not_count(void **state)
{
	(void)state;
	finds("GET", "/servers?name=x&page=2", "list", "");
	finds("GET", "/servers?", "list", "");
	finds("GET", "/servers/42?with=all", "read", "42");
	finds("GET", "/?x", "root", "");
	/* the query is not part of the path's segments */
	finds("DELETE", "/servers/43?/42", "delete", "43");
	finds("GET", "/servers?/42", "list", "");
	finds_none("DELETE", "/servers?id=42");
	finds_none("DELETE", "/servers?/42");
	finds_none("GET", "/servers/?42");
}

static void test_words_match_one_segment_whatever_it_is(void **state)
{
	(void)state;
	finds("POST", "/servers/42/any/reboot", "any", "42");
	finds("GET", "/catalog/sizes", "word", "");
	finds("GET", "/catalog/{id}", "word", "");
	/* the id is the segment in the place of {id} */
	finds("GET", "/zones/7/disks/42", "zoned", "42");
	finds_none("GET", "/zones//disks/42");
	finds_none("GET", "/catalog/sizes/small");
	finds_none("GET", "/catalog/");
	finds_none("GET", "/catalog");
	/* a placeholder needs a name */
	finds("GET", "/odd/{}", "brace", "");
	finds_none("GET", "/odd/thing");
}

static void test_escapes_are_not_undone(void **state)
{
	(void)state;
	/* ids are compared byte by byte, so this is not 42 */
	finds("GET", "/servers/%34%32", "read", "%34%32");
	finds("GET", "/servers/a%3Ab", "read", "a%3Ab");
	finds_none("GET", "/%73ervers");
	finds_none("DELETE", "/%73ervers/42");
}

static void test_slashes_too_many_match_nothing(void **state)
{
	(void)state;
	finds_none("GET", "/servers/");
	finds_none("GET", "/servers/42/");
	finds_none("DELETE", "/servers/42/");
	finds_none("DELETE", "/servers//42");
	finds_none("DELETE", "//servers/42");
	finds_none("GET", "//");
	finds_none("POST", "/servers/42/actions/poweron/");
}

static void test_an_id_longer_than_any_is_none(void **state)
{
	(void)state;
	finds("DELETE", "/servers/123456789012345", "delete", "123456789012345");
	finds_none("DELETE", "/servers/1234567890123456");
	/* other placeholders have no limit on length */
	finds("GET", "/catalog/12345678901234567890", "word", "");
}

/* In any order of the table: a request that may be a delete counts as one. */
static void test_the_strictest_action_counts(void **state)
{
	static const struct lessor_action list[] = {
		{ .name = "read", .method = "GET", .path = "/servers/{id}", .effect = LESSOR_READS },
		{ .name = "reap", .method = "GET", .path = "/{word}/reap", .effect = LESSOR_DESTROYS },
		{ .name = "list", .method = "GET", .path = "/{word}/{word}", .effect = LESSOR_LISTS },
	};
	struct lessor_provider table = table_of(list, ARRAY_LEN(list));
	struct lessor_action action;
	char id[ID_ROOM];
	(void)state;

	assert_int_equal(action_find(&table, "GET", "/servers/reap", &action, id, sizeof(id)), 0);
	assert_string_equal(action.name, "reap");
	assert_string_equal(id, "");
	/* of two reads, the first */
	assert_int_equal(action_find(&table, "GET", "/servers/42", &action, id, sizeof(id)), 0);
	assert_string_equal(action.name, "read");
	assert_string_equal(id, "42");
	assert_int_equal(action_find(&table, "GET", "/keys/42", &action, id, sizeof(id)), 0);
	assert_string_equal(action.name, "list");
}

/* {id} is the object's id, wherever it occurs. */
static void test_an_id_that_stands_twice(void **state)
{
	static const struct lessor_action list[] = {
		{ .name = "twice", .method = "DELETE", .path = "/pools/{id}/servers/{id}" },
	};
	struct lessor_provider table = table_of(list, ARRAY_LEN(list));
	struct lessor_action action;
	char id[ID_ROOM], path[40];
	(void)state;

	assert_int_equal(action_find(&table, "DELETE", "/pools/42/servers/42", &action, id, sizeof(id)),
			 0);
	assert_string_equal(id, "42");
	assert_int_equal(action_find(&table, "DELETE", "/pools/43/servers/42", &action, id, sizeof(id)),
			 -1);
	assert_int_equal(action_find(&table, "DELETE", "/pools/42/servers/43", &action, id, sizeof(id)),
			 -1);
	assert_int_equal(action_path(&list[0], "42", path, sizeof(path)), 0);
	assert_string_equal(path, "/pools/42/servers/42");
	assert_int_equal(action_path(&list[0], "42", path, 20), -1);
}

/* Members that an older header does not have are zero. */
static void test_smaller_actions(void **state)
{
	struct lessor_provider table = table_of(actions, ARRAY_LEN(actions));
	struct lessor_action action;
	(void)state;

	table.action_size = offsetof(struct lessor_action, kinds);
	table.action_count = 1;
	action = action_at(&table, 0);
	assert_string_equal(action.path, "/servers");
	assert_int_equal(action.kinds, 0);
	assert_int_equal(action.effect, 0);
}

static void test_kinds_and_effects(void **state)
{
	struct lessor_action action = { .kinds = LESSOR_KIND_BIT(LESSOR_KIND_KEY) |
						 LESSOR_KIND_BIT(LESSOR_KIND_SENTINEL) };
	static const struct { uint32_t effect; const char *name; int is_harmless; } effects[] = {
		{ 0, "request", 0 },		     { LESSOR_READS, "read", 1 },
		{ LESSOR_LISTS, "listing", 1 },	     { LESSOR_MAKES, "create", 0 },
		{ LESSOR_CHANGES, "change", 0 },     { LESSOR_PROTECTS, "change of protection", 0 },
		{ LESSOR_DESTROYS, "delete", 0 },    { 7, "request", 0 },
	};
	(void)state;

	assert_true(action_is_about(&action, LESSOR_KIND_KEY));
	assert_true(action_is_about(&action, LESSOR_KIND_SENTINEL));
	assert_false(action_is_about(&action, LESSOR_KIND_SERVER));
	assert_false(action_is_about(&action, 32));
	assert_false(action_is_about(&action, 34));
	assert_false(action_is_about(&action, UINT32_MAX));
	for (size_t i = 0; i < ARRAY_LEN(effects); i++) {
		action.effect = effects[i].effect;
		assert_string_equal(action_effect_name(action.effect), effects[i].name);
		assert_int_equal(action_is_harmless(&action), effects[i].is_harmless);
	}
}

static void test_action_path(void **state)
{
	struct lessor_action action = { .path = "/servers/{id}/actions" };
	char path[32];
	(void)state;

	assert_int_equal(action_path(&action, "42", path, sizeof(path)), 0);
	assert_string_equal(path, "/servers/42/actions");
	assert_int_equal(action_path(&action, "42", path, 20), 0);
	assert_int_equal(action_path(&action, "42", path, 19), -1);
	assert_int_equal(action_path(&action, "42", path, 1), -1);
	action.path = "/servers";
	assert_int_equal(action_path(&action, "42", path, sizeof(path)), 0);
	assert_string_equal(path, "/servers");
	/* the value of another placeholder is unknown */
	action.path = "/zones/{zone}/disks/{id}";
	assert_int_equal(action_path(&action, "42", path, sizeof(path)), -1);
	action.path = "/servers/{id}";
	assert_int_equal(action_path(&action, "42", path, sizeof(path)), 0);
	assert_string_equal(path, "/servers/42");
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(test_segments_are_compared_whole),
		T(test_the_method_counts),
		T(test_the_query_does_not_count),
		T(test_words_match_one_segment_whatever_it_is),
		T(test_escapes_are_not_undone),
		T(test_slashes_too_many_match_nothing),
		T(test_an_id_longer_than_any_is_none),
		T(test_the_strictest_action_counts),
		T(test_an_id_that_stands_twice),
		T(test_smaller_actions),
		T(test_kinds_and_effects),
		T(test_action_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
