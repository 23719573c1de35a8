/* SPDX-License-Identifier: MIT */
/*
 * Objects that are changed: names, labels, protection; who did it, and what goes wrong.
 */
#include "stage.h"

#include <string.h>

#include "util/alloc.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static int64_t make_key(struct stage *s, const char *name, const char *public_key)
{
	auto_free char *body = xasprintf("{\"name\":\"%s\",\"public_key\":\"%s\","
		"\"labels\":{\"lessor-lease\":\"lease-k\"}}", name, public_key);

	want(s, 201, "POST", "/ssh_keys", body);
	return number(s, "ssh_key.id");
}

static char *path_of(const char *what, int64_t id)
{
	return xasprintf("/%s/%lld", what, (long long)id);
}

static void labels_are_replaced_as_a_whole(void **state)
{
	struct stage *s = *state;
	auto_free char *one = path_of("servers", make_server(s, "a"));
	auto_free char *key = path_of("ssh_keys", make_key(s, "k", KEY_A));

	want(s, 200, "PUT", one, "{\"labels\":{\"x\":\"y\"}}");	/* while it is made, too */
	assert_int_equal(json_object_size(member(s, "server.labels")), 1);
	assert_string_equal(text(s, "server.labels.x"), "y");
	want(s, 200, "PUT", one, "{\"name\":\"b\"}");
	assert_string_equal(text(s, "server.name"), "b");
	assert_string_equal(text(s, "server.labels.x"), "y");
	want(s, 200, "PUT", one, "{\"name\":\"b\",\"labels\":{}}");
	assert_int_equal(json_object_size(member(s, "server.labels")), 0);
	want(s, 200, "PUT", key, "{\"labels\":{\"x\":\"\",\"a.b/c\":\"d\"},\"name\":\"a_b c\"}");
	assert_string_equal(text(s, "ssh_key.name"), "a_b c");
	want(s, 200, "GET", key, NULL);
	assert_int_equal(json_object_size(member(s, "ssh_key.labels")), 2);
	want(s, 200, "GET", "/ssh_keys?label_selector=lessor-lease", NULL);
	assert_int_equal(json_array_size(member(s, "ssh_keys")), 0);
}

static void changes_are_checked(void **state)
{
	static const struct {
		int is_key;
		const char *body;
		int status;
		const char *code;
	} cases[] = {
		{ 0, "{'name':'a_b','labels':{}}", 422, "invalid_input" },
		{ 0, "{'name':''}", 422, "invalid_input" },
		{ 0, "{'name':null}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':{'a':'b:c'}}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':{'-a':'b'}}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':{'a':1}}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':['a']}", 422, "invalid_input" },
		{ 0, "{'name':'taken','labels':{}}", 409, "uniqueness_error" },
		{ 0, "[]", 422, "json_error" },
		{ 0, "{'name'", 422, "json_error" },
		{ 0, NULL, 422, "json_error" },
		{ 1, "{'name':'','labels':{}}", 422, "invalid_input" },
		{ 1, "{'name':7,'labels':{}}", 422, "invalid_input" },
		{ 1, "{'name':'other','labels':{}}", 409, "uniqueness_error" },
	};
	struct stage *s = *state;
	auto_free char *one = path_of("servers", make_server(s, "a"));
	auto_free char *key = path_of("ssh_keys", make_key(s, "k", KEY_A));

	make_server(s, "taken");
	make_key(s, "other", KEY_B);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *body = cases[i].body ? xstrdup(cases[i].body) : NULL;

		for (char *p = body; p && *p; p++)
			*p = *p == '\'' ? '"' : *p;
		want(s, cases[i].status, "PUT", cases[i].is_key ? key : one, body);
		assert_string_equal(error_code(s), cases[i].code);
	}
	assert_string_equal(text(s, "error.details.fields.0.name"), "name");
	/* What was refused changed nothing, in part neither. */
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.name"), "a");
	assert_int_equal(json_object_size(member(s, "server.labels")), 2);
	want(s, 200, "GET", key, NULL);
	assert_string_equal(text(s, "ssh_key.name"), "k");
	assert_int_equal(json_object_size(member(s, "ssh_key.labels")), 1);
	assert_int_equal(happened(s, "renamed") + happened(s, "relabelled"), 0);
	want(s, 404, "PUT", "/servers/1", "{\"labels\":{}}");
	want(s, 404, "PUT", "/ssh_keys/1", "{\"labels\":{}}");
	want(s, 404, "POST", "/servers/1/actions/change_protection",
		"{\"delete\":true,\"rebuild\":true}");
	want(s, 200, "PUT", one, "{\"name\":\"a\"}");	/* its own */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(labels_are_replaced_as_a_whole), TEST(changes_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
