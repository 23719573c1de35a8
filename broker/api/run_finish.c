/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/runs/{run}/finish: how a run ended, with its log (contract 2.10). The body is
 * read as it comes (runlog.h) and only from who has a token; then the log goes to run
 * history part by part, each a small transaction among all the others, and at last the
 * rest, which makes the parts the run's log.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/results.h"
#include "api/run_render.h"
#include "api/run_response.h"
#include "api/runlog.h"
#include "api/telemetry.h"
#include "util/alloc.h"
#include "util/text.h"

#define FINISH_MAX (64u << 20)		/* bytes of a body */
#define FINISH_MS 60000			/* the client's own patience */
#define REST_MAX (2u << 20)		/* of it beside the log */
#define SINKS_MAX 8			/* bodies on their way; each may hold two logs */

struct finish_sink {
	struct http_sink sink;
	struct runlog *log;
};

/* A sink may outlive the api: the connections are closed after it. */
static int sinks;

static void sink_add(struct http_sink *sink, const char *data, size_t len)
{
	runlog_feed(((struct finish_sink *)(void *)sink)->log, data, len);
}

static void sink_drop(struct http_sink *sink)
{
	struct finish_sink *finish = (struct finish_sink *)(void *)sink;

	sinks--;
	runlog_free(finish->log);
	free(finish);
}

/* The log of the body; the sink is gone. NULL: there was no body. */
static struct runlog *sink_take(struct http_exchange *ex)
{
	struct finish_sink *finish = (struct finish_sink *)(void *)http_exchange_sink(ex);
	struct runlog *log = finish ? finish->log : NULL;

	if (finish) {
		sinks--;
		free(finish);
	}
	return log;
}

void run_finish_head(struct api *api, const struct http_head *head, const struct route *route,
		     struct http_body_rule *rule)
{
	struct finish_sink *finish;
	struct caller caller;

	/* Who has no token gets the same answer as ever, after a body of the usual size. */
	if (!auth_peek(api->auth, http_head_known(head, HTTP_FIELD_AUTHORIZATION), &caller) ||
	    !(route->roles & ROLE(caller.role)))
		return;
	/* Nor is a body taken that nobody could keep. */
	if (!runs_is_usable(api->parts.runs)) {
		rule->status = 503;
		rule->code = "store_unavailable";
		rule->message = LOOKUP_NO_RUNS;
		return;
	}
	if (sinks >= SINKS_MAX) {
		rule->status = 503;
		rule->code = "busy";
		rule->message = "Too many runs are being finished.";
		return;
	}
	finish = xcalloc(1, sizeof(*finish));
	finish->sink.add = sink_add;
	finish->sink.drop = sink_drop;
	finish->log = runlog_new(api->config.run_log_max, REST_MAX);
	sinks++;
	rule->sink = &finish->sink;
	rule->max = FINISH_MAX;
	rule->deadline_ms = FINISH_MS;
}

/* ---- what it says --------------------------------------------------------------------- */

struct finish_job {
	struct call call;
	struct finish_job *next;
	struct runlog *log;
	char run_id[RUN_ID_SIZE];
	struct run_row told;
	int64_t sample_ms;
	char sample[TELEMETRY_ROOM];
	char *results;
	char *receipt;
	int64_t parts;
};

static void job_free(struct finish_job *job)
{
	struct finish_job **at = &job->call.api->finish_jobs;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	runlog_free(job->log);
	free(job->results);
	free(job->receipt);
	free(job);
}

struct run_finish_body {
	struct run_row told;
	json_t *results, *telemetry, *receipt;
};

/* clang-format off */
static const struct input_field run_finish_fields[] = {
	{ .name = "exitCode", .type = INPUT_INT, .flags = INPUT_REQUIRED,
	  INPUT_TO(run_finish_body, told.exit_code), .expected = "the exit status of the command" },
	{ .name = "syncMs", .type = INPUT_INT, INPUT_TO(run_finish_body, told.sync_ms) },
	{ .name = "commandMs", .type = INPUT_INT, INPUT_TO(run_finish_body, told.command_ms) },
	{ .name = "log", .type = INPUT_STRING, .flags = INPUT_ELSEWHERE,
	  .expected = "the log, where there are no chunks" },
	{ .name = "logChunks", .type = INPUT_STRINGS, .flags = INPUT_ELSEWHERE,
	  .expected = "the log, in pieces" },
	{ .name = "logTruncated", .type = INPUT_BOOL,
	  INPUT_TO(run_finish_body, told.log_truncated) },
	{ .name = "blockedStage", .type = INPUT_CUT, .flags = INPUT_LENIENT,
	  INPUT_AT(run_finish_body, told.blocked_stage) },
	{ .name = "retryLikely", .type = INPUT_CUT, .flags = INPUT_LENIENT,
	  INPUT_AT(run_finish_body, told.retry_likely) },
	{ .name = "results", .type = INPUT_OBJECT, .flags = INPUT_LENIENT,
	  INPUT_TO(run_finish_body, results) },
	{ .name = "telemetry", .type = INPUT_OBJECT, .flags = INPUT_LENIENT,
	  INPUT_TO(run_finish_body, telemetry) },
	{ .name = "receipt", .type = INPUT_OBJECT, .flags = INPUT_TYPE_CODE,
	  INPUT_TO(run_finish_body, receipt),
	  .expected = "an object with members, of at most 16384 bytes", .code = "invalid_receipt" },
};
/* clang-format on */

