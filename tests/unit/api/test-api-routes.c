/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include "api/openapi.h"
#include "api/route.h"

/* The path with its "{...}" filled in. */
static const char *path_of(const struct route *route)
{
	static char path[128];
	const char *open = strchr(route->path, '{');

	if (!open)
		return route->path;
	snprintf(path, sizeof(path), "%.*s%s%s", (int)(open - route->path), route->path,
		 strstr(route->path, "{lease}") ? LEASE : "toy", strchr(route->path, '}') + 1);
	return path;
}

/* ---- which route a path is ------------------------------------------------------------------ */

static void each_path_finds_its_own_route(void **state)
{
	static const struct {
		enum http_method method;
		const char *path, *found, *param;	/* found NULL: none */
		unsigned methods;			/* the methods that the path has */
	} cases[] = {
		{ HTTP_GET, "/v1/leases", "/v1/leases", "", 0 },
		{ HTTP_HEAD, "/v1/leases", "/v1/leases", "", 0 },
		{ HTTP_GET, "/v1/leases/", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases//", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/a", "/v1/leases/{lease}", "a", 0 },
		{ HTTP_GET, "/v1/leases/a/", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/a/b", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/a/events", "/v1/leases/{lease}/events", "a", 0 },
		{ HTTP_GET, "/v1/leases//events", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/events", "/v1/leases/{lease}", "events", 0 },
		{ HTTP_GET, "/v1/leases/a/b/events", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/a/events/", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/a/events2", NULL, "", 0 },
		{ HTTP_GET, "/v1/leases/{lease}", "/v1/leases/{lease}", "{lease}", 0 },
		{ HTTP_GET, "/v1/lease", NULL, "", 0 },
		{ HTTP_GET, "/v1/leasesx", NULL, "", 0 },
		{ HTTP_GET, "/v1/Leases", NULL, "", 0 },
		{ HTTP_GET, "/v1", NULL, "", 0 },
		{ HTTP_GET, "/", NULL, "", 0 },
		{ HTTP_DELETE, "/v1/leases/a", NULL, "", 1u << HTTP_GET | 1u << HTTP_PUT },
		{ HTTP_GET, "/v1/leases/a/heartbeat", NULL, "", 1u << HTTP_POST },
		{ HTTP_POST, "/v1/leases/a/heartbeat", "/v1/leases/{lease}/heartbeat", "a", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char param[ROUTE_PARAM_SIZE] = "old";
		unsigned methods;
		const struct route *route = route_find(cases[i].method, cases[i].path, &methods,
						       param);

		print_message("%s\n", cases[i].path);
		assert_int_equal(route != NULL, cases[i].found != NULL);
		if (route)
			assert_string_equal(route->path, cases[i].found);
		else
			assert_int_equal(methods, cases[i].methods);
		assert_string_equal(param, cases[i].param);
	}
}

/* A segment of 63 characters fits; one of 64 is an unknown path. */
static void a_segment_has_its_bound(void **state)
{
	char path[128], param[ROUTE_PARAM_SIZE];
	unsigned methods;

	(void)state;
	snprintf(path, sizeof(path), "/v1/leases/%063d/share", 0);
	assert_non_null(route_find(HTTP_GET, path, &methods, param));
	assert_int_equal(strlen(param), 63);
	snprintf(path, sizeof(path), "/v1/leases/%064d/share", 0);
	assert_null(route_find(HTTP_GET, path, &methods, param));
	assert_int_equal(methods, 0);
	assert_string_equal(param, "");
}

/* ---- B169: route x method x role, from the table -------------------------------------------- */

/*
 * Which roles may use each route. Repeated here on purpose: a route that is changed or added
 * without a change here fails.
 */
static const struct {
	const char *method, *path, *roles;	/* u user, r reader, a admin, - without a token */
} published[] = {
	{ "GET", "/v1/health", "-ura" },
	{ "GET", "/v1/whoami", "ura" },
	{ "GET", "/v1/openapi.json", "ura" },
	{ "GET", "/v1/metrics", "ra" },
	{ "GET", "/v1/providers", "ura" },
	{ "GET", "/v1/providers/{account}/readiness", "ura" },
	{ "GET", "/v1/classes", "ura" },
	{ "GET", "/v1/usage", "ura" },
	{ "GET", "/v1/capacity", "ura" },
	{ "GET", "/v1/queue", "ura" },
	{ "GET", "/v1/leases", "ura" },
	{ "POST", "/v1/leases", "ua" },
	{ "GET", "/v1/leases/{lease}", "ura" },
	{ "PUT", "/v1/leases/{lease}", "ua" },
	{ "GET", "/v1/leases/{lease}/events", "ura" },
	{ "GET", "/v1/leases/{lease}/residue", "ura" },
	{ "GET", "/v1/leases/{lease}/share", "ua" },
	{ "PUT", "/v1/leases/{lease}/share", "ua" },
	{ "DELETE", "/v1/leases/{lease}/share", "ua" },
	{ "POST", "/v1/leases/{lease}/heartbeat", "ua" },
	{ "POST", "/v1/leases/{lease}/extend", "ua" },
	{ "POST", "/v1/leases/{lease}/release", "ua" },
	{ "POST", "/v1/leases/{lease}/cancel-create", "ua" },
	{ "POST", "/v1/leases/{lease}/retry", "ua" },
	{ "GET", "/v1/control", "ura" },
	{ "GET", "/v1/events", "ura" },
	{ "GET", "/v1/runs", "ura" },
	{ "POST", "/v1/runs", "ua" },
	{ "GET", "/v1/runs/{run}", "ura" },
	{ "PUT", "/v1/runs/{run}", "ua" },
	{ "GET", "/v1/runs/{run}/receipt", "ura" },
	{ "GET", "/v1/runs/{run}/logs", "ura" },
	{ "GET", "/v1/runs/{run}/events", "ura" },
	{ "POST", "/v1/runs/{run}/events", "ua" },
	{ "POST", "/v1/runs/{run}/telemetry", "ua" },
	{ "POST", "/v1/runs/{run}/finish", "ua" },
	{ "GET", "/v1/daemons", "a" },
	{ "GET", "/v1/pool", "a" },
	{ "GET", "/v1/admin/leases", "a" },
	{ "POST", "/v1/admin/leases/{lease}/release", "a" },
	{ "POST", "/v1/admin/leases/{lease}/delete", "a" },
	{ "POST", "/v1/admin/leases/{lease}/resolve", "a" },
	{ "POST", "/v1/admin/accounts/{account}/take-over", "a" },
	{ "GET", "/v1/admin/sweep", "a" },
	{ "POST", "/v1/admin/sweep", "a" },
};

static const char *published_roles(const char *method, const char *path)
{
	for (size_t i = 0; i < COUNT(published); i++) {
		if (!strcmp(published[i].method, method) && !strcmp(published[i].path, path))
			return published[i].roles;
	}
	return NULL;
}

static void b169_every_route_method_and_role(void **state)
{
	const struct {
		char letter;
		const char *token;
	} roles[] = { { '-', NULL }, { 'u', stage.alice }, { 'r', stage.reader_token },
		      { 'a', stage.admin } };

	(void)state;
	stage.config.refusals_per_minute = 0;
	assert_int_equal(api_reload(stage.api, &stage.config, NULL), 0);
	assert_int_equal(route_count, COUNT(published));
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];

		for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
			const char *method = http_method_name((enum http_method)m);
			const char *as = m == HTTP_HEAD ? "GET" : method;
			const char *allowed = published_roles(as, route->path);
			char *path = strdup(path_of(route));

			for (size_t r = 0; r < COUNT(roles); r++) {
				int status = stage_ask(method, path, roles[r].token, "", NULL);

				print_message("%s %s %c %d\n", method, path, roles[r].letter,
					      status);
				if (!allowed) {
					assert_int_equal(status, 405);
					assert_non_null(strstr(stage.headers, "Allow: "));
					continue;
				}
				if (strchr(allowed, roles[r].letter))
					assert_true(status < 500 && status != 401 &&
						    status != 403 && status != 405);
				else
					assert_int_equal(status, roles[r].token ? 403 : 401);
			}
			free(path);
		}
	}
}

