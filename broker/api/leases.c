/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/queue_view.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/roster.h"
#include "api/unsure.h"

#define EVENTS_DEFAULT 100
#define EVENTS_MAX 500

struct samples {
	struct buf text;	/* an array, not closed yet */
	size_t last;		/* where its last element begins */
};

static void sample_add(void *arg, const char *data)
{
	struct samples *samples = arg;

	buf_addc(&samples->text, samples->text.len ? ',' : '[');
	samples->last = samples->text.len;
	buf_adds(&samples->text, data);
}

/* Adds with whom the lease is shared, and its telemetry. */
static void leases_more(struct jsonw *w, const struct lease *l, void *arg)
{
	struct api_request *request = arg;
	struct samples samples = { .last = 0 };

	roster_render_lease(request, w, l);
	if (!lease_is_live(l) || l->touched_ms == l->created_ms)
		return;
	buf_init(&samples.text, STORE_SAMPLES_MAX * (TELEMETRY_ROOM + 1) + 2);
	if (store_telemetry_each(request->api->parts.reader, l->n, sample_add, &samples, NULL) ==
		    0 &&
	    samples.text.len) {
		jsonw_raw(w, "telemetry", buf_str(&samples.text) + samples.last);
		buf_addc(&samples.text, ']');
		jsonw_raw(w, "telemetryHistory", buf_str(&samples.text));
	}
	buf_fini(&samples.text);
}

/* Answers with the lease that was found. `version` is the store's before the lookup. */
static void lease_show(struct api_request *request, uint64_t version)
{
	struct render_parts parts = { .more = leases_more, .more_arg = request };
	struct render_queue queue;
	struct ledger ledger = { 0 };
	struct lease *l = &request->api->lease;
	struct err err;
	struct jsonw w;

	if (render_wants_ledger(l)) {
		if (store_ledger(request->api->parts.reader, l->n, &ledger, &err)) {
			reply_store_error(request, &err);
			return;
		}
		parts.attempts = ledger.attempts;
		parts.attempt_count = ledger.attempt_count;
		parts.resources = ledger.resources;
		parts.resource_count = ledger.resource_count;
		parts.now_ms = lookup_now_ms(request);
		parts.running_micros = lookup_running_micros(request->api, l);
		parts.is_unsure = lease_is_unsure(request->api, l);
	}
	if (queue_view_place(request->api, l, &queue))
		parts.queue = &queue;
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	render_lease(&w, "lease", l, &parts);
	jsonw_end_object(&w);
	ledger_fini(&ledger);
	if (render_is_of_store(l) && !strcmp(request->param, l->id))
		cache_put(request->api->cache, version, &request->caller, l->id, l->epoch,
			  &request->api->out);
	reply_epoch(request, l->epoch);
	reply_json(request, 200);
}

void leases_get(struct api_request *request)
{
	struct store *reader = request->api->parts.reader;
	uint64_t version = store_data_version(reader);
	int64_t epoch;
	const struct buf *cached = cache_find(request->api->cache, version, &request->caller,
					      request->param, &epoch);
	struct err err;

	if (cached) {
		reply_epoch(request, epoch);
		reply_text(request, 200, "application/json", buf_str(cached), cached->len);
		return;
	}
	if (store_snapshot_begin(reader, &err)) {
		reply_store_error(request, &err);
		return;
	}
	if (lookup_lease(request) == 0)
		lease_show(request, version);
	store_snapshot_end(reader);
}

/* ---- events and residue ----------------------------------------------------- */

static int event_add_json(void *arg, const struct store_event *event)
{
	struct jsonw *w = arg;
	char clean[256];

	api_error_scrub(event->text, clean, sizeof(clean));
	jsonw_object(w, NULL);
	jsonw_int(w, "seq", event->n);
	jsonw_time(w, "at", event->at_ms);
	jsonw_text(w, "type", event->kind);
	jsonw_text(w, "message", clean);
	jsonw_end_object(w);
	return w->out->overflow;
}

void leases_events(struct api_request *request)
{
	int64_t after = 0;
	int64_t limit = EVENTS_DEFAULT;
	struct err err;
	struct jsonw w;

	if (query_int(request, "after", 0, INT64_MAX, &after) < 0 ||
	    query_int(request, "limit", 1, EVENTS_MAX, &limit) < 0) {
		reply_request_error(request);
		return;
	}
	if (lookup_lease(request))
		return;
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "leaseID", request->api->lease.id);
	jsonw_array(&w, "events");
	if (store_event_each(request->api->parts.reader, request->api->lease.n, after, (int)limit,
			     event_add_json, &w, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

void leases_residue(struct api_request *request)
{
	struct lease *l = &request->api->lease;
	struct ledger ledger = { 0 };
	struct err err;
	struct jsonw w;

	if (lookup_lease(request))
		return;
	if (store_ledger(request->api->parts.reader, l->n, &ledger, &err)) {
		reply_store_error(request, &err);
		return;
	}
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "leaseID", l->id);
	jsonw_text(&w, "state", lease_state_name(lease_shown_state(l)));
	jsonw_text(&w, "cleanup", lease_cleanup_name(l->cleanup));
	jsonw_int(&w, "residue", (int64_t)ledger_residue(&ledger));
	jsonw_array(&w, "resources");
	for (size_t i = 0; i < ledger.resource_count; i++)
		render_resource(&w, &ledger.resources[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	ledger_fini(&ledger);
	reply_json(request, 200);
}
