/* SPDX-License-Identifier: MIT */
#include "api/capacity_refusal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/lookup.h"
#include "api/month.h"
#include "api/reply.h"
#include "store/queue.h"
#include "util/duration.h"

#define SHOWN_MAX 5
#define RETRY_MOST_S 3600
/* A cleanup takes about as long. */
#define CLEANUP_S 10

static const char limit_code[] = "cost_limit_exceeded";

struct refusal {
	struct limit_hit hit;
	const char *code;
	const char *org, *account;
	int64_t waited_ms; /* how long it was in the queue; 0: it was not */
	int is_extension;
	int64_t now_ms;
	struct store_holder holders[SHOWN_MAX + 1];
	int count; /* of these; SHOWN_MAX + 1: more than are shown */
};

/* "12m", "1h 5m", "40s" */
static const char *time_left(int64_t ms, char text[DURATION_TEXT_SIZE])
{
	int64_t unit = ms >= 60000 ? 60000 : 1000;

	duration_summarize(ms < 1000 ? 1000 : ms / unit * unit, text);
	return text;
}

/* ---- the sentence ------------------------------------------------------------------------- */

/* "build (ends in 12m), two (being deleted)" */
static void holders_write(const struct refusal *r, int shown, struct buf *out)
{
	char left[DURATION_TEXT_SIZE];

	for (int i = 0; i < shown; i++) {
		const struct store_holder *h = &r->holders[i];

		buf_addf(out, "%s%s", i ? ", " : "", h->slug[0] ? h->slug : h->id);
		if (h->ends_ms)
			buf_addf(out, " (ends in %s)", time_left(h->ends_ms - r->now_ms, left));
		else
			buf_addf(out, " (%s)",
				 h->cleanup == CLEANUP_OWED	? "being deleted" :
				 h->cleanup == CLEANUP_RETAINED ? "kept" :
								  "needs an operator");
	}
	if (r->count > shown)
		buf_adds(out, " and more");
}

static void whose_write(const struct refusal *r, struct buf *out)
{
	switch (r->hit.scope) {
	case LIMIT_ORG:
		buf_addf(out, "Your organisation %s has", r->org);
		break;
	case LIMIT_ACCOUNT:
		buf_addf(out, "The account %s has", r->account);
		break;
	case LIMIT_TOTAL:
		buf_adds(out, "This server has");
		break;
	default:
		buf_adds(out, "You have");
		break;
	}
}

static void month_used_write(const struct refusal *r, struct buf *out)
{
	const struct limit_hit *hit = &r->hit;
	char month[MONTH_TEXT_SIZE];

	buf_addf(out, " spent or reserved %.2f of %.2f in %s, and %s adds up to %.2f to that",
		 (double)hit->used / 1e6, (double)hit->max / 1e6, month_text(hit->month_ms, month),
		 r->is_extension ? "the longer TTL" : "this one", (double)hit->more / 1e6);
}

static void used_write(const struct refusal *r, struct buf *out)
{
	const struct limit_hit *hit = &r->hit;

	whose_write(r, out);
	if (hit->month_ms)
		month_used_write(r, out);
	else if (hit->is_price)
		buf_addf(out, " active leases of %.2f of %.2f an hour, and this one costs %.2f",
			 (double)hit->used / 1e6, (double)hit->max / 1e6, (double)hit->more / 1e6);
	else
		buf_addf(out, " %" PRId64 " of %" PRId64 " active leases", hit->used, hit->max);
	if (hit->ahead)
		buf_addf(out, ", and %" PRId64 " wait%s for capacity before this one", hit->ahead,
			 hit->ahead == 1 ? "s" : "");
}

static const char *month_advice(const struct refusal *r)
{
	if (r->is_extension)
		return " Ask for a shorter TTL, or release what you do not need.";
	if (limit_is_too_small(&r->hit))
		return " Choose a smaller class or a shorter TTL: this one alone exceeds the limit.";
	return " Choose a smaller class or a shorter TTL, release what you do not need, or wait for the "
	       "next month.";
}

static const char *advice(const struct refusal *r)
{
	if (r->hit.month_ms && !r->hit.is_queue_full)
		return month_advice(r);
	if (limit_is_too_small(&r->hit))
		return " Choose a smaller class: this one alone exceeds the limit.";
	if (r->hit.is_queue_full)
		return " The queue is full, too; try again later.";
	if (r->waited_ms)
		return r->count ? " Release one, or wait longer." :
				  " Try again later, or wait longer.";
	return r->count ? " Release one, or wait with waitForCapacity." :
			  " Try again later, or wait with waitForCapacity.";
}

static void message_write(const struct refusal *r, int shown, struct buf *out)
{
	char length[DURATION_TEXT_SIZE];

	if (r->waited_ms)
		buf_addf(out, "No capacity became free in %s. ", time_left(r->waited_ms, length));
	if (r->hit.scope == LIMIT_NONE) {
		buf_adds(out, "Try again.");
		return;
	}
	used_write(r, out);
	if (shown) {
		buf_adds(out, r->hit.scope == LIMIT_OWNER ? ": " : "; yours: ");
		holders_write(r, shown, out);
	} else if (!r->count && r->hit.scope != LIMIT_OWNER) {
		buf_adds(out, "; none is yours");
	}
	buf_adds(out, ".");
	buf_adds(out, advice(r));
}

