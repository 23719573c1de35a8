/* SPDX-License-Identifier: MIT */
/*
 * A cloud without faults: objects, time, pages, limits, history.
 */
#include "stage.h"

#include <string.h>

#include "util/alloc.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static const char *status_of(struct stage *s, int64_t id)
{
	auto_free char *target = xasprintf("/servers/%lld", (long long)id);

	return ask(s, "GET", target, NULL) == 200 ? text(s, "server.status") : "gone";
}

static void server_lives_and_dies(void **state)
{
	struct stage *s = *state;
	int64_t id = make_server(s, "a"), action = number(s, "action.id");
	auto_free char *one = xasprintf("/servers/%lld", (long long)id);
	auto_free char *poll = xasprintf("/actions?id=%lld&id=1&page=1&sort=status",
		(long long)action);

	assert_true(action > (1LL << 48));
	assert_string_equal(text(s, "server.status"), "initializing");
	assert_true(json_is_true(member(s, "server.locked")));
	assert_string_equal(text(s, "action.status"), "running");
	assert_string_equal(text(s, "next_actions.0.command"), "start_server");
	assert_string_equal(text(s, "server.public_net.ipv4.ip"), "203.0.113.2");
	want(s, 423, "DELETE", one, NULL);
	assert_string_equal(error_code(s), "locked");
	pass(s, 5000);
	want(s, 200, "GET", poll, NULL);
	assert_int_equal(json_array_size(member(s, "actions")), 1);
	assert_int_equal(number(s, "actions.0.progress"), 50);
	pass(s, 5000);
	assert_string_equal(status_of(s, id), "off");
	want(s, 200, "GET", poll, NULL);
	assert_string_equal(text(s, "actions.0.status"), "success");
	pass(s, 500);
	assert_string_equal(status_of(s, id), "starting");
	pass(s, 6000);
	assert_string_equal(status_of(s, id), "starting");	/* it lags */
	pass(s, 500);
	assert_string_equal(status_of(s, id), "running");

	want(s, 200, "DELETE", one, NULL);
	assert_string_equal(text(s, "action.command"), "delete_server");
	assert_string_equal(status_of(s, id), "deleting");
	want(s, 423, "DELETE", one, NULL);
	pass(s, 3999);
	assert_int_equal(count_of(s, CLOUD_SERVER), 1);
	pass(s, 1);
	want(s, 404, "GET", one, NULL);
	assert_string_equal(error_code(s), "not_found");
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	assert_int_equal(count_of(s, CLOUD_IP), 2);
	pass(s, 1000);
	assert_int_equal(count_of(s, CLOUD_IP), 0);
	assert_int_equal(happened(s, "deleted"), 3);
	make_server(s, "a"); /* the name is available again */
}

static void names_and_keys_are_unique(void **state)
{
	struct stage *s = *state;

	want(s, 201, "POST", "/ssh_keys", "{\"name\":\"k\",\"public_key\":\"" KEY_A "\\n\"}");
	assert_string_equal(text(s, "ssh_key.fingerprint"),
		"3d:52:38:ce:ff:94:f5:d7:81:a4:a4:f9:2b:4f:fe:a0");
	want(s, 409, "POST", "/ssh_keys", "{\"name\":\"k\",\"public_key\":\"" KEY_B "\"}");
	assert_string_equal(error_code(s), "uniqueness_error");
	want(s, 409, "POST", "/ssh_keys", "{\"name\":\"l\",\"public_key\":\"" KEY_A "\"}");
	want(s, 422, "POST", "/ssh_keys", "{\"name\":\"l\",\"public_key\":\"ssh-rsa x\"}");
	assert_string_equal(text(s, "error.details.fields.0.name"), "public_key");
	want(s, 200, "GET",
		"/ssh_keys?fingerprint=3d%3A52%3A38:ce:ff:94:f5:d7:81:a4:a4:f9:2b:4f:fe:a0",
		NULL);
	assert_string_equal(text(s, "ssh_keys.0.name"), "k");
	make_server(s, "a");
	want(s, 409, "POST", "/servers",
		"{\"name\":\"a\",\"server_type\":114,\"image\":161547269,\"ssh_keys\":[\"k\"]}");
	assert_string_equal(text(s, "error.message"), "server name is already used");
	assert_int_equal(count_of(s, CLOUD_KEY), 1);
}

