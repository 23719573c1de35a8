/* SPDX-License-Identifier: MIT */
/*
 * Images and types that retire by the calendar, the lock after a create, and the form of lists and
 * errors: as the API is now, and as it was.
 */
#include <string.h>

#include "stage.h"

/* The stage begins on 2026-11-25; debian-11 ends on 2026-12-01. */
#define DAY_MS 86400000
#define ORDER(name, type, image)                                               \
	"{\"name\":\"" name "\",\"server_type\":\"" type "\",\"image\":" image \
	",\"location\":\"nbg1\"}"
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static void config(struct stage *s, const char *json)
{
	want(s, 200, "POST", "/_sim/config", json);
}

static int64_t total(struct stage *s, const char *target)
{
	want(s, 200, "GET", target, NULL);
	return number(s, "meta.pagination.total_entries");
}

static void expect_details_empty(struct stage *s)
{
	const json_t *details = member(s, "error.details");

	assert_true(json_is_object(details));
	assert_int_equal(json_object_size(details), 0);
}

/* ---- S3 ---------------------------------------------------------------------------------- */

static void s3_an_unknown_image_names_no_field(void **state)
{
	static const char *const orders[] = {
		ORDER("a", "cx23", "\"debian-99\""),
		ORDER("a", "cx23", "4711"),
		ORDER("a", "cx23", "\"fedora-41\""),
		ORDER("a", "cx23", "199030328"),
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		want(s, 422, "POST", "/servers", orders[i]);
		assert_string_equal(error_code(s), "invalid_input");
		assert_string_equal(text(s, "error.message"), "image not found");
		expect_details_empty(s);
	}
	config(s, "{\"image_field\":1}");
	want(s, 422, "POST", "/servers", orders[0]);
	assert_string_equal(text(s, "error.details.fields.0.name"), "image");
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
}

/* ---- S4 ---------------------------------------------------------------------------------- */

static void s4_an_image_retires_by_the_calendar(void **state)
{
	static const char by_name[] = "/images?include_deprecated=true&name=debian-11";
	struct stage *s = *state;

	assert_int_equal(total(s, "/images?name=debian-11"), 0);
	assert_int_equal(total(s, "/images?name=debian-11&include_deprecated=False"), 0);
	assert_int_equal(total(s, "/images?name=debian-11&include_deprecated=True"), 1);
	assert_int_equal(total(s, by_name), 1);
	assert_string_equal(text(s, "images.0.deprecated"), "2026-09-01T00:00:00Z");
	assert_string_equal(text(s, "images.0.deprecation.announced"), "2026-09-01T00:00:00Z");
	assert_string_equal(text(s, "images.0.deprecation.unavailable_after"),
			    "2026-12-01T00:00:00Z");
	assert_true(json_is_null(member(s, "images.0.deleted")));
	want(s, 201, "POST", "/servers", ORDER("a", "cx23", "\"debian-11\""));
	pass(s, 7 * DAY_MS);
	assert_int_equal(total(s, by_name), 0);
	want(s, 422, "POST", "/servers", ORDER("b", "cx23", "\"debian-11\""));
	want(s, 422, "POST", "/servers", ORDER("b", "cx23", "45557056"));
	/* Whatever refers to it still can describe it. */
	want(s, 200, "GET", "/images/45557056", NULL);
	assert_string_equal(text(s, "image.status"), "unavailable");
	assert_string_equal(text(s, "image.deleted"), "2026-12-01T00:00:00Z");
	want(s, 200, "GET", "/servers?name=a", NULL);
	assert_string_equal(text(s, "servers.0.image.name"), "debian-11");
	assert_string_equal(text(s, "servers.0.image.status"), "unavailable");
}

