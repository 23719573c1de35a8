/* SPDX-License-Identifier: MIT */
/*
 * A faulty cloud: every kind of fault at least once.
 */
#include "stage.h"

#include <string.h>

#include "sim/fault.h"
#include "util/alloc.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static void answers_instead(void **state)
{
	static const struct {
		const char *fault;
		int status;
		const char *code;
	} cases[] = {
		{ "{'kind':'error','status':409,'code':'odd','details':{'a':1}}", 409, "odd" },
		{ "{'kind':'sold_out'}", 412, "resource_unavailable" },
		{ "{'kind':'location_disabled'}", 412, "resource_unavailable" },
		{ "{'kind':'limit','limit':'primary_ip_limit'}", 403, "resource_limit_exceeded" },
		{ "{'kind':'placement'}", 422, "placement_error" },
		{ "{'kind':'invalid_input','field':'location'}", 422, "invalid_input" },
		{ "{'kind':'uniqueness'}", 409, "uniqueness_error" },
		{ "{'kind':'conflict'}", 409, "conflict" },
		{ "{'kind':'locked'}", 423, "locked" },
		{ "{'kind':'protected'}", 423, "protected" },
		{ "{'kind':'unauthorized'}", 401, "unauthorized" },
		{ "{'kind':'token_readonly'}", 401, "token_readonly" },
		{ "{'kind':'forbidden'}", 403, "forbidden" },
		{ "{'kind':'maintenance'}", 403, "maintenance" },
		{ "{'kind':'not_found'}", 404, "not_found" },
		{ "{'kind':'deprecated'}", 410, "deprecated_api_endpoint" },
		{ "{'kind':'rate_limited'}", 429, "rate_limit_exceeded" },
		{ "{'kind':'server_error'}", 500, "server_error" },
		{ "{'kind':'unavailable','retry_after':7}", 503, "unavailable" },
		{ "{'kind':'bad_gateway'}", 502, "" },
		{ "{'kind':'gateway_timeout'}", 504, "" },
		{ "{'kind':'gateway_timeout','json':true}", 504, "timeout" },
		{ "{'kind':'redirect','to':'other'}", 307, "" },
		{ "{'kind':'status','status':299}", 299, "" },
	};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *rule = xasprintf("{'match':{'op':'s.create'},'fault':%s}",
			cases[i].fault);

		fault(s, rule);
		want(s, cases[i].status, "POST", "/servers",
			"{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\"}");
		assert_string_equal(error_code(s), cases[i].code);
		assert_int_equal(count_of(s, CLOUD_SERVER), 0);
	}
	make_server(s, "a");		/* each rule was for one request */
}

static void effect_can_come_with_the_error(void **state)
{
	struct stage *s = *state;

	fault(s, "{'match':{'op':'s.create'},'fault':{'kind':'bad_gateway','effect':true}}");
	want(s, 502, "POST", "/servers",
		"{\"name\":\"a\",\"server_type\":\"cx23\",\"image\":\"debian-12\"}");
	assert_int_equal(count_of(s, CLOUD_SERVER), 1);
	assert_string_equal(cloud_response_header(&s->answer, "Content-Type"), "text/html");
	assert_null(cloud_response_header(&s->answer, "X-Correlation-Id"));
}

static void rate_headers_can_be_absurd(void **state)
{
	static const struct {
		const char *how, *reset;
	} cases[] = {
		{ "none", NULL }, { "sane", "1795568400" }, { "past", "1795478400" },
		{ "far", "2110924800" }, { "negative", "-1795564800" }, { "text", "tomorrow" },
		{ "twice", "1795568400" },
	};
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *rule = xasprintf("{'fault':{'kind':'rate_limited','headers':'%s'}}",
			cases[i].how);
		const char *reset;

		fault(s, rule);
		want(s, 429, "GET", "/locations", NULL);
		reset = cloud_response_header(&s->answer, "RateLimit-Reset");
		if (cases[i].reset)
			assert_string_equal(reset, cases[i].reset);
		else
			assert_null(reset);
	}
}