/* What changes a lease or an account goes to the daemon that owns it. */
static void changes_go_to_the_owner(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];
		int is_about_one = strstr(route->path, "{lease}") ||
				   strstr(route->path, "{account}");

		print_message("%s %s\n", http_method_name(route->method), route->path);
		if (route->method != HTTP_GET && is_about_one)
			assert_int_not_equal(route->goes, GOES_NOWHERE);
		if (route->goes >= GOES_BY_LEASE)
			assert_non_null(strstr(route->path, "{lease}"));
		if (route->goes == GOES_BY_PATH)
			assert_non_null(strstr(route->path, "{account}"));
		if (route->goes == GOES_BY_QUERY)
			assert_true(route_knows_query(route, "provider", 8));
	}
}

/* The OpenAPI file describes the same routes, both ways. */
static void openapi_and_the_table_agree(void **state)
{
	static const char *const names[] = { "user", "reader", "admin" };
	size_t len;
	const char *text = openapi_text(&len);
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	json_t *paths = json_object_get(root, "paths");
	const char *path;
	json_t *item;
	size_t operations = 0;

	(void)state;
	assert_non_null(root);
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];
		char method[16];
		json_t *op, *roles, *parameters, *parameter;
		size_t n, k = 0;
		unsigned bits = 0, queries = 0, known = 0;

		snprintf(method, sizeof(method), "%s", http_method_name(route->method));
		for (char *c = method; *c; c++)
			*c = (char)(*c | 32);
		print_message("%s %s\n", method, route->path);
		op = json_object_get(json_object_get(paths, route->path), method);
		assert_non_null(op);
		roles = json_object_get(op, "x-roles");
		json_array_foreach(roles, n, item) {
			for (size_t r = 0; r < COUNT(names); r++)
				bits |= !strcmp(json_string_value(item), names[r]) ? 1u << r : 0;
		}
		assert_int_equal(bits, route->roles);
		assert_int_equal(json_object_get(op, "requestBody") != NULL,
				 route->body != BODY_NONE);
		parameters = json_object_get(op, "parameters");
		json_array_foreach(parameters, n, parameter) {
			const char *name = json_string_value(json_object_get(parameter, "name"));

			/* A shared one: all of them are fields of the head. */
			if (json_object_get(parameter, "$ref"))
				continue;
			if (strcmp(json_string_value(json_object_get(parameter, "in")), "query"))
				continue;
			queries++;
			assert_true(route_knows_query(route, name, strlen(name)));
		}
		for (const char *c = route->query; *c; k++) {
			known++;
			c += strcspn(c, " ");
			c += *c == ' ';
		}
		assert_int_equal(queries, known);
	}
	json_object_foreach(paths, path, item) {
		const char *key;
		json_t *op;

		json_object_foreach(item, key, op)
			operations += strcmp(key, "parameters") != 0;
	}
	assert_int_equal(operations, route_count);
	json_decref(root);
	assert_int_equal(GET("/v1/openapi.json", stage.alice), 200);
	assert_int_equal(stage.body_len, len);
}