static void orders_are_checked(void **state)
{
	static const struct {
		int status;
		const char *code, *body;
	} cases[] = {
		{ 422, "json_error", "{\"name\":" },
		{ 422, "invalid_input", "{'server_type':'cx23','image':'debian-12'}" },
		{ 422, "invalid_input", "{'name':'a_b','server_type':'cx23','image':'debian-12'}" },
		{ 422, "invalid_input", "{'name':'a-','server_type':'cx23','image':'debian-12'}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx22','image':'debian-12'}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'nope'}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cax11','image':161547269}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'debian-12',"
			"'location':'xyz'}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'debian-12',"
			"'location':'ash'}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'debian-12',"
			"'ssh_keys':['nope']}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'debian-12',"
			"'labels':{'a':'b:c'}}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'debian-12',"
			"'datacenter':'nbg1-dc3'}" },
		{ 422, "invalid_input", "{'name':'a','server_type':'cx23','image':'debian-12',"
			"'public_net':{'enable_ipv4':false,'enable_ipv6':false}}" },
		{ 201, "", "{'name':'a','server_type':'23','image':'debian-12','location':'4'}" },
		{ 201, "", "{'name':'b.c','server_type':45,'image':'debian-12','location':'fsn1',"
			"'public_net':{'enable_ipv4':false},'start_after_create':false}" },
	};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *body = xstrdup(cases[i].body);

		for (char *p = body; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		want(s, cases[i].status, "POST", "/servers", body);
		assert_string_equal(error_code(s), cases[i].code);
	}
	assert_true(json_is_null(member(s, "server.public_net.ipv4")));
	assert_int_equal(json_array_size(member(s, "next_actions")), 0);
	assert_true(json_is_string(member(s, "root_password")));	/* no key was given */
}

static void user_data_has_a_size(void **state)
{
	struct stage *s = *state;
	auto_free char *data = xcalloc(1, 32770);
	auto_free char *over = NULL, *just = NULL;

	memset(data, 'x', 32769);
	over = xasprintf("{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\","
		"\"user_data\":\"%s\"}", data);
	want(s, 422, "POST", "/servers", over);
	assert_string_equal(text(s, "error.details.fields.0.messages.0"),
		"Length must be between 0 and 32768.");
	data[32768] = '\0';
	just = xasprintf("{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\","
		"\"user_data\":\"%s\"}", data);
	want(s, 201, "POST", "/servers", just);
}

static void stock_and_quota_refuse(void **state)
{
	static const char body[] = "{\"name\":\"q\",\"server_type\":\"ccx13\","
		"\"image\":\"debian-12\",\"location\":\"fsn1\"}";
	struct stage *s = *state;

	want(s, 200, "POST", "/_sim/catalogue",
		"{\"sold_out\":[{\"type\":\"ccx13\",\"location\":\"fsn1\"}]}");
	want(s, 412, "POST", "/servers", body);
	assert_string_equal(text(s, "error.message"), "error during placement");
	want(s, 200, "GET", "/server_types?name=ccx13", NULL);
	assert_true(json_is_false(member(s, "server_types.0.locations.0.available")));
	assert_true(json_is_true(member(s, "server_types.0.locations.1.available")));
	want(s, 200, "POST", "/_sim/catalogue",
		"{\"available\":[{\"type\":\"ccx13\"}],\"disabled_locations\":[\"fsn1\"]}");
	want(s, 412, "POST", "/servers", body);
	assert_string_equal(text(s, "error.message"), "server location disabled");
	want(s, 200, "POST", "/_sim/catalogue",
		"{\"enabled_locations\":[\"*\"],\"gone\":[{\"type\":\"ccx13\"}]}");
	want(s, 422, "POST", "/servers", body);
	want(s, 200, "POST", "/_sim/catalogue", "{\"available\":[{}]}");
	want(s, 200, "POST", "/_sim/config", "{\"max_dedicated_cores\":1}");
	want(s, 403, "POST", "/servers", body);
	assert_string_equal(text(s, "error.details.limits.0.name"), "dedicated_core_limit");
	want(s, 200, "POST", "/_sim/config", "{\"max_primary_ips\":1,\"max_dedicated_cores\":9}");
	want(s, 403, "POST", "/servers", body);
	want(s, 200, "POST", "/_sim/config", "{\"max_servers\":0}");
	want(s, 403, "POST", "/servers", body);
	assert_string_equal(text(s, "error.message"), "server limit exceeded");
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	want(s, 400, "POST", "/_sim/config", "{\"max_server\":0}");
}

