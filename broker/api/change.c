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
#include "util/time.h"

static int read_expected(struct call *call, struct engine_request *request)
{
	struct input *in = &call->input;

	if (input_text(in, "expectedProvider", request->expected_account,
		       sizeof(request->expected_account)) &&
	    !grammar_is_account(request->expected_account))
		return input_fail(in, 400, "invalid_expected_provider",
				  "expectedProvider must be the name of a provider");
	return in->failed ? -1 : 0;
}

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
	json_t *telemetry = NULL;
	int64_t seconds = 0;

	if (!request)
		return;
	in->fault = &call->fault;
	read_expected(call, request);
	if (input_object(in, "telemetry", &telemetry))
		telemetry_read(in, telemetry, call_now(call), &request->sample_ms, request->sample,
			       sizeof(request->sample));
	if (input_int(in, "idleTimeoutSeconds", &seconds)) {
		int64_t max = call->api->config.idle_max_ms / 1000;

		if (seconds < 1)
			input_fail(in, 400, "invalid_field",
				   "idleTimeoutSeconds must be 1 or more");
		request->idle_ms = (seconds > max ? max : seconds) * 1000;
	}
	if (in->failed) {
		engine_request_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, heartbeat_finish);
}

/* A sentence for the timeline, of the client's own. */
static void read_reason(struct input *in, struct engine_request *request)
{
	input_line(in, "reason", request->reason, sizeof(request->reason));
}

/* Till when a release that keeps the machine means to keep it: contract extension. */
static void read_retention(struct call *call, struct engine_request *request, int delete_machine)
{
	struct input *in = &call->input;
	char text[40];

	read_reason(in, request);
	if (!input_text(in, "retainUntil", text, sizeof(text)))
		return;
	if (delete_machine == 1)
		input_fail(in, 400, "invalid_field", "retainUntil contradicts delete");
	else if (time_parse(text, &request->retain_until_ms) ||
		 request->retain_until_ms <= call_now(call))
		input_fail(in, 400, "invalid_field",
			   "retainUntil must be a time to come, as in 2026-08-21T10:00:00Z");
}

static void release_submit(struct call *call, int delete_machine)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_RELEASE);
	struct input *in = &call->input;

	if (!request)
		return;
	in->fault = &call->fault;
	if (delete_machine < 0)
		input_bool(in, "delete", &delete_machine);
	read_retention(call, request, delete_machine);
	if (read_expected(call, request)) {
		engine_request_refuse(call, request);
		return;
	}
	request->delete_machine = delete_machine;
	request->wait_ms = call_wait_ms(call, call->api->config.release_wait_ms,
					&request->wait_protected);
	queue_submit(call->api->queue, request, change_finish);
}

void change_release(struct call *call)
{
	release_submit(call, -1);
}

void change_delete(struct call *call)
{
	release_submit(call, 1);
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

	if (!grammar_is_lease_id(call->param)) {
		call_error(call, 400, "invalid_lease_id",
			   "The lease id must be cbx_ and 12 lower-case hex digits.");
		return;
	}
	request = engine_request_begin_lease(call, REQUEST_CANCEL_CREATE);
	if (!request)
		return;
	in->fault = &call->fault;
	input_text(in, "createAttemptID", request->attempt_token, sizeof(request->attempt_token));
	if (!grammar_is_attempt(request->attempt_token))
		input_fail(in, 400, "invalid_create_attempt_id",
			   "createAttemptID must be cat_ and 32 lower-case hex digits");
	if (in->failed) {
		engine_request_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, cancel_finish);
}

/* ---- what needs a person ---------------------------------------------------------------- */

void change_retry(struct call *call)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_RESOLVE);
	struct input *in = &call->input;

	if (!request)
		return;
	in->fault = &call->fault;
	read_reason(in, request);
	request->resolve = RESOLVE_RETRY;
	if (read_expected(call, request)) {
		engine_request_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, change_finish);
}

/* Of a provider; it becomes part of a path there. */
static int is_resource_id(const char *text)
{
	size_t len = strlen(text);

	return len && len == strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-");
}

static void read_resolve(struct input *in, struct engine_request *request)
{
	char action[16] = "";

	input_text(in, "action", action, sizeof(action));
	input_int(in, "resource", &request->row);
	read_reason(in, request);
	if (!strcmp(action, "retry"))
		request->resolve = RESOLVE_RETRY;
	else if (!strcmp(action, "forget"))
		request->resolve = RESOLVE_FORGET;
	else if (!strcmp(action, "adopt"))
		request->resolve = RESOLVE_ADOPT;
	else
		input_fail(in, 400, "invalid_field", "action must be retry, forget or adopt");
	if (request->row < 0)
		input_fail(in, 400, "invalid_field", "resource must be the number of a row");
	if (request->resolve == RESOLVE_RETRY)
		return;
	if (!request->reason[0])
		input_fail(in, 400, "invalid_field", "reason is needed: it stays in the timeline");
	if (request->resolve == RESOLVE_ADOPT &&
	    (!input_text(in, "id", request->resource_id, sizeof(request->resource_id)) ||
	     !is_resource_id(request->resource_id)))
		input_fail(in, 400, "invalid_field",
			   "id must be the provider's id of the resource");
}

void change_resolve(struct call *call)
{
	struct engine_request *request = engine_request_begin_lease(call, REQUEST_RESOLVE);
	struct input *in = &call->input;

	if (!request)
		return;
	in->fault = &call->fault;
	read_resolve(in, request);
	if (read_expected(call, request)) {
		engine_request_refuse(call, request);
		return;
	}
	queue_submit(call->api->queue, request, change_finish);
}
