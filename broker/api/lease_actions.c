/* SPDX-License-Identifier: MIT */
/* Heartbeat, release and cancel-create (contract 2.3, 2.7 and 4), and operators' decisions. */
#include <string.h>

#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/telemetry.h"
#include "api/unsure.h"
#include "api/validate.h"
#include "util/text.h"

/* ---- the bodies ------------------------------------------------------------------------- */

struct heartbeat_body {
	char expected_account[32];
	json_t *telemetry;
	int64_t idle_seconds; /* 0: absent */
};

/* clang-format off */
#define EXPECTED_PROVIDER(body) \
	{ .name = "expectedProvider", .type = FIELD_TEXT, FIELD_AT(body, expected_account), \
	  .expected = "the name of an account", .code = "invalid_expected_provider", \
	  .check = validate_account }
/* For the timeline, in the client's own words. */
#define REASON(body) \
	{ .name = "reason", .type = FIELD_LINE, FIELD_AT(body, reason), \
	  .expected = "one line of text" }

static const struct body_field heartbeat_fields[] = {
	EXPECTED_PROVIDER(heartbeat_body),
	{ .name = "telemetry", .type = FIELD_OBJECT, FIELD_TO(heartbeat_body, telemetry),
	  .members = &body_telemetry },
	{ .name = "idleTimeoutSeconds", .type = FIELD_INT, FIELD_TO(heartbeat_body, idle_seconds),
	  .expected = "1 or more", .low = 1, .high = INT64_MAX },
};
/* clang-format on */

const struct body_table body_heartbeat = BODY_TABLE("Heartbeat", NULL, heartbeat_fields);

struct release_body {
	int delete_machine; /* -1: absent */
	char reason[160];
	int64_t retain_until_ms; /* 0: absent */
	char expected_account[32];
};

#define RETAIN_UNTIL "a time in the future, as in 2026-08-21T10:00:00Z"

/* A delete by an admin has all members except the first. */
/* clang-format off */
static const struct body_field release_fields[] = {
	{ .name = "delete", .type = FIELD_BOOL, FIELD_TO(release_body, delete_machine) },
	REASON(release_body),
	{ .name = "retainUntil", .type = FIELD_TIME, FIELD_TO(release_body, retain_until_ms),
	  .expected = RETAIN_UNTIL, .low = 1, .high = INT64_MAX },
	EXPECTED_PROVIDER(release_body),
	/* sent by some clients; it concerns adapters of their own, and no machine */
	{ .name = "runtimeAdapterDeleteCompletion", .type = FIELD_OBJECT, .flags = FIELD_IGNORED },
};
/* clang-format on */

/* Strict: what the broker would ignore might have been meant to keep the machine. */
const struct body_table body_release = { "Release", NULL, release_fields, ARRAY_LEN(release_fields),
					 1 };
const struct body_table body_delete = { "Delete", NULL, release_fields + 1,
					ARRAY_LEN(release_fields) - 1, 1 };

struct cancel_body {
	char attempt_token[48];
};

/* clang-format off */
static const struct body_field cancel_fields[] = {
	{ .name = "createAttemptID", .type = FIELD_TEXT, .flags = FIELD_REQUIRED,
	  FIELD_AT(cancel_body, attempt_token), .expected = "cat_ and 32 lower-case hex digits",
	  .code = "invalid_create_attempt_id", .pattern = "^cat_[0-9a-f]{32}$",
	  .check = validate_attempt },
};
/* clang-format on */

const struct body_table body_cancel = BODY_TABLE("Cancel", NULL, cancel_fields);

struct resolve_body {
	int action;  /* index of resolve_actions */
	int64_t row; /* of the ledger; 0: absent */
	char resource_id[32];
	char reason[160];
	char expected_account[32];
};

static const char *const resolve_actions[] = { "retry", "forget", "adopt", NULL };
static const enum request_resolve resolves[] = { RESOLVE_RETRY, RESOLVE_FORGET, RESOLVE_ADOPT };