static void rules_choose_their_requests(void **state)
{
	struct stage *s = *state;

	fault(s, "{'match':{'method':'GET','path':'/locations*','nth':2},"
		"'fault':{'kind':'server_error'}}");
	want(s, 200, "GET", "/locations", NULL);
	want(s, 500, "GET", "/locations", NULL);
	want(s, 200, "GET", "/locations", NULL);
	fault(s, "{'match':{'op':['s.create','k.create'],'server_type':'cx2*','location':'nbg1',"
		"'name':'b*'},'skip':1,'count':2,'fault':{'kind':'conflict'}}");
	make_server(s, "a");
	make_server(s, "b1");
	want(s, 409, "POST", "/servers", "{\"name\":\"b2\",\"server_type\":114,"
		"\"location\":\"2\",\"image\":\"debian-12\"}");
	want(s, 201, "POST", "/servers", "{\"name\":\"b3\",\"server_type\":114,"
		"\"location\":\"1\",\"image\":\"debian-12\"}");
	want(s, 200, "DELETE", "/_sim/faults", NULL);
	fault(s, "{'match':{'lease':'lease-a'},'for_ms':5000,'fault':{'kind':'unavailable'}}");
	pass(s, 20000);
	want(s, 503, "GET", "/servers?name=a", NULL);
	want(s, 200, "GET", "/servers?name=b1", NULL);
	pass(s, 4999);
	want(s, 503, "GET", "/servers?name=a", NULL);
	pass(s, 1);
	want(s, 200, "GET", "/servers?name=a", NULL);
	fault(s, "{'after_ms':1000,'fault':{'kind':'unavailable'},'probability':0.5,"
		"'count':'always'}");
	want(s, 200, "GET", "/locations", NULL);
	pass(s, 1000);
	int bad = 0;
	for (int i = 0; i < 200; i++)
		bad += ask(s, "GET", "/locations", NULL) == 503;
	assert_in_range(bad, 60, 140);
	want(s, 400, "POST", "/_sim/faults", "{\"fault\":{\"kind\":\"gremlin\"}}");
	want(s, 400, "POST", "/_sim/faults",
		"{\"match\":{\"op\":\"x\"},\"fault\":{\"kind\":\"hang\"}}");
	want(s, 400, "POST", "/_sim/faults", "{\"macth\":{},\"fault\":{\"kind\":\"hang\"}}");
}

/* One wire fault, on a GET of the locations. */
static const struct cloud_wire *wire_of(struct stage *s, const char *kind)
{
	auto_free char *rule = xasprintf("{'match':{'op':'l.list'},'fault':{'kind':%s}}", kind);

	fault(s, rule);
	ask(s, "GET", "/locations", NULL);
	return &s->answer.wire;
}

static void wires_do_as_told(void **state)
{
	struct stage *s = *state;

	assert_int_equal(wire_of(s, "'close','reset':true")->head_cut, 0);
	assert_int_equal(s->answer.wire.end, CLOUD_END_RESET);
	assert_int_equal(wire_of(s, "'hang'")->end, CLOUD_END_HANG);
	assert_int_equal(wire_of(s, "'delay','ms':50")->delay_ms, 50);
	assert_int_equal(wire_of(s, "'cut'")->body_cut, s->answer.body_len / 2);
	assert_int_equal(s->answer.wire.end, CLOUD_END_CLOSE);
	assert_int_equal(wire_of(s, "'cut_headers','bytes':9,'hang':true")->head_cut, 9);
	assert_int_equal(wire_of(s, "'long_length'")->declared, s->answer.body_len + 100);
	assert_int_equal(wire_of(s, "'chunked'")->chunked, 1);
	assert_int_equal(wire_of(s, "'drip','bytes':3,'ms':7")->drip_bytes, 3);
	assert_int_equal(wire_of(s, "'interim'")->interim, -1);
	assert_int_equal(wire_of(s, "'stray'")->stray, 1);
	assert_int_equal(wire_of(s, "'close_after'")->end, CLOUD_END_CLOSE);
	assert_int_equal(s->answer.wire.head_cut, -1);
	wire_of(s, "'big','bytes':1000000");
	assert_in_range(s->answer.body_len, 1000000, 1010000);
	wire_of(s, "'big_headers','bytes':100000");
	assert_true(s->answer.header_count >= 100);
	wire_of(s, "'gzip','mib':1");
	assert_string_equal(cloud_response_header(&s->answer, "Content-Encoding"), "gzip");
	assert_in_range(s->answer.body_len, 5000, 10000);
}

