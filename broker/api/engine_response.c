/* SPDX-License-Identifier: MIT */
#include "api/engine_response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/lookup.h"
#include "api/queue_view.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/unsure.h"
#include "util/alloc.h"
#include "util/text.h"
#include "util/time.h"

/* For an answer 503 that does not say when to try again. */
#define RETRY_MS 2000

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

/* When to try again, in whole seconds. */
static void retry_after(struct api_request *request, const struct engine_request *engine_request)
{
	int64_t ms = engine_request->retry_ms ? engine_request->retry_ms : RETRY_MS;
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%" PRId64, (ms + 999) / 1000);
	http_reply_header(request->ex, "Retry-After", seconds);
}

/* 412 is what HTTP says of an If-Match; who sent none meets a conflict. */
static void conflict_answer(struct api_request *request, const struct engine_request *engine_request)
{
	if (request->is_conditional && !strcmp(engine_request->code, "lease_changed"))
		engine_response_lease_error(request, 412, "lease_changed", engine_request->message,
					    engine_request);
	else
		engine_response_lease_error(request, 409, engine_request->code,
					    engine_request->message, engine_request);
}

/*
 * The account moves to another daemon, or back: the request waits for that. A create may turn out to
 * be for another account.
 */
static int is_asked_again(struct api_request *request, const struct engine_request *engine_request)
{
	if (!request->api->relay || strcmp(engine_request->code, "account_moving"))
		return 0;
	if (engine_request->kind == REQUEST_CREATE)
		TEXT_SET(request->account, engine_request->account);
	return relay_again(request->api->relay, request);
}

