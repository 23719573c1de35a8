/* SPDX-License-Identifier: MIT */
/* Reading run history: lists, one run, its log, its events. */

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/run_render.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util/alloc.h"

#define LIST_DEFAULT 50
#define LIST_MAX 500
#define EVENTS_MAX 500 /* the client pages by this number, and treats a shorter page as the last */
/* A list ends here: what is left of REPLY_MAX holds any one run. */
#define LIST_BYTES_MAX (6u << 20)

/* ---- one run ------------------------------------------------------------------------- */

void runs_get(struct api_request *request)
{
	struct run_row run;
	struct jsonw w;

	if (lookup_run(request, &run))
		return;
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	run_render(request, &w, &run);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

struct receipt {
	struct jsonw *w;
	int count;
};

static int receipt_render(void *arg, const char *text, size_t len)
{
	struct receipt *receipt = arg;

	(void)len;
	jsonw_raw(receipt->w, "receipt", text);
	receipt->count++;
	return 0;
}

void runs_receipt(struct api_request *request)
{
	struct run_row run;
	struct err err = { 0 };
	struct jsonw w;
	struct receipt receipt = { .w = &w };

	if (lookup_run(request, &run))
		return;
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	if (store_run_receipt(request->api->parts.runs_reader, run.n, receipt_render, &receipt,
			      &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_object(&w);
	if (receipt.count)
		reply_json(request, 200);
	else
		reply_not_found(request);
}

struct events {
	struct jsonw w;
	const char *run_id;
};

static int event_add(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	struct events *events = arg;

	run_render_event(&events->w, events->run_id, seq, at_ms, fields);
	return events->w.out->overflow;
}

void runs_events(struct api_request *request)
{
	struct events events;
	struct run_row run;
	int64_t after = 0;
	int64_t limit = EVENTS_MAX;
	struct err err = { 0 };

	if (query_int(request, "after", 0, INT64_MAX, &after) < 0 ||
	    query_int(request, "limit", 1, EVENTS_MAX, &limit) < 0) {
		reply_request_error(request);
		return;
	}
	if (lookup_run(request, &run))
		return;
	events.run_id = run.id;
	events.w = reply_begin(request);
	jsonw_object(&events.w, NULL);
	jsonw_array(&events.w, "events");
	if (store_run_event_each(request->api->parts.runs_reader, run.n, after, (int)limit,
				 event_add, &events, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&events.w);
	jsonw_end_object(&events.w);
	reply_json(request, 200);
}

/* ---- lists ------------------------------------------------------------------------------ */

struct listing {
	struct jsonw w;
	const char *owner; /* "": any; else set only for an admin who names no organisation */
	int limit;
	int count;
};

static int list_add(void *arg, const struct run_row *run, const char *command)
{
	struct listing *listing = arg;

	if (listing->owner[0] && strcmp(listing->owner, run->owner))
		return 0;
	jsonw_object(&listing->w, NULL);
	run_render_row(&listing->w, run, command);
	jsonw_null(&listing->w, "results");
	jsonw_end_object(&listing->w);
	listing->count++;
	return listing->count >= listing->limit || listing->w.out->len > LIST_BYTES_MAX;
}

struct list_texts {
	char lease_id[24];
	char owner[128];
	char org[64];
};

static int list_read(struct api_request *request, struct store_run_list *list,
		     struct list_texts *texts)
{
	char state[16];
	int64_t limit = LIST_DEFAULT;
	int rc = query_text(request, "state", state, sizeof(state));

	list->state = rc > 0 ? run_state_parse(state) : -1;
	if (rc < 0 || (rc > 0 && list->state < 0))
		return api_error_set(&request->error, 400, "invalid_query",
				     "state must be running, succeeded or failed");
	if (query_int(request, "limit", 1, LIST_MAX, &limit) < 0)
		return -1;
	list->limit = (int)limit;
	rc = query_text(request, "leaseID", texts->lease_id, sizeof(texts->lease_id));
	if (rc < 0 || query_text(request, "owner", texts->owner, sizeof(texts->owner)) < 0 ||
	    query_text(request, "org", texts->org, sizeof(texts->org)) < 0)
		return -1;
	list->lease_id = rc > 0 ? texts->lease_id : NULL;
	return 0;
}

void runs_list(struct api_request *request)
{
	struct store_run_list list = { .scope = lookup_scope(&request->caller) };
	struct list_texts texts = { .owner = "" };
	struct listing listing = { .owner = "" };
	struct err err = { 0 };

	if (list_read(request, &list, &texts)) {
		reply_request_error(request);
		return;
	}
	if (lookup_require_runs(request))
		return;
	listing.limit = list.limit;
	/* An admin chooses whose runs to list; for others the token decides. */
	if (list.scope.all && texts.org[0]) {
		list.scope = (struct store_scope){ .owner = texts.owner, .org = texts.org };
	} else if (list.scope.all && texts.owner[0]) {
		/* No index covers this: a limited number of rows is read. */
		listing.owner = texts.owner;
		list.limit = 1000;
	}
	listing.w = reply_begin(request);
	jsonw_object(&listing.w, NULL);
	jsonw_array(&listing.w, "runs");
	if (store_run_each(request->api->parts.runs_reader, &list, list_add, &listing, &err)) {
		reply_store_error(request, &err);
		return;
	}
	jsonw_end_array(&listing.w);
	jsonw_end_object(&listing.w);
	reply_json(request, 200);
}

/* ---- the log ---------------------------------------------------------------------------- */

/* A log that is being sent, as fast as the client reads. */
struct log_job {
	struct api_request request;
	LIST_ENTRY(log_job) entry;
	int64_t n;		/* the run's row */
	int64_t part;		/* the next to send */
	int message_send;	/* what http_stream_chunk returned for the last part */
};

static void log_job_end(struct log_job *job)
{
	LIST_REMOVE(job, entry);
	http_exchange_on_gone(job->request.ex, NULL, NULL);
	http_stream_end(job->request.ex);
	free(job);
}

static int log_send(void *arg, const char *text, size_t len)
{
	struct log_job *job = arg;

	job->part++;
	job->message_send = http_stream_chunk(job->request.ex, text, len);
	return 1;
}

/* Sends parts until the connection is full or the log ends. */
static void log_go_on(struct http_exchange *ex, void *arg)
{
	struct log_job *job = arg;
	int rc;

	(void)ex;
	do {
		job->message_send = 0;
		rc = store_run_log_get(job->request.api->parts.runs_reader, job->n, job->part,
				       log_send, job, NULL);
	} while (rc == 0 && job->message_send == 0);
	if (rc || job->message_send < 0)
		log_job_end(job);
}

static void log_gone(struct http_exchange *ex, void *arg)
{
	(void)ex;
	log_job_end(arg);
}

void runs_logs(struct api_request *request)
{
	static const char type[] = "text/plain; charset=utf-8";
	struct log_job *job;
	struct run_row run;

	if (lookup_run(request, &run))
		return;
	/* Before the run is finished its parts are not a log. */
	if (!run.finished || !run.log_bytes) {
		reply_text(request, 200, type, "", 0);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->request = *request;
	memset(&job->request.body, 0, sizeof(job->request.body));
	job->n = run.n;
	LIST_INSERT_HEAD(&request->api->log_jobs, job, entry);
	http_exchange_on_gone(request->ex, log_gone, job);
	reply_stream(&job->request, type, log_go_on, job);
	log_go_on(request->ex, job);
}

void runs_logs_stop(struct api *api)
{
	while (!LIST_EMPTY(&api->log_jobs))
		log_job_end(LIST_FIRST(&api->log_jobs));
}
