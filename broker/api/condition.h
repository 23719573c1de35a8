/* SPDX-License-Identifier: MIT */
/*
 * The conditions under which a request may change its lease. If-Match names the epoch that the client
 * has seen, from the ETag of an answer: the request is refused if the lease's goal has changed since.
 * An Idempotency-Key identifies the request: when it is repeated, nothing changes. Loop thread.
 */
#pragma once

#include "api/request.h"

/* Reads both fields into the request. -1: request->error is set. */
int condition_read(struct api_request *request);
