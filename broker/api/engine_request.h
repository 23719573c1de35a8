/* SPDX-License-Identifier: MIT */
/* How handlers begin and refuse requests to the engine. Loop thread. */
#pragma once

#include "api/request.h"

/* A cleared request of this kind (engine_queue.h). NULL: too many are open; answered 503. */
struct engine_request *engine_request_begin(struct api_request *request, enum request_kind kind);
/* The same for the lease of the path. NULL: answered, with 404 or 503. */
struct engine_request *engine_request_begin_lease(struct api_request *request,
						  enum request_kind kind);
/* Drops a request that was not submitted, and answers with request->error. */
void engine_request_refuse(struct api_request *request, struct engine_request *engine_request);
