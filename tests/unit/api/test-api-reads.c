/* SPDX-License-Identifier: MIT */
/* Reads: query keys and their values, usage, the pool, metrics; and results of the engine. */
#include "stage.h"

#include <event2/event.h>

#include "http/server.h"

#define X16 "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16

static void values_of_query_keys(void **state)
{
	static const struct {
		const char *target;
		int status;
	} rows[] = {
		{ "/v1/leases?state=%61ctive", 200 },
		{ "/v1/leases?state=%41ctive", 400 },
		{ "/v1/leases?provider=to%79&owner=a+b&org=%c3%a4", 200 },
		{ "/v1/leases?state=&cleanup=&attention=&view=", 200 },
		{ "/v1/leases?cleanup=owed", 200 },
		{ "/v1/leases?cleanup=x", 400 },
		{ "/v1/leases?attention=false", 200 },
		{ "/v1/leases?attention=maybe", 400 },
		{ "/v1/leases?limit=0", 200 },
		{ "/v1/leases?limit=1.5", 400 },
		{ "/v1/leases?state=" X128, 400 },
		{ "/v1/leases?cleanup=" X128, 400 },
		{ "/v1/leases?attention=" X128, 400 },
		{ "/v1/leases?view=" X128, 400 },
		{ "/v1/leases?provider=" X128, 400 },
		{ "/v1/leases?owner=" X128, 400 },
		{ "/v1/leases?org=" X128, 400 },
		{ "/v1/leases?before=" X128, 400 },
		{ "/v1/leases?before=my-box", 400 },
		{ "/v1/leases?limit=" X128, 400 },
		{ "/v1/leases/" LEASE "/events?after=x", 400 },
		{ "/v1/leases/" LEASE "/events?after=1&limit=1", 200 },
		{ "/v1/leases/" LEASE "/events", 200 },
		{ "/v1/leases/none/events", 404 },
		{ "/v1/leases/none/residue", 404 },
		{ "/v1/leases/" LEASE "/residue", 200 },
		{ "/v1/usage?month=" X128, 400 },
		{ "/v1/usage?month=2026-00", 400 },
		{ "/v1/usage?month=1969-12", 400 },
		{ "/v1/usage?month=2026-1x", 400 },
		{ "/v1/usage?month=2025-12", 200 },
		{ "/v1/usage?month=2026-01", 200 },
		{ "/v1/usage?month=2999-12", 200 },
	};

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].target);
		assert_int_equal(GET(rows[i].target, stage.alice), rows[i].status);
	}
	GET("/v1/leases?state=" X128, stage.alice);
	assert_string_equal(stage_text("message"),
			    "state must be provisioning, active, released, expired or failed");
	GET("/v1/leases?provider=" X128, stage.alice);
	assert_string_equal(stage_text("message"),
			    "the value of the query key provider is too long");
	GET("/v1/leases?limit=many", stage.alice);
	assert_string_equal(stage_text("message"),
			    "the value of the query key limit must be a whole number");
}

static void usage_of_an_admin(void **state)
{
	static const struct {
		const char *query, *scope;
		int leases;
	} rows[] = {
		{ "?owner=alice&org=acme", "user", 1 },
		{ "?scope=user&owner=bob&org=acme", "user", 0 },
		{ "?scope=org&org=acme", "org", 1 },
		{ "?scope=org", "org", 0 },
		{ "?scope=all", "all", 1 },
	};
	static const char *const bad[] = { "?scope=" X128, "?scope=us", "?owner=" X128,
					   "?org=" X128 };
	char path[200];

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(path, sizeof(path), "/v1/usage%s", rows[i].query);
		print_message("%s\n", path);
		assert_int_equal(GET(path, stage.admin), 200);
		assert_string_equal(stage_text("usage.scope"), rows[i].scope);
		assert_int_equal(json_integer_value(stage_at("usage.leases")), rows[i].leases);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(path, sizeof(path), "/v1/usage%s", bad[i]);
		print_message("%s\n", path);
		assert_int_equal(GET(path, stage.admin), 400);
	}
	assert_int_equal(GET("/v1/capacity", stage.alice), 200);
	assert_int_equal(json_integer_value(stage_at("activeLeases")), 1);
	assert_int_equal(json_integer_value(stage_at("effectiveLimit")), 3);
}

static void the_engine_answers_a_pool(struct engine_request *request)
{
	struct pool_machine *m = calloc(2, sizeof(*m));

	snprintf(m[0].account, sizeof(m[0].account), "toy");
	snprintf(m[0].id, sizeof(m[0].id), "42");
	snprintf(m[0].lease, sizeof(m[0].lease), LEASE);
	m[0].label_count = 2;
	snprintf(m[0].labels[0].key, sizeof(m[0].labels[0].key), "lessor-lease");
	snprintf(m[0].labels[0].value, sizeof(m[0].labels[0].value), LEASE);
	snprintf(m[0].labels[1].key, sizeof(m[0].labels[1].key), "lease");
	snprintf(m[0].labels[1].value, sizeof(m[0].labels[1].value), "cbx_ffffffffffff");
	snprintf(m[1].id, sizeof(m[1].id), "43");
	snprintf(m[1].lease, sizeof(m[1].lease), "cbx_ffffffffffff");
	request->pool = m;
	request->pool_count = 2;
	request->result = RESULT_OK;
	request->done(request);
}

