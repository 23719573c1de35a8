/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/runs/{run}/finish: how a run ended, with its log (contract 2.10). The body is
 * read as it comes (runlog.h) and only from who has a token; then the log goes to run
 * history part by part, each a small transaction among all the others, and at last the
 * rest, which makes the parts the run's log.
 */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/result.h"
#include "api/runlog.h"
#include "api/runs.h"
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
		rule->message = RUNS_UNAVAILABLE;
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

/* The last sample; what is not well formed is not worth the run. */
static void read_sample(struct call *call, struct input *in, struct finish_job *job)
{
	const json_t *telemetry = json_object_get(in->root, "telemetry");
	const json_t *end = json_object_get(telemetry, "end");
	struct fault ignored;
	struct input quiet = { .fault = &ignored };

	if (json_is_object(end))
		telemetry = end;
	if (json_is_object(telemetry))
		telemetry_read(&quiet, telemetry, call_now(call), &job->sample_ms, job->sample,
			       sizeof(job->sample));
}

static void read_short(struct input *in, const char *key, char *out, size_t room)
{
	const json_t *value = json_object_get(in->root, key);
	const char *text = json_string_value(value);
	size_t len = text ? runs_cut(text, strlen(text), room - 1) : 0;

	if (len)
		memcpy(out, text, len);
	out[len] = '\0';
}

/*
 * Signed by the client, for whoever has its public key: it is kept as it is, and what it
 * says is none of our business. The client reads it back, and fails if it is not the same.
 */
static char *read_receipt(struct input *in)
{
	const json_t *receipt = json_object_get(in->root, "receipt");
	char *text;

	if (!receipt || json_is_null(receipt))
		return NULL;
	text = json_object_size(receipt) ? json_dumps(receipt, JSON_COMPACT) : NULL;
	if (!text || strlen(text) > RUN_TEXT_MAX)
		input_fail(in, 400, "invalid_receipt",
			   "receipt must be an object with fields, of at most %d bytes",
			   RUN_TEXT_MAX);
	return text;
}

static int read_finish(struct call *call, struct finish_job *job)
{
	struct input *in = &call->input;
	struct run_row *told = &job->told;

	if (!input_int(in, "exitCode", &told->exit_code))
		input_fail(in, 400, "invalid_field", "exitCode must be how the command ended");
	input_int(in, "syncMs", &told->sync_ms);
	input_int(in, "commandMs", &told->command_ms);
	input_bool(in, "logTruncated", &told->log_truncated);
	read_short(in, "blockedStage", told->blocked_stage, sizeof(told->blocked_stage));
	read_short(in, "retryLikely", told->retry_likely, sizeof(told->retry_likely));
	read_sample(call, in, job);
	job->results = results_read(json_object_get(in->root, "results"));
	job->receipt = read_receipt(in);
	told->log_bytes = (int64_t)runlog_size(job->log);
	told->log_truncated |= runlog_is_cut(job->log);
	return in->failed ? -1 : 0;
}

/* ---- part by part ------------------------------------------------------------------------ */

static void job_go_on(struct finish_job *job);

static void job_finish(struct call *call, struct run_request *request)
{
	struct finish_job *job = request->user;
	struct jsonw w;

	/* A second end of a run changes nothing, and is told what is there. */
	if (run_result_check(call, request)) {
		job_free(job);
	} else if (request->result == RUN_RESULT_OK && request->op == RUN_LOG) {
		job_go_on(job);
	} else {
		control_run_changed(call->api, job->run_id);
		w = call_begin(call);
		jsonw_object(&w, NULL);
		runs_render(call, &w, &request->run);
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
	struct run_request *request = call_run_request(&job->call, RUN_LOG);
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

	if (!runs_is_id(call->param)) {
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
