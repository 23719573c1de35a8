/* SPDX-License-Identifier: MIT */
/* Query keys, and how long a request wants to wait. Loop thread. */
#pragma once

#include "api/request.h"

/* The decoded value of a query key. 1; 0: absent or empty; -1: too long, request->error is set. */
int query_text(struct api_request *request, const char *key, char *out, size_t size);
/* The same for a number, limited to [low, high]. */
int query_int(struct api_request *request, const char *key, int64_t low, int64_t high, int64_t *ret);
/*
 * How long to wait in ms: "Prefer: wait=N" or "respond-async", else `default_ms`, and at most the
 * configured maximum. *ret_asked, unless it is NULL: did the client ask to wait?
 */
int64_t query_wait_ms(const struct api_request *request, int64_t default_ms, int *ret_asked);