/* The provider's id of a resource; it becomes part of a path there. */
static int is_resource_id(const char *text)
{
	size_t len = strlen(text);

	return len && len == strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "0123456789_-");
}

#define RESOURCE_ID "the provider's id of the resource"

/* A retry has the last two members. */
/* clang-format off */
static const struct body_field resolve_fields[] = {
	{ .name = "action", .type = FIELD_CHOICE, .flags = FIELD_REQUIRED,
	  FIELD_TO(resolve_body, action), .expected = "retry, forget or adopt",
	  .choices = resolve_actions },
	{ .name = "resource", .type = FIELD_INT, FIELD_TO(resolve_body, row),
	  .expected = "the number of a row", .high = INT64_MAX },
	/* Only an adopt uses it, and then requires it. */
	{ .name = "id", .type = FIELD_TEXT, .flags = FIELD_EMPTY | FIELD_LENIENT,
	  FIELD_AT(resolve_body, resource_id), .expected = RESOURCE_ID, .check = is_resource_id },
	REASON(resolve_body),
	EXPECTED_PROVIDER(resolve_body),
};
/* clang-format on */

const struct body_table body_resolve = BODY_TABLE("Resolve", NULL, resolve_fields);
const struct body_table body_retry = { "Retry", NULL, resolve_fields + 3,
				       ARRAY_LEN(resolve_fields) - 3, 0 };

/* ---- actions of clients ---------------------------------------------------------------------- */

static void lease_action_finish(struct api_request *request, struct engine_request *engine_request)
{
	if (engine_response_check(request, engine_request) == 0)
		engine_response_lease(request, 200, engine_request, NULL);
}

/* Without the attempts and the ledger: this is the busiest route. */
static void heartbeat_finish(struct api_request *request, struct engine_request *engine_request)
{
	struct notices notices = { .count = 0 };
	struct render_parts parts = { .notices = &notices };
	struct jsonw w;

	if (engine_response_check(request, engine_request))
		return;
	notice_compare(engine_queue_asked(engine_request), &engine_request->lease, NULL, 0, NULL,
		       &notices);
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	render_lease(&w, "lease", &engine_request->lease, &parts);
	jsonw_end_object(&w);
	reply_epoch(request, engine_request->lease.epoch);
	reply_json(request, 200);
}

