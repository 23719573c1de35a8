/* SPDX-License-Identifier: MIT */
#include "api/engine_response.h"

#include <string.h>

#include "api/lookup.h"
#include "api/render.h"
#include "api/reply.h"

static const struct {
	int status;
	const char *code;
	const char *message;
} answers[] = {
	[RESULT_FORBIDDEN] = { 403, "forbidden", "This is not allowed." },
	[RESULT_INVALID] = { 400, "invalid_request", "The request is not valid." },
	[RESULT_CONFLICT] = { 409, "conflict", "The request conflicts with the present state." },
	[RESULT_LIMIT] = { 429, "cost_limit_exceeded", "A limit is reached." },
	[RESULT_UNAVAILABLE] = { 503, "unavailable", "Temporarily unavailable; try again." },
};

int engine_response_check(struct api_request *request, const struct engine_request *engine_request)
{
	char message[API_ERROR_TEXT];
	enum request_result result = engine_request->result;

	switch (result) {
	case RESULT_OK:
	case RESULT_CREATED:
	case RESULT_REPLAY:
		return 0;
	case RESULT_NOT_FOUND:
		reply_not_found(request);
		return -1;
	case RESULT_UNAVAILABLE:
		/* Blocked until an operator acts: not a 5xx, which the client would repeat. */
		if (!strcmp(engine_request->code, "provider_blocked")) {
			reply_error(request, 424, "provider_not_configured",
				    "This account cannot be used until an operator acts.");
			return -1;
		}
		http_reply_header(request->ex, "Retry-After", "2");
		break;
	case RESULT_CONFLICT:
		if (engine_request->lease.id[0]) {
			engine_response_lease_error(request, 409, engine_request->code,
						    engine_request->message, engine_request);
			return -1;
		}
		break;
	case RESULT_FORBIDDEN:
	case RESULT_INVALID:
	case RESULT_LIMIT:
		break;
	default:
		reply_error(request, 500, "internal", "The engine returned no result.");
		return -1;
	}
	api_error_scrub(engine_request->message[0] ? engine_request->message :
						     answers[result].message,
			message, sizeof(message));
	reply_error(request, answers[result].status,
		    engine_request->code[0] ? engine_request->code : answers[result].code, message);
	return -1;
}

/* The residue is not part of the result; it is read if there may be any. */
static void render_with_parts(struct api_request *request, struct jsonw *w,
			      const struct engine_request *engine_request)
{
	struct render_parts parts = {
		.attempts = engine_request->attempts,
		.attempt_count = engine_request->attempt_count,
		.now_ms = lookup_now_ms(request),
		.running_micros = lookup_running_micros(request->api, &engine_request->lease),
		.is_unsure = lookup_is_unsure(request->api, &engine_request->lease),
	};
	struct ledger ledger = { 0 };

	if (engine_request->lease.cleanup != CLEANUP_NONE &&
	    engine_request->lease.cleanup != CLEANUP_DONE &&
	    store_ledger(request->api->parts.reader, engine_request->lease.n, &ledger, NULL) == 0) {
		parts.resources = ledger.resources;
		parts.resource_count = ledger.resource_count;
	}
	render_lease(w, "lease", &engine_request->lease, &parts);
	ledger_fini(&ledger);
}

void engine_response_lease(struct api_request *request, int status,
			   const struct engine_request *engine_request)
{
	struct jsonw w = reply_begin(request);

	jsonw_object(&w, NULL);
	render_with_parts(request, &w, engine_request);
	jsonw_end_object(&w);
	reply_json(request, status);
}

void engine_response_lease_error(struct api_request *request, int status, const char *code,
				 const char *message, const struct engine_request *engine_request)
{
	struct jsonw w = reply_begin(request);
	char clean[API_ERROR_TEXT];

	api_error_scrub(message, clean, sizeof(clean));
	jsonw_object(&w, NULL);
	jsonw_text(&w, "error", code);
	jsonw_text(&w, "message", clean);
	render_attempts(&w, engine_request->attempts, engine_request->attempt_count);
	render_with_parts(request, &w, engine_request);
	jsonw_end_object(&w);
	reply_json(request, status);
}
