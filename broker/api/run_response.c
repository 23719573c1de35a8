/* SPDX-License-Identifier: MIT */
#include "api/reply.h"
#include "api/run_response.h"

struct run_request *run_request_begin(struct api_request *request, enum run_op op)
{
	struct api *api = request->api;
	struct run_request *run_request = run_queue_request(api->run_queue, request, op,
							    (size_t)api->config.pending_max);

	if (!run_request) {
		http_reply_header(request->ex, "Retry-After", "1");
		reply_error(request, 503, "busy", "Too many requests are waiting; try again.");
	}
	return run_request;
}

int run_response_check(struct api_request *request, const struct run_request *run_request)
{
	static const int status[] = {
		[RUN_RESULT_FORBIDDEN] = 403,
		[RUN_RESULT_CONFLICT] = 409,
		[RUN_RESULT_UNAVAILABLE] = 503,
	};
	char message[API_ERROR_TEXT];

	switch (run_request->result) {
	case RUN_RESULT_OK:
	case RUN_RESULT_CREATED:
	case RUN_RESULT_REPLAY:
		return 0;
	case RUN_RESULT_NOT_FOUND:
		reply_not_found(request);
		return -1;
	case RUN_RESULT_UNAVAILABLE:
		http_reply_header(request->ex, "Retry-After",
				  runs_is_usable(request->api->parts.runs) ? "2" : "60");
		break;
	case RUN_RESULT_FORBIDDEN:
	case RUN_RESULT_CONFLICT:
		break;
	default:
		reply_error(request, 500, "internal",
			    "An internal error; an operator finds it in the log of lessord.");
		return -1;
	}
	api_error_scrub(run_request->message, message, sizeof(message));
	reply_error(request, status[run_request->result], run_request->code, message);
	return -1;
}
