/* SPDX-License-Identifier: MIT */
/* What the handlers ask of the engine. Loop thread. */
#pragma once

#include "api/call.h"

/* A cleared request of this kind for the call (queue.h); NULL: answered 503, too many wait. */
struct engine_request *engine_request_begin(struct call *call, enum request_kind kind);
/* The same for the lease of the path; NULL when the call was answered. */
struct engine_request *engine_request_begin_lease(struct call *call, enum request_kind kind);
/* Drops a request that was not submitted, and sends call->fault. */
void engine_request_refuse(struct call *call, struct engine_request *request);
