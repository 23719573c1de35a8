/* SPDX-License-Identifier: MIT */
/* What the handlers ask of the engine. Loop thread. */
#pragma once

#include "api/request.h"

/* A cleared request of this kind for the request (engine_queue.h); NULL: answered 503, too many wait. */
struct engine_request *engine_request_begin(struct api_request *request, enum request_kind kind);
/* The same for the lease of the path; NULL when the request was answered. */
struct engine_request *engine_request_begin_lease(struct api_request *request,
						  enum request_kind kind);
/* Drops a request that was not submitted, and sends request->error. */
void engine_request_refuse(struct api_request *request, struct engine_request *engine_request);