static void signals_have_three_places(void **state)
{
	struct stage *s = *state;

	want(s, 200, "POST", "/_sim/config", "{\"signal_pid\":4242}");
	assert_true(wire_of(s, "'signal'")->ticket);
	assert_int_equal(s->answer.wire.signal_pid, 4242);
	assert_int_equal(s->answer.wire.signal_number, 9);
	assert_int_equal(resume(s), 200);
	assert_int_equal(s->answer.wire.signal_pid, 0);
	assert_int_equal(wire_of(s, "'signal','at':'after','pid':7,'signal':15")->signal_pid, 7);
	assert_int_equal(s->answer.wire.signal_late, 0);
	assert_int_equal(wire_of(s, "'signal','at':'answered'")->signal_late, 1);
}

static void lost_answers_had_their_effect(void **state)
{
	static const char body[] = "{\"name\":\"k\",\"public_key\":\"" KEY_A "\"}";
	struct stage *s = *state;

	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'close'}}");
	ask(s, "POST", "/ssh_keys", body);
	assert_int_equal(s->answer.wire.head_cut, 0);
	assert_int_equal(count_of(s, CLOUD_KEY), 0);
	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'hang','effect':false}}");
	ask(s, "POST", "/ssh_keys", body);
	assert_int_equal(count_of(s, CLOUD_KEY), 0);
	fault(s, "{'match':{'op':'k.delete'},'fault':{'kind':'lost'}}");
	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'stale'}}");
	want(s, 201, "POST", "/ssh_keys", body); /* a new connection */
	assert_int_equal(s->answer.wire.head_cut, -1);
	s->reused = 1;
	ask(s, "POST", "/ssh_keys", "{\"name\":\"l\",\"public_key\":\"" KEY_B "\"}");
	assert_int_equal(s->answer.wire.head_cut, 0);
	assert_int_equal(count_of(s, CLOUD_KEY), 2);
}

static void held_requests_happen_later(void **state)
{
	struct stage *s = *state;

	fault(s, "{'match':{'op':'k.create'},'fault':{'kind':'slow','ms':90000}}");
	ask(s, "POST", "/ssh_keys", "{\"name\":\"k\",\"public_key\":\"" KEY_A "\"}");
	assert_int_equal(s->answer.wire.hold_ms, 90000);
	assert_int_equal(count_of(s, CLOUD_KEY), 0);
	pass(s, 90000);
	assert_int_equal(resume(s), 201);
	assert_int_equal(count_of(s, CLOUD_KEY), 1);
	fault(s, "{'match':{'op':'k.list'},'fault':{'kind':'hold'}}");
	ask(s, "GET", "/ssh_keys", NULL);
	assert_int_equal(s->answer.wire.hold_ms, -1);
	assert_int_equal(resume(s), 200);
	assert_int_equal(cloud_resume(s->cloud, s->now_ms, 99, &s->answer), -1);
	assert_int_equal(cloud_calls(s->cloud, NULL, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_instead), TEST(effect_can_come_with_the_error),
		TEST(rate_headers_can_be_absurd), TEST(rules_choose_their_requests),
		TEST(wires_do_as_told), TEST(signals_have_three_places),
		TEST(lost_answers_had_their_effect), TEST(held_requests_happen_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