/* ---- paths and queries ---------------------------------------------------------------------- */

static void b100_to_b107_paths(void **state)
{
	static const char *const missing[] = { "/",
					       "/v1",
					       "/v1/",
					       "/v1/leases/",
					       "/v1//leases",
					       "/v1/./leases",
					       "/v1/leases/../leases",
					       "/V1/leases",
					       "/v1/Leases",
					       "/v2/leases",
					       "/v1/leases/x/y",
					       "/v1/leases/x/heartbeat/",
					       "/v1/leases/x/../../whoami",
					       "/v1/controls",
					       "/v1/runnersx",
					       "/v1/pools",
					       "/v1/leases;a=1",
					       "/metrics",
					       "/healthz",
					       "/v1/auths",
					       "/v1/ready-pool",
					       "/portals",
					       "/v1/leases//tailscale",
					       "/v1/leases/a/b/tailscale",
					       "/v1/leases/x/codes" };
	static const char *const no_lease[] = { "/v1/leases/cbx_%30123456789a", "/v1/leases/%2e%2e",
		"/v1/leases/%2f", "/v1/leases/%5c", "/v1/leases/..", "/v1/leases/.",
		"/v1/leases/CBX_0123456789AB", "/v1/leases/cbx_0123", "/v1/leases/x;jsessionid=1",
		"/v1/leases/a_b", "/v1/leases/a%20b", "/v1/leases/1001", "/v1/leases/'" };
	char path[1300] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(missing); i++) {
		print_message("%s\n", missing[i]);
		assert_int_equal(GET(missing[i], stage.alice), 404);
		assert_string_equal(stage.body,
				    "{\"error\":\"not_found\",\"message\":\"Not found.\"}");
		assert_int_equal(stage_ask("GET", missing[i], NULL, "", NULL), 404);
	}
	for (size_t i = 0; i < COUNT(no_lease); i++) {
		print_message("%s\n", no_lease[i]);
		assert_int_equal(GET(no_lease[i], stage.alice), 404);
		stage_expect(404, "not_found");
		assert_null(strpbrk(stage_text("message"), "%/;\\_"));
	}
	for (int i = 0; i < 300; i++)
		strcat(path, "/a");
	assert_int_equal(GET(path, stage.alice), 404);
	memset(path + 11, 'a', 200);
	memcpy(path, "/v1/leases/", 11);
	assert_int_equal(GET(path, stage.alice), 404);
}

