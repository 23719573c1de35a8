/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

static void lost(struct env_http_response *answer, enum env_http_outcome outcome, const char *why)
{
	answer->outcome = outcome;
	TEXT_SET(answer->error, why);
}

static int64_t header_int(const struct cloud_response *r, const char *name)
{
	const char *value = cloud_response_header(r, name);
	char *end;
	long long n = value ? strtoll(value, &end, 10) : -1;

	return value && end != value && !*end ? n : -1;
}

/* How long the wire takes for the whole answer. */
static int64_t wire_ms(const struct cloud_response *r)
{
	int64_t ms = r->wire.delay_ms;

	if (r->wire.drip_bytes)
		ms += (int64_t)(r->body_len / r->wire.drip_bytes + 1) * r->wire.drip_ms;
	return ms;
}

static void wait_for_held(struct world *w, const struct env_http_request *request,
			  struct cloud_response *r)
{
	uint64_t ticket = r->wire.ticket;
	int64_t hold = r->wire.hold_ms < 0 ? 10 * MINUTE : r->wire.hold_ms;
	struct cloud_response real;

	if (hold >= request->timeout_ms) {
		/* The client gives up; the provider does it all the same, later. */
		if (w->late_count == ARRAY_LEN(w->late))
			abort();
		w->late[w->late_count++] = (struct pending_effect){ w->now_ms + hold, ticket };
		r->wire.end = CLOUD_END_HANG;
		return;
	}
	world_advance(w, w->now_ms + hold);
	cloud_response_init(&real);
	cloud_resume(w->cloud, w->now_ms, ticket, &real);
	cloud_response_fini(r);
	*r = real;
}

static void whole(const struct cloud_response *r, struct env_http_response *answer)
{
	const char *type = cloud_response_header(r, "Content-Type");

	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = r->status;
	answer->body = xcalloc(1, r->body_len + 1);
	if (r->body_len)
		memcpy(answer->body, r->body, r->body_len);
	answer->body_len = r->body_len;
	TEXT_SET(answer->content_type, type ? type : "");
	answer->rate_limit = header_int(r, "RateLimit-Limit");
	answer->rate_remaining = header_int(r, "RateLimit-Remaining");
	if (header_int(r, "Retry-After") >= 0)
		answer->retry_after_ms = header_int(r, "Retry-After") * 1000;
}

void wire_judge(struct world *w, const struct env_http_request *request, struct cloud_response *r,
		struct env_http_response *answer)
{
	const struct cloud_wire *wire = &r->wire;
	int64_t takes;

	if (r->wire.ticket)
		wait_for_held(w, request, r);
	takes = wire_ms(r);
	if (wire->end == CLOUD_END_HANG || takes >= request->timeout_ms) {
		world_advance(w, w->now_ms + request->timeout_ms);
		lost(answer, ENV_HTTP_LOST, "no complete answer in time");
		return;
	}
	world_advance(w, w->now_ms + takes);
	if (wire->head_cut >= 0 || (wire->body_cut >= 0 && wire->body_cut < (int64_t)r->body_len) ||
	    (wire->declared >= 0 && wire->declared > (int64_t)r->body_len) ||
	    (wire->chunked && wire->body_cut >= 0))
		lost(answer, ENV_HTTP_LOST, "the connection was closed in the answer");
	else if (wire->interim < 0 || r->header_count > 100)
		lost(answer, ENV_HTTP_BROKEN, "more headers than an answer has");
	else if (r->body_len > request->max_response)
		lost(answer, ENV_HTTP_BROKEN, "the answer is too large");
	else if (r->status >= 300 && r->status < 400)
		lost(answer, ENV_HTTP_BROKEN, "a redirect");
	else
		whole(r, answer);
}