/* ---- the body ------------------------------------------------------------------------------ */

static void limit_render(struct jsonw *w, const struct limit_hit *hit)
{
	char month[MONTH_TEXT_SIZE];

	if (hit->scope == LIMIT_NONE)
		return;
	jsonw_object(w, "limit");
	jsonw_text(w, "scope", limit_scope_name(hit->scope));
	jsonw_text(w, "of",
		   hit->month_ms ? "monthlyCost" :
		   hit->is_price ? "hourlyPrice" :
				   "leases");
	if (hit->month_ms)
		jsonw_text(w, "month", month_text(hit->month_ms, month));
	if (hit->is_price) {
		jsonw_micros(w, "used", hit->used);
		jsonw_micros(w, "max", hit->max);
		jsonw_micros(w, "more", hit->more);
	} else {
		jsonw_int(w, "used", hit->used);
		jsonw_int(w, "max", hit->max);
	}
	if (hit->ahead)
		jsonw_int(w, "waiting", hit->ahead);
	jsonw_end_object(w);
}

static void body_write(struct api_request *request, const struct refusal *r, int shown)
{
	struct jsonw w = reply_begin(request);
	struct buf message;

	buf_init(&message, 4 * CAPACITY_REFUSAL_MAX);
	message_write(r, shown, &message);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "error", r->code);
	jsonw_text(&w, "message", buf_str(&message));
	limit_render(&w, &r->hit);
	jsonw_array(&w, "leases");
	for (int i = 0; i < shown; i++) {
		jsonw_object(&w, NULL);
		jsonw_text(&w, "id", r->holders[i].id);
		jsonw_text(&w, "slug", r->holders[i].slug);
		jsonw_time(&w, "expiresAt", r->holders[i].ends_ms);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	buf_fini(&message);
}

/* Seconds until the first of those that count ends at the latest. */
static int64_t retry_seconds(struct api_request *request, const struct refusal *r)
{
	int is_own = r->hit.scope == LIMIT_OWNER;
	int64_t first = 0, seconds;

	for (int i = 0; i < r->count; i++) {
		const struct store_holder *h = &r->holders[i];
		int64_t ends = h->ends_ms		  ? h->ends_ms :
			       h->cleanup == CLEANUP_OWED ? r->now_ms + CLEANUP_S * 1000 :
							    0;

		if (ends && (!first || ends < first))
			first = ends;
	}
	if (!is_own) {
		int64_t others = 0;

		if (store_first_end(request->api->parts.reader,
				    r->hit.scope == LIMIT_ORG ? r->org : "",
				    r->hit.scope == LIMIT_ACCOUNT ? r->account : "", &others,
				    NULL) == 0 &&
		    others && (!first || others < first))
			first = others;
	}
	if (r->hit.scope == LIMIT_NONE)
		return 1;
	if (!first || limit_is_too_small(&r->hit))
		return RETRY_MOST_S;
	seconds = (first - r->now_ms + 999) / 1000;
	return seconds < 1 ? 1 : seconds > RETRY_MOST_S ? RETRY_MOST_S : seconds;
}

static void refuse(struct api_request *request, struct refusal *r)
{
	int is_account = r->hit.scope == LIMIT_ACCOUNT;
	int shown = SHOWN_MAX;
	char retry[16];

	r->org = request->caller.org;
	r->now_ms = lookup_now_ms(request);
	if (r->hit.scope != LIMIT_NONE)
		store_holders(request->api->parts.reader, request->caller.owner, r->org,
			      is_account ? r->account : "", r->holders, SHOWN_MAX + 1, &r->count,
			      NULL);
	if (shown > r->count)
		shown = r->count;
	body_write(request, r, shown);
	while (shown > 0 && request->api->out.len > CAPACITY_REFUSAL_MAX)
		body_write(request, r, --shown);
	snprintf(retry, sizeof(retry), "%" PRId64, retry_seconds(request, r));
	http_reply_header(request->ex, "Retry-After", retry);
	reply_json(request, 429);
}

void capacity_refuse(struct api_request *request, const struct engine_request *engine_request,
		     const char *account)
{
	struct refusal r = {
		.hit = engine_request->limit,
		.code = engine_request->code[0] ? engine_request->code : limit_code,
		.account = account,
	};

	refuse(request, &r);
}

void capacity_refuse_extension(struct api_request *request,
			       const struct engine_request *engine_request)
{
	struct refusal r = {
		.hit = engine_request->limit,
		.code = limit_code,
		.account = engine_request->lease.account,
		.is_extension = 1,
	};

	refuse(request, &r);
}

void capacity_refuse_waited(struct api_request *request, const struct lease *l)
{
	struct refusal r = {
		.code = limit_code,
		.account = l->account,
		.waited_ms = l->ended_ms - l->created_ms,
	};
	const struct month_lease what = { l->owner, l->org, l->account, l->price_hour_micros,
					  l->ttl_ms };

	month_limit_find(request->api, &what, &r.hit);
	refuse(request, &r);
}