int engine_response_check(struct api_request *request, const struct engine_request *engine_request)
{
	char message[API_ERROR_TEXT];
	enum request_result result = engine_request->result;

	switch (result) {
	case RESULT_OK:
	case RESULT_CREATED:
	case RESULT_REPLAY:
		relay_tell(request->api->relay, request);
		return 0;
	case RESULT_NOT_FOUND:
		reply_not_found(request);
		return -1;
	case RESULT_UNAVAILABLE:
		/* Blocked until an operator acts: not a 5xx, which the client would repeat. */
		if (!strcmp(engine_request->code, "provider_blocked")) {
			api_error_scrub(engine_request->message, message, sizeof(message));
			reply_error(request, 424, "provider_not_configured", message);
			return -1;
		}
		if (is_asked_again(request, engine_request))
			return -1;
		retry_after(request, engine_request);
		break;
	case RESULT_CONFLICT:
		if (engine_request->lease.id[0]) {
			conflict_answer(request, engine_request);
			return -1;
		}
		break;
	case RESULT_FORBIDDEN:
	case RESULT_INVALID:
	case RESULT_LIMIT:
		break;
	default:
		reply_error(request, 500, "internal",
			    "An internal error; an operator finds it in the log of lessord.");
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
			      const struct engine_request *engine_request,
			      const struct notices *notices)
{
	struct render_parts parts = {
		.attempts = engine_request->attempts,
		.attempt_count = engine_request->attempt_count,
		.now_ms = lookup_now_ms(request),
		.running_micros = lookup_running_micros(request->api, &engine_request->lease),
		.is_unsure = lease_is_unsure(request->api, &engine_request->lease),
		.notices = notices,
	};
	struct ledger ledger = { 0 };
	struct render_queue queue;

	if (queue_view_place(request->api, &engine_request->lease, &queue))
		parts.queue = &queue;
	if (engine_request->lease.cleanup != CLEANUP_NONE &&
	    engine_request->lease.cleanup != CLEANUP_DONE &&
	    store_ledger(request->api->parts.reader, engine_request->lease.n, &ledger, NULL) == 0) {
		parts.resources = ledger.resources;
		parts.resource_count = ledger.resource_count;
	}
	render_lease(w, "lease", &engine_request->lease, &parts);
	ledger_fini(&ledger);
}

static int request_may_see(const struct api_request *request, const struct lease *l)
{
	return request->caller.role == TOKEN_ADMIN ||
	       (!strcmp(request->caller.owner, l->owner) && !strcmp(request->caller.org, l->org));
}

void engine_response_notices(struct api_request *request, struct engine_request *engine_request,
			     struct notices *out)
{
	const struct notice_request *asked = engine_queue_asked(engine_request);
	const struct lease *l = &engine_request->lease;
	/* The slugs of one owner's live leases are unique: the other one is of the same owner. */
	const struct store_scope scope = { 0, l->owner, l->org, SHARED_NOT };
	struct lease *holder = &request->api->lease;

	holder->id[0] = '\0';
	if (notice_slug_is_taken(asked, l) &&
	    (store_lease_by_slug(request->api->parts.reader, asked->slug, &scope, holder, NULL) ||
	     !request_may_see(request, holder)))
		holder->id[0] = '\0';
	out->count = 0;
	notice_compare(asked, l, engine_request->attempts, engine_request->attempt_count,
		       holder->id, out);
}

void engine_response_lease(struct api_request *request, int status,
			   const struct engine_request *engine_request,
			   const struct notices *notices)
{
	struct jsonw w = reply_begin(request);

	jsonw_object(&w, NULL);
	render_with_parts(request, &w, engine_request, notices);
	jsonw_end_object(&w);
	reply_epoch(request, engine_request->lease.epoch);
	reply_json(request, status);
}

/* The client shows this much of the answer to a request that failed: contract 1.2. */
#define ERROR_BODY_MAX 599

/* What the client asked for needs a live lease: when and why this one ended. */
static void ended_message(const struct lease *l, char *out, size_t size)
{
	char at[TIME_TEXT_ROOM];

	time_format(l->ended_ms, at);
	snprintf(out, size, "the lease ended at %s (%s); create a new one", at, lease_end_text(l));
}

/* A quote or a backslash would take two bytes. */
static void error_text(const char *message, char out[API_ERROR_TEXT])
{
	api_error_scrub(message, out, API_ERROR_TEXT);
	for (char *c = out; *c; c++)
		*c = *c == '"' ? '\'' : *c == '\\' ? '/' : *c;
}

struct lease_error {
	const char *code;
	char text[API_ERROR_TEXT];
	const struct engine_request *engine_request;
};

/* How much of a failure is told; the first form that has room is used. */
static const struct failure_form {
	int has_failure;    /* of the lease */
	size_t message_max; /* of each attempt */
} failure_forms[] = {
	{ 1, SIZE_MAX }, { 1, 80 }, { 1, 0 }, { 0, 80 }, { 0, 0 },
};

static void render_attempts_some(struct jsonw *w, const struct engine_request *engine_request,
				 size_t message_max, size_t count)
{
	size_t omitted = 0;

	jsonw_array(w, "provisioningAttempts");
	for (size_t i = 0; i < engine_request->attempt_count; i++) {
		if (!engine_request->attempts[i].refused)
			continue;
		if (count > 0)
			render_attempt(w, &engine_request->attempts[i], message_max);
		omitted += count == 0;
		count -= count > 0;
	}
	jsonw_end_array(w);
	if (omitted)
		jsonw_int(w, "attemptsOmitted", (int64_t)omitted);
}

/* The answer in this form, with at most so many attempts. Is it short enough? */
static int lease_error_write(struct api_request *request, const struct lease_error *error,
			     const struct failure_form *form, size_t count)
{
	const struct lease *l = &error->engine_request->lease;
	struct jsonw w = reply_begin(request);
	char failure[API_ERROR_TEXT];

	error_text(form->has_failure ? l->failure : "", failure);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "error", error->code);
	jsonw_text(&w, "message", error->text);
	if (!strcmp(error->code, "provisioning_failed"))
		render_attempts_some(&w, error->engine_request, form->message_max, count);
	render_lease_reference(&w, "lease", l, failure);
	jsonw_end_object(&w);
	return request->api->out.len <= ERROR_BODY_MAX;
}

void engine_response_lease_error(struct api_request *request, int status, const char *code,
				 const char *message, const struct engine_request *engine_request)
{
	struct lease_error error = { .code = code, .engine_request = engine_request };
	const struct failure_form *least = &failure_forms[ARRAY_LEN(failure_forms) - 1];
	size_t count = engine_request->attempt_count;
	int fits = 0;

	if (!strcmp(code, "lease_ended"))
		ended_message(&engine_request->lease, error.text, sizeof(error.text));
	else
		error_text(message, error.text);
	for (size_t i = 0; i < ARRAY_LEN(failure_forms) && !fits; i++)
		fits = lease_error_write(request, &error, &failure_forms[i], count);
	while (!fits && count > 0)
		fits = lease_error_write(request, &error, least, --count);
	reply_epoch(request, engine_request->lease.epoch);
	reply_json(request, status);
}
