/* SPDX-License-Identifier: MIT */
/* Heartbeat, release and cancel-create (contract 2.3, 2.7 and 4), and what people decide. */
#include <string.h>

#include "api/engine_request.h"
#include "api/grammar.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/render.h"
#include "api/result.h"
#include "api/telemetry.h"
#include "util/text.h"

/* ---- the bodies ------------------------------------------------------------------------- */

struct heartbeat_body {
	char expected_account[32];
	json_t *telemetry;
	int64_t idle_seconds; /* 0: absent */
};

/* clang-format off */
#define EXPECTED_PROVIDER(body) \
	{ .name = "expectedProvider", .type = INPUT_TEXT, INPUT_AT(body, expected_account), \
	  .expected = "the name of an account", .code = "invalid_expected_provider", \
	  .check = grammar_is_account }
/* For the timeline, in the client's own words. */
#define REASON(body) \
	{ .name = "reason", .type = INPUT_LINE, INPUT_AT(body, reason), \
	  .expected = "one line of text" }

static const struct input_field heartbeat_fields[] = {
	EXPECTED_PROVIDER(heartbeat_body),
	{ .name = "telemetry", .type = INPUT_OBJECT, INPUT_TO(heartbeat_body, telemetry),
	  .members = &body_telemetry },
	{ .name = "idleTimeoutSeconds", .type = INPUT_INT, INPUT_TO(heartbeat_body, idle_seconds),
	  .expected = "1 or more", .low = 1, .high = INT64_MAX },
};
/* clang-format on */

const struct input_table body_heartbeat = INPUT_TABLE("Heartbeat", NULL, heartbeat_fields);

struct release_body {
	int delete_machine; /* -1: absent */
	char reason[160];
	int64_t retain_until_ms; /* 0: absent */
	char expected_account[32];
};

#define RETAIN_UNTIL "a time in the future, as in 2026-08-21T10:00:00Z"

/* The members of a delete by an admin are all but the first: that deletes in any case. */
/* clang-format off */
static const struct input_field release_fields[] = {
	{ .name = "delete", .type = INPUT_BOOL, INPUT_TO(release_body, delete_machine) },
	REASON(release_body),
	{ .name = "retainUntil", .type = INPUT_TIME, INPUT_TO(release_body, retain_until_ms),
	  .expected = RETAIN_UNTIL, .low = 1, .high = INT64_MAX },
	EXPECTED_PROVIDER(release_body),
};
/* clang-format on */

const struct input_table body_release = INPUT_TABLE("Release", NULL, release_fields);
const struct input_table body_delete = { "Delete", NULL, release_fields + 1,
					 ARRAY_LEN(release_fields) - 1 };

struct cancel_body {
	char attempt_token[48];
};

/* clang-format off */
static const struct input_field cancel_fields[] = {
	{ .name = "createAttemptID", .type = INPUT_TEXT, .flags = INPUT_REQUIRED,
	  INPUT_AT(cancel_body, attempt_token), .expected = "cat_ and 32 lower-case hex digits",
	  .code = "invalid_create_attempt_id", .pattern = "^cat_[0-9a-f]{32}$",
	  .check = grammar_is_attempt },
};
/* clang-format on */

const struct input_table body_cancel = INPUT_TABLE("Cancel", NULL, cancel_fields);

struct resolve_body {
	int action;  /* its place in resolve_actions */
	int64_t row; /* of the ledger; 0: absent */
	char resource_id[32];
	char reason[160];
	char expected_account[32];
};

static const char *const resolve_actions[] = { "retry", "forget", "adopt", NULL };
static const enum request_resolve resolves[] = { RESOLVE_RETRY, RESOLVE_FORGET, RESOLVE_ADOPT };

/* Of a provider; it becomes part of a path there. */
static int is_resource_id(const char *text)
{
	size_t len = strlen(text);

	return len && len == strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "0123456789_-");
}

#define RESOURCE_ID "the provider's id of the resource"

/* The members of a retry are the last two. */
/* clang-format off */
static const struct input_field resolve_fields[] = {
	{ .name = "action", .type = INPUT_CHOICE, .flags = INPUT_REQUIRED,
	  INPUT_TO(resolve_body, action), .expected = "retry, forget or adopt",
	  .choices = resolve_actions },
	{ .name = "resource", .type = INPUT_INT, INPUT_TO(resolve_body, row),
	  .expected = "the number of a row", .high = INT64_MAX },
	{ .name = "id", .type = INPUT_TEXT, .flags = INPUT_EMPTY,
	  INPUT_AT(resolve_body, resource_id), .expected = RESOURCE_ID, .check = is_resource_id },
	REASON(resolve_body),
	EXPECTED_PROVIDER(resolve_body),
};
/* clang-format on */

const struct input_table body_resolve = INPUT_TABLE("Resolve", NULL, resolve_fields);
const struct input_table body_retry = { "Retry", NULL, resolve_fields + 3,
					ARRAY_LEN(resolve_fields) - 3 };

/* ---- what clients do ---------------------------------------------------------------------- */

static void change_finish(struct call *call, struct engine_request *request)
{
	if (result_check(call, request) == 0)
		result_lease(call, 200, request);
}

