/* SPDX-License-Identifier: MIT */
/* What clients tell of a run while it lasts: that it begins, what happens, how the machine fares. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/grammar.h"
#include "api/result.h"
#include "api/runs.h"
#include "api/telemetry.h"
#include "util/alloc.h"
#include "util/text.h"

/* A change on its way, and what of it was allocated. */
struct told {
	struct run_change change;
	char *text;
};

static void told_free(struct engine_request *request)
{
	struct told *told = request->user;

	free(told->text);
	free(told);
	request->change = NULL;
}

/* The request for a change, which is the request's from here on; NULL: answered. */
static struct engine_request *told_begin(struct call *call, enum run_op op, struct told **ret)
{
	struct engine_request *request;

	if ((op != RUN_CREATE || call->param[0]) && !runs_is_id(call->param)) {
		call_not_found(call);
		return NULL;
	}
	request = call_request(call, REQUEST_RUN);
	if (!request)
		return NULL;
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->change.op = op;
	TEXT_SET((*ret)->change.id, call->param);
	request->change = &(*ret)->change;
	request->user = *ret;
	call->input.fault = &call->fault;
	return request;
}

static void told_refuse(struct call *call, struct engine_request *request)
{
	told_free(request);
	change_refuse(call, request);
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
	len = runs_cut(text, strlen(text), room - 1);
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

static void create_finish(struct call *call, struct engine_request *request)
{
	struct told *told = request->user;
	struct jsonw w;

	if (result_check(call, request) == 0) {
		w = call_begin(call);
		jsonw_object(&w, NULL);
		runs_render(call, &w, &told->change.run);
		jsonw_end_object(&w);
		call_answer(call, request->result == RESULT_REPLAY ? 200 : 201);
	}
	told_free(request);
}

/* POST: the run gets an id here. PUT: it has the client's, who may say the same again. */
void run_create(struct call *call)
{
	struct input *in = &call->input;
	struct engine_request *request;
	struct told *told;

	request = told_begin(call, RUN_CREATE, &told);
	if (!request)
		return;
	read_told(in, &told->change.told);
	READ_NAME(in, "label", told->change.told.label);
	told->text = read_command(in);
	told->change.text = told->text;
	if (in->failed) {
		told_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, create_finish);
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
		json_object_set_new(out, key, json_stringn_nocheck(text, runs_cut(text, len, max)));
}

/* The event's own fields, as they will be given out again. */
static char *read_event(struct input *in, struct run_change *change)
{
	static const char *const names[] = { "stream", "leaseID", "slug", "provider", "target",
					     "windowsMode", "class", "serverType" };
	json_t *out = json_object();
	char type[64] = "";
	int64_t exit_code;
	char *text;

	READ_NAME(in, "type", type);
	READ_NAME(in, "phase", change->told.phase);
	if (!type[0])
		input_fail(in, 400, "invalid_field", "type must be the kind of event");
	if (!change->told.phase[0])
		snprintf(change->told.phase, sizeof(change->told.phase), "%s", phase_of(type));
	json_object_set_new(out, "type", json_string_nocheck(type));
	if (change->told.phase[0])
		json_object_set_new(out, "phase", json_string_nocheck(change->told.phase));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put_text(in, out, names[i], 127);
	put_text(in, out, "message", RUN_TEXT_MAX);
	put_text(in, out, "data", RUN_TEXT_MAX);
	if (input_int(in, "exitCode", &exit_code))
		json_object_set_new(out, "exitCode", json_integer(exit_code));
	change->is_failed = !strcmp(type, "run.failed");
	text = json_dumps(out, JSON_COMPACT);
	json_decref(out);
	return text;
}

static void event_finish(struct call *call, struct engine_request *request)
{
	struct told *told = request->user;
	struct jsonw w;

	if (result_check(call, request) == 0) {
		control_run_changed(call->api, told->change.id);
		w = call_begin(call);
		jsonw_object(&w, NULL);
		/* runs_render_event opens an object without a name. */
		buf_adds(w.out, "\"event\":");
		w.comma = 0;
		runs_render_event(&w, told->change.id, told->change.seq, told->change.at_ms,
				  told->text);
		jsonw_end_object(&w);
		call_answer(call, 201);
	}
	told_free(request);
}

void run_event_post(struct call *call)
{
	struct input *in = &call->input;
	struct engine_request *request;
	struct told *told;

	request = told_begin(call, RUN_EVENT, &told);
	if (!request)
		return;
	read_told(in, &told->change.told);
	told->text = read_event(in, &told->change);
	told->change.text = told->text;
	if (in->failed) {
		told_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, event_finish);
}

/* ---- telemetry -------------------------------------------------------------------------- */

static void telemetry_finish(struct call *call, struct engine_request *request)
{
	struct told *told = request->user;
	struct jsonw w;

	if (result_check(call, request) == 0) {
		w = call_begin(call);
		jsonw_object(&w, NULL);
		runs_render(call, &w, &told->change.run);
		jsonw_end_object(&w);
		call_answer(call, 200);
	}
	told_free(request);
}

void run_telemetry_post(struct call *call)
{
	struct input *in = &call->input;
	struct engine_request *request;
	struct told *told;
	json_t *sample = NULL;

	request = told_begin(call, RUN_SAMPLE, &told);
	if (!request)
		return;
	if (!input_object(in, "telemetry", &sample) ||
	    !telemetry_read(in, sample, call_now(call), &told->change.sample_ms,
			    told->change.sample, sizeof(told->change.sample)))
		input_fail(in, 400, "invalid_telemetry", "telemetry must hold a figure");
	if (in->failed) {
		told_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, telemetry_finish);
}
