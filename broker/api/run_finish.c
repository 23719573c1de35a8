/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/runs/{run}/finish: the result of a run, with its log (contract 2.10). The body is
 * read as it arrives (runlog.h), and only if the token is valid. Then the log is sent to run
 * history in parts, each a small transaction among all others, and finally the rest, which
 * turns the parts into the log of the run.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/reply.h"
#include "api/run_render.h"
#include "api/run_response.h"
#include "api/runlog.h"
#include "api/telemetry.h"
#include "api/test_report.h"
#include "util/alloc.h"
#include "util/text.h"

#define FINISH_MAX (64u << 20)		/* bytes of a body */
#define FINISH_MS 60000			/* the client's timeout */
#define REST_MAX (2u << 20)		/* bytes of it besides the log */
#define SINKS_MAX 32			/* bodies being read; each may hold two logs */
#define SINKS_PER_OWNER 8

struct finish_sink {
	struct http_sink sink;
	LIST_ENTRY(finish_sink) entry;
	struct caller caller;
	struct runlog *log;
};

/* Open sinks. A sink may outlive the api: connections are closed after it. */
static LIST_HEAD(, finish_sink) sinks = LIST_HEAD_INITIALIZER(sinks);

static void sink_add(struct http_sink *sink, const char *data, size_t len)
{
	runlog_feed(((struct finish_sink *)(void *)sink)->log, data, len);
}

static void sink_drop(struct http_sink *sink)
{
	struct finish_sink *finish = (struct finish_sink *)(void *)sink;

	LIST_REMOVE(finish, entry);
	runlog_free(finish->log);
	free(finish);
}

/* Takes the log out of the sink and frees the sink. NULL: there was no body. */
static struct runlog *sink_take(struct http_exchange *ex)
{
	struct finish_sink *finish = (struct finish_sink *)(void *)http_exchange_sink(ex);
	struct runlog *log = finish ? finish->log : NULL;

	if (finish) {
		LIST_REMOVE(finish, entry);
		free(finish);
	}
	return log;
}

static void head_refuse(struct http_body_rule *rule, int status, const char *code,
			const char *message, uint32_t retry_s)
{
	rule->status = status;
	rule->code = code;
	rule->message = message;
	rule->retry_s = retry_s;
}

/* May the caller report the end of this run? 0, or the answer is in the rule. */
static int head_check_run(struct api *api, const struct caller *caller, const char *id,
			  struct http_body_rule *rule)
{
	struct store_scope scope = lookup_scope(caller);
	struct run_row run;
	int rc = 1;

	if (!lookup_has_runs(api)) {
		head_refuse(rule, 503, "store_unavailable", LOOKUP_NO_RUNS, 60);
		return -1;
	}
	if (lookup_is_run_id(id))
		rc = store_run_find(api->parts.runs_reader, id, &scope, RUN_WRITE, &run, NULL);
	if (rc > 0)
		head_refuse(rule, 404, "not_found", "Not found.", 0);
	else if (rc < 0)
		head_refuse(rule, 503, "store_unavailable", LOOKUP_NO_RUNS, 2);
	return rc ? -1 : 0;
}

/* Room for one more body: a client that sends none of it delays only its own owner. */
static int head_check_count(const struct caller *caller, struct http_body_rule *rule)
{
	const struct finish_sink *finish;
	size_t all = 0;
	size_t own = 0;

	LIST_FOREACH(finish, &sinks, entry) {
		all++;
		own += !strcmp(finish->caller.owner, caller->owner) &&
		       !strcmp(finish->caller.org, caller->org);
	}
	if (all < SINKS_MAX && own < SINKS_PER_OWNER)
		return 0;
	head_refuse(rule, 503, "busy", "Too many runs are being finished; try again.", 2);
	return -1;
}

void run_finish_head(struct api *api, const struct caller *caller, const char *id,
		     struct http_body_rule *rule)
{
	struct finish_sink *finish;