/* Without attempts and without a look at the ledger: this is the busiest route. */
static void heartbeat_finish(struct call *call, struct engine_request *request)
{
	struct jsonw w;

	if (result_check(call, request))
		return;
	w = call_begin(call);
	jsonw_object(&w, NULL);
	render_lease(&w, "lease", &request->lease, NULL);
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void change_heartbeat(struct call *call)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_HEARTBEAT);
	struct input *in = &call->input;
	struct heartbeat_body body = { .telemetry = NULL };
	int64_t max = call->api->config.idle_max_ms / 1000;

	if (!request)
		return;
	if (input_read(in, in->root, &body_heartbeat, &body) ||
	    (body.telemetry &&
	     telemetry_read(in, body.telemetry, call_now(call), &request->sample_ms,
			    request->sample, sizeof(request->sample)) < 0)) {
		engine_request_refuse(call, request);
		return;
	}
	TEXT_SET(request->expected_account, body.expected_account);
	request->idle_ms = (body.idle_seconds > max ? max : body.idle_seconds) * 1000;
	queue_submit(call->api->queue, request, heartbeat_finish);
}

/* Until when a release that keeps the machine means to keep it; to come, and not of a delete. */
static int check_retention(struct call *call, const struct release_body *body)
{
	if (body->retain_until_ms && body->delete_machine == 1)
		return input_fail(&call->input, 400, "invalid_field",
				  "retainUntil contradicts delete");
	if (body->retain_until_ms && body->retain_until_ms <= call_now(call))
		return input_fail(&call->input, 400, "invalid_field",
				  "retainUntil must be " RETAIN_UNTIL);
	return 0;
}

static void release_submit(struct call *call, const struct input_table *table, int delete_machine)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_RELEASE);
	struct release_body body = { .delete_machine = delete_machine };
	struct input *in = &call->input;

	if (!request)
		return;
	if (input_read(in, in->root, table, &body) || check_retention(call, &body)) {
		engine_request_refuse(call, request);
		return;
	}
	TEXT_SET(request->expected_account, body.expected_account);
	TEXT_SET(request->reason, body.reason);
	request->retain_until_ms = body.retain_until_ms;
	request->delete_machine = body.delete_machine;
	request->wait_ms = call_wait_ms(call, call->api->config.release_wait_ms,
					&request->wait_protected);
	queue_submit(call->api->queue, request, change_finish);
}

void change_release(struct call *call)
{
	release_submit(call, &body_release, -1);
}

void change_delete(struct call *call)
{
	release_submit(call, &body_delete, 1);
}

/* What the client checks word for word: contract 2.3. */
static void cancel_finish(struct call *call, struct engine_request *request)
{
	struct render_parts parts = { .attempts = NULL };
	struct jsonw w;

	if (result_check(call, request))
		return;
	w = call_begin(call);
	jsonw_object(&w, NULL);
	jsonw_object(&w, "canceledCreate");
	jsonw_int(&w, "version", 1);
	jsonw_text(&w, "requestedLeaseID", call->param);
	jsonw_text(&w, "createAttemptID", request->attempt_token);
	jsonw_text(&w, "state", "canceled");
	jsonw_end_object(&w);
	if (request->lease.id[0]) {
		parts.is_unsure = lookup_is_unsure(call->api, &request->lease);
		render_lease(&w, "lease", &request->lease, &parts);
	}
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void change_cancel(struct call *call)
{
	struct engine_request *request;
	struct input *in = &call->input;
	struct cancel_body body;

	if (!grammar_is_lease_id(call->param)) {
		call_error(call, 400, "invalid_lease_id",
			   "The lease id must be cbx_ and 12 lower-case hex digits.");
		return;
	}
	request = engine_request_begin_lease(call, REQUEST_CANCEL_CREATE);
	if (!request)
		return;
	if (input_read(in, in->root, &body_cancel, &body)) {
		engine_request_refuse(call, request);
		return;
	}
	TEXT_SET(request->attempt_token, body.attempt_token);
	queue_submit(call->api->queue, request, cancel_finish);
}

/* ---- what operators decide -------------------------------------------------------------- */

/* What an action needs beside it. */
static int check_resolve(struct input *in, const struct resolve_body *body)
{
	enum request_resolve resolve = resolves[body->action];

	if (resolve != RESOLVE_RETRY && !body->reason[0])
		return input_fail(in, 400, "invalid_field",
				  "reason is required: it is kept in the timeline");
	if (resolve == RESOLVE_ADOPT && !body->resource_id[0])
		return input_fail(in, 400, "invalid_field", "id is required: " RESOURCE_ID);
	return 0;
}

/* The action of a retry is not in its body. */
static void resolve_submit(struct call *call, const struct input_table *table)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_RESOLVE);
	struct resolve_body body = { .action = 0 };
	struct input *in = &call->input;

	if (!request)
		return;
	if (input_read(in, in->root, table, &body) || check_resolve(in, &body)) {
		engine_request_refuse(call, request);
		return;
	}
	request->resolve = resolves[body.action];
	request->row = body.row;
	TEXT_SET(request->resource_id, body.resource_id);
	TEXT_SET(request->expected_account, body.expected_account);
	TEXT_SET(request->reason, body.reason);
	queue_submit(call->api->queue, request, change_finish);
}

void change_retry(struct call *call)
{
	resolve_submit(call, &body_retry);
}

void change_resolve(struct call *call)
{
	resolve_submit(call, &body_resolve);
}