static void lists_have_pages_and_filters(void **state)
{
	struct stage *s = *state;
	char name[16];

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "s%02d", i);
		make_server(s, name);
	}
	want(s, 200, "GET", "/servers?label_selector=env%3Dtest", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 25);
	assert_int_equal(number(s, "meta.pagination.next_page"), 2);
	assert_int_equal(number(s, "meta.pagination.total_entries"), 30);
	want(s, 200, "GET", "/servers?page=2", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 5);
	assert_true(json_is_null(member(s, "meta.pagination.next_page")));
	assert_int_equal(number(s, "meta.pagination.previous_page"), 1);
	want(s, 200, "GET", "/servers?per_page=1000&sort=name:desc&whatever=1", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 30);
	assert_int_equal(number(s, "meta.pagination.per_page"), 50);
	assert_string_equal(text(s, "servers.0.name"), "s29");
	want(s, 200, "GET", "/servers?name=s07&status=running&status=initializing", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 1);
	want(s, 200, "GET", "/servers?status=running", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 0);
	want(s, 422, "GET", "/servers?label_selector=a%3D%3D%3D", NULL);
	want(s, 422, "GET", "/servers?page=0", NULL);
	want(s, 200, "GET", "/images?name=debian-12", NULL);
	assert_int_equal(json_array_size(member(s, "images")), 2);
	want(s, 200, "GET", "/images?name=debian-12&architecture=arm", NULL);
	assert_int_equal(json_array_size(member(s, "images")), 1);
	want(s, 200, "GET", "/volumes", NULL);
	assert_int_equal(json_array_size(member(s, "volumes")), 0);
	want(s, 410, "GET", "/datacenters", NULL);
	want(s, 410, "GET", "/actions", NULL);
	assert_string_equal(error_code(s), "deprecated_api_endpoint");
	want(s, 405, "POST", "/locations", "{}");
	want(s, 404, "GET", "/nothing", NULL);
}

static void tokens_open_projects(void **state)
{
	struct stage *s = *state;

	cloud_add_token(s->cloud, "one", 0, 0);
	cloud_add_token(s->cloud, "two", 1, 0);
	cloud_add_token(s->cloud, "reader", 0, 1);
	want(s, 401, "GET", "/servers", NULL);
	assert_string_equal(text(s, "error.message"), "unable to authenticate");
	s->token = NULL;
	want(s, 401, "GET", "/servers", NULL);
	s->token = "Bearer one";
	make_server(s, "a");
	s->token = "Bearer two";
	want(s, 200, "GET", "/servers", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 0);
	s->token = "Bearer reader";
	want(s, 200, "GET", "/servers", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 1);
	want(s, 403, "POST", "/servers", "{}");
	assert_string_equal(error_code(s), "forbidden");
	want(s, 403, "DELETE", "/servers/1", NULL); /* before it is looked up */
	want(s, 200, "POST", "/_sim/config", "{\"readonly_401\":true}");
	want(s, 401, "POST", "/servers", "{}");
	assert_string_equal(error_code(s), "token_readonly");
	want(s, 200, "GET", "/servers", NULL);
	want(s, 200, "POST", "/_sim/config", "{\"readonly_401\":false}");
	want(s, 403, "PUT", "/servers/1", "{}");
	want(s, 200, "POST", "/_sim/token", "{\"token\":\"one\",\"project\":1}");
	s->token = "Bearer one";
	want(s, 200, "GET", "/servers", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 0);
	want(s, 200, "POST", "/_sim/token", "{\"token\":\"one\",\"revoked\":true}");
	want(s, 401, "GET", "/servers", NULL);
}

