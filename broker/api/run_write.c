/* SPDX-License-Identifier: MIT */
/* What clients report of a run while it lasts: its beginning, events and telemetry. */
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/reply.h"
#include "api/run_render.h"
#include "api/run_response.h"
#include "api/telemetry.h"
#include "api/validate.h"
#include "util/alloc.h"
#include "util/text.h"

/* A request whose user will be a text on the heap. NULL: answered. */
static struct run_request *run_write_begin(struct api_request *request, enum run_op op)
{
	struct run_request *run_request;

	if ((op != RUN_CREATE || request->param[0]) && !lookup_is_run_id(request->param)) {
		reply_not_found(request);
		return NULL;
	}
	run_request = run_request_begin(request, op);
	if (!run_request)
		return NULL;
	TEXT_SET(run_request->id, request->param);
	return run_request;
}

static void run_write_set_text(struct run_request *run_request, char *text)
{
	run_request->user = text;
	run_request->text = text;
}

static void run_write_refuse(struct api_request *request, struct run_request *run_request)
{
	free(run_request->user);
	run_queue_drop(request->api->run_queue, run_request);
	reply_request_error(request);
}

/* ---- the bodies ------------------------------------------------------------------------- */

/* clang-format off */
/*
 * What a create and every event may say about a run. The client knows the code of an invalid
 * lease id: it then repeats the create once it has its lease.
 */
#define TOLD_FIELDS(body) \
	{ .name = "slug", .type = FIELD_CUT, FIELD_AT(body, told.slug) }, \
	{ .name = "provider", .type = FIELD_CUT, FIELD_AT(body, told.account) }, \
	{ .name = "target", .type = FIELD_CUT, FIELD_AT(body, told.target) }, \
	{ .name = "windowsMode", .type = FIELD_CUT, FIELD_AT(body, told.windows_mode) }, \
	{ .name = "class", .type = FIELD_CUT, FIELD_AT(body, told.class_name) }, \
	{ .name = "serverType", .type = FIELD_CUT, FIELD_AT(body, told.server_type) }, \
	{ .name = "leaseID", .type = FIELD_CUT, .flags = FIELD_EMPTY | FIELD_NULL, \
	  FIELD_AT(body, told.lease_id), .expected = "cbx_ and 12 lower-case hex digits", \
	  .code = "invalid_lease_id", .pattern = "^cbx_[0-9a-f]{12}$", \
	  .check = validate_lease_id }
/* clang-format on */

struct run_create_body {
	struct run_row told;
	json_t *command;
};

/* clang-format off */
static const struct body_field run_create_fields[] = {
	TOLD_FIELDS(run_create_body),
	{ .name = "label", .type = FIELD_CUT, FIELD_AT(run_create_body, told.label) },
	{ .name = "command", .type = FIELD_STRINGS, .flags = FIELD_NULL,
	  FIELD_TO(run_create_body, command) },
};
/* clang-format on */

const struct body_table body_run_create = BODY_TABLE("RunCreate", NULL, run_create_fields);

struct run_event_body {
	struct run_row told;
	char type[64];
	json_t *stream, *message, *data;
	int64_t exit_code;
};

/* clang-format off */
static const struct body_field run_event_fields[] = {
	TOLD_FIELDS(run_event_body),
	{ .name = "type", .type = FIELD_CUT, .flags = FIELD_EMPTY | FIELD_REQUIRED,
	  FIELD_AT(run_event_body, type), .expected = "the kind of event" },
	{ .name = "phase", .type = FIELD_CUT, FIELD_AT(run_event_body, told.phase) },
	{ .name = "stream", .type = FIELD_STRING, FIELD_TO(run_event_body, stream) },
	{ .name = "message", .type = FIELD_STRING, FIELD_TO(run_event_body, message) },
	{ .name = "data", .type = FIELD_STRING, FIELD_TO(run_event_body, data) },
	{ .name = "exitCode", .type = FIELD_INT, FIELD_TO(run_event_body, exit_code) },
};
/* clang-format on */

const struct body_table body_run_event = BODY_TABLE("RunEvent", NULL, run_event_fields);

struct run_telemetry_body {
	json_t *telemetry;
};

/* clang-format off */
static const struct body_field run_telemetry_fields[] = {
	{ .name = "telemetry", .type = FIELD_OBJECT, .flags = FIELD_REQUIRED,
	  FIELD_TO(run_telemetry_body, telemetry), .expected = "an object with a figure",
	  .code = "invalid_telemetry", .members = &body_telemetry },
};
/* clang-format on */

const struct body_table body_run_telemetry = BODY_TABLE("RunTelemetry", NULL, run_telemetry_fields);

/* ---- creating ------------------------------------------------------------------ */

static void create_finish(struct api_request *request, struct run_request *run_request)
{
	struct jsonw w;

	if (run_response_check(request, run_request) == 0) {
		w = reply_begin(request);
		jsonw_object(&w, NULL);
		run_render(request, &w, &run_request->run);
		jsonw_end_object(&w);
		reply_json(request, run_request->result == RUN_RESULT_REPLAY ? 200 : 201);
	}
	free(run_request->user);
}

