/* SPDX-License-Identifier: MIT */
/*
 * LIFE faults and BODY faults.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

/* A server created under a fault, after its creation has finished. */
static char *troubled(struct stage *s, const char *kind)
{
	auto_free char *rule = xasprintf("{'match':{'op':'s.create'},'faults':[{'kind':%s}]}", kind);

	fault(s, rule);
	return xasprintf("/servers/%lld", (long long)make_server(s, "a"));
}

static void create_and_start_fail(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'create_error','code':'unknown_error'"), *two = NULL;
	auto_free char *action = xasprintf("/actions/%lld", (long long)number(s, "action.id"));
	auto_free char *start = NULL;

	pass(s, 10000);
	want(s, 200, "GET", action, NULL);
	assert_string_equal(text(s, "action.status"), "error");
	assert_string_equal(text(s, "action.error.code"), "unknown_error");
	want(s, 200, "GET", one, NULL); /* it exists and costs money */
	assert_string_equal(text(s, "server.status"), "off");
	want(s, 200, "DELETE", one, NULL);
	pass(s, 10000);
	two = troubled(s, "'start_error','error':null");
	start = xasprintf("/actions/%lld", (long long)number(s, "next_actions.0.id"));
	pass(s, 60000);
	want(s, 200, "GET", start, NULL);
	assert_string_equal(text(s, "action.status"), "error");
	assert_true(json_is_null(member(s, "action.error")));
	want(s, 200, "GET", two, NULL);
	assert_string_equal(text(s, "server.status"), "off");
}

static void server_is_stuck(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'stuck'"), *two = NULL;

	pass(s, 36000000);
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.status"), "initializing");
	want(s, 200, "DELETE", one, NULL);
	pass(s, 5000);
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	two = troubled(s, "'stuck','locked':true");
	pass(s, 36000000);
	want(s, 423, "DELETE", two, NULL);
}

static void server_hides(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'hidden','ms':5000");

	want(s, 404, "GET", one, NULL);
	want(s, 200, "GET", "/servers?name=a", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 0);
	want(s, 409, "POST", "/servers",
		"{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\"}");
	pass(s, 5000);
	want(s, 200, "GET", one, NULL);
	want(s, 200, "GET", "/servers?name=a", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 1);
}

/* Servers in the list, by name and by label. */
static size_t listed(struct stage *s)
{
	size_t by_name;

	want(s, 200, "GET", "/servers?name=a", NULL);
	by_name = json_array_size(member(s, "servers"));
	want(s, 200, "GET", "/servers?label_selector=lessor-lease%3Dlease-a", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), by_name);
	return by_name;
}

/* A client that cannot read it cannot change it either, but the name is taken. */
static void is_out_of_reach(struct stage *s, const char *one)
{
	auto_free char *protect = xasprintf("%s/actions/change_protection", one);
	auto_free char *actions = xasprintf("%s/actions", one);

	want(s, 404, "GET", one, NULL);
	want(s, 404, "GET", actions, NULL);
	want(s, 404, "PUT", one, "{\"labels\":{}}");
	want(s, 404, "POST", protect, "{\"delete\":true,\"rebuild\":true}");
	want(s, 404, "DELETE", one, NULL);
	want(s, 409, "POST", "/servers",
		"{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\"}");
	assert_int_equal(count_of(s, CLOUD_SERVER), 1);
}

static void reads_and_lists_hide_apart(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'hidden','where':'get','ms':660000"), *two = NULL;
	auto_free char *three = NULL;
	struct cloud_object o;

	assert_int_equal(listed(s), 1);
	pass(s, 659999);
	is_out_of_reach(s, one);
	assert_int_equal(listed(s), 1);
	pass(s, 1);
	want(s, 200, "DELETE", one, NULL);
	pass(s, 10000);
	two = troubled(s, "'hidden','where':'list','ms':660000");
	pass(s, 659999);
	assert_int_equal(listed(s), 0);
	want(s, 200, "PUT", two, "{\"labels\":{\"lessor-lease\":\"lease-a\"}}");
	want(s, 200, "GET", two, NULL);
	want(s, 200, "DELETE", two, NULL);
	pass(s, 10000);
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	/* Both, for different times: it is readable by id long before lists show it. */
	three = troubled(s, "'hidden','where':'get','ms':600000},"
		"{'kind':'hidden','where':'list','ms':3600000");
	pass(s, 599999);
	is_out_of_reach(s, three);
	assert_int_equal(listed(s), 0);
	assert_int_equal(cloud_object_find(s->cloud, CLOUD_SERVER,
		strtoll(strrchr(three, '/') + 1, NULL, 10), &o), 0);
	assert_true(o.is_hidden && o.is_unlisted);
	pass(s, 1);
	want(s, 200, "GET", three, NULL);
	pass(s, 2999999);
	assert_int_equal(listed(s), 0);
	pass(s, 1);
	assert_int_equal(listed(s), 1);
}

