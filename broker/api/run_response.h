/* SPDX-License-Identifier: MIT */
/* What the handlers ask of run history, and what became of it. Loop thread. */
#pragma once

#include "api/request.h"

#define RUN_TEXT_MAX 16384 /* bytes of a message, a piece of output, a receipt */

/* A cleared request for the request (run_queue.h); NULL: answered 503, too many wait. */
struct run_request *run_request_begin(struct api_request *request, enum run_op op);
/* Answers the request unless the request succeeded: 0 if it did, -1 if the request was answered. */
int run_response_check(struct api_request *request, const struct run_request *run_request);