/* POST: run history makes the id. PUT: the client has made it and may repeat the request. */
void run_create(struct api_request *request)
{
	struct run_create_body body = { .command = NULL };
	struct run_request *run_request;

	run_request = run_write_begin(request, RUN_CREATE);
	if (!run_request)
		return;
	if (json_body_read(&request->body, request->body.root, &body_run_create, &body)) {
		run_write_refuse(request, run_request);
		return;
	}
	run_request->told = body.told;
	/* Complete: the client aborts if the command in the answer differs from its own. */
	run_write_set_text(run_request,
			   body.command ? json_dumps(body.command, JSON_COMPACT) : xstrdup("null"));
	run_queue_submit(request->api->run_queue, run_request, create_finish);
}

/* ---- events --------------------------------------------------------------------------- */

/* The phase of an event that does not name one. */
static const char *phase_of(const char *type)
{
	static const struct {
		const char *prefix, *phase;
	} phases[] = {
		{ "leasing.", "leasing" }, { "lease.created", "leasing" },
		{ "lease.replace", "leasing" }, { "lease.released", "release" },
		{ "bootstrap.", "bootstrap" }, { "actions.", "hydrate" }, { "sync.", "sync" },
		{ "script.", "sync" }, { "command.", "command" }, { "stdout", "command" },
		{ "stderr", "command" }, { "output.", "command" }, { "run.failed", "failed" },
		{ "run.", "starting" },
	};

	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		if (!strncmp(type, phases[i].prefix, strlen(phases[i].prefix)))
			return phases[i].phase;
	}
	return "";
}

/* Copies a text of the body, if it is there, cut to `max` bytes. */
static void event_add_text(json_t *event, const json_t *body, const char *key, size_t max)
{
	const json_t *value = json_object_get(body, key);
	size_t len = json_body_cut(json_string_value(value), json_string_length(value), max);

	if (len)
		json_object_set_new(event, key, json_stringn_nocheck(json_string_value(value), len));
}

/* The event as it is stored and sent again. Its texts are cut less than those of the run. */
static char *event_text(const json_t *root, const struct run_event_body *body)
{
	static const char *const names[] = { "stream", "leaseID", "slug", "provider", "target",
					     "windowsMode", "class", "serverType" };
	json_t *event = json_object();
	char *text;

	json_object_set_new(event, "type", json_string_nocheck(body->type));
	if (body->told.phase[0])
		json_object_set_new(event, "phase", json_string_nocheck(body->told.phase));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		event_add_text(event, root, names[i], 127);
	event_add_text(event, root, "message", RUN_TEXT_MAX);
	event_add_text(event, root, "data", RUN_TEXT_MAX);
	if (json_is_integer(json_object_get(root, "exitCode")))
		json_object_set_new(event, "exitCode", json_integer(body->exit_code));
	text = json_dumps(event, JSON_COMPACT);
	json_decref(event);
	return text;
}

static void event_finish(struct api_request *request, struct run_request *run_request)
{
	struct jsonw w;

	if (run_response_check(request, run_request) == 0) {
		control_run_changed(request->api, run_request->id);
		w = reply_begin(request);
		jsonw_object(&w, NULL);
		/* run_render_event opens an object without a name. */
		buf_adds(w.out, "\"event\":");
		w.comma = 0;
		run_render_event(&w, run_request->id, run_request->seq, run_request->at_ms,
				 run_request->text);
		jsonw_end_object(&w);
		reply_json(request, 201);
	}
	free(run_request->user);
}

void run_event_post(struct api_request *request)
{
	struct json_body *in = &request->body;
	struct run_event_body body = { .type = "" };
	struct run_request *run_request;

	run_request = run_write_begin(request, RUN_EVENT);
	if (!run_request)
		return;
	if (json_body_read(in, in->root, &body_run_event, &body)) {
		run_write_refuse(request, run_request);
		return;
	}
	if (!body.told.phase[0])
		TEXT_SET(body.told.phase, phase_of(body.type));
	run_request->told = body.told;
	run_request->is_failed = !strcmp(body.type, "run.failed");
	run_write_set_text(run_request, event_text(in->root, &body));
	run_queue_submit(request->api->run_queue, run_request, event_finish);
}

/* ---- telemetry -------------------------------------------------------------------------- */

static void telemetry_finish(struct api_request *request, struct run_request *run_request)
{
	struct jsonw w;

	if (run_response_check(request, run_request) == 0) {
		w = reply_begin(request);
		jsonw_object(&w, NULL);
		run_render(request, &w, &run_request->run);
		jsonw_end_object(&w);
		reply_json(request, 200);
	}
	free(run_request->user);
}

void run_telemetry_post(struct api_request *request)
{
	struct json_body *in = &request->body;
	struct run_telemetry_body body = { .telemetry = NULL };
	struct run_request *run_request;

	run_request = run_write_begin(request, RUN_SAMPLE);
	if (!run_request)
		return;
	if (json_body_read(in, in->root, &body_run_telemetry, &body) == 0 &&
	    telemetry_read(in, body.telemetry, lookup_now_ms(request), &run_request->sample_ms,
			   run_request->sample, sizeof(run_request->sample)) == 0)
		json_body_fail(in, 400, "invalid_telemetry", "telemetry must hold a figure");
	if (in->failed) {
		run_write_refuse(request, run_request);
		return;
	}
	run_queue_submit(request->api->run_queue, run_request, telemetry_finish);
}