static void bucket_empties_and_fills(void **state)
{
	struct stage *s = *state;

	want(s, 200, "POST", "/_sim/config", "{\"rate_per_hour\":7200}");
	want(s, 200, "GET", "/locations", NULL);
	assert_string_equal(cloud_response_header(&s->answer, "ratelimit-limit"), "7200");
	assert_string_equal(cloud_response_header(&s->answer, "RateLimit-Remaining"), "7199");
	assert_string_equal(cloud_response_header(&s->answer, "RateLimit-Reset"), "1795564801");
	for (int i = 0; i < 7199; i++)
		ask(s, "GET", "/servers/1", NULL);
	want(s, 429, "GET", "/locations", NULL);
	assert_string_equal(error_code(s), "rate_limit_exceeded");
	assert_string_equal(cloud_response_header(&s->answer, "RateLimit-Reset"), "1795568400");
	assert_null(cloud_response_header(&s->answer, "X-Correlation-Id"));
	assert_null(cloud_response_header(&s->answer, "Retry-After"));
	pass(s, 500);
	want(s, 200, "GET", "/locations", NULL);
	want(s, 429, "GET", "/locations", NULL);
	want(s, 200, "POST", "/_sim/config", "{\"rate_on\":false}");
	want(s, 200, "GET", "/locations", NULL);
	pass(s, 3600000);
	want(s, 200, "GET", "/locations", NULL);
	assert_string_equal(cloud_response_header(&s->answer, "RateLimit-Remaining"), "7199");
}

static void actions_and_protection(void **state)
{
	struct stage *s = *state;
	int64_t id = make_server(s, "a");
	auto_free char *one = xasprintf("/servers/%lld", (long long)id);
	auto_free char *off = xasprintf("%s/actions/poweroff", one);
	auto_free char *protect = xasprintf("%s/actions/change_protection", one);
	auto_free char *list = xasprintf("%s/actions?status=running", one);

	want(s, 200, "GET", list, NULL);
	assert_int_equal(json_array_size(member(s, "actions")), 2);
	want(s, 423, "POST", off, NULL);
	pass(s, 20000);
	want(s, 201, "POST", off, NULL);
	pass(s, 2000);
	assert_string_equal(status_of(s, id), "off");
	want(s, 422, "POST", protect, "{\"delete\":true,\"rebuild\":false}");
	want(s, 201, "POST", protect, "{\"delete\":true,\"rebuild\":true}");
	want(s, 423, "DELETE", one, NULL);
	assert_string_equal(error_code(s), "protected");
	want(s, 200, "PUT", one, "{\"name\":\"b\",\"labels\":{\"x\":\"y\"}}");
	assert_string_equal(text(s, "server.name"), "b");
	assert_int_equal(json_object_size(member(s, "server.labels")), 1);
}

static void calls_find_their_lease(void **state)
{
	struct stage *s = *state;
	auto_free char *one = NULL, *poll = NULL;
	int64_t id;

	want(s, 200, "GET", "/servers?name=a", NULL); /* before its owner is known */
	id = make_server(s, "a");
	poll = xasprintf("/actions/%lld", (long long)number(s, "action.id"));
	one = xasprintf("/servers/%lld", (long long)id);
	want(s, 200, "GET", poll, NULL);
	want(s, 200, "GET", "/servers?label_selector=lessor-lease%3Dlease-a", NULL);
	want(s, 200, "GET", "/servers", NULL);
	pass(s, 20000);
	want(s, 200, "DELETE", one, NULL);
	pass(s, 20000);
	want(s, 404, "GET", one, NULL);
	assert_int_equal(cloud_calls(s->cloud, NULL, "lease-a"), 6);
	assert_int_equal(cloud_calls(s->cloud, "s.find", "lease-a"), 1);
	assert_int_equal(cloud_calls(s->cloud, "s.create", NULL), 1);
	assert_int_equal(cloud_calls(s->cloud, NULL, NULL), 7);
	assert_int_equal(cloud_calls(s->cloud, NULL, "nobody"), 0);
	want(s, 200, "GET", "/_sim/calls", NULL);
	assert_int_equal(number(s, "leases.lease-a.all"), 6);
	assert_int_equal(number(s, "no_lease.s.list"), -1);
}

