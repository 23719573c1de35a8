/* SPDX-License-Identifier: MIT */
/* Run history through its routes: writing, reading and errors. */
#include "stage.h"

#define RUN "run_0123456789abcdef0123456789abcdef"
#define LONG_200                                                                                               \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void run_put(const char *more)
{
	char body[512];

	snprintf(body, sizeof(body), "{\"command\":[\"make\",\"test\"]%s}", more);
	stage_ask("PUT", "/v1/runs/" RUN, stage.alice, "", body);
}

static void a_run_from_beginning_to_end(void **state)
{
	(void)state;
	stage_active(MINE);
	run_put(",\"label\":\"nightly\",\"provider\":\"toy\",\"target\":\"linux\"");
	stage_expect(201, "");
	assert_string_equal(stage_text("run.id"), RUN);
	assert_string_equal(stage_text("run.state"), "running");
	assert_string_equal(stage_text("run.command.1"), "test");
	/* The same request again, as from a client that got no answer. */
	run_put(",\"label\":\"nightly\"");
	stage_expect(200, "");
	run_put(",\"label\":\"other\"");
	stage_expect(409, "run_conflict");
	assert_int_equal(POST("/v1/runs/" RUN "/events", stage.alice,
			      "{\"type\":\"lease.created\",\"leaseID\":\"" LEASE
			      "\",\"slug\":\"my-box\","
			      "\"class\":\"beast\",\"serverType\":\"ccx63\",\"windowsMode\":\"normal\"}"),
			 201);
	assert_string_equal(stage_text("event.phase"), "leasing");
	assert_int_equal(json_integer_value(stage_at("event.seq")), 2);
	assert_int_equal(POST("/v1/runs/" RUN "/events", stage.alice,
			      "{\"type\":\"stdout\",\"stream\":\"stdout\",\"data\":\"a\\u0000b\","
			      "\"message\":\"\",\"exitCode\":0}"),
			 201);
	assert_string_equal(stage_text("event.phase"), "command");
	assert_null(stage_at("event.message"));
	assert_int_equal(json_string_length(stage_at("event.data")), 3);
	assert_int_equal(json_integer_value(stage_at("event.exitCode")), 0);
	assert_int_equal(POST("/v1/runs/" RUN "/telemetry", stage.alice,
			      "{\"telemetry\":{\"load1\":2,\"cpuCount\":4.9,\"memoryPercent\":170,"
			      "\"diskUsedBytes\":-3,\"diskPercent\":1e99,\"uptimeSeconds\":1e99,"
			      "\"source\":\"ssh-linux\",\"capturedAt\":\"2099-01-01T00:00:00Z\"}}"),
			 200);
	assert_int_equal(json_integer_value(stage_at("run.telemetry.start.cpuCount")), 4);
	assert_true(json_number_value(stage_at("run.telemetry.start.memoryPercent")) == 100);
	assert_true(json_number_value(stage_at("run.telemetry.start.diskPercent")) == 100);
	assert_int_equal(json_integer_value(stage_at("run.telemetry.start.diskUsedBytes")), 0);
	assert_true(json_integer_value(stage_at("run.telemetry.end.uptimeSeconds")) > 0);
	assert_string_equal(stage_text("run.telemetry.end.source"), "ssh-linux");
	assert_int_equal(POST("/v1/runs/" RUN "/finish", stage.alice,
			      "{\"exitCode\":3,\"syncMs\":1,\"commandMs\":2,\"logChunks\":[\"one\\n\","
			      "\"two\\n\"],\"blockedStage\":\"" LONG_200 "\",\"retryLikely\":\"\","
			      "\"telemetry\":{\"end\":{\"load1\":9}},\"receipt\":{\"a\":1},"
			      "\"results\":{\"tests\":2,\"failures\":-1,\"timeSeconds\":0.5,"
			      "\"files\":[\"junit.xml\",5],\"failed\":[{\"name\":\"bad\",\"other\":1,"
			      "\"kind\":7},9]}}"),
			 200);
	assert_string_equal(stage_text("run.state"), "failed");
	assert_int_equal(strlen(stage_text("run.blockedStage")), 63);
	assert_null(stage_at("run.retryLikely"));
	assert_int_equal(json_integer_value(stage_at("run.logBytes")), 8);
	assert_int_equal(json_integer_value(stage_at("run.results.failures")), 0);
	assert_string_equal(stage_text("run.results.format"), "junit");
	assert_int_equal(stage_count("run.results.files"), 1);
	assert_int_equal(stage_count("run.results.failed"), 1);
	assert_int_equal(json_object_size(stage_at("run.results.failed.0")), 1);
	/* To finish a run again changes nothing. */
	assert_int_equal(POST("/v1/runs/" RUN "/finish", stage.alice, "{\"exitCode\":0}"), 200);
	assert_int_equal(json_integer_value(stage_at("run.exitCode")), 3);
}