/* Routes of existing clients: one sentence says that they are not here, with or without a token. */
static void x4_x11_what_is_not_offered_says_so(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *text;
	} rows[] = {
		{ "POST", "/v1/auth/github/start", 404, "--token-stdin" },
		{ "POST", "/v1/auth/github/poll", 404, "--token-stdin" },
		{ "GET", "/v1/ready-pools", 404, "Ready pools" },
		{ "GET", "/v1/ready-pools/team%2Fci", 404, "Ready pools" },
		{ "POST", "/v1/ready-pools/a/borrow", 404, "Ready pools" },
		{ "POST", "/v1/ready-pools/a/reconcile", 404, "Ready pools" },
		{ "GET", "/v1/images", 404, "images" },
		{ "POST", "/v1/images/x/promote-catalog", 404, "images" },
		{ "DELETE", "/v1/images/x", 404, "images" },
		{ "POST", "/v1/checkpoints", 404, "checkpoints" },
		{ "POST", "/v1/artifacts/uploads", 404, "Artifact uploads" },
		{ "POST", "/v1/leases/capability-aware", 404, "image requirements" },
		{ "POST", "/v1/leases/from-checkpoint", 404, "checkpoints" },
		{ "POST", "/v1/runs/run_0123456789ab/admission-failure", 404, "not admitted" },
		{ "PUT", "/v1/leases/cbx_0123456789ab/registration", 404, "Registration" },
		{ "POST", "/v1/leases/box/tailscale", 404, "Tailscale" },
		{ "POST", "/v1/leases/box/webvnc/ticket", 404, "Desktops" },
		{ "GET", "/v1/leases/box/webvnc/status", 404, "Desktops" },
		{ "POST", "/v1/leases/box/egress/ticket", 404, "Egress" },
		{ "POST", "/v1/leases/box/code/ticket", 404, "editors" },
		{ "POST", "/v1/adapters/a/ticket", 404, "adapters" },
		{ "POST", "/v1/runners/sync", 404, "Runners" },
		{ "GET", "/v1/marketplace/status", 404, "marketplace" },
		{ "POST", "/v1/marketplace/quotes", 404, "marketplace" },
		{ "GET", "/v1/admin/lease-audit", 404, "lessor sweep" },
		{ "GET", "/v1/admin/hosts", 501, "hosts" },
		{ "DELETE", "/v1/admin/mac-hosts/h-1", 501, "hosts" },
		{ "GET", "/v1/admin/providers/identity", 501, "identities" },
		{ "GET", "/portal/runs/run_0123456789ab", 404, "crabbox history" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *body = strcmp(rows[i].method, "GET") ? "{}" : NULL;

		print_message("%s\n", rows[i].path);
		assert_int_equal(stage_ask(rows[i].method, rows[i].path, stage.alice, "", body),
				 rows[i].status);
		assert_string_equal(stage_text("error"), "not_offered");
		assert_non_null(strstr(stage_text("message"), rows[i].text));
		/* The client shows 600 bytes, and acts on this word. */
		assert_true(stage.body_len < 300);
		assert_null(strstr(stage.body, "not_found"));
		assert_int_equal(stage_ask(rows[i].method, rows[i].path, NULL, "", body),
				 rows[i].status);
	}
	/* A slug may have such a name. */
	assert_int_equal(GET("/v1/leases/capability-aware", stage.alice), 404);
	assert_string_equal(stage_text("error"), "not_found");
}

