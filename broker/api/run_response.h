/* SPDX-License-Identifier: MIT */
/* How handlers begin requests to run history, and how they check the result. Loop thread. */
#pragma once

#include "api/request.h"

#define RUN_TEXT_MAX 16384 /* bytes of a message, a piece of output, a receipt */

/* A cleared request (run_queue.h). NULL: too many are open; answered 503. */
struct run_request *run_request_begin(struct api_request *request, enum run_op op);
/* 0: it succeeded, and the caller answers; -1: it failed and was answered. */
int run_response_check(struct api_request *request, const struct run_request *run_request);
