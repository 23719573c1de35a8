/* SPDX-License-Identifier: MIT */
/* POST /v1/leases and PUT /v1/leases/{lease}: contract 2.2 and 2.4. */
#include <stdio.h>
#include <string.h>

#include "api/capacity_refusal.h"
#include "api/create_request.h"
#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/org_policy.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/slug.h"
#include "api/type_policy.h"
#include "api/validate.h"
#include "util/hash.h"

/* 422: the request can never succeed; 409: it may succeed at another time. */
static int failed_status(const struct engine_request *engine_request)
{
	if (engine_request->lease.end_reason == LEASE_END_CLASS_INVALID)
		return 422;
	return 409;
}

#define NOT_READY "The machine was not ready in time. Try again."

/* In our own words; the provider's are in the attempts. */
static const char *failed_message(const struct lease *l)
{
	static const struct {
		uint32_t error_class;
		const char *text;
	} texts[] = {
		{ LESSOR_CLASS_CAPACITY,
		  "No server of the requested types is available now. Try again later, or ask for "
		  "another class, type or location." },
		{ LESSOR_CLASS_QUOTA,
		  "The provider account has reached its quota. Release a lease, or tell an "
		  "operator, who can have it raised." },
		{ LESSOR_CLASS_RATE,
		  "The provider account has reached its request limit. Try again later." },
		{ LESSOR_CLASS_AUTH,
		  "The provider rejected the broker's credential. Tell an operator." },
		{ LESSOR_CLASS_ACCOUNT,
		  "The credential opens another provider account than before. Tell an operator." },
		{ LESSOR_CLASS_INVALID,
		  "The provider rejected the request as invalid; the attempts say why. Ask for "
		  "another type, image or location." },
		{ LESSOR_CLASS_CONFLICT,
		  "A resource that lessor did not create has the name or the key. Tell an "
		  "operator." },
		{ LESSOR_CLASS_TIMEOUT, NOT_READY },
		{ LESSOR_CLASS_FAILED, "The provider failed to create the machine. Try again." },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (l->end_reason == lease_end_of_class(texts[i].error_class))
			return texts[i].text;
	}
	if (l->end_reason == LEASE_END_DEADLINE)
		return NOT_READY;
	return "The machine could not be created; the attempts say why.";
}

/* Answers a create whose lease exists, whether new or found. */
static void create_answer(struct api_request *request, struct engine_request *engine_request,
			  int is_put)
{
	const struct lease *l = &engine_request->lease;
	struct notices notices;

	if (l->state == LEASE_FAILED && !is_put) {
		engine_response_lease_error(request, failed_status(engine_request),
					    "provisioning_failed", failed_message(l),
					    engine_request);
	} else if (!lease_is_live(l)) {
		engine_response_lease_error(request, 409,
					    is_put ? "lease_id_conflict" :
					    l->end_reason == LEASE_END_CANCELED ?
						     "create_canceled" :
						     "lease_state_changed",
					    "The lease has ended.", engine_request);
	} else {
		engine_response_notices(request, engine_request, &notices);
		engine_response_lease(request,
				      engine_request->result == RESULT_CREATED ? 201 :
				      is_put && l->state == LEASE_PROVISIONING ? 202 :
										 200,
				      engine_request, &notices);
	}
}

static void create_finish(struct api_request *request, struct engine_request *engine_request)
{
	int is_put = request->route->method == HTTP_PUT;

	/* The client of a PUT does not distinguish the ways in which an id is in use. */
	if (is_put && engine_request->result == RESULT_CONFLICT) {
		reply_error(request, 409, "lease_id_conflict",
			    "The lease id is taken or was used with another request; use a new one.");
		return;
	}
	if (engine_request->result == RESULT_LIMIT)
		capacity_refuse(request, engine_request, engine_request->create.account);
	else if (engine_request->lease.end_reason == LEASE_END_QUEUE)
		capacity_refuse_waited(request, &engine_request->lease);
	else if (engine_response_check(request, engine_request) == 0)
		create_answer(request, engine_request, is_put);
}