const struct input_table body_run_finish = INPUT_TABLE("RunFinish", NULL, run_finish_fields);

/* The last sample, alone or as "end". One that is not well formed is not worth the run. */
static void read_sample(struct call *call, const json_t *telemetry, struct finish_job *job)
{
	const json_t *end = json_object_get(telemetry, "end");
	struct fault ignored;
	struct input quiet = { .fault = &ignored };

	if (json_is_object(end))
		telemetry = end;
	if (telemetry)
		telemetry_read(&quiet, telemetry, call_now(call), &job->sample_ms, job->sample,
			       sizeof(job->sample));
}

/*
 * What the client has signed: the broker keeps it as it is and does not interpret it. The
 * client reads it back, and fails if it is not the same.
 */
static int read_receipt(struct input *in, const json_t *receipt, char **ret)
{
	if (!receipt)
		return 0;
	*ret = json_object_size(receipt) ? json_dumps(receipt, JSON_COMPACT) : NULL;
	if (*ret && strlen(*ret) <= RUN_TEXT_MAX)
		return 0;
	return input_fail(in, 400, "invalid_receipt",
			  "receipt must be an object with members, of at most %d bytes",
			  RUN_TEXT_MAX);
}

static int read_finish(struct call *call, struct finish_job *job)
{
	struct input *in = &call->input;
	struct run_finish_body body = { .results = NULL };

	if (input_read(in, in->root, &body_run_finish, &body) ||
	    read_receipt(in, body.receipt, &job->receipt))
		return -1;
	job->told = body.told;
	read_sample(call, body.telemetry, job);
	job->results = results_read(body.results);
	job->told.log_bytes = (int64_t)runlog_size(job->log);
	job->told.log_truncated |= runlog_is_cut(job->log);
	return 0;
}

/* ---- part by part ------------------------------------------------------------------------ */

static void job_go_on(struct finish_job *job);

static void job_finish(struct call *call, struct run_request *request)
{
	struct finish_job *job = request->user;
	struct jsonw w;

	/* A second end of a run changes nothing, and is told what is there. */
	if (run_response_check(call, request)) {
		job_free(job);
	} else if (request->result == RUN_RESULT_OK && request->op == RUN_LOG) {
		job_go_on(job);
	} else {
		control_run_changed(call->api, job->run_id);
		w = call_begin(call);
		jsonw_object(&w, NULL);
		run_render(call, &w, &request->run);
		jsonw_end_object(&w);
		call_answer(call, 200);
		job_free(job);
	}
}

static void ask_end(const struct finish_job *job, struct run_request *request)
{
	request->op = RUN_FINISH;
	request->part = job->parts;
	request->told = job->told;
	request->text = job->results;
	request->receipt = job->receipt;
	request->sample_ms = job->sample_ms;
	TEXT_SET(request->sample, job->sample);
}

static void job_go_on(struct finish_job *job)
{
	struct run_request *request = run_request_begin(&job->call, RUN_LOG);
	const char *piece;

	if (!request) {
		job_free(job);
		return;
	}
	TEXT_SET(request->id, job->run_id);
	request->user = job;
	if (runlog_next(job->log, &piece, &request->len)) {
		request->data = piece;
		request->part = job->parts++;
	} else {
		ask_end(job, request);
	}
	run_queue_submit(job->call.api->run_queue, request, job_finish);
}

static int is_being_finished(const struct api *api, const char *id)
{
	for (const struct finish_job *job = api->finish_jobs; job; job = job->next) {
		if (!strcmp(job->run_id, id))
			return 1;
	}
	return 0;
}

/* The rest of the body, once the log is out of it: 0, or -1 with call->fault. */
static int open_rest(struct call *call, struct runlog *log)
{
	static const struct input_bounds bounds = { 65536, REST_MAX, 1 };
	const char *wrong = log ? runlog_end(log) : "the body is not one well-formed JSON object";
	const char *rest;
	size_t len;

	if (wrong)
		return log && runlog_is_too_large(log) ?
		       fault_set(&call->fault, 413, "request_too_large", "%s", wrong) :
		       fault_set(&call->fault, 400, "invalid_json", "%s", wrong);
	rest = runlog_rest(log, &len);
	return input_open_wide(&call->input, rest, len, &bounds, &call->fault);
}

void run_finish_post(struct call *call)
{
	struct runlog *log = sink_take(call->ex);
	struct finish_job *job;

	if (!lookup_is_run_id(call->param)) {
		call_not_found(call);
		runlog_free(log);
		return;
	}
	if (open_rest(call, log)) {
		call_fault(call);
		runlog_free(log);
		return;
	}
	if (is_being_finished(call->api, call->param)) {
		call_error(call, 409, "run_is_being_finished", "Another request finishes this run.");
		runlog_free(log);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->log = log;
	TEXT_SET(job->run_id, call->param);
	job->call = *call;
	memset(&job->call.input, 0, sizeof(job->call.input));
	if (read_finish(call, job)) {
		call_fault(call);
		job_free(job);
		return;
	}
	job->next = call->api->finish_jobs;
	call->api->finish_jobs = job;
	job_go_on(job);
}
