/* SPDX-License-Identifier: MIT */
/* The WebSocket of GET /v1/control: its messages, its limits and its end. */
#include "stage.h"

#include <event2/event.h>

#include "http/frame.h"

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define BEAT(more) "{\"type\":\"heartbeat\",\"leaseID\":\"" LEASE "\"" more "}"

static void connect_as(const char *token)
{
	stage.messages = 0;
	assert_int_equal(stage_ask("GET", "/v1/control", token, UPGRADE, NULL), 101);
}

/* The id of a new run of alice. */
static const char *new_run(void)
{
	static char id[40];

	assert_int_equal(POST("/v1/runs", stage.alice, "{\"command\":[\"true\"]}"), 201);
	snprintf(id, sizeof(id), "%s", stage_text("run.id"));
	return id;
}

static void post_event(const char *run, const char *type)
{
	char path[80], body[128];

	snprintf(path, sizeof(path), "/v1/runs/%s/events", run);
	snprintf(body, sizeof(body), "{\"type\":\"%s\"}", type);
	assert_int_equal(POST(path, stage.alice, body), 201);
}

static void subscribe(const char *run, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"type\":\"subscribe_run\",\"runID\":\"%s\"%s}", run, more);
	stage_message(text);
}

static void the_handshake(void **state)
{
	(void)state;
	assert_int_equal(GET("/v1/control", stage.alice), 426);
	assert_non_null(strstr(stage.headers, "Upgrade: websocket\n"));
	assert_int_equal(stage_ask("GET", "/v1/control", NULL, UPGRADE, NULL), 401);
	connect_as(stage.alice);
	assert_int_equal(stage.messages, 1);
	assert_string_equal(stage_text("type"), "hello");
	assert_int_equal(json_integer_value(stage_at("protocol")), 1);
	stage_hang_up();
	stage.accept_fails = 1;
	connect_as(stage.alice);
	assert_int_equal(stage.messages, 0);
}

static void messages_that_are_none(void **state)
{
	static const struct {
		const char *text, *code;
	} rows[] = {
		{ "", "invalid_json" },
		{ "[]", "invalid_json" },
		{ "{}", "unknown_type" },
		{ "{\"type\":5}", "unknown_type" },
		{ "{\"type\":\"dance\"}", "unknown_type" },
		{ "{\"type\":\"subscribe_run\"}", "not_found" },
		{ "{\"type\":\"subscribe_run\",\"runID\":5}", "invalid_field" },
		{ "{\"type\":\"subscribe_run\",\"runID\":\"run_0123456789ab\"}", "not_found" },
		{ "{\"type\":\"subscribe_run\",\"runID\":\"x\",\"after\":\"1\"}", "invalid_field" },
	};

	(void)state;
	connect_as(stage.alice);
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].text);
		stage_message(rows[i].text);
		assert_int_equal(stage.messages, 1);
		assert_string_equal(stage_text("type"), "error");
		assert_string_equal(stage_text("code"), rows[i].code);
	}
	stage_message("{\"type\":\"ping\"}");
	assert_string_equal(stage_text("type"), "pong");
	stage_message("{\"type\":\"ack\"}");
	stage_message("{\"type\":\"pong\"}");
	assert_int_equal(stage.messages, 0);
}

static void beat_is(const char *text, const char *error)
{
	print_message("%s\n", text);
	stage_message(text);
	assert_int_equal(stage.messages, 1);
	assert_string_equal(stage_text("type"), "heartbeat");
	assert_int_equal(json_is_true(stage_at("ok")), !error[0]);
	assert_string_equal(stage_text("error"), error);
	assert_int_equal(stage_at("expiresAt") != NULL, !error[0]);
}

static void heartbeats(void **state)
{
	(void)state;
	stage_active(MINE);
	connect_as(stage.alice);
	beat_is(BEAT(""), "");
	assert_string_equal(stage_text("leaseID"), LEASE);
	beat_is("{\"type\":\"heartbeat\",\"leaseID\":\"my-box\"}", "");
	assert_string_equal(stage_text("leaseID"), LEASE);
	/* 0 stands for absent: some clients cannot leave it out. */
	beat_is(BEAT(",\"idleTimeoutSeconds\":0,\"telemetry\":{\"load1\":1.5}"), "");
	beat_is(BEAT(",\"idleTimeoutSeconds\":99999999"), "");
	beat_is(BEAT(",\"idleTimeoutSeconds\":-1"), "invalid_field");
	beat_is(BEAT(",\"telemetry\":5"), "invalid_field");
	beat_is(BEAT(",\"telemetry\":{\"load1\":\"x\"}"), "invalid_telemetry");
	beat_is(BEAT(",\"expectedProvider\":\"other\""), "provider_identity_mismatch");
	beat_is("{\"type\":\"heartbeat\"}", "not_found");
	beat_is("{\"type\":\"heartbeat\",\"leaseID\":\"A B\"}", "not_found");
	beat_is("{\"type\":\"heartbeat\",\"leaseID\":\"cbx_ffffffffffff\"}", "not_found");
	stage_hang_up();
	connect_as(stage.bob);
	beat_is(BEAT(""), "not_found");
	stage_hang_up();
	connect_as(stage.reader_token);
	beat_is(BEAT(""), "forbidden");
}