static void keys_hide_too(void **state)
{
	struct stage *s = *state;
	auto_free char *one = NULL;

	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'hidden','ms':900000}}");
	want(s, 201, "POST", "/ssh_keys", "{\"name\":\"k\",\"public_key\":\"" KEY_A "\"}");
	one = xasprintf("/ssh_keys/%lld", (long long)number(s, "ssh_key.id"));
	pass(s, 899999);
	want(s, 404, "GET", one, NULL);
	want(s, 404, "PUT", one, "{\"labels\":{}}");
	want(s, 404, "DELETE", one, NULL);
	want(s, 200, "GET", "/ssh_keys?name=k", NULL);
	assert_int_equal(json_array_size(member(s, "ssh_keys")), 0);
	want(s, 409, "POST", "/ssh_keys", "{\"name\":\"k\",\"public_key\":\"" KEY_B "\"}");
	want(s, 409, "POST", "/ssh_keys", "{\"name\":\"l\",\"public_key\":\"" KEY_A "\"}");
	pass(s, 1);
	want(s, 200, "PUT", one, "{\"labels\":{}}");
	want(s, 204, "DELETE", one, NULL);
}

static void address_comes_late(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'ipv4_late','ms':3000,'missing':true");

	assert_null(member(s, "server.public_net.ipv4"));
	pass(s, 3000);
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.public_net.ipv4.ip"), "203.0.113.2");
}

static void creation_is_odd(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'labels_lost'"), *two = NULL, *three = NULL;
	auto_free char *four = NULL, *action = NULL;

	assert_int_equal(json_object_size(member(s, "server.labels")), 0);
	pass(s, 20000);
	want(s, 200, "DELETE", one, NULL);
	pass(s, 20000);
	two = troubled(s, "'action_unknown'");
	action = xasprintf("/actions/%lld", (long long)number(s, "action.id"));
	want(s, 404, "GET", action, NULL);
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"delete\",\"name\":\"a\"}");
	three = troubled(s, "'progress_odd'");
	free(take(action));
	action = xasprintf("/actions/%lld", (long long)number(s, "action.id"));
	pass(s, 4000);
	want(s, 200, "GET", action, NULL);
	assert_int_equal(number(s, "action.progress"), 100);
	pass(s, 4000);
	want(s, 200, "GET", action, NULL);
	assert_int_equal(number(s, "action.progress"), 10);
	assert_string_equal(text(s, "action.status"), "running");
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"delete\",\"name\":\"a\"}");
	four = troubled(s, "'endless'");
	free(take(action));
	action = xasprintf("/actions/%lld", (long long)number(s, "action.id"));
	pass(s, 3600000);
	want(s, 200, "GET", action, NULL);
	assert_string_equal(text(s, "action.status"), "running");
	want(s, 200, "GET", four, NULL);
	assert_string_equal(text(s, "server.status"), "running");
}

static void timing_is_its_own(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s,
		"'timing','create_ms':1,'off_ms':0,'boot_ms':1,'lag_ms':0");

	pass(s, 2);
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.status"), "running");
}

