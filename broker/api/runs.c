/* SPDX-License-Identifier: MIT */
/* Reading run history: lists, one run, its log, its events. */
#include "api/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/grammar.h"
#include "util/alloc.h"

#define LIST_PRESET 50
#define LIST_MAX 500
#define EVENTS_MAX 500		/* the client pages by this number, and takes less for the end */
/* A list stops growing here; short of API_ANSWER_MAX by more than one run may have. */
#define LIST_BYTES_MAX (6u << 20)

int runs_is_id(const char *text)
{
	size_t len = strnlen(text, RUN_ID_SIZE);

	return (len == 16 || len == 36) && !memcmp(text, "run_", 4) &&
	       strspn(text + 4, "0123456789abcdef") == len - 4;
}

size_t runs_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	len = max;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* ---- as JSON ------------------------------------------------------------------------- */

static void render_head(struct jsonw *w, const struct run_row *r, const char *command)
{
	jsonw_text(w, "id", r->id);
	jsonw_text(w, "leaseID", r->lease_id);
	jsonw_text(w, "owner", r->owner);
	jsonw_text(w, "org", r->org);
	jsonw_text(w, "provider", r->account);
	jsonw_text(w, "class", r->class_name);
	jsonw_text(w, "serverType", r->server_type);
	jsonw_text(w, "state", run_state_name(r->state));
	jsonw_text_if(w, "slug", r->slug);
	jsonw_text_if(w, "target", r->target);
	jsonw_text_if(w, "windowsMode", r->windows_mode);
	jsonw_text_if(w, "label", r->label);
	jsonw_text_if(w, "phase", r->phase);
	jsonw_text_if(w, "blockedStage", r->blocked_stage);
	jsonw_text_if(w, "retryLikely", r->retry_likely);
	jsonw_raw(w, "command", command);
	jsonw_time(w, "startedAt", r->started_ms);
	jsonw_time(w, "lastEventAt", r->event_ms);
	jsonw_time(w, "endedAt", r->ended_ms);
	if (r->has_exit_code)
		jsonw_int(w, "exitCode", r->exit_code);
	else
		jsonw_null(w, "exitCode");
	jsonw_int(w, "syncMs", r->sync_ms);
	jsonw_int(w, "commandMs", r->command_ms);
	jsonw_int(w, "durationMs", r->ended_ms > r->started_ms ? r->ended_ms - r->started_ms : 0);
	jsonw_int(w, "logBytes", r->log_bytes);
	jsonw_bool(w, "logTruncated", r->log_truncated);
	jsonw_int(w, "eventCount", r->event_count);
}

struct part {
	struct jsonw *w;
	const char *name;	/* render_raw: of the member */
	struct buf *samples;	/* an array, not closed yet */
	size_t last;		/* where its last element begins */
	size_t first_len;	/* of its first one */
	int count;
};

static int render_lease_id(void *arg, const char *text, size_t len)
{
	struct part *part = arg;
	char id[24];

	if (len < sizeof(id)) {
		memcpy(id, text, len);
		id[len] = '\0';
		jsonw_text(part->w, NULL, id);
	}
	return 0;
}

static int render_raw(void *arg, const char *text, size_t len)
{
	struct part *part = arg;

	(void)len;
	jsonw_raw(part->w, part->name, text);
	part->count++;
	return 0;
}

static int sample_add(void *arg, const char *text, size_t len)
{
	struct part *part = arg;

	buf_addc(part->samples, part->count ? ',' : '[');
	part->last = part->samples->len;
	buf_add(part->samples, text, len);
	if (!part->count++)
		part->first_len = len;
	return 0;
}

/* The first and the last of what was seen, and all of it. */
static void render_telemetry(struct call *call, struct jsonw *w, const struct run_row *r)
{
	struct buf auto_buf samples;
	char first[TELEMETRY_ROOM];
	struct part part = { .samples = &samples };

	buf_init(&samples, STORE_SAMPLES_MAX * (TELEMETRY_ROOM + 1) + 2);
	if (store_run_sample_each(call->api->parts.runs_reader, r->n, sample_add, &part, NULL) ||
	    !part.count || part.first_len >= sizeof(first))
		return;
	memcpy(first, samples.data + 1, part.first_len);
	first[part.first_len] = '\0';
	jsonw_object(w, "telemetry");
	jsonw_raw(w, "start", first);
	jsonw_raw(w, "end", buf_str(&samples) + part.last);
	buf_addc(&samples, ']');
	jsonw_raw(w, "samples", buf_str(&samples));
	jsonw_end_object(w);
}