static void s4_a_type_retires_in_one_location_after_the_other(void **state)
{
	struct stage *s = *state;

	want(s, 200, "POST", "/_sim/catalogue",
	     "{\"retired\":[{\"type\":\"cx23\",\"location\":\"nbg1\",\"in_ms\":86400000}]}");
	want(s, 200, "GET", "/server_types?name=cx23", NULL);
	assert_true(json_is_false(member(s, "server_types.0.deprecated")));
	assert_true(json_is_null(member(s, "server_types.0.locations.0.deprecation")));
	assert_string_equal(text(s, "server_types.0.locations.1.deprecation.announced"),
			    "2026-11-25T00:00:00Z");
	assert_true(json_is_true(member(s, "server_types.0.locations.1.available")));
	assert_true(json_is_false(member(s, "server_types.0.locations.1.recommended")));
	want(s, 201, "POST", "/servers", ORDER("a", "cx23", "\"debian-12\""));
	pass(s, DAY_MS);
	want(s, 200, "GET", "/server_types?name=cx23", NULL);
	assert_true(json_is_false(member(s, "server_types.0.locations.1.available")));
	want(s, 422, "POST", "/servers", ORDER("b", "cx23", "\"debian-12\""));
	assert_string_equal(text(s, "error.message"), "server type 114 is deprecated");
	expect_details_empty(s);
	want(s, 201, "POST", "/servers",
	     "{\"name\":\"c\",\"server_type\":\"cx23\","
	     "\"image\":\"debian-12\",\"location\":\"fsn1\"}");
	want(s, 200, "POST", "/_sim/catalogue", "{\"retired\":[{\"type\":\"cx23\",\"in_ms\":0}]}");
	assert_int_equal(total(s, "/server_types?name=cx23"), 0);
	want(s, 200, "GET", "/server_types/114", NULL);
	assert_true(json_is_true(member(s, "server_type.deprecated")));
	/* Servers of that type go on. */
	want(s, 200, "GET", "/servers?name=a", NULL);
	assert_string_equal(text(s, "servers.0.server_type.name"), "cx23");
	want(s, 200, "POST", "/_sim/catalogue", "{\"available\":[{\"type\":\"cx23\"}]}");
	assert_int_equal(total(s, "/server_types?name=cx23"), 1);
}

static void s4_the_past_is_known(void **state)
{
	struct stage *s = *state;

	assert_int_equal(total(s, "/server_types"), 25);
	assert_int_equal(total(s, "/server_types?name=cx22"), 0);
	want(s, 200, "GET", "/server_types/104", NULL);
	assert_string_equal(text(s, "server_type.locations.0.deprecation.unavailable_after"),
			    "2026-01-01T00:00:00Z");
	/* What is available for all does not bring back what is over. */
	want(s, 200, "POST", "/_sim/catalogue", "{\"available\":[{\"type\":\"*\"}]}");
	assert_int_equal(total(s, "/server_types"), 25);
}

/* ---- S5 ---------------------------------------------------------------------------------- */

static int delete_status(struct stage *s, int64_t id)
{
	char path[64];

	snprintf(path, sizeof(path), "/servers/%lld", (long long)id);
	return ask(s, "DELETE", path, NULL);
}

/* create_server takes 10 s, start_server ends after 16.5 s. */
static void s5_the_lock_ends_with_the_create(void **state)
{
	struct stage *s = *state;
	int64_t id = make_server(s, "a"), start = number(s, "next_actions.0.id");
	char path[64];

	assert_int_equal(delete_status(s, id), 423);
	pass(s, 11000);
	snprintf(path, sizeof(path), "/actions/%lld", (long long)start);
	want(s, 200, "GET", path, NULL);
	assert_string_equal(text(s, "action.status"), "running");
	assert_int_equal(delete_status(s, id), 200);
	pass(s, 5000);
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
}

static void s5_the_lock_once_lasted_until_the_start(void **state)
{
	struct stage *s = *state;
	int64_t id;

	for (int i = 0; i < 2; i++) {
		if (i)
			fault(s, "{'match':{'op':'s.create'},'fault':{'kind':'create_lock'}}");
		config(s, i ? "{\"lock_until_started\":0}" : "{\"lock_until_started\":1}");
		id = make_server(s, i ? "b" : "a");
		pass(s, 11000);
		assert_int_equal(delete_status(s, id), 423);
		pass(s, 6000);
		assert_int_equal(delete_status(s, id), 200);
	}
	fault(s, "{'match':{'op':'s.create'},'fault':{'kind':'create_lock','ms':3000}}");
	id = make_server(s, "c");
	pass(s, 2999);
	assert_int_equal(delete_status(s, id), 423);
	pass(s, 1);
	assert_int_equal(delete_status(s, id), 200);
}

/* ---- S6, S7, S8 -------------------------------------------------------------------------- */