static void what_is_read_of_a_run(void **state)
{
	(void)state;
	run_put("");
	assert_int_equal(GET("/v1/runs/" RUN "/logs", stage.alice), 200);
	assert_string_equal(stage.body, "");
	assert_int_equal(GET("/v1/runs/" RUN "/receipt", stage.alice), 404);
	assert_int_equal(POST("/v1/runs/" RUN "/finish", stage.alice,
			      "{\"exitCode\":0,\"log\":\"all of it\\n\",\"receipt\":{\"sum\":\"x\"}}"),
			 200);
	assert_string_equal(stage_text("run.state"), "succeeded");
	assert_true(json_is_null(stage_at("run.results")));
	assert_int_equal(GET("/v1/runs/" RUN "/logs", stage.alice), 200);
	assert_string_equal(stage.body, "all of it\n");
	assert_int_equal(GET("/v1/runs/" RUN "/receipt", stage.alice), 200);
	assert_string_equal(stage_text("receipt.sum"), "x");
	assert_int_equal(GET("/v1/runs/" RUN, stage.alice), 200);
	assert_int_equal(GET("/v1/runs/" RUN, stage.reader_token), 200);
	assert_int_equal(GET("/v1/runs/" RUN, stage.bob), 404);
	assert_int_equal(GET("/v1/runs/" RUN, stage.stranger), 404);
	assert_int_equal(GET("/v1/runs/" RUN "/events?after=1&limit=1", stage.alice), 200);
	assert_int_equal(stage_count("events"), 1);
	GET("/v1/runs/" RUN "/events?after=x", stage.alice);
	stage_expect(400, "invalid_query");
	GET("/v1/runs/" RUN "/events?limit=1111111111111111111111111", stage.alice);
	stage_expect(400, "invalid_query");
}

static void lists_of_runs(void **state)
{
	static const struct {
		const char *query;
		int count;
	} rows[] = {
		{ "", 2 },
		{ "?limit=1", 1 },
		{ "?state=running", 1 },
		{ "?state=succeeded", 1 },
		{ "?leaseID=" LEASE, 1 },
		{ "?leaseID=cbx_ffffffffffff", 0 },
		{ "?owner=bob", 2 },
		{ "?x=1", 2 },
	};
	static const char *const as_admin[] = { "?owner=alice", "?owner=alice&org=acme", "" };
	static const char *const bad[] = { "?state=dead", "?limit=x",
					   "?leaseID=cbx_01234567890123456789" };
	char path[80];

	(void)state;
	stage_active(MINE);
	run_put(",\"leaseID\":\"" LEASE "\"");
	stage_expect(201, "");
	assert_int_equal(POST("/v1/runs/" RUN "/finish", stage.alice, "{\"exitCode\":0}"), 200);
	assert_int_equal(POST("/v1/runs", stage.alice, "{}"), 201);
	assert_true(json_is_null(stage_at("run.command")));
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(path, sizeof(path), "/v1/runs%s", rows[i].query);
		print_message("%s\n", path);
		assert_int_equal(GET(path, stage.alice), 200);
		assert_int_equal(stage_count("runs"), rows[i].count);
	}
	for (size_t i = 0; i < COUNT(as_admin); i++) {
		snprintf(path, sizeof(path), "/v1/runs%s", as_admin[i]);
		print_message("%s\n", path);
		assert_int_equal(GET(path, stage.admin), 200);
		assert_int_equal(stage_count("runs"), 2);
	}
	assert_int_equal(GET("/v1/runs?owner=bob", stage.admin), 200);
	assert_int_equal(stage_count("runs"), 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(path, sizeof(path), "/v1/runs%s", bad[i]);
		print_message("%s\n", path);
		assert_int_equal(GET(path, stage.alice), 400);
	}
}

