/* SPDX-License-Identifier: MIT */
/* POST /v1/leases/{lease}/extend: contract 2.14. */
#include "api/capacity_refusal.h"
#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/validate.h"
#include "util/text.h"

struct extend_body {
	int64_t ttl_seconds;
	int64_t idle_seconds; /* 0: absent */
	char expected_account[32];
};

/* clang-format off */
static const struct body_field extend_fields[] = {
	{ .name = "ttlSeconds", .type = FIELD_INT, .flags = FIELD_REQUIRED,
	  FIELD_TO(extend_body, ttl_seconds),
	  .expected = "1 or more: the whole lifetime since the lease was created", .low = 1,
	  .high = INT64_MAX },
	{ .name = "idleTimeoutSeconds", .type = FIELD_INT, FIELD_TO(extend_body, idle_seconds),
	  .expected = "1 or more", .low = 1, .high = INT64_MAX },
	{ .name = "expectedProvider", .type = FIELD_TEXT,
	  FIELD_AT(extend_body, expected_account), .expected = "the name of an account",
	  .code = "invalid_expected_provider", .check = validate_account },
};
/* clang-format on */

const struct body_table body_extend = BODY_TABLE("Extend", NULL, extend_fields);

static void extend_finish(struct api_request *request, struct engine_request *engine_request)
{
	struct notices notices;

	if (engine_request->result == RESULT_LIMIT) {
		capacity_refuse_extension(request, engine_request);
		return;
	}
	if (engine_response_check(request, engine_request))
		return;
	engine_response_notices(request, engine_request, &notices);
	engine_response_lease(request, 200, engine_request, &notices);
}

static int64_t limited_ms(int64_t seconds, int64_t max_ms)
{
	return seconds > max_ms / 1000 ? max_ms : seconds * 1000;
}

void lease_action_extend(struct api_request *request)
{
	const struct api_config *config = &request->api->config;
	struct engine_request *engine_request = engine_request_begin_lease(request, REQUEST_EXTEND);
	struct extend_body body = { .ttl_seconds = 0 };
	struct json_body *in = &request->body;
	struct notice_request *asked;

	if (!engine_request)
		return;
	if (json_body_read(in, in->root, &body_extend, &body)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	TEXT_SET(engine_request->expected_account, body.expected_account);
	engine_request->extend_ttl_ms = limited_ms(body.ttl_seconds, config->ttl_max_ms);
	engine_request->extend_idle_ms = limited_ms(body.idle_seconds, config->idle_max_ms);
	asked = engine_queue_asked(engine_request);
	asked->ttl_seconds = body.ttl_seconds;
	asked->idle_seconds = body.idle_seconds;
	asked->ttl_max_ms = config->ttl_max_ms;
	asked->idle_max_ms = config->idle_max_ms;
	engine_queue_submit(request->api->engine_queue, engine_request, extend_finish);
}
