/* SPDX-License-Identifier: MIT */
#include "api/engine_request.h"

#include "api/lookup.h"
#include "api/reply.h"
#include "util/text.h"

struct engine_request *engine_request_begin(struct api_request *request, enum request_kind kind)
{
	struct api *api = request->api;
	struct engine_request *engine_request =
		engine_queue_request(api->engine_queue, request, kind,
				     (size_t)api->config.pending_max);

	if (!engine_request)
		reply_busy(request);
	return engine_request;
}

struct engine_request *engine_request_begin_lease(struct api_request *request,
						  enum request_kind kind)
{
	struct engine_request *engine_request;

	/* No daemon owns the account of a lease that there is not. */
	if (request->api->relay && !request->account[0]) {
		if (lookup_lease(request))
			return NULL;
		TEXT_SET(request->account, request->api->lease.account);
	}
	if (!lookup_lease_ref(request->param)) {
		reply_not_found(request);
		return NULL;
	}
	engine_request = engine_request_begin(request, kind);
	if (!engine_request)
		return NULL;
	TEXT_SET(engine_request->ref, request->param);
	return engine_request;
}

void engine_request_refuse(struct api_request *request, struct engine_request *engine_request)
{
	engine_queue_drop(request->api->engine_queue, engine_request);
	reply_request_error(request);
}
