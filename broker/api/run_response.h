/* SPDX-License-Identifier: MIT */
/* What the handlers ask of run history, and what became of it. Loop thread. */
#pragma once

#include "api/call.h"

#define RUN_TEXT_MAX 16384 /* bytes of a message, a piece of output, a receipt */

/* A cleared request for the call (run_queue.h); NULL: answered 503, too many wait. */
struct run_request *run_request_begin(struct call *call, enum run_op op);
/* Answers the call unless the request succeeded: 0 if it did, -1 if the call was answered. */
int run_response_check(struct call *call, const struct run_request *request);
