/* SPDX-License-Identifier: MIT */
/*
 * A provider's response, reference-counted: held by the steps that sent the request and by the
 * account's coalesced responses. Immutable once created; the count is atomic.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "util/env.h"

struct http_response {
	atomic_int refs;
	struct env_http_response http;
	/* when the request was started; the response is at least that recent */
	int64_t requested_mono_ms;
};

/* the caller holds the one reference */
struct http_response *http_response_new(int64_t requested_mono_ms);
struct http_response *http_response_ref(struct http_response *response);
void http_response_unref(struct http_response *response); /* accepts NULL */