static void bill_rounds_hours_up(void **state)
{
	struct stage *s = *state;
	int64_t id = make_server(s, "a");
	auto_free char *one = xasprintf("/servers/%lld", (long long)id);

	pass(s, 60000);
	want(s, 200, "GET", "/_sim/bill", NULL);
	assert_string_equal(text(s, "net"), "0.009600");
	pass(s, 3600000);
	want(s, 200, "DELETE", one, NULL);
	pass(s, 5000);
	pass(s, 360000000);
	want(s, 200, "GET", "/_sim/bill", NULL);
	assert_int_equal(number(s, "lines.0.hours"), 2);
	assert_string_equal(text(s, "lines.0.lease"), "lease-a");
	assert_string_equal(text(s, "net"), "0.019200");
	assert_string_equal(text(s, "gross"), "0.022848");
}

/* Each started hour belongs to the month in which it begins, and a month has its own limit. */
static void bill_limits_each_month(void **state)
{
	struct stage *s = *state;

	/* From 25 November: six days of it, December and January at their price, 24 days. */
	make_server(s, "b");
	pass(s, 92LL * 86400 * 1000);
	want(s, 200, "GET", "/_sim/bill", NULL);
	assert_int_equal(number(s, "lines.0.hours"), 92 * 24);
	assert_string_equal(text(s, "lines.0.net"), "17.316000");
}

static void requests_are_remembered_without_secrets(void **state)
{
	struct stage *s = *state;

	make_server(s, "a");
	want(s, 200, "GET", "/_sim/requests", NULL);
	assert_string_equal(text(s, "requests.0.op"), "s.create");
	assert_string_equal(text(s, "requests.0.body.name"), "a");
	assert_string_equal(text(s, "requests.0.token"), "t1");
	assert_int_equal(number(s, "requests.0.status"), 201);
	assert_null(strstr(s->answer.body, "secret"));
}

static void humans_do_as_they_like(void **state)
{
	struct stage *s = *state;

	make_server(s, "a");
	want(s, 200, "POST", "/_sim/human",
		"{\"verb\":\"relabel\",\"name\":\"a\",\"labels\":{\"env\":\"mine\"}}");
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"rename\",\"name\":\"a\",\"to\":\"z\"}");
	want(s, 200, "GET", "/servers?name=z&label_selector=env%3Dmine", NULL);
	assert_int_equal(json_array_size(member(s, "servers")), 1);
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"protect\",\"name\":\"z\"}");
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"recreate\",\"name\":\"z\"}");
	want(s, 200, "GET", "/servers?name=z", NULL);
	assert_string_equal(text(s, "servers.0.status"), "running");
	assert_true(json_is_false(member(s, "servers.0.protection.delete")));
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"delete\",\"name\":\"z\"}");
	want(s, 404, "POST", "/_sim/human", "{\"verb\":\"delete\",\"name\":\"z\"}");
	want(s, 200, "POST", "/_sim/human",
		"{\"verb\":\"create\",\"kind\":\"ssh_key\",\"name\":\"h\",\"public_key\":\""
		KEY_A "\"}");
	assert_int_equal(count_of(s, CLOUD_KEY), 1);
	assert_int_equal(happened(s, "relabelled"), 1);
	want(s, 400, "POST", "/_sim/human",
		"{\"verb\":\"juggle\",\"kind\":\"ssh_key\",\"name\":\"h\"}");
}

static void scenario_sets_the_stage(void **state)
{
	static const char good[] = "{\"config\":{\"boot_ms\":0},\"objects\":[{\"kind\":\"server\","
		"\"name\":\"old\"}],\"catalogue\":{\"disabled_locations\":[\"hel1\"]},"
		"\"faults\":[{\"match\":{\"op\":\"s.get\"},\"fault\":{\"kind\":\"not_found\"}}]}";
	static const char bad[] = "{\"fault\":[]}";
	struct stage *s = *state;
	struct err err;

	assert_int_equal(cloud_load(s->cloud, s->now_ms, good, strlen(good), &err), 0);
	assert_int_equal(count_of(s, CLOUD_SERVER), 1);
	want(s, 404, "GET", "/servers/1", NULL);
	assert_int_equal(cloud_load(s->cloud, s->now_ms, bad, strlen(bad), &err), -1);
	want(s, 200, "POST", "/_sim/reset", NULL);
	assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	assert_int_equal(cloud_calls(s->cloud, NULL, NULL), 0);
}

