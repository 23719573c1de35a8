/* SPDX-License-Identifier: MIT */
/* Query keys, and how long a request wants to wait. Loop thread. */
#pragma once

#include "api/request.h"

/* The decoded value of a query key. 1; 0: absent or empty; -1: too long, request->error is set. */
int query_text(struct api_request *request, const char *key, char *out, size_t size);
/*
 * One of `choices`, which ends with NULL: 1 with its index in *ret; 0; -1: another value,
 * request->error lists them.
 */
int query_choice(struct api_request *request, const char *key, const char *const *choices, int *ret);
/* A time (RFC 3339) in ms. */
int query_time(struct api_request *request, const char *key, int64_t *ret_ms);
/* The same for a number, limited to [low, high]. */
int query_int(struct api_request *request, const char *key, int64_t low, int64_t high, int64_t *ret);
/*
 * How long to wait in ms: "Prefer: wait=N" or "respond-async", else `default_ms`, and at most the
 * configured maximum. *ret_asked, unless it is NULL: did the client ask to wait?
 */
int64_t query_wait_ms(const struct api_request *request, int64_t default_ms, int *ret_asked);