static int take_command(void *arg, const char *text, size_t len)
{
	*(char **)arg = xstrndup(text, len);
	return 1;
}

void runs_render(struct call *call, struct jsonw *w, const struct run_row *run)
{
	struct store *reader = call->api->parts.runs_reader;
	struct part part = { .w = w, .name = "results" };
	char *command = NULL;

	store_run_command(reader, run->n, take_command, &command, NULL);
	jsonw_object(w, "run");
	render_head(w, run, command ? command : "null");
	free(command);
	jsonw_array(w, "leaseIDs");
	store_run_lease_each(reader, run->n, render_lease_id, &part, NULL);
	jsonw_end_array(w);
	if (run->finished)
		store_run_results(reader, run->n, render_raw, &part, NULL);
	if (!part.count)
		jsonw_null(w, "results");
	render_telemetry(call, w, run);
	jsonw_end_object(w);
}

void runs_render_event(struct jsonw *w, const char *run_id, int64_t seq, int64_t at_ms,
		       const char *fields)
{
	size_t len = strlen(fields);

	jsonw_object(w, NULL);
	jsonw_text(w, "runID", run_id);
	jsonw_int(w, "seq", seq);
	jsonw_time(w, "createdAt", at_ms);
	/* The object of the fields, without its braces. */
	if (len > 2) {
		buf_addc(w->out, ',');
		buf_add(w->out, fields + 1, len - 2);
	}
	jsonw_end_object(w);
}

/* ---- one run ------------------------------------------------------------------------- */

int runs_are_readable(const struct api *api)
{
	return api->parts.runs_reader && runs_is_usable(api->parts.runs);
}

static int refuse_unreadable(struct call *call)
{
	if (runs_are_readable(call->api))
		return 0;
	http_reply_header(call->ex, "Retry-After", "60");
	call_error(call, 503, "store_unavailable", RUNS_UNAVAILABLE);
	return -1;
}

/* The run of the path, if the caller may see it: 0, or -1: answered. */
static int find(struct call *call, struct run_row *run)
{
	struct store_scope scope = call_scope(call);
	struct err err = { 0 };
	int rc;

	if (refuse_unreadable(call))
		return -1;
	rc = runs_is_id(call->param) ?
		 store_run_find(call->api->parts.runs_reader, call->param, &scope, RUN_READ, run, &err) :
		 1;

	if (rc > 0)
		call_not_found(call);
	else if (rc < 0)
		call_broken(call, &err);
	return rc ? -1 : 0;
}

void runs_get(struct call *call)
{
	struct run_row run;
	struct jsonw w;

	if (find(call, &run))
		return;
	w = call_begin(call);
	jsonw_object(&w, NULL);
	runs_render(call, &w, &run);
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void runs_receipt(struct call *call)
{
	struct run_row run;
	struct err err = { 0 };
	struct jsonw w;
	struct part part = { .w = &w, .name = "receipt" };

	if (find(call, &run))
		return;
	w = call_begin(call);
	jsonw_object(&w, NULL);
	if (store_run_receipt(call->api->parts.runs_reader, run.n, render_raw, &part, &err)) {
		call_broken(call, &err);
		return;
	}
	jsonw_end_object(&w);
	if (part.count)
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

	runs_render_event(&events->w, events->run_id, seq, at_ms, fields);
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
	if (find(call, &run))
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
	render_head(&listing->w, run, command);
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
	struct store_run_list list = { .scope = call_scope(call) };
	struct list_texts texts = { .owner = "" };
	struct listing listing = { .owner = "" };
	struct err err = { 0 };

	if (list_read(call, &list, &texts)) {
		call_fault(call);
		return;
	}
	if (refuse_unreadable(call))
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

	if (find(call, &run))
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