static void strangers_come_first(void **state)
{
	static const char key[] = "{\"name\":\"k\",\"public_key\":\"" KEY_A "\"}";
	struct stage *s = *state;

	fault(s, "{'match':{'op':'s.create'},'fault':{'kind':'name_taken'}}");
	want(s, 409, "POST", "/servers",
		"{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\"}");
	want(s, 200, "GET", "/_sim/state", NULL);
	assert_string_equal(text(s, "servers.0.who"), "human");
	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'key_taken'}}");
	want(s, 409, "POST", "/ssh_keys", key);
	want(s, 200, "POST", "/_sim/reset", NULL);
	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'name_taken'}}");
	want(s, 409, "POST", "/ssh_keys", key);
	want(s, 200, "POST", "/_sim/reset", NULL);
	/* Name and key must be unique: the second one fails. */
	want(s, 201, "POST", "/ssh_keys", key);
	fault(s, "{'match':{'op':'k.create'},'faults':[{'kind':'name_taken'},{'kind':'key_taken'}]}");
	want(s, 409, "POST", "/ssh_keys", key);
	want(s, 200, "GET", "/ssh_keys", NULL);
	assert_int_equal(number(s, "meta.pagination.total_entries"), 1);
}

static void token_opens_another_project(void **state)
{
	struct stage *s = *state;
	auto_free char *one = xasprintf("/servers/%lld", (long long)make_server(s, "a"));

	fault(s, "{'count':'always','fault':{'kind':'other_project'}}");
	want(s, 404, "GET", one, NULL);
	want(s, 404, "DELETE", one, NULL);
	want(s, 200, "DELETE", "/_sim/faults", NULL);
	want(s, 200, "GET", one, NULL);
}

/* A running server, and a DELETE of it under a fault. */
static char *badly_deleted(struct stage *s, const char *kind)
{
	auto_free char *rule = xasprintf("{'match':{'op':'s.delete'},'fault':{'kind':%s}}", kind);
	char *one = xasprintf("/servers/%lld", (long long)make_server(s, "a"));

	pass(s, 20000);
	fault(s, rule);
	want(s, 200, "DELETE", one, NULL);
	return one;
}

static void delete_fails(void **state)
{
	struct stage *s = *state;
	auto_free char *one = badly_deleted(s, "'delete_error'");
	auto_free char *action = xasprintf("/actions/%lld", (long long)number(s, "action.id"));

	pass(s, 60000);
	want(s, 200, "GET", action, NULL);
	assert_string_equal(text(s, "action.error.code"), "action_failed");
	want(s, 200, "GET", one, NULL);
	want(s, 200, "DELETE", one, NULL);
	pass(s, 4000);
	want(s, 404, "GET", one, NULL);
}

static void delete_lags(void **state)
{
	struct stage *s = *state;
	auto_free char *one = badly_deleted(s, "'delete_lag','ms':10000,'status':'running'");

	pass(s, 13999);
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.status"), "running");
	pass(s, 1);
	want(s, 404, "GET", one, NULL);
}

static void delete_is_ignored(void **state)
{
	struct stage *s = *state;
	auto_free char *one = badly_deleted(s, "'delete_ignored'");

	pass(s, 3600000);
	want(s, 200, "GET", one, NULL);
	assert_int_equal(happened(s, "deleted"), 0);
}

static void ghost_haunts_lists(void **state)
{
	struct stage *s = *state;
	auto_free char *one = badly_deleted(s, "'ghost','ms':5000");

	pass(s, 4000);
	want(s, 404, "GET", one, NULL);
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	want(s, 200, "GET", "/servers", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 1);
	make_server(s, "a");
	pass(s, 5000);
	want(s, 200, "GET", "/servers", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 1);
}

static void server_reappears(void **state)
{
	struct stage *s = *state;
	auto_free char *one = badly_deleted(s, "'reappear','gap_ms':9000");

	pass(s, 4000);
	want(s, 404, "GET", one, NULL);
	want(s, 404, "DELETE", one, NULL);
	assert_int_equal(count_of(s, CLOUD_SERVER), 1); /* the real state */
	pass(s, 9000);
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.status"), "running");
	assert_int_equal(happened(s, "vanished"), 1);
}