static int read_key(struct api_request *request, struct engine_request *engine_request,
		    const char *put_id)
{
	const char *key = http_head_known(request->head, HTTP_FIELD_IDEMPOTENCY_KEY);

	/* The id of a PUT is its key; a client's own key cannot contain a colon. */
	if (put_id) {
		snprintf(engine_request->idempotency_key, sizeof(engine_request->idempotency_key),
			 "put:%s", put_id);
		return 0;
	}
	if (!key)
		return 0;
	if (!validate_key(key))
		return api_error_set(&request->error, 400, "invalid_idempotency_key",
				     "Idempotency-Key must be 1 to 127 of [A-Za-z0-9._~-].");
	snprintf(engine_request->idempotency_key, sizeof(engine_request->idempotency_key), "%s",
		 key);
	return 0;
}

/*
 * A daemon may send a create again, to this one or to the next owner of the account. If the client
 * said nothing by which it would be recognised then, the request's name does that.
 */
static void key_complete(const struct api_request *request, struct engine_request *engine_request)
{
	const struct lease *l = &engine_request->create;

	if (!request->request_id[0] || engine_request->idempotency_key[0] ||
	    (l->id[0] && l->attempt_token[0]))
		return;
	snprintf(engine_request->idempotency_key, sizeof(engine_request->idempotency_key),
		 "request:%s", request->request_id);
}

/* Fills in what the client left open. */
static void lease_complete(const struct api_request *request, struct lease *l)
{
	unsigned char bytes[6];

	if (!l->id[0]) {
		env_random(request->api->parts.env, bytes, sizeof(bytes));
		memcpy(l->id, "cbx_", 4);
		hash_hex(bytes, sizeof(bytes), l->id + 4);
	}
	if (!l->slug[0])
		slug_generate(l->id, l->slug);
}

/*
 * A repeated request may be invalid under the present configuration; it still gets the lease
 * that it created. 0: answered; -1: it is not a repetition.
 */
static int create_known(struct api_request *request, struct engine_request *engine_request)
{
	struct store *reader = request->api->parts.reader;
	struct store_idempotency known;

	if (!engine_request->idempotency_key[0] ||
	    store_idempotency_get(reader, request->caller.owner, request->caller.org,
				  engine_request->idempotency_key, &known, NULL) ||
	    strcmp(known.hash, engine_request->body_hash) ||
	    store_lease_by_n(reader, known.lease_n, &engine_request->lease, NULL))
		return -1;
	engine_request->result = RESULT_REPLAY;
	create_finish(request, engine_request);
	engine_queue_drop(request->api->engine_queue, engine_request);
	return 0;
}

static void create_submit(struct api_request *request, const char *put_id)
{
	struct api *api = request->api;
	struct create_request create = {
		.config = &api->config,
		.accounts = api->parts.accounts,
		.account_count = api->parts.account_count,
		.role = request->caller.role,
		.put_id = put_id,
		.account = request->account[0] ? request->account :
						 org_default_account(api, request->caller.org),
		.org = request->caller.org,
	};
	struct engine_request *engine_request;

	engine_request = engine_request_begin(request, REQUEST_CREATE);
	if (!engine_request)
		return;
	create.asked = engine_queue_asked(engine_request);
	request->body.error = &request->error;
	if (read_key(request, engine_request, put_id)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	if (create_request_read(&create, &request->body, &engine_request->create,
				engine_request->body_hash, &request->error) ||
	    type_policy_check(api, &request->caller, &engine_request->create, &request->error)) {
		if (create_known(request, engine_request))
			engine_request_refuse(request, engine_request);
		return;
	}
	key_complete(request, engine_request);
	lease_complete(request, &engine_request->create);
	engine_request->wait_ms = query_wait_ms(request, api->config.create_wait_ms, NULL);
	engine_queue_submit(api->engine_queue, engine_request, create_finish);
}

void create_post(struct api_request *request)
{
	create_submit(request, NULL);
}

void create_put(struct api_request *request)
{
	if (!validate_lease_id(request->param)) {
		reply_error(request, 400, "invalid_lease_id",
			    "The lease id must be cbx_ and 12 lower-case hex digits.");
		return;
	}
	create_submit(request, request->param);
}
