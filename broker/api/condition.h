/* SPDX-License-Identifier: MIT */
/*
 * Under which condition a request may change its lease. If-Match names the epoch that the client
 * has seen, as the ETag of an answer gave it: the request is refused if the lease's goal was changed
 * since. An Idempotency-Key names the request: sent again, it changes nothing. Loop thread.
 */
#pragma once

#include "api/request.h"

/* Reads both fields into the request. -1: request->error is set. */
int condition_read(struct api_request *request);
