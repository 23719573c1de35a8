/* SPDX-License-Identifier: MIT */
/* Reading run history: lists, one run, its log, its events. */
#include "api/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/lookup.h"
#include "api/run_render.h"
#include "util/alloc.h"

#define LIST_PRESET 50
#define LIST_MAX 500
#define EVENTS_MAX 500		/* the client pages by this number, and takes less for the end */
/* A list stops growing here; short of API_ANSWER_MAX by more than one run may have. */
#define LIST_BYTES_MAX (6u << 20)

/* ---- one run ------------------------------------------------------------------------- */

void runs_get(struct call *call)
{
	struct run_row run;
	struct jsonw w;

	if (lookup_run(call, &run))
		return;
	w = call_begin(call);
	jsonw_object(&w, NULL);
	run_render(call, &w, &run);
	jsonw_end_object(&w);
	call_answer(call, 200);
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

void runs_receipt(struct call *call)
{
	struct run_row run;
	struct err err = { 0 };
	struct jsonw w;
	struct receipt receipt = { .w = &w };

	if (lookup_run(call, &run))
		return;
	w = call_begin(call);
	jsonw_object(&w, NULL);
	if (store_run_receipt(call->api->parts.runs_reader, run.n, receipt_render, &receipt, &err)) {
		call_broken(call, &err);
		return;
	}
	jsonw_end_object(&w);
	if (receipt.count)
		call_answer(call, 200);
	else
		call_not_found(call);
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

void runs_events(struct call *call)
{
	struct events events;
	struct run_row run;
	int64_t after = 0;
	int64_t limit = EVENTS_MAX;
	struct err err = { 0 };

	if (call_query_int(call, "after", 0, INT64_MAX, &after) < 0 ||
	    call_query_int(call, "limit", 1, EVENTS_MAX, &limit) < 0) {
		call_fault(call);
		return;
	}
	if (lookup_run(call, &run))
		return;
	events.run_id = run.id;
	events.w = call_begin(call);
	jsonw_object(&events.w, NULL);
	jsonw_array(&events.w, "events");
	if (store_run_event_each(call->api->parts.runs_reader, run.n, after, (int)limit, event_add,
				 &events, &err)) {
		call_broken(call, &err);
		return;
	}
	jsonw_end_array(&events.w);
	jsonw_end_object(&events.w);
	call_answer(call, 200);
}

/* ---- lists ------------------------------------------------------------------------------ */

struct listing {
	struct jsonw w;
	const char *owner;	/* "": any; only for an admin who names no organisation */
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

static int list_read(struct call *call, struct store_run_list *list, struct list_texts *texts)
{
	char state[16];
	int64_t limit = LIST_PRESET;
	int rc = call_query(call, "state", state, sizeof(state));

	list->state = rc > 0 ? run_state_parse(state) : -1;
	if (rc < 0 || (rc > 0 && list->state < 0))
		return fault_set(&call->fault, 400, "invalid_query",
				 "state must be running, succeeded or failed");
	if (call_query_int(call, "limit", 1, LIST_MAX, &limit) < 0)
		return -1;
	list->limit = (int)limit;
	rc = call_query(call, "leaseID", texts->lease_id, sizeof(texts->lease_id));
	if (rc < 0 || call_query(call, "owner", texts->owner, sizeof(texts->owner)) < 0 ||
	    call_query(call, "org", texts->org, sizeof(texts->org)) < 0)
		return -1;
	list->lease_id = rc > 0 ? texts->lease_id : NULL;
	return 0;
}

void runs_list(struct call *call)
{
	struct store_run_list list = { .scope = lookup_scope(&call->caller) };
	struct list_texts texts = { .owner = "" };
	struct listing listing = { .owner = "" };
	struct err err = { 0 };

	if (list_read(call, &list, &texts)) {
		call_fault(call);
		return;
	}
	if (lookup_require_runs(call))
		return;
	listing.limit = list.limit;
	/* Whose runs an admin wants to see; of others the token decides. */
	if (list.scope.all && texts.org[0]) {
		list.scope = (struct store_scope){ .owner = texts.owner, .org = texts.org };
	} else if (list.scope.all && texts.owner[0]) {
		/* On no index: a bounded number of rows is looked at. */
		listing.owner = texts.owner;
		list.limit = 1000;
	}
	listing.w = call_begin(call);
	jsonw_object(&listing.w, NULL);
	jsonw_array(&listing.w, "runs");
	if (store_run_each(call->api->parts.runs_reader, &list, list_add, &listing, &err)) {
		call_broken(call, &err);
		return;
	}
	jsonw_end_array(&listing.w);
	jsonw_end_object(&listing.w);
	call_answer(call, 200);
}

/* ---- the log ---------------------------------------------------------------------------- */

/* A log on its way to a client that takes it as fast as it can. */
struct log_job {
	struct call call;
	struct log_job *next;
	int64_t n;		/* the run's row */
	int64_t part;		/* the next one */
	int said;		/* by http_stream_chunk, of the last one */
};

static void job_end(struct log_job *job)
{
	struct log_job **at = &job->call.api->log_jobs;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	http_exchange_on_gone(job->call.ex, NULL, NULL);
	http_stream_end(job->call.ex);
	free(job);
}

static int log_send(void *arg, const char *text, size_t len)
{
	struct log_job *job = arg;

	job->part++;
	job->said = http_stream_chunk(job->call.ex, text, len);
	return 1;
}

/* Until the client has enough for now, or there is no more. */
static void log_go_on(struct http_exchange *ex, void *arg)
{
	struct log_job *job = arg;
	int rc;

	(void)ex;
	do {
		job->said = 0;
		rc = store_run_log_get(job->call.api->parts.runs_reader, job->n, job->part, log_send,
				       job, NULL);
	} while (rc == 0 && job->said == 0);
	if (rc || job->said < 0)
		job_end(job);
}

static void log_gone(struct http_exchange *ex, void *arg)
{
	(void)ex;
	job_end(arg);
}

void runs_logs(struct call *call)
{
	static const char type[] = "text/plain; charset=utf-8";
	struct log_job *job;
	struct run_row run;

	if (lookup_run(call, &run))
		return;
	/* Parts that are there before the end are no log yet. */
	if (!run.finished || !run.log_bytes) {
		call_answer_text(call, 200, type, "", 0);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->call = *call;
	memset(&job->call.input, 0, sizeof(job->call.input));
	job->n = run.n;
	job->next = call->api->log_jobs;
	call->api->log_jobs = job;
	http_exchange_on_gone(call->ex, log_gone, job);
	call_stream(&job->call, type, log_go_on, job);
	log_go_on(call->ex, job);
}

void runs_logs_stop(struct api *api)
{
	while (api->log_jobs)
		job_end(api->log_jobs);
}