static void b104_queries(void **state)
{
	(void)state;
	GET("/v1/leases?x=1", stage.alice);
	stage_expect(200, "");
	GET("/v1/leases?state", stage.alice);
	stage_expect(200, "");
	GET("/v1/leases?state=active&state=failed", stage.alice);
	stage_expect(400, "duplicate_query");
	GET("/v1/leases?state=leased", stage.alice);
	stage_expect(400, "invalid_query");
	GET("/v1/leases?limit=x", stage.alice);
	stage_expect(400, "invalid_query");
	GET("/v1/leases?limit=-1", stage.alice);
	stage_expect(400, "invalid_query");
	GET("/v1/leases?before=cbx_000000000000", stage.alice);
	stage_expect(400, "invalid_query");
	GET("/v1/leases?state=active&limit=1000", stage.alice);
	stage_expect(200, "");
	GET("/v1/leases?limit=1000&provider=hetzner&view=current", stage.alice);
	stage_expect(200, "");
	GET("/v1/leases?view=all", stage.alice);
	stage_expect(400, "invalid_query");
	POST("/v1/leases?x=1", stage.alice, "{}");
	stage_expect(400, "unknown_query");
	GET("/v1/whoami?access_token=x", NULL);		/* B144 */
	stage_expect(401, "unauthorized");
	GET("/v1/usage?month=2026-13", stage.alice);
	stage_expect(400, "invalid_month");
	GET("/v1/usage?month=1", stage.alice);
	stage_expect(400, "invalid_month");
	GET("/v1/usage?scope=each", stage.admin);
	stage_expect(400, "invalid_scope");
}

/* ---- bodies and origins --------------------------------------------------- */

static void b108_content_types(void **state)
{
	static const struct {
		const char *type;
		int good;
	} rows[] = {
		{ "application/json", 1 }, { "Application/JSON", 1 },
		{ "application/json; charset=utf-8", 1 }, { "application/json;charset=UTF-8", 1 },
		{ "application/json; charset=utf-16", 0 }, { "application/jsonp", 0 },
		{ "text/plain", 0 }, { "multipart/form-data; boundary=x", 0 },
		{ "application/x-www-form-urlencoded", 0 }, { "", 0 }, { "application/json;", 0 },
	};
	char fields[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(fields, sizeof(fields), "Content-Type: %s\r\n", rows[i].type);
		print_message("%s\n", rows[i].type);
		stage_ask("POST", "/v1/leases/" LEASE "/release", stage.alice, fields, "{}");
		stage_expect(rows[i].good ? 404 : 415, rows[i].good ? "not_found" :
			     "unsupported_media_type");
	}
	/* An empty body needs no type, but a wrong type is refused: it may be the form of another page. */
	assert_int_equal(stage_ask("POST", "/v1/leases/" LEASE "/release", stage.alice, "", NULL),
			 404);
	assert_int_equal(stage_ask("POST", "/v1/leases/" LEASE "/release", stage.alice,
				   "Content-Type: text/plain\r\n", NULL), 415);
	assert_int_equal(stage_ask("POST", "/v1/leases", stage.alice, "", NULL), 400);
}

/* A method that no route has needs no length to be refused. */
static void h10_methods_without_a_length(void **state)
{
	static const char *const methods[] = { "PATCH", "OPTIONS", "PROPFIND" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		snprintf(text, sizeof(text), "%s /v1/leases HTTP/1.1\r\nHost: localhost\r\n\r\n",
			 methods[i]);
		assert_int_equal(stage_send(text, strlen(text)), 405);
		assert_non_null(strstr(stage.headers, "Allow: GET, HEAD, POST\n"));
	}
}

static void b109_to_b112_browsers(void **state)
{
	(void)state;
	assert_int_equal(stage_ask("GET", "/v1/whoami", stage.alice, "Accept: text/html\r\n", NULL),
			 200);
	assert_non_null(strstr(stage.headers, "application/json"));
	assert_int_equal(stage_ask("OPTIONS", "/v1/leases", NULL, "Origin: https://evil\r\n"
				   "Access-Control-Request-Method: POST\r\n", NULL), 405);
	assert_null(strcasestr(stage.headers, "access-control"));
	stage_ask("POST", "/v1/leases", stage.alice, "Origin: https://evil\r\n", "{}");
	stage_expect(403, "origin_not_allowed");
	stage_ask("GET", "/v1/whoami", stage.alice, "Origin: null\r\n", NULL);
	stage_expect(403, "origin_not_allowed");
	stage_ask("GET", "/v1/whoami", stage.alice, "Origin: http://localhost.evil\r\n", NULL);
	stage_expect(403, "origin_not_allowed");
	assert_int_equal(stage_ask("GET", "/v1/whoami", stage.alice, "Origin: http://localhost\r\n",
				   NULL), 200);
}

