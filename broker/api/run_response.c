/* SPDX-License-Identifier: MIT */
#include "api/run_response.h"

struct run_request *run_request_begin(struct call *call, enum run_op op)
{
	struct api *api = call->api;
	struct run_request *request = run_queue_request(api->run_queue, call, op,
							(size_t)api->config.pending_max);

	if (!request) {
		http_reply_header(call->ex, "Retry-After", "1");
		call_error(call, 503, "busy", "Too many requests are waiting.");
	}
	return request;
}

int run_response_check(struct call *call, const struct run_request *request)
{
	static const int status[] = {
		[RUN_RESULT_FORBIDDEN] = 403,
		[RUN_RESULT_CONFLICT] = 409,
		[RUN_RESULT_UNAVAILABLE] = 503,
	};
	char message[FAULT_TEXT];

	switch (request->result) {
	case RUN_RESULT_OK:
	case RUN_RESULT_CREATED:
	case RUN_RESULT_REPLAY:
		return 0;
	case RUN_RESULT_NOT_FOUND:
		call_not_found(call);
		return -1;
	case RUN_RESULT_UNAVAILABLE:
		http_reply_header(call->ex, "Retry-After",
				  runs_is_usable(call->api->parts.runs) ? "2" : "60");
		break;
	case RUN_RESULT_FORBIDDEN:
	case RUN_RESULT_CONFLICT:
		break;
	default:
		call_error(call, 500, "internal", "Run history gave no answer.");
		return -1;
	}
	fault_scrub(request->message, message, sizeof(message));
	call_error(call, status[request->result], request->code, message);
	return -1;
}