static void address_outlives_server(void **state)
{
	struct stage *s = *state;
	auto_free char *one = troubled(s, "'ip_kept'"), *ip = NULL;

	pass(s, 20000);
	want(s, 200, "DELETE", one, NULL);
	pass(s, 60000);
	assert_int_equal(count_of(s, CLOUD_IP), 2);
	want(s, 200, "GET", "/primary_ips", NULL);
	assert_true(json_is_null(member(s, "primary_ips.0.assignee_id")));
	ip = xasprintf("/primary_ips/%lld", (long long)number(s, "primary_ips.0.id"));
	want(s, 204, "DELETE", ip, NULL);
	want(s, 404, "GET", ip, NULL);
}

/* What a GET of the server says under a body fault, as text. */
static const char *said(struct stage *s, const char *kind)
{
	auto_free char *rule = xasprintf("{'match':{'op':'s.get'},'fault':{'kind':%s}}", kind);

	want(s, 200, "DELETE", "/_sim/faults", NULL);
	fault(s, rule);
	want(s, 200, "GET", "/_sim/state", NULL);
	auto_free char *one = xasprintf("/servers/%lld", (long long)number(s, "servers.0.id"));
	ask(s, "GET", one, NULL);
	return s->answer.body;
}

static void ids_lie(void **state)
{
	struct stage *s = *state;
	int64_t id = make_server(s, "a");
	auto_free char *string = xasprintf("{\"server\":{\"id\":\"%lld\",", (long long)id);
	auto_free char *fraction = xasprintf("{\"server\":{\"id\":%lld.5,", (long long)id);

	assert_non_null(strstr(said(s, "'id','as':'string'"), string));
	assert_non_null(strstr(said(s, "'id','as':'huge'"), "{\"id\":92233720368547758080,"));
	assert_non_null(strstr(said(s, "'id','as':'float'"), fraction));
	assert_non_null(strstr(said(s, "'id','as':'exp'"), "{\"id\":1.18400001e8,"));
	assert_non_null(strstr(said(s, "'id','as':'zero'"), "{\"server\":{\"id\":0,"));
	assert_non_null(strstr(said(s, "'id','as':'negative'"), "{\"server\":{\"id\":-1"));
	assert_non_null(strstr(said(s, "'id','as':'null'"), "{\"server\":{\"id\":null,"));
	assert_non_null(strstr(said(s, "'id','as':'missing'"), "{\"server\":{\"name\":\"a\""));
	assert_non_null(strstr(said(s, "'id','value':7"), "{\"server\":{\"id\":7,"));
}

static void bodies_lose_their_shape(void **state)
{
	struct stage *s = *state;

	make_server(s, "a");
	assert_non_null(strstr(said(s, "'shape','as':'html'"), "<html>"));
	said(s, "'shape','as':'empty'");
	assert_int_equal(s->answer.body_len, 0);
	assert_string_equal(said(s, "'shape','as':'array'"), "[]");
	assert_string_equal(said(s, "'shape','as':'null'"), "null");
	assert_string_equal(said(s, "'shape','as':'object'"), "{}");
	assert_string_equal(said(s, "'shape','as':'text'"), "OK");
	said(s, "'shape','as':'error'");
	assert_int_equal(s->answer.status, 200);
	assert_string_equal(error_code(s), "server_error");
	assert_non_null(strstr(said(s, "'shape','as':'duplicate'"), "{\"id\":1,\"id\":"));
	said(s, "'shape','as':'utf8'");
	assert_null(s->json);
	said(s, "'shape','as':'nul'");
	assert_non_null(memchr(s->answer.body, '\0', s->answer.body_len));
	said(s, "'shape','as':'surrogate'");
	assert_null(s->json);
	said(s, "'shape','as':'truncated'");
	assert_null(s->json);
	said(s, "'shape','as':'deep','depth':5000");
	assert_int_equal(s->answer.body_len, 2 * 5000 + strlen("{\"server\":}"));
	said(s, "'patch','set':{'/server':null}");
	assert_true(json_is_null(member(s, "server")));
}