	/* A body that could not be stored is refused before it is sent. */
	if (head_check_run(api, caller, id, rule) || head_check_count(caller, rule))
		return;
	finish = xcalloc(1, sizeof(*finish));
	finish->sink.add = sink_add;
	finish->sink.drop = sink_drop;
	finish->log = runlog_new(api->config.run_log_max, REST_MAX);
	finish->caller = *caller;
	LIST_INSERT_HEAD(&sinks, finish, entry);
	rule->sink = &finish->sink;
	rule->max = FINISH_MAX;
	rule->deadline_ms = FINISH_MS;
}

/* ---- the body --------------------------------------------------------------------- */

struct finish_job {
	struct api_request request;
	LIST_ENTRY(finish_job) entry;
	struct runlog *log;
	char run_id[RUN_ID_SIZE];
	struct run_row told;
	int64_t sample_ms;
	char sample[TELEMETRY_ROOM];
	char *results;
	char *receipt;
	int64_t parts;
};

static void finish_job_free(struct finish_job *job)
{
	LIST_REMOVE(job, entry);
	runlog_free(job->log);
	free(job->results);
	free(job->receipt);
	free(job);
}

struct run_finish_body {
	struct run_row told;
	json_t *log, *log_chunks; /* with empty strings: runlog has taken the texts */
	json_t *results, *telemetry, *receipt;
};

/* clang-format off */
static const struct body_field run_finish_fields[] = {
	{ .name = "exitCode", .type = FIELD_INT, .flags = FIELD_REQUIRED,
	  FIELD_TO(run_finish_body, told.exit_code), .expected = "the exit status of the command" },
	{ .name = "syncMs", .type = FIELD_INT, FIELD_TO(run_finish_body, told.sync_ms) },
	{ .name = "commandMs", .type = FIELD_INT, FIELD_TO(run_finish_body, told.command_ms) },
	{ .name = "log", .type = FIELD_STRING, FIELD_TO(run_finish_body, log) },
	{ .name = "logChunks", .type = FIELD_STRINGS, .flags = FIELD_NULL,
	  FIELD_TO(run_finish_body, log_chunks) },
	{ .name = "logTruncated", .type = FIELD_BOOL,
	  FIELD_TO(run_finish_body, told.log_truncated) },
	{ .name = "blockedStage", .type = FIELD_CUT,
	  FIELD_AT(run_finish_body, told.blocked_stage) },
	{ .name = "retryLikely", .type = FIELD_CUT,
	  FIELD_AT(run_finish_body, told.retry_likely) },
	{ .name = "results", .type = FIELD_OBJECT, .flags = FIELD_NULL,
	  FIELD_TO(run_finish_body, results) },
	{ .name = "telemetry", .type = FIELD_OBJECT, FIELD_TO(run_finish_body, telemetry) },
	{ .name = "receipt", .type = FIELD_OBJECT, .flags = FIELD_TYPE_CODE | FIELD_NULL,
	  FIELD_TO(run_finish_body, receipt),
	  .expected = "an object with members, of at most 16384 bytes", .code = "invalid_receipt" },
};
/* clang-format on */

const struct body_table body_run_finish = BODY_TABLE("RunFinish", NULL, run_finish_fields);

/* The last sample, alone or as "end". An invalid one is ignored: the run matters more. */
static void read_sample(struct api_request *request, json_t *telemetry, struct finish_job *job)
{
	json_t *end = json_object_get(telemetry, "end");
	struct api_error ignored;
	struct json_body quiet = { .error = &ignored };

	if (json_is_object(end))
		telemetry = end;
	if (telemetry)
		telemetry_read(&quiet, telemetry, lookup_now_ms(request), &job->sample_ms,
			       job->sample, sizeof(job->sample));
}

/*
 * What the client has signed: the broker keeps it as it is and does not interpret it. The
 * client reads it back, and fails if it is not the same.
 */
static int read_receipt(struct json_body *in, const json_t *receipt, char **ret)
{
	if (!receipt)
		return 0;
	*ret = json_object_size(receipt) ? json_dumps(receipt, JSON_COMPACT) : NULL;
	if (*ret && strlen(*ret) <= RUN_TEXT_MAX)
		return 0;
	return json_body_fail(in, 400, "invalid_receipt",
			      "receipt must be an object with members, of at most %d bytes",
			      RUN_TEXT_MAX);
}