void lease_action_heartbeat(struct api_request *request)
{
	struct engine_request *engine_request = engine_request_begin_lease(request,
									   REQUEST_HEARTBEAT);
	struct json_body *in = &request->body;
	struct heartbeat_body body = { .telemetry = NULL };
	int64_t max = request->api->config.idle_max_ms / 1000;

	if (!engine_request)
		return;
	if (json_body_read(in, in->root, &body_heartbeat, &body) ||
	    (body.telemetry &&
	     telemetry_read(in, body.telemetry, lookup_now_ms(request), &engine_request->sample_ms,
			    engine_request->sample, sizeof(engine_request->sample)) < 0)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	TEXT_SET(engine_request->expected_account, body.expected_account);
	engine_request->idle_ms = (body.idle_seconds > max ? max : body.idle_seconds) * 1000;
	engine_queue_asked(engine_request)->idle_seconds = body.idle_seconds;
	engine_queue_asked(engine_request)->idle_max_ms = request->api->config.idle_max_ms;
	engine_queue_submit(request->api->engine_queue, engine_request, heartbeat_finish);
}

/* The end of a retention must be in the future, and a delete has none. */
static int check_retention(struct api_request *request, const struct release_body *body)
{
	if (body->retain_until_ms && body->delete_machine == 1)
		return json_body_fail(&request->body, 400, "invalid_field",
				      "retainUntil needs delete: false; a machine that is deleted is not kept");
	if (body->retain_until_ms && body->retain_until_ms <= lookup_now_ms(request))
		return json_body_fail(&request->body, 400, "invalid_field",
				      "retainUntil must be " RETAIN_UNTIL);
	return 0;
}

static void release_submit(struct api_request *request, const struct body_table *table,
			   int delete_machine)
{
	struct engine_request *engine_request = engine_request_begin_lease(request, REQUEST_RELEASE);
	struct release_body body = { .delete_machine = delete_machine };
	struct json_body *in = &request->body;

	if (!engine_request)
		return;
	if (json_body_read(in, in->root, table, &body) || check_retention(request, &body)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	TEXT_SET(engine_request->expected_account, body.expected_account);
	TEXT_SET(engine_request->reason, body.reason);
	engine_request->retain_until_ms = body.retain_until_ms;
	engine_request->delete_machine = body.delete_machine;
	engine_request->wait_ms = query_wait_ms(request, request->api->config.release_wait_ms,
						&engine_request->wait_protected);
	engine_queue_submit(request->api->engine_queue, engine_request, lease_action_finish);
}

void lease_action_release(struct api_request *request)
{
	release_submit(request, &body_release, -1);
}

void lease_action_delete(struct api_request *request)
{
	release_submit(request, &body_delete, 1);
}

/* The client compares this word for word: contract 2.3. */
static void cancel_finish(struct api_request *request, struct engine_request *engine_request)
{
	struct render_parts parts = { .attempts = NULL };
	struct jsonw w;

	if (engine_response_check(request, engine_request))
		return;
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_object(&w, "canceledCreate");
	jsonw_int(&w, "version", 1);
	jsonw_text(&w, "requestedLeaseID", request->param);
	jsonw_text(&w, "createAttemptID", engine_request->attempt_token);
	jsonw_text(&w, "state", "canceled");
	jsonw_end_object(&w);
	if (engine_request->lease.id[0]) {
		parts.is_unsure = lease_is_unsure(request->api, &engine_request->lease);
		render_lease(&w, "lease", &engine_request->lease, &parts);
		reply_epoch(request, engine_request->lease.epoch);
	}
	jsonw_end_object(&w);
	reply_json(request, 200);
}

void lease_action_cancel(struct api_request *request)
{
	struct engine_request *engine_request;
	struct json_body *in = &request->body;
	struct cancel_body body;

	if (!validate_lease_id(request->param)) {
		reply_error(request, 400, "invalid_lease_id",
			    "The lease id must be cbx_ and 12 lower-case hex digits.");
		return;
	}
	engine_request = engine_request_begin_lease(request, REQUEST_CANCEL_CREATE);
	if (!engine_request)
		return;
	if (json_body_read(in, in->root, &body_cancel, &body)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	TEXT_SET(engine_request->attempt_token, body.attempt_token);
	engine_queue_submit(request->api->engine_queue, engine_request, cancel_finish);
}

/* ---- decisions of operators -------------------------------------------------------------- */

/* The members that an action requires. */
static int check_resolve(struct json_body *in, const struct resolve_body *body)
{
	enum request_resolve resolve = resolves[body->action];

	if (resolve != RESOLVE_RETRY && !body->reason[0])
		return json_body_fail(in, 400, "invalid_field",
				      "reason is required: it is kept in the timeline");
	if (resolve == RESOLVE_ADOPT && !body->resource_id[0])
		return json_body_fail(in, 400, "invalid_field", "id is required: " RESOURCE_ID);
	return 0;
}

/* The body of a retry has no action; the default is retry. */
static void resolve_submit(struct api_request *request, const struct body_table *table)
{
	struct engine_request *engine_request = engine_request_begin_lease(request, REQUEST_RESOLVE);
	struct resolve_body body = { .action = 0 };
	struct json_body *in = &request->body;

	if (!engine_request)
		return;
	if (json_body_read(in, in->root, table, &body) || check_resolve(in, &body)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	engine_request->resolve = resolves[body.action];
	engine_request->row = body.row;
	TEXT_SET(engine_request->resource_id, body.resource_id);
	TEXT_SET(engine_request->expected_account, body.expected_account);
	TEXT_SET(engine_request->reason, body.reason);
	engine_queue_submit(request->api->engine_queue, engine_request, lease_action_finish);
}

void lease_action_retry(struct api_request *request)
{
	resolve_submit(request, &body_retry);
}

void lease_action_resolve(struct api_request *request)
{
	resolve_submit(request, &body_resolve);
}