/* A socket is closed while the engine still has its heartbeats. */
static void a_socket_ends_before_its_heartbeat(void **state)
{
	struct engine_request *held[8];

	(void)state;
	stage_active(MINE);
	connect_as(stage.alice);
	stage.hold = 1;
	for (size_t i = 0; i < COUNT(held); i++) {
		stage_message(BEAT(""));
		held[i] = stage.held;
		assert_int_equal(stage.messages, 0);
	}
	beat_is(BEAT(""), "busy");
	stage_hang_up();
	stage.messages = 0;
	for (size_t i = 0; i < COUNT(held); i++) {
		held[i]->result = RESULT_OK;
		held[i]->done(held[i]);
	}
	stage.hold = 0;
	assert_int_equal(GET("/v1/whoami", stage.alice), 200);
	stage_ask("GET", "/v1/capacity", stage.alice, "", NULL);
	assert_int_equal(stage.messages, 0);
}

static void a_run_is_followed(void **state)
{
	char id[40];

	(void)state;
	snprintf(id, sizeof(id), "%s", new_run());
	post_event(id, "command.started");
	connect_as(stage.alice);
	subscribe(id, "");
	assert_int_equal(stage.messages, 1);
	assert_string_equal(stage_text("type"), "run_events");
	assert_string_equal(stage_text("runID"), id);
	assert_int_equal(stage_count("events"), 2);
	assert_int_equal(json_integer_value(stage_at("nextSeq")), 2);
	stage.messages = 0;
	post_event(id, "stdout");
	assert_int_equal(stage.messages, 1);
	/* Again, from a given event, one event per message. */
	subscribe(id, ",\"after\":1,\"limit\":1");
	assert_int_equal(stage.messages, 2);
	assert_int_equal(json_integer_value(stage_at("nextSeq")), 3);
	subscribe(id, ",\"after\":-5,\"limit\":100000");
	assert_int_equal(stage_count("events"), 3);
}

/* The next message waits until the client has read the last. */
static void a_slow_client_is_waited_for(void **state)
{
	char id[40];

	(void)state;
	snprintf(id, sizeof(id), "%s", new_run());
	post_event(id, "stdout");
	post_event(id, "stdout");
	connect_as(stage.alice);
	stage.is_full = 1;
	subscribe(id, ",\"limit\":1");
	assert_int_equal(stage.messages, 1);
	assert_int_equal(json_integer_value(stage_at("nextSeq")), 1);
	stage_drain();
	assert_int_equal(stage.messages, 1);
	assert_int_equal(json_integer_value(stage_at("nextSeq")), 2);
	stage.is_full = 0;
	stage_drain();
	assert_int_equal(stage.messages, 1);
	assert_int_equal(json_integer_value(stage_at("nextSeq")), 3);
	stage_drain();
	assert_int_equal(stage.messages, 0);
}

static void an_event_may_be_too_large(void **state)
{
	static char body[40000];
	char path[80], data[16001];
	char id[40];

	(void)state;
	snprintf(id, sizeof(id), "%s", new_run());
	connect_as(stage.alice);
	subscribe(id, "");
	memset(data, '\\', sizeof(data) - 1);
	data[sizeof(data) - 1] = '\0';
	snprintf(body, sizeof(body), "{\"type\":\"stdout\",\"data\":\"%s%s\"}", data, data);
	snprintf(path, sizeof(path), "/v1/runs/%s/events", id);
	stage.messages = 0;
	assert_int_equal(POST(path, stage.alice, body), 201);
	/* One message, before the answer to the POST: the event is too large. */
	assert_int_equal(stage.messages, 1);
	/* The run is no longer followed. */
	stage.messages = 0;
	post_event(id, "stdout");
	assert_int_equal(stage.messages, 0);
}

static void runs_of_others_and_too_many_runs(void **state)
{
	char ids[17][40];

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++)
		snprintf(ids[i], sizeof(ids[i]), "%s", new_run());
	connect_as(stage.bob);
	subscribe(ids[0], "");
	assert_string_equal(stage_text("code"), "not_found");
	stage_hang_up();
	connect_as(stage.reader_token);
	subscribe(ids[0], "");
	assert_string_equal(stage_text("type"), "run_events");
	stage_hang_up();
	connect_as(stage.admin);
	for (size_t i = 0; i < COUNT(ids); i++)
		subscribe(ids[i], "");
	assert_string_equal(stage_text("code"), "too_many_runs");
	stage.runs_are_broken = 1;
	subscribe(ids[0], "");
	assert_string_equal(stage_text("code"), "store_unavailable");
}

