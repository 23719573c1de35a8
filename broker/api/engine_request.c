/* SPDX-License-Identifier: MIT */
#include "api/engine_request.h"

#include "api/lookup.h"
#include "util/text.h"

struct engine_request *engine_request_begin(struct call *call, enum request_kind kind)
{
	struct api *api = call->api;
	struct engine_request *request = queue_request(api->queue, call, kind,
						       (size_t)api->config.pending_max);

	if (!request) {
		http_reply_header(call->ex, "Retry-After", "1");
		call_error(call, 503, "busy", "Too many requests are waiting.");
	}
	return request;
}

struct engine_request *engine_request_begin_lease(struct call *call, enum request_kind kind)
{
	struct engine_request *request;

	if (!lookup_lease_ref(call->param)) {
		call_not_found(call);
		return NULL;
	}
	request = engine_request_begin(call, kind);
	if (!request)
		return NULL;
	TEXT_SET(request->ref, call->param);
	return request;
}

void engine_request_refuse(struct call *call, struct engine_request *request)
{
	queue_drop(call->api->queue, request);
	call_fault(call);
}
