/* SPDX-License-Identifier: MIT */
/* What a request asks for besides its body: query keys, and how long it waits. Loop thread. */
#pragma once

#include "api/request.h"

/* The decoded value of a query key: 1, 0 absent or empty. Too long for `room`: `error` and -1. */
int query_text(struct api_request *request, const char *key, char *out, size_t room);
/* As above, a number cut to [low, high]. */
int query_int(struct api_request *request, const char *key, int64_t low, int64_t high, int64_t *ret);
/*
 * How long to wait: "Prefer: wait=N" or "respond-async", else `preset`; cut to the maximum.
 * *ret_asked, unless it is NULL: did the client itself ask to wait?
 */
int64_t query_wait_ms(const struct api_request *request, int64_t preset, int *ret_asked);