static void sockets_have_a_limit(void **state)
{
	struct http_socket *sockets[32];

	(void)state;
	for (size_t i = 0; i < COUNT(sockets); i++) {
		connect_as(stage.alice);
		sockets[i] = stage.socket;
	}
	stage_ask("GET", "/v1/control", stage.alice, UPGRADE, NULL);
	stage_expect(503, "busy");
	assert_non_null(strstr(stage.headers, "Retry-After: 30\n"));
	/* An owner of the same name in another organisation has a limit of its own. */
	connect_as(stage.stranger);
	stage_hang_up();
	stage.socket = sockets[0];
	stage_hang_up();
	connect_as(stage.alice);
}

static void revoke(const char *token)
{
	struct store *tool;
	struct err err = { 0 };
	char id[17];

	snprintf(id, sizeof(id), "%.16s", token + 4);
	assert_int_equal(store_open_tool(stage.world.d.path, &stage.world.d.env, &tool, &err), 0);
	assert_int_equal(store_token_revoke(tool, id, stage.world.d.now_ms, &err), 0);
	store_close(tool);
}

static void text_7_a_revoked_token_closes_its_socket(void **state)
{
	(void)state;
	connect_as(stage.alice);
	revoke(stage.alice);
	stage.world.d.now_ms += 2000;
	stage_message("{\"type\":\"ping\"}");
	assert_null(stage.socket);
	assert_int_equal(stage.closed, FRAME_CODE_POLICY);
	/* Only the reason. */
	assert_int_equal(stage.messages, 1);
	assert_string_equal(stage_text("type"), "error");
	assert_string_equal(stage_text("code"), "unauthorized");
	assert_non_null(strstr(stage_text("message"), "this token was revoked on "));
}

/* Lets the loop wait for its timers, at most for two seconds. */
static void loop_until_closed(void)
{
	struct timeval limit = { .tv_sec = 2 };

	event_base_loopexit(stage.base, &limit);
	while (stage.socket && !event_base_got_exit(stage.base))
		event_base_loop(stage.base, EVLOOP_ONCE);
}

static void h7_a_silent_socket_ends_with_its_token(void **state)
{
	struct http_socket *bobs;
	char id[40];

	(void)state;
	snprintf(id, sizeof(id), "%s", new_run());
	connect_as(stage.bob);
	bobs = stage.socket;
	connect_as(stage.alice);
	subscribe(id, "");
	revoke(stage.alice);
	stage.world.d.now_ms += 1000;
	loop_until_closed();
	assert_null(stage.socket);
	assert_int_equal(stage.closed, FRAME_CODE_POLICY);
	stage.messages = 0;
	assert_int_equal(POST("/v1/runs", stage.bob, "{\"command\":[\"true\"]}"), 201);
	assert_int_equal(stage.messages, 0);
	/* The other one is still served. */
	stage.socket = bobs;
	stage_message("{\"type\":\"ping\"}");
	assert_string_equal(stage_text("type"), "pong");
}

static void h7_text_7_a_silent_socket_ends_when_its_token_expires(void **state)
{
	struct store *tool;
	struct token token;
	struct err err = { 0 };
	char text[TOKEN_TEXT_SIZE];

	(void)state;
	assert_int_equal(token_make(&stage.world.d.env, "carol", "acme", TOKEN_USER,
				    stage.world.d.now_ms + 60000, text, &token, &err),
			 0);
	assert_int_equal(store_open_tool(stage.world.d.path, &stage.world.d.env, &tool, &err), 0);
	assert_int_equal(store_token_add(tool, &token, &err), 0);
	store_close(tool);
	connect_as(text);
	stage.world.d.now_ms += 60000;
	loop_until_closed();
	assert_null(stage.socket);
	assert_int_equal(stage.closed, FRAME_CODE_POLICY);
	assert_non_null(strstr(stage_text("message"), "this token expired on "));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_handshake),
		TEST(messages_that_are_none),
		TEST(heartbeats),
		TEST(a_socket_ends_before_its_heartbeat),
		TEST(a_run_is_followed),
		TEST(a_slow_client_is_waited_for),
		TEST(an_event_may_be_too_large),
		TEST(runs_of_others_and_too_many_runs),
		TEST(sockets_have_a_limit),
		TEST(text_7_a_revoked_token_closes_its_socket),
		TEST(h7_a_silent_socket_ends_with_its_token),
		TEST(h7_text_7_a_silent_socket_ends_when_its_token_expires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
