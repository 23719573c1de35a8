/* SPDX-License-Identifier: MIT */
/* The answer to requests for an account that this process does not own now. */
#pragma once

#include "engine/engine.h"

/* When a client should try again: by then another lessord has claimed the account, or this one. */
#define MOVING_RETRY_MS 1000

/* RESULT_UNAVAILABLE, `account_moving`. */
void moving_fill(struct engine_request *request);
/* The same, and answers the request. What it asked for may have happened. */
void moving_answer(struct engine_request *request);
