/* SPDX-License-Identifier: MIT */
/* What is not the caller's: it looks missing, and what its owner does holds up nobody else. */
#include "stage.h"

#include "api/route.h"

#define RUN "run_0123456789abcdef0123456789abcdef"
#define RUN_OF_NOBODY "run_ffffffffffffffffffffffffffffffff"
#define LEASE_OF_NOBODY "cbx_ffffffffffff"

/* A body that each route with an id accepts. */
static const char *body_of(const struct route *route)
{
	static const struct {
		const char *tail, *body;
	} rows[] = {
		{ "/heartbeat", "{}" },
		{ "/extend", "{\"ttlSeconds\":7200}" },
		{ "/release", "{\"delete\":true}" },
		{ "/delete", "{}" },
		{ "/cancel-create",
		  "{\"createAttemptID\":\"cat_1123456789abcdef0123456789abcdef\"}" },
		{ "/share", "{\"users\":{\"carol\":\"use\"}}" },
		{ "/resolve", "{\"action\":\"retry\"}" },
		{ "/events", "{\"type\":\"a\"}" },
		{ "/telemetry", "{\"telemetry\":{\"load1\":1}}" },
		{ "/finish", "{\"exitCode\":0}" },
	};

	for (size_t i = 0; i < COUNT(rows) && route->body != BODY_NONE; i++) {
		const char *at = strstr(route->path, rows[i].tail);

		if (at && !at[strlen(rows[i].tail)])
			return rows[i].body;
	}
	return route->body == BODY_NONE ? NULL : "{}";
}

/* Asks the route about this id. Returns the answer; static. */
static const char *ask_about(const struct route *route, const char *id)
{
	static char answers[2][4096];
	static int turn;
	char *named;
	const char *param = strchr(route->path, '{');
	char path[160];

	snprintf(path, sizeof(path), "%.*s%s%s", (int)(param - route->path), route->path, id,
		 strchr(param, '}') + 1);
	/* At a time of its own, or the token's rate would answer. */
	stage.world.d.now_ms += 10000;
	stage_ask(http_method_name(route->method), path, stage.bob, "", body_of(route));
	turn = !turn;
	snprintf(answers[turn], sizeof(answers[turn]), "%d %s%.1000s", stage.status, stage.headers,
		 stage.body);
	/* The message repeats the id that was asked for. */
	named = strstr(answers[turn], id);
	if (named)
		memset(named, '*', strlen(id));
	return answers[turn];
}

/* h11: on every route with an id, except for the creates and the cancel of a create. */
static void h11_a_foreign_id_looks_missing_on_every_route(void **state)
{
	int count = 0;

	(void)state;
	stage_active(MINE);
	assert_int_equal(stage_ask("PUT", "/v1/runs/" RUN, stage.alice, "", "{}"), 201);
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];
		int is_run = !strncmp(route->path, "/v1/runs/{", 10);
		int is_lease = !strncmp(route->path, "/v1/leases/{", 12);
		char missing[4096];

		if ((!is_run && !is_lease) || !(route->roles & ROLE(TOKEN_USER)))
			continue;
		print_message("%s %s\n", http_method_name(route->method), route->path);
		if (strstr(route->path, "/cancel-create")) {
			ask_about(route, LEASE);
			stage_expect(404, "not_found");
			continue;
		}
		/* An id in use cannot be that of something new: contract 2.4, 2.10. */
		if (route->method == HTTP_PUT && !strstr(route->path, "/share")) {
			stage_ask("PUT", is_run ? "/v1/runs/" RUN : "/v1/leases/" LEASE, stage.bob,
				  "", is_run ? "{\"label\":\"x\"}" : stage_create(""));
			stage_expect(409, is_run ? "run_conflict" : "lease_id_conflict");
			assert_int_equal(json_object_size(stage.json), 2);
			assert_null(strstr(stage.body, "alice"));
			continue;
		}
		snprintf(missing, sizeof(missing), "%s",
			 ask_about(route, is_run ? RUN_OF_NOBODY : LEASE_OF_NOBODY));
		assert_int_equal(stage.status, 404);
		assert_string_equal(ask_about(route, is_run ? RUN : LEASE), missing);
		count++;
	}
	assert_true(count >= 15);
	assert_int_equal(stage.world.deleted, 0);
}

/* Begins to send the end of a run, and does not go on. */
static int upload(const char *token, const char *run)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "POST /v1/runs/%s/finish HTTP/1.1\r\nHost: localhost\r\n"
			   "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
			   "Content-Length: 1000\r\n\r\n{",
			   run, token);

	return stage_send(text, (size_t)len);
}

static void h8_idle_uploads_count_per_owner(void **state)
{
	static const char bobs[] = "run_1123456789abcdef0123456789abcdef";
	int held = 0;

	(void)state;
	stage.upload_hold = 1;
	assert_int_equal(stage_ask("PUT", "/v1/runs/" RUN, stage.alice, "", "{}"), 201);
	assert_int_equal(stage_ask("PUT", "/v1/runs/run_1123456789abcdef0123456789abcdef",
				   stage.bob, "", "{}"),
			 201);
	/* A run that is missing or somebody else's: before any of the body. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(upload(stage.alice, RUN_OF_NOBODY), 404);
		assert_int_equal(upload(stage.alice, bobs), 404);
		assert_int_equal(upload(stage.alice, "x"), 404);
	}
	for (int i = 0; i < 20; i++)
		held += upload(stage.alice, RUN) == 0;
	assert_int_equal(held, 8);
	stage_expect(503, "busy");
	assert_non_null(strstr(stage.headers, "Retry-After: 2\n"));
	/* Others have theirs. */
	assert_int_equal(upload(stage.bob, bobs), 0);
	assert_int_equal(POST("/v1/runs/run_1123456789abcdef0123456789abcdef/finish", stage.bob,
			      "{\"exitCode\":0}"),
			 200);
	stage_uploads_drop();
	assert_int_equal(POST("/v1/runs/" RUN "/finish", stage.alice, "{\"exitCode\":0}"), 200);
}

static void h8_no_upload_without_a_history(void **state)
{
	(void)state;
	assert_int_equal(stage_ask("PUT", "/v1/runs/" RUN, stage.alice, "", "{}"), 201);
	stage.runs_are_broken = 1;
	assert_int_equal(upload(stage.alice, RUN), 503);
	stage_expect(503, "store_unavailable");
	assert_non_null(strstr(stage.headers, "Retry-After: 60\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(h11_a_foreign_id_looks_missing_on_every_route),
		TEST(h8_idle_uploads_count_per_owner),
		TEST(h8_no_upload_without_a_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