/* ---- tokens, at the door -------------------------------------------------- */

static void b140_b149_at_the_door(void **state)
{
	(void)state;
	assert_int_equal(GET("/v1/whoami", NULL), 401);
	assert_non_null(strstr(stage.headers, "WWW-Authenticate: Bearer\n"));
	assert_int_equal(stage_ask("GET", "/v1/whoami", NULL, "Cookie: token=x\r\n"
				   "X-Api-Key: x\r\nProxy-Authorization: Bearer x\r\n", NULL), 401);
	for (int i = 0; i < 20; i++)
		GET("/v1/whoami", "lsr_0000000000000000_x");
	stage_expect(429, "too_many_refusals");
	assert_non_null(strstr(stage.headers, "Retry-After: 60\n"));
	assert_int_equal(GET("/v1/whoami", stage.alice), 200);
	assert_string_equal(stage_text("owner"), "alice");
	assert_string_equal(stage_text("org"), "acme");
	assert_string_equal(stage_text("auth"), "bearer");
	assert_true(json_is_false(stage_at("admin")));
	assert_int_equal(GET("/v1/health", NULL), 200);
	assert_true(json_is_true(stage_at("ok")));
	/* The client's identity headers are ignored. */
	stage_ask("GET", "/v1/whoami", stage.alice, "X-Crabbox-Owner: bob\r\nX-Crabbox-Org: ops\r\n"
		  "X-Crabbox-Admin: true\r\n", NULL);
	assert_string_equal(stage_text("owner"), "alice");
}

/* Rows H2 and H4: nobody without a token can have the broker wait for a body. */
static void h2_a_head_without_a_token_is_refused_before_its_body(void **state)
{
	static const char *const paths[] = { "/v1/leases", "/v1/leases/" LEASE "/release",
					     "/v1/runs", "/v1/runs/run_0123456789ab/finish" };
	char text[300];

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		snprintf(text, sizeof(text),
			 "POST %s HTTP/1.1\r\nHost: localhost\r\n"
			 "Content-Length: 100\r\n\r\n{",
			 paths[i]);
		assert_int_equal(stage_send(text, strlen(text)), 401);
		assert_non_null(strstr(stage.headers, "WWW-Authenticate: Bearer\n"));
	}
	assert_int_equal(stage.trusted, 0);
	assert_int_equal(POST("/v1/pool", NULL, "{}"), 405);
	assert_non_null(strstr(stage.headers, "Allow: GET, HEAD\n"));
	assert_int_equal(POST("/v1/leases", stage.reader_token, "{}"), 403);
}

/* A valid token gives the connection the place of a known client, one owner's being the same. */
static void h4_a_valid_token_is_told_to_the_server(void **state)
{
	uint64_t alice;

	(void)state;
	GET("/v1/health", stage.alice);
	GET("/v1/whoami", "lsr_0000000000000000_x");
	assert_int_equal(stage.trusted, 0);
	GET("/v1/whoami", stage.alice);
	assert_int_equal(stage.trusted, 1);
	alice = stage.owner;
	GET("/v1/whoami", stage.bob);
	assert_true(stage.owner != alice);
	POST("/v1/leases", stage.alice, "{");
	assert_int_equal(stage.trusted, 4);
	assert_true(stage.owner == alice);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_finds_its_own_route),
		cmocka_unit_test(a_segment_has_its_bound),
		cmocka_unit_test(changes_go_to_the_owner),
		TEST(b169_every_route_method_and_role),
		TEST(openapi_and_the_table_agree),
		TEST(b100_to_b107_paths),
		TEST(x4_x11_what_is_not_offered_says_so),
		TEST(b104_queries),
		TEST(b108_content_types),
		TEST(h10_methods_without_a_length),
		TEST(b109_to_b112_browsers),
		TEST(b140_b149_at_the_door),
		TEST(h2_a_head_without_a_token_is_refused_before_its_body),
		TEST(h4_a_valid_token_is_told_to_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