static int read_finish(struct api_request *request, struct finish_job *job)
{
	struct json_body *in = &request->body;
	struct run_finish_body body = { .results = NULL };

	if (json_body_read(in, in->root, &body_run_finish, &body) ||
	    read_receipt(in, body.receipt, &job->receipt))
		return -1;
	job->told = body.told;
	read_sample(request, body.telemetry, job);
	job->results = test_report_read(body.results);
	job->told.log_bytes = (int64_t)runlog_size(job->log);
	job->told.log_truncated |= runlog_is_cut(job->log);
	return 0;
}

/* ---- sending it, part by part ------------------------------------------------------------------------ */

static void finish_job_continue(struct finish_job *job);

static void finish_job_answer(struct api_request *request, struct run_request *run_request)
{
	struct finish_job *job = run_request->user;
	struct jsonw w;

	/* To finish a run again changes nothing and answers with what is stored. */
	if (run_response_check(request, run_request)) {
		finish_job_free(job);
	} else if (run_request->result == RUN_RESULT_OK && run_request->op == RUN_LOG) {
		finish_job_continue(job);
	} else {
		control_run_changed(request->api, job->run_id);
		w = reply_begin(request);
		jsonw_object(&w, NULL);
		run_render(request, &w, &run_request->run);
		jsonw_end_object(&w);
		reply_json(request, 200);
		finish_job_free(job);
	}
}

static void finish_job_set_end(const struct finish_job *job, struct run_request *run_request)
{
	run_request->op = RUN_FINISH;
	run_request->part = job->parts;
	run_request->told = job->told;
	run_request->text = job->results;
	run_request->receipt = job->receipt;
	run_request->sample_ms = job->sample_ms;
	TEXT_SET(run_request->sample, job->sample);
}

static void finish_job_continue(struct finish_job *job)
{
	struct run_request *run_request = run_request_begin(&job->request, RUN_LOG);
	const char *piece;

	if (!run_request) {
		finish_job_free(job);
		return;
	}
	TEXT_SET(run_request->id, job->run_id);
	run_request->user = job;
	if (runlog_next(job->log, &piece, &run_request->len)) {
		run_request->data = piece;
		run_request->part = job->parts++;
	} else {
		finish_job_set_end(job, run_request);
	}
	run_queue_submit(job->request.api->run_queue, run_request, finish_job_answer);
}

static int is_being_finished(const struct api *api, const char *id)
{
	const struct finish_job *job;

	for (job = LIST_FIRST(&api->finish_jobs); job; job = LIST_NEXT(job, entry)) {
		if (!strcmp(job->run_id, id))
			return 1;
	}
	return 0;
}

/* Parses the rest of the body, without the log. 0; -1: request->error is set. */
static int open_rest(struct api_request *request, struct runlog *log)
{
	static const struct json_body_bounds bounds = { 65536, REST_MAX, 1 };
	const char *wrong = log ? runlog_end(log) : "the body is not one well-formed JSON object";
	const char *rest;
	size_t len;

	if (wrong)
		return log && runlog_is_too_large(log) ?
			       api_error_set(&request->error, 413, "request_too_large", "%s",
					     wrong) :
			       api_error_set(&request->error, 400, "invalid_json", "%s", wrong);
	rest = runlog_rest(log, &len);
	return json_body_open_wide(&request->body, rest, len, &bounds, &request->error);
}

void run_finish_post(struct api_request *request)
{
	struct runlog *log = sink_take(request->ex);
	struct finish_job *job;

	if (!lookup_is_run_id(request->param)) {
		reply_not_found(request);
		runlog_free(log);
		return;
	}
	if (open_rest(request, log)) {
		reply_request_error(request);
		runlog_free(log);
		return;
	}
	if (is_being_finished(request->api, request->param)) {
		reply_error(request, 409, "run_is_being_finished",
			    "Another request is finishing this run.");
		runlog_free(log);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	LIST_INSERT_HEAD(&request->api->finish_jobs, job, entry);
	job->log = log;
	TEXT_SET(job->run_id, request->param);
	job->request = *request;
	memset(&job->request.body, 0, sizeof(job->request.body));
	if (read_finish(request, job)) {
		reply_request_error(request);
		finish_job_free(job);
		return;
	}
	finish_job_continue(job);
}
