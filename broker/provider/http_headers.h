/* SPDX-License-Identifier: MIT */
/* The header fields of a provider's response that are used. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/env.h"

struct http_headers {
	int64_t retry_after_ms;	/* -1: absent */
	int64_t date_s;		/* Date of the response, -1: absent */
	int64_t retry_date_s;	/* Retry-After as a date, -1 */
	int64_t rate_limit, rate_remaining, rate_reset_s;
	char content_type[64];
	char request_id[64];
	int is_encoded;		/* a Content-Encoding that was not requested */
	int is_complete;	/* ended by an empty line: libcurl accepts a head without one */
};

void http_headers_init(struct http_headers *headers);
/* One line as it came, status lines included: those start over. */
void http_headers_line(struct http_headers *headers, const char *line, size_t len);
/* Into the response; `wall_s` is used if it carries no Date. */
void http_headers_finish(const struct http_headers *headers, int64_t wall_s,
			 struct env_http_response *ret);
