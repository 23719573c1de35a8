/* SPDX-License-Identifier: MIT */
/*
 * A provider's response, held by whoever reads it: the steps that sent the request, and
 * the account's coalesced responses. Constant once made; the count is atomic.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "util/env.h"

struct http_response {
	atomic_int refs;
	struct env_http_response http;
	int64_t requested_mono_ms; /* when the request was started: the answer is at least that new */
};

struct http_response *http_response_new(int64_t requested_mono_ms); /* one reference, the caller's */
struct http_response *http_response_ref(struct http_response *response);
void http_response_unref(struct http_response *response);		/* takes NULL */
