/* SPDX-License-Identifier: MIT */
/* What clients tell of a run while it lasts: that it begins, what happens, how the machine fares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/grammar.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/run_render.h"
#include "api/run_response.h"
#include "api/telemetry.h"
#include "util/alloc.h"
#include "util/text.h"

/* The request, with a text of the heap as its user; NULL: answered. */
static struct run_request *told_begin(struct call *call, enum run_op op)
{
	struct run_request *request;

	if ((op != RUN_CREATE || call->param[0]) && !lookup_is_run_id(call->param)) {
		call_not_found(call);
		return NULL;
	}
	request = run_request_begin(call, op);
	if (!request)
		return NULL;
	TEXT_SET(request->id, call->param);
	call->input.fault = &call->fault;
	return request;
}

static void told_text(struct run_request *request, char *text)
{
	request->user = text;
	request->text = text;
}

static void told_refuse(struct call *call, struct run_request *request)
{
	free(request->user);
	run_queue_drop(call->api->run_queue, request);
	call_fault(call);
}

/* What a client calls something: cut to its room, of any length. */
static void read_name(struct input *in, const char *key, char *out, size_t room)
{
	const json_t *value = json_object_get(in->root, key);
	const char *text = json_string_value(value);
	size_t len;

	if (in->failed || !value || json_is_null(value))
		return;
	if (!text) {
		input_fail(in, 400, "invalid_field", "%s must be a string", key);
		return;
	}
	len = input_cut(text, strlen(text), room - 1);
	memcpy(out, text, len);
	out[len] = '\0';
}

#define READ_NAME(in, key, field) read_name((in), (key), (field), sizeof(field))

/* Of the first telling and of every event that knows more. */
static void read_told(struct input *in, struct run_row *run)
{
	READ_NAME(in, "slug", run->slug);
	READ_NAME(in, "provider", run->account);
	READ_NAME(in, "target", run->target);
	READ_NAME(in, "windowsMode", run->windows_mode);
	READ_NAME(in, "class", run->class_name);
	READ_NAME(in, "serverType", run->server_type);
	READ_NAME(in, "leaseID", run->lease_id);
	/* The client knows this code: it tells the run again once it has its lease. */
	if (run->lease_id[0] && !grammar_is_lease_id(run->lease_id))
		input_fail(in, 400, "invalid_lease_id",
			   "leaseID must be cbx_ and 12 lower-case hex digits");
}

/* ---- the beginning ------------------------------------------------------------------ */

/* Whole: the client runs nothing if another command than its own comes back. */
static char *read_command(struct input *in)
{
	json_t *command = NULL;

	if (!input_texts(in, "command", (size_t)-1, &command))
		return xstrdup("null");
	return json_dumps(command, JSON_COMPACT);
}

static void create_finish(struct call *call, struct run_request *request)
{
	struct jsonw w;

	if (run_response_check(call, request) == 0) {
		w = call_begin(call);
		jsonw_object(&w, NULL);
		run_render(call, &w, &request->run);
		jsonw_end_object(&w);
		call_answer(call, request->result == RUN_RESULT_REPLAY ? 200 : 201);
	}
	free(request->user);
}

/* POST: the run gets an id here. PUT: it has the client's, who may say the same again. */
void run_create(struct call *call)
{
	struct input *in = &call->input;
	struct run_request *request;

	request = told_begin(call, RUN_CREATE);
	if (!request)
		return;
	read_told(in, &request->told);
	READ_NAME(in, "label", request->told.label);
	told_text(request, read_command(in));
	if (in->failed) {
		told_refuse(call, request);
		return;
	}
	run_queue_submit(call->api->run_queue, request, create_finish);
}

/* ---- events --------------------------------------------------------------------------- */

/* What the client does not say, the type tells. */
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

static void put_text(struct input *in, json_t *out, const char *key, size_t max)
{
	const json_t *value = json_object_get(in->root, key);
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (in->failed || !value || json_is_null(value))
		return;
	if (!text)
		input_fail(in, 400, "invalid_field", "%s must be a string", key);
	else if (len)
		json_object_set_new(out, key, json_stringn_nocheck(text, input_cut(text, len, max)));
}

/* The event's own fields, as they will be given out again. */
static char *read_event(struct input *in, struct run_request *request)
{
	static const char *const names[] = { "stream", "leaseID", "slug", "provider", "target",
					     "windowsMode", "class", "serverType" };
	json_t *out = json_object();
	char type[64] = "";
	int64_t exit_code;
	char *text;

	READ_NAME(in, "type", type);
	READ_NAME(in, "phase", request->told.phase);
	if (!type[0])
		input_fail(in, 400, "invalid_field", "type must be the kind of event");
	if (!request->told.phase[0])
		snprintf(request->told.phase, sizeof(request->told.phase), "%s", phase_of(type));
	json_object_set_new(out, "type", json_string_nocheck(type));
	if (request->told.phase[0])
		json_object_set_new(out, "phase", json_string_nocheck(request->told.phase));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put_text(in, out, names[i], 127);
	put_text(in, out, "message", RUN_TEXT_MAX);
	put_text(in, out, "data", RUN_TEXT_MAX);
	if (input_int(in, "exitCode", &exit_code))
		json_object_set_new(out, "exitCode", json_integer(exit_code));
	request->is_failed = !strcmp(type, "run.failed");
	text = json_dumps(out, JSON_COMPACT);
	json_decref(out);
	return text;
}

static void event_finish(struct call *call, struct run_request *request)
{
	struct jsonw w;

	if (run_response_check(call, request) == 0) {
		control_run_changed(call->api, request->id);
		w = call_begin(call);
		jsonw_object(&w, NULL);
		/* run_render_event opens an object without a name. */
		buf_adds(w.out, "\"event\":");
		w.comma = 0;
		run_render_event(&w, request->id, request->seq, request->at_ms,
				  request->text);
		jsonw_end_object(&w);
		call_answer(call, 201);
	}
	free(request->user);
}

void run_event_post(struct call *call)
{
	struct input *in = &call->input;
	struct run_request *request;

	request = told_begin(call, RUN_EVENT);
	if (!request)
		return;
	read_told(in, &request->told);
	told_text(request, read_event(in, request));
	if (in->failed) {
		told_refuse(call, request);
		return;
	}
	run_queue_submit(call->api->run_queue, request, event_finish);
}

/* ---- telemetry -------------------------------------------------------------------------- */

static void telemetry_finish(struct call *call, struct run_request *request)
{
	struct jsonw w;

	if (run_response_check(call, request) == 0) {
		w = call_begin(call);
		jsonw_object(&w, NULL);
		run_render(call, &w, &request->run);
		jsonw_end_object(&w);
		call_answer(call, 200);
	}
	free(request->user);
}

void run_telemetry_post(struct call *call)
{
	struct input *in = &call->input;
	struct run_request *request;
	json_t *sample = NULL;

	request = told_begin(call, RUN_SAMPLE);
	if (!request)
		return;
	if (!input_object(in, "telemetry", &sample) ||
	    !telemetry_read(in, sample, call_now(call), &request->sample_ms,
			    request->sample, sizeof(request->sample)))
		input_fail(in, 400, "invalid_telemetry", "telemetry must hold a figure");
	if (in->failed) {
		told_refuse(call, request);
		return;
	}
	run_queue_submit(call->api->run_queue, request, telemetry_finish);
}