static void the_pool(void **state)
{
	(void)state;
	stage_active(MINE);
	assert_int_equal(GET("/v1/pool", stage.alice), 403);
	GET("/v1/pool?provider=none", stage.admin);
	stage_expect(400, "invalid_provider");
	GET("/v1/pool?provider=" X128, stage.admin);
	stage_expect(400, "invalid_query");
	stage.hold = 1;
	assert_int_equal(GET("/v1/pool?provider=toy", stage.admin), 0);
	assert_string_equal(stage.held->expected_account, "toy");
	the_engine_answers_a_pool(stage.held);
	event_base_loop(stage.base, EVLOOP_NONBLOCK);
	stage.hold = 0;
	stage_expect(200, "");
	assert_int_equal(stage_count("machines"), 2);
	assert_string_equal(stage_text("machines.0.labels.lease"), LEASE);
	assert_string_equal(stage_text("machines.0.labels.slug"), "my-box");
	assert_string_equal(stage_text("machines.0.labels.lessor-lease"), LEASE);
	/* A lease that the store does not have is shown by its id alone. */
	assert_string_equal(stage_text("machines.1.labels.lease"), "cbx_ffffffffffff");
	assert_null(stage_at("machines.1.labels.slug"));
}

static void results_of_the_engine(void **state)
{
	static const struct {
		enum request_result result;
		const char *code;
		int status;
		const char *error;
	} rows[] = {
		{ RESULT_NOT_FOUND, "", 404, "not_found" },
		{ RESULT_FORBIDDEN, "", 403, "forbidden" },
		{ RESULT_INVALID, "", 400, "invalid_request" },
		{ RESULT_CONFLICT, "", 409, "conflict" },
		{ RESULT_LIMIT, "", 429, "cost_limit_exceeded" },
		{ RESULT_UNAVAILABLE, "", 503, "unavailable" },
		{ RESULT_UNAVAILABLE, "provider_blocked", 424, "provider_not_configured" },
		{ (enum request_result)99, "", 500, "internal" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].error);
		stage.hold = 1;
		assert_int_equal(GET("/v1/pool", stage.admin), 0);
		stage.held->result = rows[i].result;
		snprintf(stage.held->code, sizeof(stage.held->code), "%s", rows[i].code);
		stage.held->done(stage.held);
		event_base_loop(stage.base, EVLOOP_NONBLOCK);
		stage.hold = 0;
		assert_int_equal(stage.status, rows[i].status);
		assert_string_equal(stage_text("error"), rows[i].error);
	}
}

static void too_many_requests_wait(void **state)
{
	struct engine_request *held;

	(void)state;
	stage.config.pending_max = 1;
	assert_int_equal(api_reload(stage.api, &stage.config, NULL), 0);
	assert_int_equal(api_reload(stage.api, NULL, NULL), 0);
	stage.hold = 1;
	assert_int_equal(GET("/v1/pool", stage.admin), 0);
	held = stage.held;
	assert_int_equal(api_pending(stage.api), 1);
	GET("/v1/pool", stage.admin);
	stage_expect(503, "busy");
	POST("/v1/leases/" LEASE "/heartbeat", stage.alice, "{}");
	stage_expect(503, "busy");
	held->result = RESULT_NOT_FOUND;
	held->done(held);
	event_base_loop(stage.base, EVLOOP_NONBLOCK);
	assert_int_equal(stage.status, 404);
	assert_int_equal(api_pending(stage.api), 0);
}

static void metrics_of_the_server(void **state)
{
	struct http_counters counters = { .requests = 7 };

	(void)state;
	counters.refusals[1] = 3;
	stage_active(MINE);
	assert_int_equal(GET("/v1/metrics", stage.admin), 200);
	assert_null(strstr(stage.body, "lessor_http_requests_total"));
	api_set_counters(stage.api, &counters);
	assert_int_equal(GET("/v1/metrics", stage.admin), 200);
	assert_non_null(strstr(stage.body, "lessor_http_requests_total 7\n"));
	assert_non_null(strstr(stage.body, "lessor_http_refusals_total{code="));
	assert_non_null(strstr(stage.body,
			       "lessor_api_answers_total{method=\"POST\",route=\"/v1/leases\","
			       "status=\"2xx\"} 1\n"));
	api_set_counters(stage.api, NULL);
}

static void h9_refusals_are_counted(void **state)
{
	static const char *const rows[] = { "401\"} 2", "403\"} 3", "404\"} 2", "405\"} 1" };
	char line[80];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(GET("/v1/whoami", NULL), 401);
	for (int i = 0; i < 3; i++)
		assert_int_equal(GET("/v1/pool", stage.alice), 403);
	assert_int_equal(GET("/v1/leases/" LEASE, stage.alice), 404);
	assert_int_equal(GET("/v1/nothing", stage.alice), 404);
	assert_int_equal(POST("/v1/whoami", stage.alice, "{}"), 405);
	assert_int_equal(GET("/v1/metrics", stage.admin), 200);
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(line, sizeof(line), "lessor_api_refusals_total{status=\"%s\n", rows[i]);
		print_message("%s", line);
		assert_non_null(strstr(stage.body, line));
	}
}

/* The body of an unknown path is not read. */
static void a_body_for_no_route(void **state)
{
	(void)state;
	assert_int_equal(POST("/v1/nothing", stage.alice, "{}"), 404);
	assert_int_equal(POST("/v1/whoami", stage.alice, "{}"), 405);
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"dance\"}");
	stage_expect(400, "invalid_field");
	stage_ask("GET", "/v1/whoami", stage.alice, "Content-Type: application/json\r\n", NULL);
	stage_expect(200, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(values_of_query_keys),
		TEST(usage_of_an_admin),
		TEST(the_pool),
		TEST(results_of_the_engine),
		TEST(too_many_requests_wait),
		TEST(metrics_of_the_server),
		TEST(h9_refusals_are_counted),
		TEST(a_body_for_no_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
