/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

struct cloud_request wire_request(const struct env_http_request *request)
{
	return (struct cloud_request){
		.method = request->method,
		.target = strstr(request->url, "/v1/"),
		.authorization = request->authorization,
		.body = request->body,
		.body_len = request->body_len,
	};
}

void wire_init(struct env_http_response *answer)
{
	answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = -1;
}

int64_t wire_header(const struct cloud_response *reply, const char *name)
{
	const char *value = cloud_response_header(reply, name);
	char *end;
	long long n = value ? strtoll(value, &end, 10) : -1;

	return value && end != value && !*end ? n : -1;
}

void wire_answered(const struct cloud_response *reply, struct env_http_response *answer)
{
	const char *type = cloud_response_header(reply, "Content-Type");

	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = reply->status;
	answer->body = xcalloc(1, reply->body_len + 1);
	if (reply->body_len)
		memcpy(answer->body, reply->body, reply->body_len);
	answer->body_len = reply->body_len;
	TEXT_SET(answer->content_type, type ? type : "");
	answer->rate_limit = wire_header(reply, "RateLimit-Limit");
	answer->rate_remaining = wire_header(reply, "RateLimit-Remaining");
	if (wire_header(reply, "Retry-After") >= 0)
		answer->retry_after_ms = wire_header(reply, "Retry-After") * 1000;
}
