/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/roster.h"
#include "api/validate.h"

#define LIST_DEFAULT 100
#define LIST_MAX 500
#define SCAN_MAX 1000

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
		parts.is_unsure = lookup_is_unsure(request->api, l);
	}
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	render_lease(&w, "lease", l, &parts);
	jsonw_end_object(&w);
	ledger_fini(&ledger);
	if (render_is_of_store(l) && !strcmp(request->param, l->id))
		cache_put(request->api->cache, version, &request->caller, l->id, &request->api->out);
	reply_json(request, 200);
}

void leases_get(struct api_request *request)
{
	struct store *reader = request->api->parts.reader;
	uint64_t version = store_data_version(reader);
	const struct buf *cached = cache_find(request->api->cache, version, &request->caller,
					      request->param);
	struct err err;

	if (cached) {
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

/* ---- lists --------------------------------------------------------------------------- */

struct lease_listing {
	const struct api *api;
	int is_whole; /* with residue and running cost */
	int64_t now_ms;
	struct jsonw w;
	const char *owner; /* "": any; else set only for an admin who names no organisation */
	char last[24];
	int limit;
	int seen;
	int count;
};

/* Lists of leases that are retained or need an operator are short, and show the residue. */
static void listing_render(struct lease_listing *listing, const struct lease *l)
{
	struct ledger ledger = { 0 };
	struct render_parts parts = { .is_unsure = lookup_is_unsure(listing->api, l) };

	if (listing->is_whole) {
		parts.now_ms = listing->now_ms;
		parts.running_micros = lookup_running_micros(listing->api, l);
	}
	if (listing->is_whole &&
	    store_ledger(listing->api->parts.reader, l->n, &ledger, NULL) == 0) {
		parts.resources = ledger.resources;
		parts.resource_count = ledger.resource_count;
	}
	render_lease(&listing->w, NULL, l, &parts);
	ledger_fini(&ledger);
}

static int listing_add(void *arg, const struct lease *l)
{
	struct lease_listing *listing = arg;

	listing->seen++;
	snprintf(listing->last, sizeof(listing->last), "%s", l->id);
	if (!listing->owner[0] || !strcmp(listing->owner, l->owner)) {
		listing_render(listing, l);
		listing->count++;
	}
	return listing->count >= listing->limit || listing->w.out->overflow;
}

static int cleanup_parse(const char *text)
{
	for (int i = 0; i < LEASE_CLEANUP_COUNT; i++) {
		if (!strcmp(lease_cleanup_name((enum lease_cleanup)i), text))
			return i;
	}
	return -1;
}

struct lease_list_texts {
	char account[32];
	char owner[128];
	char org[64];
	int scan; /* the owner is compared row by row */
};

static int list_refuse(struct api_request *request, const char *key)
{
	return api_error_set(&request->error, 400, "invalid_query",
			     "unknown value of the query key %s", key);
}

static int list_read(struct api_request *request, struct store_list *list,
		     struct lease_list_texts *texts)
{
	char text[32];
	int64_t limit = LIST_DEFAULT;
	int rc;

	rc = query_text(request, "state", text, sizeof(text));
	if (rc < 0)
		return -1;
	list->state = rc > 0 ? lease_state_parse(text) : -1;
	if (rc > 0 && list->state < 0)
		return list_refuse(request, "state");
	rc = query_text(request, "cleanup", text, sizeof(text));
	if (rc < 0)
		return -1;
	list->cleanup = rc > 0 ? cleanup_parse(text) : -1;
	if (rc > 0 && list->cleanup < 0)
		return list_refuse(request, "cleanup");
	rc = query_text(request, "attention", text, sizeof(text));
	if (rc < 0)
		return -1;
	list->attention = rc > 0 && !strcmp(text, "true");
	if (rc > 0 && !list->attention && strcmp(text, "false"))
		return list_refuse(request, "attention");
	rc = query_text(request, "view", text, sizeof(text));
	if (rc < 0)
		return -1;
	list->open = rc > 0;
	if (rc > 0 && strcmp(text, "current"))
		return list_refuse(request, "view");
	if (query_int(request, "limit", 1, LIST_MAX, &limit) < 0)
		return -1;
	list->limit = (int)limit;
	rc = query_text(request, "provider", texts->account, sizeof(texts->account));
	if (rc < 0)
		return -1;
	list->account = rc > 0 ? texts->account : NULL;
	/* An admin chooses whose leases to list; for others the token decides. */
	if (query_text(request, "owner", texts->owner, sizeof(texts->owner)) < 0 ||
	    query_text(request, "org", texts->org, sizeof(texts->org)) < 0)
		return -1;
	if (list->scope.all && texts->org[0])
		list->scope = (struct store_scope){ 0, texts->owner, texts->org, SHARED_NOT };
	else if (list->scope.all && texts->owner[0])
		texts->scan = 1;
	return 0;
}

/* "before" is the id of the last lease of the previous page; it must be visible. */
static int list_before(struct api_request *request, struct store_list *list)
{
	struct store_scope scope = lookup_scope(&request->caller);
	char id[24];
	struct err err = { 0 };
	int rc = query_text(request, "before", id, sizeof(id));

	if (rc == 0)
		return 0;
	if (rc < 0 || !validate_lease_id(id) ||
	    store_lease_visible(request->api->parts.reader, id, &scope, &request->api->lease, &err))
		return api_error_set(&request->error, 400, "invalid_query",
				     "before must be the id of a visible lease");
	list->before_n = request->api->lease.n;
	return 0;
}

void leases_list(struct api_request *request)
{
	struct store_list list = { .scope = lookup_scope(&request->caller) };
	struct lease_list_texts texts = { .scan = 0 };
	struct lease_listing listing = { .api = request->api, .owner = "" };
	struct err err;

	if (list_read(request, &list, &texts) || list_before(request, &list)) {
		reply_request_error(request);
		return;
	}
	listing.limit = list.limit;
	listing.now_ms = lookup_now_ms(request);
	listing.is_whole = list.attention || list.cleanup == CLEANUP_RETAINED ||
			   list.cleanup == CLEANUP_ATTENTION;
	/* No index covers an owner in any organisation: at most SCAN_MAX rows are read. */
	if (texts.scan) {
		list.limit = SCAN_MAX;
		listing.owner = texts.owner;
	}
	listing.w = reply_begin(request);
	jsonw_object(&listing.w, NULL);
	jsonw_array(&listing.w, "leases");
	if (store_lease_each(request->api->parts.reader, &list, listing_add, &listing, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&listing.w);
	if (listing.count == listing.limit || listing.seen == list.limit)
		jsonw_text(&listing.w, "nextBefore", listing.last);
	jsonw_end_object(&listing.w);
	reply_json(request, 200);
}

/* ---- events and residue ----------------------------------------------------- */

static int event_add_json(void *arg, const struct store_event *event)
{
	struct lease_listing *listing = arg;
	char clean[256];

	api_error_scrub(event->text, clean, sizeof(clean));
	jsonw_object(&listing->w, NULL);
	jsonw_int(&listing->w, "seq", event->n);
	jsonw_time(&listing->w, "at", event->at_ms);
	jsonw_text(&listing->w, "type", event->kind);
	jsonw_text(&listing->w, "message", clean);
	jsonw_end_object(&listing->w);
	return listing->w.out->overflow;
}

void leases_events(struct api_request *request)
{
	struct lease_listing listing = { .count = 0 };
	int64_t after = 0;
	int64_t limit = LIST_DEFAULT;
	struct err err;

	if (query_int(request, "after", 0, INT64_MAX, &after) < 0 ||
	    query_int(request, "limit", 1, LIST_MAX, &limit) < 0) {
		reply_request_error(request);
		return;
	}
	if (lookup_lease(request))
		return;
	listing.w = reply_begin(request);
	jsonw_object(&listing.w, NULL);
	jsonw_text(&listing.w, "leaseID", request->api->lease.id);
	jsonw_array(&listing.w, "events");
	if (store_event_each(request->api->parts.reader, request->api->lease.n, after, (int)limit,
			     event_add_json, &listing, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&listing.w);
	jsonw_end_object(&listing.w);
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
