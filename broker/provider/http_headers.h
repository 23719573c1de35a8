/* SPDX-License-Identifier: MIT */
/* The header fields of a provider's response that lessor uses. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/env.h"

struct http_headers {
	int64_t retry_after_ms;	/* -1: absent */
	int64_t date_s;		/* Date of the response, -1: absent */
	int64_t age_s;		/* how long a cache has kept the response, -1: absent */
	int64_t retry_date_s;	/* Retry-After given as a date, -1: absent */
	int64_t rate_limit, rate_remaining, rate_reset_s;
	char content_type[64];
	char request_id[64];
	int is_encoded;	 /* it has a Content-Encoding, which was not requested */
	int is_complete; /* an empty line ended the headers; libcurl accepts headers without one */
};

void http_headers_init(struct http_headers *headers);
/* Adds a line as received. A status line resets everything. */
void http_headers_line(struct http_headers *headers, const char *line, size_t len);
/* Fills in the response; `wall_s` is used if it has no Date. */
void http_headers_finish(const struct http_headers *headers, int64_t wall_s,
			 struct env_http_response *ret);