static void members_lie(void **state)
{
	struct stage *s = *state;

	make_server(s, "a");
	said(s, "'labels','as':'missing'");
	assert_null(member(s, "server.labels"));
	said(s, "'labels','as':{'other':'x'}");
	assert_string_equal(text(s, "server.labels.other"), "x");
	said(s, "'labels','as':null");
	assert_true(json_is_null(member(s, "server.labels")));
	said(s, "'name','as':'upper'");
	assert_string_equal(text(s, "server.name"), "A");
	said(s, "'name','as':'dot'");
	assert_string_equal(text(s, "server.name"), "a.");
	said(s, "'odd_status'");
	assert_string_equal(text(s, "server.status"), "quarantine");
	said(s, "'ip','value':'169.254.169.254'");
	assert_string_equal(text(s, "server.public_net.ipv4.ip"), "169.254.169.254");
	said(s, "'ip','value':null");
	assert_true(json_is_null(member(s, "server.public_net.ipv4")));
	said(s, "'extra'");
	assert_non_null(member(s, "server.server_type.x_future"));
	assert_null(member(s, "server.labels.x_future"));
	said(s, "'patch','set':{'/server/locked':'no'},'raw':{'/server/created':'1e3'},"
		"'remove':['/server/location','/server/server_type/locations/*/id']");
	assert_string_equal(text(s, "server.locked"), "no");
	assert_null(member(s, "server.location"));
	assert_null(member(s, "server.server_type.locations.0.id"));
	assert_non_null(strstr(s->answer.body, "\"created\":1e3"));
	fault(s, "{'match':{'op':'s.create'},'fault':{'kind':'no_action'}}");
	make_server(s, "b");
	assert_null(member(s, "action"));
	for (int i = 0; i < 2; i++) {
		fault(s, i ? "{'match':{'op':'a.get'},'fault':{'kind':'details','as':'empty'}}"
			: "{'match':{'op':'a.get'},'fault':{'kind':'details','as':'missing'}}");
		want(s, 404, "GET", "/actions/1", NULL);
		assert_int_equal(json_is_object(member(s, "error.details")), i);
	}
}

static void lists_lie(void **state)
{
	struct stage *s = *state;

	for (int i = 0; i < 3; i++)
		make_server(s, i == 0 ? "a" : i == 1 ? "b" : "c");
	fault(s, "{'count':2,'match':{'op':'s.list'},'fault':{'kind':'pages','as':'duplicate'}}");
	want(s, 200, "GET", "/servers?per_page=1", NULL);
	assert_string_equal(text(s, "servers.0.name"), "a");
	want(s, 200, "GET", "/servers?per_page=1&page=2", NULL);
	assert_string_equal(text(s, "servers.0.name"), "a");
	fault(s, "{'match':{'op':'s.list'},'fault':{'kind':'pages','as':'shrink'}}");
	want(s, 200, "GET", "/servers?per_page=1&page=2", NULL);
	assert_string_equal(text(s, "servers.0.name"), "c");
	fault(s, "{'match':{'op':'s.list'},'fault':{'kind':'pages','as':'loop'}}");
	want(s, 200, "GET", "/servers?page=3", NULL);
	assert_int_equal(number(s, "meta.pagination.next_page"), 3);
	fault(s, "{'match':{'op':'s.list'},'fault':{'kind':'pages','as':'endless'}}");
	want(s, 200, "GET", "/servers", NULL);
	assert_int_equal(number(s, "meta.pagination.last_page"), 10000);
	fault(s, "{'match':{'op':'s.list'},'fault':{'kind':'pages','as':'null'}}");
	want(s, 200, "GET", "/servers", NULL);
	assert_true(json_is_null(member(s, "meta.pagination.total_entries")));
	fault(s, "{'match':{'op':'s.list'},'fault':{'kind':'selector_ignored'}}");
	want(s, 200, "GET", "/servers?label_selector=nobody", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_and_start_fail), TEST(server_is_stuck), TEST(server_hides),
		TEST(reads_and_lists_hide_apart), TEST(keys_hide_too),
		TEST(address_comes_late), TEST(creation_is_odd), TEST(timing_is_its_own),
		TEST(strangers_come_first), TEST(token_opens_another_project),
		TEST(delete_fails), TEST(delete_lags), TEST(delete_is_ignored),
		TEST(ghost_haunts_lists), TEST(server_reappears), TEST(address_outlives_server),
		TEST(ids_lie), TEST(bodies_lose_their_shape), TEST(members_lie), TEST(lists_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