static void refused_bodies(void **state)
{
	static const struct {
		const char *path, *body, *code;
	} rows[] = {
		{ "/v1/runs", "{\"command\":\"make\"}", "invalid_field" },
		{ "/v1/runs", "{\"command\":[1]}", "invalid_field" },
		{ "/v1/runs", "{\"label\":1}", "invalid_field" },
		{ "/v1/runs", "{\"leaseID\":\"my-box\"}", "invalid_lease_id" },
		{ "/v1/runs/" RUN "/events", "{}", "invalid_field" },
		{ "/v1/runs/" RUN "/events", "{\"type\":\"\"}", "invalid_field" },
		{ "/v1/runs/" RUN "/events", "{\"type\":1}", "invalid_field" },
		{ "/v1/runs/" RUN "/events", "{\"type\":\"a\",\"data\":1}", "invalid_field" },
		{ "/v1/runs/" RUN "/events", "{\"type\":\"a\",\"exitCode\":1.5}", "invalid_field" },
		{ "/v1/runs/" RUN "/events", "{\"type\":\"a\",\"leaseID\":\"x\"}",
		  "invalid_lease_id" },
		{ "/v1/runs/" RUN "/telemetry", "{}", "invalid_telemetry" },
		{ "/v1/runs/" RUN "/telemetry", "{\"telemetry\":{}}", "invalid_telemetry" },
		{ "/v1/runs/" RUN "/telemetry", "{\"telemetry\":5}", "invalid_field" },
		{ "/v1/runs/" RUN "/telemetry", "{\"telemetry\":{\"load1\":true}}",
		  "invalid_telemetry" },
		{ "/v1/runs/" RUN "/telemetry", "{\"telemetry\":{\"load1\":1,\"capturedAt\":5}}",
		  "invalid_telemetry" },
		{ "/v1/runs/" RUN "/finish", "{}", "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":\"0\"}", "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"log\":5}", "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"log\":null}", "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"logChunks\":\"x\"}",
		  "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"logChunks\":[\"x\",null]}",
		  "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"retryLikely\":5}", "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"results\":[]}", "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"telemetry\":null}",
		  "invalid_field" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"receipt\":[]}", "invalid_receipt" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"receipt\":{}}", "invalid_receipt" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0,\"log\":\"\\x\"}", "invalid_json" },
		{ "/v1/runs/" RUN "/finish", "{\"exitCode\":0", "invalid_json" },
		{ "/v1/runs/" RUN "/finish", "", "invalid_json" },
	};
	static const char *const none[] = { "/v1/runs/run_0123456789ab/events",
					    "/v1/runs/run_0123456789ab/telemetry",
					    "/v1/runs/run_0123456789ab/finish",
					    "/v1/runs/x/events",
					    "/v1/runs/x/telemetry",
					    "/v1/runs/x/finish",
					    "/v1/runs/run_0123456789AB/events" };

	(void)state;
	run_put("");
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s %s\n", rows[i].path, rows[i].body);
		POST(rows[i].path, stage.alice, rows[i].body);
		stage_expect(400, rows[i].code);
	}
	for (size_t i = 0; i < COUNT(none); i++) {
		print_message("%s\n", none[i]);
		POST(none[i], stage.alice,
		     "{\"type\":\"a\",\"exitCode\":0,\"telemetry\":{\"load1\":1}}");
		assert_int_equal(stage.status, 404);
	}
	stage_ask("PUT", "/v1/runs/x", stage.alice, "", "{}");
	assert_int_equal(stage.status, 404);
	assert_int_equal(POST("/v1/runs/" RUN "/events", stage.bob, "{\"type\":\"a\"}"), 404);
	/* A lease that exists must be visible. */
	stage_active(MINE);
	assert_int_equal(POST("/v1/runs", stage.stranger, "{\"leaseID\":\"" LEASE "\"}"), 404);
}

static void a_receipt_has_a_bound(void **state)
{
	static char body[20000];
	size_t at;

	(void)state;
	run_put("");
	at = (size_t)snprintf(body, sizeof(body), "{\"exitCode\":0,\"receipt\":{\"a\":\"");
	memset(body + at, 'x', 16400);
	snprintf(body + at + 16400, sizeof(body) - at - 16400, "\"}}");
	POST("/v1/runs/" RUN "/finish", stage.alice, body);
	stage_expect(400, "invalid_receipt");
}

static void a_history_that_is_broken(void **state)
{
	static const char *const reads[] = { "", "/" RUN, "/" RUN "/logs", "/" RUN "/receipt",
					     "/" RUN "/events" };
	char path[80];

	(void)state;
	run_put("");
	stage.runs_are_broken = 1;
	for (size_t i = 0; i < COUNT(reads); i++) {
		snprintf(path, sizeof(path), "/v1/runs%s", reads[i]);
		GET(path, stage.alice);
		stage_expect(503, "store_unavailable");
		assert_non_null(strstr(stage.headers, "Retry-After: 60\n"));
	}
	POST("/v1/runs", stage.alice, "{}");
	stage_expect(503, "store_unavailable");
	POST("/v1/runs/" RUN "/events", stage.alice, "{\"type\":\"a\"}");
	stage_expect(503, "store_unavailable");
	assert_int_equal(GET("/v1/metrics", stage.admin), 200);
	assert_non_null(strstr(stage.body, "lessor_runs_available 0\n"));
}

static void a_test_report_is_cut(void **state)
{
	static char body[300000];
	size_t at;

	(void)state;
	run_put("");
	at = (size_t)snprintf(body, sizeof(body), "{\"exitCode\":1,\"results\":{\"failed\":[");
	for (int i = 0; i < 110; i++)
		at += (size_t)snprintf(body + at, sizeof(body) - at, "%s{\"message\":\"%0800d\"}",
				       i ? "," : "", i);
	at += (size_t)snprintf(body + at, sizeof(body) - at, "],\"files\":[");
	for (int i = 0; i < 60; i++)
		at += (size_t)snprintf(body + at, sizeof(body) - at, "%s\"f%d\"", i ? "," : "", i);
	snprintf(body + at, sizeof(body) - at, "]}}");
	assert_int_equal(POST("/v1/runs/" RUN "/finish", stage.alice, body), 200);
	assert_int_equal(stage_count("run.results.failed"), 100);
	assert_int_equal(stage_count("run.results.files"), 50);
	assert_int_equal(json_integer_value(stage_at("run.results.tests")), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_run_from_beginning_to_end),
		TEST(what_is_read_of_a_run),
		TEST(lists_of_runs),
		TEST(refused_bodies),
		TEST(a_receipt_has_a_bound),
		TEST(a_history_that_is_broken),
		TEST(a_test_report_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