static void s7_links_and_correlation_ids(void **state)
{
	struct stage *s = *state;
	char previous[33] = "";

	for (int i = 0; i < 3; i++) {
		const char *id;

		want(s, 200, "GET", "/server_types?per_page=10&page=2", NULL);
		id = cloud_response_header(&s->answer, "X-Correlation-Id");
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		assert_int_equal(strlen(id), 32);
		assert_string_not_equal(id, previous);
		memcpy(previous, id, sizeof(previous));
	}
	assert_string_equal(cloud_response_header(&s->answer, "Link"),
			    "<https://api.hetzner.cloud/v1/server_types?per_page=10&page=1>; "
			    "rel=\"prev\", "
			    "<https://api.hetzner.cloud/v1/server_types?per_page=10&page=3>; "
			    "rel=\"next\", "
			    "<https://api.hetzner.cloud/v1/server_types?per_page=10&page=3>; "
			    "rel=\"last\"");
	want(s, 200, "GET", "/locations", NULL);
	assert_string_equal(cloud_response_header(&s->answer, "Link"),
			    "<https://api.hetzner.cloud/v1/locations?page=1>; rel=\"last\"");
}

static void s7_errors_have_details(void **state)
{
	struct stage *s = *state;

	want(s, 404, "GET", "/servers/1", NULL);
	expect_details_empty(s);
	fault(s, "{'match':{'op':'s.get'},'fault':{'kind':'details','as':'null'}}");
	want(s, 404, "GET", "/servers/1", NULL);
	assert_true(json_is_null(member(s, "error.details")));
	fault(s, "{'match':{'op':'s.get'},'fault':{'kind':'rate_limited'}}");
	want(s, 429, "GET", "/servers/1", NULL);
	assert_true(json_is_null(member(s, "error.details")));
}

static void s7_lists_are_sorted_by_several_keys(void **state)
{
	struct stage *s = *state;

	want(s, 200, "GET", "/images?sort=name:desc&sort=id:desc", NULL);
	assert_string_equal(text(s, "images.0.name"), "ubuntu-26.04");
	assert_int_equal(number(s, "images.0.id"), 361880218);
	assert_int_equal(number(s, "images.1.id"), 361880217);
	want(s, 200, "GET", "/server_types?sort=name", NULL);
	assert_string_equal(text(s, "server_types.0.name"), "cax11");
	want(s, 200, "GET", "/locations?sort=id:desc", NULL);
	assert_string_equal(text(s, "locations.0.name"), "sin");
	make_server(s, "b");
	make_server(s, "a");
	want(s, 200, "GET", "/servers?sort=created:desc&sort=name", NULL);
	assert_string_equal(text(s, "servers.0.name"), "a");
	assert_int_equal(total(s, "/servers?status=initializing&status=off"), 2);
	assert_int_equal(total(s, "/servers?status=running"), 0);
}

static void s6_s8_what_is_not_simulated_is_said(void **state)
{
	static const struct {
		int status;
		const char *method, *path;
	} cases[] = {
		{ 404, "POST", "/servers/1/actions/rebuild" },
		{ 404, "POST", "/servers/1/actions/change_type" },
		{ 404, "POST", "/servers/1/actions/create_image" },
		{ 404, "POST", "/servers/1/actions/enable_backup" },
		{ 404, "GET", "/servers/1/metrics" },
		{ 404, "POST", "/primary_ips/1/actions/assign" },
		{ 405, "POST", "/primary_ips" },
		{ 405, "DELETE", "/images/1" },
		{ 405, "POST", "/volumes" },
		{ 405, "POST", "/server_types" },
	};
	struct stage *s = *state;
	char wanted[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		want(s, cases[i].status, cases[i].method, cases[i].path, NULL);
		snprintf(wanted, sizeof(wanted), "hetzner-sim does not simulate %s /v1%s",
			 cases[i].method, cases[i].path);
		assert_string_equal(text(s, "error.message"), wanted);
	}
	assert_int_equal(total(s, "/images?type=snapshot"), 0);
	assert_int_equal(total(s, "/images?label_selector=a%3Db"), 0);
	assert_int_not_equal(total(s, "/images?label_selector=%21a"), 0);
	want(s, 422, "GET", "/images?label_selector=%28", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(s3_an_unknown_image_names_no_field),
		TEST(s4_an_image_retires_by_the_calendar),
		TEST(s4_a_type_retires_in_one_location_after_the_other),
		TEST(s4_the_past_is_known),
		TEST(s5_the_lock_ends_with_the_create),
		TEST(s5_the_lock_once_lasted_until_the_start),
		TEST(s7_links_and_correlation_ids),
		TEST(s7_errors_have_details),
		TEST(s7_lists_are_sorted_by_several_keys),
		TEST(s6_s8_what_is_not_simulated_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
