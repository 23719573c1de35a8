/* SPDX-License-Identifier: MIT */
/* What the engine answered, as HTTP. Loop thread. */
#pragma once

#include "api/call.h"

/* Answers the call unless it went well: 0 if it did, -1 if it was answered. */
int result_check(struct call *call, const struct engine_request *request);
/* {"lease": ...} with what the engine gave with it. */
void result_lease(struct call *call, int status, const struct engine_request *request);
/*
 * An error that carries the lease: {"error","message","provisioningAttempts","lease"}, the
 * words first, because the client shows 600 bytes.
 */
void result_lease_error(struct call *call, int status, const char *code, const char *message,
			const struct engine_request *request);
