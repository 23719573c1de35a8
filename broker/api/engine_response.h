/* SPDX-License-Identifier: MIT */
/* What the engine answered, as HTTP. Loop thread. */
#pragma once

#include "api/request.h"

/* Answers the request unless it went well: 0 if it did, -1 if it was answered. */
int engine_response_check(struct api_request *request, const struct engine_request *engine_request);
/* {"lease": ...} with what the engine gave with it. */
void engine_response_lease(struct api_request *request, int status,
			   const struct engine_request *engine_request);
/*
 * An error that carries the lease: {"error","message","provisioningAttempts","lease"}, the
 * words first, because the client shows 600 bytes.
 */
void engine_response_lease_error(struct api_request *request, int status, const char *code,
				 const char *message, const struct engine_request *engine_request);
