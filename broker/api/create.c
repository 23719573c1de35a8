/* SPDX-License-Identifier: MIT */
/* POST /v1/leases and PUT /v1/leases/{lease}: contract 2.2 and 2.4. */
#include <stdio.h>
#include <string.h>

#include "api/engine_request.h"
#include "api/grammar.h"
#include "api/handlers.h"
#include "api/result.h"
#include "api/slug.h"
#include "api/wish.h"
#include "util/hash.h"

/* 422 when the request can never work, 409 when the world was in the way. */
static int failed_status(const struct engine_request *request)
{
	if (request->lease.end_reason == LEASE_END_CLASS_INVALID)
		return 422;
	return 409;
}

/* In words of ours; the provider's are in the attempts. */
static const char *failed_message(const struct lease *l)
{
	static const struct {
		uint32_t error_class;
		const char *text;
	} texts[] = {
		{ LESSOR_CLASS_CAPACITY, "No server of the types tried is to be had now." },
		{ LESSOR_CLASS_QUOTA, "The provider account's own limit is reached." },
		{ LESSOR_CLASS_RATE, "The provider account has no calls left for now." },
		{ LESSOR_CLASS_AUTH, "The provider refuses the broker's credential." },
		{ LESSOR_CLASS_ACCOUNT, "The provider account is not the one we know." },
		{ LESSOR_CLASS_INVALID, "The provider refuses the request as it stands." },
		{ LESSOR_CLASS_CONFLICT, "Something of somebody else's stands in the way." },
		{ LESSOR_CLASS_TIMEOUT, "The machine was not ready in time." },
		{ LESSOR_CLASS_FAILED, "The provider failed to make the machine." },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (l->end_reason == lease_end_of_class(texts[i].error_class))
			return texts[i].text;
	}
	if (l->end_reason == LEASE_END_DEADLINE)
		return "The machine was not ready in time.";
	return "The machine could not be made.";
}

/* An answer to a create that found or made its lease. */
static void create_answer(struct call *call, const struct engine_request *request, int is_put)
{
	const struct lease *l = &request->lease;

	if (l->state == LEASE_FAILED && !is_put) {
		result_lease_error(call, failed_status(request), "provisioning_failed",
				   failed_message(l), request);
	} else if (!lease_is_live(l)) {
		result_lease_error(call, 409,
				   is_put			       ? "lease_id_conflict" :
				   l->end_reason == LEASE_END_CANCELED ? "create_canceled" :
									 "lease_state_changed",
				   "The lease has ended.", request);
	} else if (request->result == RESULT_CREATED) {
		result_lease(call, 201, request);
	} else {
		result_lease(call, is_put && l->state == LEASE_PROVISIONING ? 202 : 200, request);
	}
}

static void create_finish(struct call *call, struct engine_request *request)
{
	int is_put = call->route->method == HTTP_PUT;

	/* To the client of a PUT an id in use with another intent is one and the same thing. */
	if (is_put && request->result == RESULT_CONFLICT) {
		call_error(call, 409, "lease_id_conflict",
			   "The lease id is taken, or was used with another request.");
		return;
	}
	if (result_check(call, request) == 0)
		create_answer(call, request, is_put);
}

static int read_key(struct call *call, struct engine_request *request, const char *put_id)
{
	const char *key = http_head_known(call->head, HTTP_FIELD_IDEMPOTENCY_KEY);

	/* A PUT is its own key: the colon keeps it apart from every client's. */
	if (put_id) {
		snprintf(request->idempotency_key, sizeof(request->idempotency_key), "put:%s",
			 put_id);
		return 0;
	}
	if (!key)
		return 0;
	if (!grammar_is_key(key))
		return fault_set(&call->fault, 400, "invalid_idempotency_key",
				 "Idempotency-Key must be 1 to 127 of [A-Za-z0-9._~-].");
	snprintf(request->idempotency_key, sizeof(request->idempotency_key), "%s", key);
	return 0;
}

/* What the client left open. */
static void complete(const struct call *call, struct lease *l)
{
	unsigned char bytes[6];

	if (!l->id[0]) {
		env_random(call->api->parts.env, bytes, sizeof(bytes));
		memcpy(l->id, "cbx_", 4);
		hash_hex(bytes, sizeof(bytes), l->id + 4);
	}
	if (!l->slug[0])
		slug_generate(l->id, l->slug);
}

/*
 * Refused now, and yet no new request: what was allowed when it came first is its lease. 0: it
 * was answered.
 */
static int create_known(struct call *call, struct engine_request *request)
{
	struct store *reader = call->api->parts.reader;
	struct store_idempotency known;

	if (!request->idempotency_key[0] ||
	    store_idempotency_get(reader, call->caller.owner, call->caller.org,
				  request->idempotency_key, &known, NULL) ||
	    strcmp(known.hash, request->body_hash) ||
	    store_lease_by_n(reader, known.lease_n, &request->lease, NULL))
		return -1;
	request->result = RESULT_REPLAY;
	create_finish(call, request);
	queue_drop(call->api->queue, request);
	return 0;
}

static void create_submit(struct call *call, const char *put_id)
{
	struct api *api = call->api;
	struct wish wish = { &api->config, api->parts.accounts, api->parts.account_count,
			     call->caller.role, put_id };
	struct engine_request *request;

	request = engine_request_begin(call, REQUEST_CREATE);
	if (!request)
		return;
	call->input.fault = &call->fault;
	if (read_key(call, request, put_id)) {
		engine_request_refuse(call, request);
		return;
	}
	if (wish_read(&wish, &call->input, &request->create, request->body_hash, &call->fault)) {
		if (create_known(call, request))
			engine_request_refuse(call, request);
		return;
	}
	complete(call, &request->create);
	request->wait_ms = call_wait_ms(call, api->config.create_wait_ms, NULL);
	queue_submit(api->queue, request, create_finish);
}

void create_post(struct call *call)
{
	create_submit(call, NULL);
}

void create_put(struct call *call)
{
	if (!grammar_is_lease_id(call->param)) {
		call_error(call, 400, "invalid_lease_id",
			   "The lease id must be cbx_ and 12 lower-case hex digits.");
		return;
	}
	create_submit(call, call->param);
}
