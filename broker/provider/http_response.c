/* SPDX-License-Identifier: MIT */
#include "provider/http_response.h"

#include "util/alloc.h"

struct http_response *http_response_new(int64_t requested_mono_ms)
{
	struct http_response *response = xcalloc(1, sizeof(*response));

	atomic_init(&response->refs, 1);
	response->requested_mono_ms = requested_mono_ms;
	return response;
}

struct http_response *http_response_ref(struct http_response *response)
{
	atomic_fetch_add_explicit(&response->refs, 1, memory_order_relaxed);
	return response;
}

void http_response_unref(struct http_response *response)
{
	if (!response || atomic_fetch_sub_explicit(&response->refs, 1, memory_order_acq_rel) != 1)
		return;
	env_http_response_fini(&response->http);
	free(response);
}
