/* SPDX-License-Identifier: MIT */
#include "api/result.h"

#include <string.h>

#include "api/lookup.h"
#include "api/render.h"

static const struct {
	int status;
	const char *code;
	const char *message;
} answers[] = {
	[RESULT_FORBIDDEN] = { 403, "forbidden", "This is not allowed." },
	[RESULT_INVALID] = { 400, "invalid_request", "The request is not valid." },
	[RESULT_CONFLICT] = { 409, "conflict", "It contradicts what is there." },
	[RESULT_LIMIT] = { 429, "cost_limit_exceeded", "A limit is reached." },
	[RESULT_UNAVAILABLE] = { 503, "unavailable", "Not now; try again." },
};

int result_check(struct call *call, const struct engine_request *request)
{
	char message[FAULT_TEXT];
	enum request_result result = request->result;

	switch (result) {
	case RESULT_OK:
	case RESULT_CREATED:
	case RESULT_REPLAY:
		return 0;
	case RESULT_NOT_FOUND:
		call_not_found(call);
		return -1;
	case RESULT_UNAVAILABLE:
		/* Blocked until an operator acts: no 5xx, which the client would repeat. */
		if (!strcmp(request->code, "provider_blocked")) {
			call_error(call, 424, "provider_not_configured",
				   "This account cannot be used until an operator has looked.");
			return -1;
		}
		http_reply_header(call->ex, "Retry-After", "2");
		break;
	case RESULT_CONFLICT:
		if (request->lease.id[0]) {
			result_lease_error(call, 409, request->code, request->message, request);
			return -1;
		}
		break;
	case RESULT_FORBIDDEN:
	case RESULT_INVALID:
	case RESULT_LIMIT:
		break;
	default:
		call_error(call, 500, "internal", "The engine gave no answer.");
		return -1;
	}
	fault_scrub(request->message[0] ? request->message : answers[result].message, message,
		    sizeof(message));
	call_error(call, answers[result].status,
		   request->code[0] ? request->code : answers[result].code, message);
	return -1;
}

/* The residue is not in the request; it is read when there may be some. */
static void render_with_parts(struct call *call, struct jsonw *w,
			      const struct engine_request *request)
{
	struct render_parts parts = {
		.attempts = request->attempts,
		.attempt_count = request->attempt_count,
		.now_ms = call_now(call),
		.is_unsure = lookup_is_unsure(call->api, &request->lease),
	};
	struct ledger ledger = { 0 };

	if (request->lease.cleanup != CLEANUP_NONE && request->lease.cleanup != CLEANUP_DONE &&
	    store_ledger(call->api->parts.reader, request->lease.n, &ledger, NULL) == 0) {
		parts.resources = ledger.resources;
		parts.resource_count = ledger.resource_count;
	}
	render_lease(w, "lease", &request->lease, &parts);
	ledger_fini(&ledger);
}

void result_lease(struct call *call, int status, const struct engine_request *request)
{
	struct jsonw w = call_begin(call);

	jsonw_object(&w, NULL);
	render_with_parts(call, &w, request);
	jsonw_end_object(&w);
	call_answer(call, status);
}

void result_lease_error(struct call *call, int status, const char *code, const char *message,
			const struct engine_request *request)
{
	struct jsonw w = call_begin(call);
	char clean[FAULT_TEXT];

	fault_scrub(message, clean, sizeof(clean));
	jsonw_object(&w, NULL);
	jsonw_text(&w, "error", code);
	jsonw_text(&w, "message", clean);
	render_attempts(&w, request->attempts, request->attempt_count);
	render_with_parts(call, &w, request);
	jsonw_end_object(&w);
	call_answer(call, status);
}