static void same_seed_same_bytes(void **state)
{
	struct stage *s = *state;
	auto_free char *first = NULL;

	make_server(s, "a");
	first = xstrdup(s->answer.body);
	want(s, 200, "POST", "/_sim/reset", NULL);
	make_server(s, "a");
	assert_string_equal(s->answer.body, first);
}

/* -1 if the conditions are invalid. */
static int wait_met(struct stage *s, const char *conditions)
{
	auto_free char *target = xasprintf("/_sim/wait?%s", conditions);

	return cloud_wait_met(s->cloud, s->now_ms, target, NULL);
}

static void waits_know_when(void **state)
{
	struct stage *s = *state;

	assert_int_equal(wait_met(s, "servers=0&held=-0"), 1);
	make_server(s, "a");
	assert_int_equal(wait_met(s, "servers=0"), 0);
	assert_int_equal(wait_met(s, "calls=s.create:1-&exists=a&event=created:a"), 1);
	assert_int_equal(wait_met(s, "calls=all:1:lease-a"), 1);
	assert_int_equal(wait_met(s, "status=a:running"), 0);
	pass(s, 17000);
	assert_int_equal(wait_met(s, "status=a:running"), 1);
	assert_int_equal(wait_met(s, "gone=a"), 0);
	assert_int_equal(wait_met(s, "weather=fine"), -1);
}

static void machines_know_what_they_are_made_of(void **state)
{
	struct stage *s = *state;
	struct cloud_machine machine;
	struct cloud_config config;
	int64_t id = make_server(s, "a");

	assert_int_equal(cloud_machine_find(s->cloud, 0, id, &machine), -1);
	cloud_config_init(&config);
	config.machine_net = 0x7f4000ff;
	cloud_free(s->cloud);
	s->cloud = cloud_new(&config);
	want(s, 201, "POST", "/ssh_keys", "{\"name\":\"k\",\"public_key\":\"" KEY_A "\"}");
	want(s, 201, "POST", "/servers", "{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":"
		"\"debian-12\",\"ssh_keys\":[\"k\"],\"user_data\":\"#cloud-config\"}");
	id = number(s, "server.id");
	assert_string_equal(text(s, "server.public_net.ipv4.ip"), "127.64.0.255");
	assert_int_equal(cloud_machine_find(s->cloud, 0, id, &machine), 0);
	assert_string_equal(machine.name, "a");
	assert_string_equal(machine.address, "127.64.0.255");
	assert_string_equal(machine.user_data, "#cloud-config");
	assert_string_equal(machine.keys, KEY_A "\n");
	assert_int_equal(cloud_machine_find(s->cloud, 1, id, &machine), -1);
	id = make_server(s, "b");
	assert_string_equal(text(s, "server.public_net.ipv4.ip"), "127.64.1.1");
	assert_int_equal(cloud_machine_find(s->cloud, 0, id, &machine), 0);
	assert_string_equal(machine.user_data, "");
	assert_string_equal(machine.keys, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(server_lives_and_dies),
		TEST(names_and_keys_are_unique),
		TEST(orders_are_checked),
		TEST(user_data_has_a_size),
		TEST(stock_and_quota_refuse),
		TEST(lists_have_pages_and_filters),
		TEST(tokens_open_projects),
		TEST(bucket_empties_and_fills),
		TEST(actions_and_protection),
		TEST(calls_find_their_lease),
		TEST(bill_rounds_hours_up),
		TEST(bill_limits_each_month),
		TEST(requests_are_remembered_without_secrets),
		TEST(humans_do_as_they_like),
		TEST(scenario_sets_the_stage),
		TEST(same_seed_same_bytes),
		TEST(waits_know_when),
		TEST(machines_know_what_they_are_made_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
