/* SPDX-License-Identifier: MIT */
/* Results of the engine as HTTP answers. Loop thread. */
#pragma once

#include "api/notice.h"
#include "api/request.h"

/* 0: it succeeded, and the caller answers; -1: it failed and was answered. */
int engine_response_check(struct api_request *request, const struct engine_request *engine_request);
/* How the lease differs from what was asked for (engine_queue_asked). */
void engine_response_notices(struct api_request *request, struct engine_request *engine_request,
			     struct notices *out);
/* {"lease": ...}, with the attempts of the result; `notices` may be NULL. */
void engine_response_lease(struct api_request *request, int status,
			   const struct engine_request *engine_request,
			   const struct notices *notices);
/*
 * An error with the lease: {"error","message","provisioningAttempts","lease"}. The texts come
 * first, because the client shows only 600 bytes.
 */
void engine_response_lease_error(struct api_request *request, int status, const char *code,
				 const char *message, const struct engine_request *engine_request);
