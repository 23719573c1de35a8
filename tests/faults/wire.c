/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "driver/wire.h"
#include "util/alloc.h"
#include "util/text.h"

static void lost(struct env_http_response *answer, enum env_http_outcome outcome, const char *why)
{
	answer->outcome = outcome;
	TEXT_SET(answer->error, why);
}

/* How long the whole response takes on the wire. */
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
		/* The client times out; the provider executes the request later. */
		if (w->late_count == ARRAY_LEN(w->late))
			abort();
		w->late[w->late_count++] = (struct pending_effect){ w->d.now_ms + hold, ticket };
		r->wire.end = CLOUD_END_HANG;
		return;
	}
	world_advance(w, w->d.now_ms + hold);
	cloud_response_init(&real);
	cloud_resume(w->cloud, w->d.now_ms, ticket, &real);
	cloud_response_fini(r);
	*r = real;
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
		world_advance(w, w->d.now_ms + request->timeout_ms);
		lost(answer, ENV_HTTP_LOST, "no complete response in time");
		return;
	}
	world_advance(w, w->d.now_ms + takes);
	if (wire->head_cut >= 0 || (wire->body_cut >= 0 && wire->body_cut < (int64_t)r->body_len) ||
	    (wire->declared >= 0 && wire->declared > (int64_t)r->body_len) ||
	    (wire->chunked && wire->body_cut >= 0))
		lost(answer, ENV_HTTP_LOST, "the connection closed during the response");
	else if (wire->interim < 0 || r->header_count > 100)
		lost(answer, ENV_HTTP_BROKEN, "the response has too many headers");
	else if (r->body_len > request->max_response)
		lost(answer, ENV_HTTP_BROKEN, "the response is too large");
	else if (r->status >= 300 && r->status < 400)
		lost(answer, ENV_HTTP_BROKEN, "a redirect");
	else
		wire_answered(r, answer);
	if (answer->outcome == ENV_HTTP_ANSWERED && world_has_date(w))
		answer->date_ms = w->d.now_ms;
}
