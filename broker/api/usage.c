/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/usage: the leases created in a month, and what was billed in it, summed by owner,
 * organisation, account and type, or as CSV with one line per machine. Contract 6.3. A month may
 * have hundreds of thousands of leases, so they are read hour by hour, for a few milliseconds at
 * a time, with the other work of the loop in between. Sums are sent after the last hour, CSV as
 * it is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/usage_csv.h"
#include "api/usage_reader.h"
#include "api/usage_sum.h"
#include "util/alloc.h"

#define TURN_MS 2
#define JOBS_MAX 16
#define CHUNK_SIZE 65536 /* of CSV, when it is sent */

struct usage_job {
	struct api_request request;
	LIST_ENTRY(usage_job) entry;
	struct event *event;
	char month[8];
	char scope_name[8];
	char owner[128];
	char org[64];
	struct store_scope scope;
	int64_t month_ms, now_ms;
	struct usage_reader reader;
	struct usage_sums *sums; /* NULL: CSV */
	struct buf csv;		 /* lines that are not sent yet */
	int is_begun;		 /* the head of the CSV was sent */
};

static void usage_turn(evutil_socket_t fd, short what, void *arg);

/* ---- reading ------------------------------------------------------------------------- */

static void on_lease(void *arg, const struct store_usage_row *row)
{
	struct usage_job *job = arg;

	usage_sums_add_lease(job->sums, row);
}

static void on_cost(void *arg, const struct store_cost_row *row)
{
	struct usage_job *job = arg;

	if (job->sums)
		usage_sums_add_cost(job->sums, row);
	else
		usage_csv_line(&job->csv, &row->cost, job->month_ms, job->now_ms);
}

/* ---- the answer ---------------------------------------------------------------------- */

static void limits_render(struct jsonw *w, const struct api_config *config)
{
	const struct engine_limits *limits = &config->limits;

	jsonw_object(w, "limits");
	jsonw_int(w, "maxActiveLeases", limits->max_active);
	jsonw_int(w, "maxActiveLeasesPerOwner", limits->max_active_owner);
	jsonw_int(w, "maxActiveLeasesPerOrg", limits->max_active_org);
	jsonw_array(w, "capacityAdminOwners");
	jsonw_end_array(w);
	jsonw_int(w, "maxActiveLeasesPerCapacityAdmin", 0);
	/* The limits of this broker are in the accounts' currency: maxMonthlyCost. */
	jsonw_int(w, "maxMonthlyUSD", 0);
	jsonw_int(w, "maxMonthlyUSDPerOwner", 0);
	jsonw_int(w, "maxMonthlyUSDPerOrg", 0);
	jsonw_int(w, "maxActiveLeasesPerProvider", limits->max_active_account);
	jsonw_micros(w, "maxHourlyPrice", limits->max_hour_micros);
	jsonw_micros(w, "maxHourlyPricePerOwner", limits->max_hour_micros_owner);
	jsonw_micros(w, "maxHourlyPricePerOrg", limits->max_hour_micros_org);
	jsonw_micros(w, "maxMonthlyCost", limits->max_month_micros);
	jsonw_micros(w, "maxMonthlyCostPerOwner", limits->max_month_micros_owner);
	jsonw_micros(w, "maxMonthlyCostPerOrg", limits->max_month_micros_org);
	jsonw_end_object(w);
}

static void usage_answer(struct usage_job *job)
{
	struct jsonw w = reply_begin(&job->request);

	jsonw_object(&w, NULL);
	jsonw_object(&w, "usage");
	jsonw_text(&w, "month", job->month);
	jsonw_text(&w, "scope", job->scope_name);
	jsonw_text_if(&w, "owner", job->scope.all ? NULL : job->scope.owner);
	jsonw_text_if(&w, "org", job->scope.all ? NULL : job->scope.org);
	usage_sums_render(job->sums, &w, &job->request.api->config);
	jsonw_end_object(&w);
	limits_render(&w, &job->request.api->config);
	jsonw_end_object(&w);
	reply_json(&job->request, 200);
}

static void usage_job_free(struct usage_job *job)
{
	LIST_REMOVE(job, entry);
	if (job->event)
		event_free(job->event);
	usage_sums_free(job->sums);
	buf_fini(&job->csv);
	free(job);
}

static void usage_job_drop(struct usage_job *job)
{
	http_drop(job->request.ex);
	usage_job_free(job);
}

static void csv_gone(struct http_exchange *ex, void *arg)
{
	(void)ex;
	usage_job_drop(arg);
}

static void csv_drained(struct http_exchange *ex, void *arg)
{
	(void)ex;
	usage_turn(-1, 0, arg);
}

/* As http_stream_chunk. */
static int csv_send(struct usage_job *job)
{
	int rc;

	if (!job->is_begun) {
		job->is_begun = 1;
		http_exchange_on_gone(job->request.ex, csv_gone, job);
		reply_stream(&job->request, "text/csv; charset=utf-8; header=present", csv_drained,
			     job);
	}
	/* A line that is missing would be money that is missing. */
	rc = job->csv.overflow ?
		     -1 :
		     http_stream_chunk(job->request.ex, buf_str(&job->csv), job->csv.len);
	buf_clear(&job->csv);
	return rc;
}

static void usage_end(struct usage_job *job)
{
	if (job->sums) {
		usage_answer(job);
	} else if (csv_send(job) < 0) {
		usage_job_drop(job);
		return;
	} else {
		http_exchange_on_gone(job->request.ex, NULL, NULL);
		http_stream_end(job->request.ex);
	}
	usage_job_free(job);
}

static void usage_fail(struct usage_job *job, const struct err *err)
{
	if (job->is_begun) {
		usage_job_drop(job);
		return;
	}
	reply_store_error(&job->request, err);
	usage_job_free(job);
}

/* Reads for one turn. As usage_reader_next. */
static int turn_read(struct usage_job *job, struct err *err)
{
	const struct env *env = job->request.api->parts.env;
	int64_t until = env_mono_ms(env) + TURN_MS;
	int rc;

	do
		rc = usage_reader_next(&job->reader, err);
	while (rc == 0 && env_mono_ms(env) < until && job->csv.len < CHUNK_SIZE);
	return rc;
}

static void usage_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 0 };
	struct usage_job *job = arg;
	struct err err = { 0 };
	int rc = turn_read(job, &err);

	(void)fd;
	(void)what;
	if (rc < 0) {
		usage_fail(job, &err);
		return;
	}
	if (rc > 0) {
		usage_end(job);
		return;
	}
	if (job->csv.len >= CHUNK_SIZE) {
		rc = csv_send(job);
		if (rc < 0)
			usage_job_drop(job);
		/* 1: csv_drained continues. */
		if (rc)
			return;
	}
	event_add(job->event, &soon);
}

/* ---- the request --------------------------------------------------------------------- */

static int64_t month_start(int year, int month)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1 };

	return (int64_t)timegm(&tm) * 1000;
}

static int usage_month(struct api_request *request, struct usage_job *job)
{
	char text[16] = "";
	int rc = query_text(request, "month", text, sizeof(text));
	time_t now = (time_t)(job->now_ms / 1000);
	struct tm tm;
	int year, month;

	if (rc < 0)
		return -1;
	if (rc == 0) {
		gmtime_r(&now, &tm);
		year = tm.tm_year + 1900;
		month = tm.tm_mon + 1;
	} else {
		if (strlen(text) != 7 || text[4] != '-' || strspn(text, "0123456789") != 4 ||
		    strspn(text + 5, "0123456789") != 2)
			return api_error_set(&request->error, 400, "invalid_month",
					     "month must be YYYY-MM, as in 2026-08");
		year = (int)strtol(text, NULL, 10);
		month = (int)strtol(text + 5, NULL, 10);
		if (year < 1970 || month < 1 || month > 12)
			return api_error_set(&request->error, 400, "invalid_month",
					     "month must be YYYY-MM, as in 2026-08");
	}
	snprintf(job->month, sizeof(job->month), "%04u-%02u",
		 (unsigned)year % 10000, (unsigned)month % 100);
	job->month_ms = month_start(year, month);
	return 0;
}

/* An admin chooses by the query; for others the token decides. */
static int usage_scope(struct api_request *request, struct usage_job *job)
{
	char scope[8] = "";
	int rc;

	job->scope = lookup_scope(&request->caller);
	snprintf(job->owner, sizeof(job->owner), "%s", request->caller.owner);
	snprintf(job->org, sizeof(job->org), "%s", request->caller.org);
	job->scope.owner = job->scope.owner ? job->owner : NULL;
	job->scope.org = job->org;
	snprintf(job->scope_name, sizeof(job->scope_name), "%s",
		 request->caller.role == TOKEN_READER ? "org" : "user");
	if (request->caller.role != TOKEN_ADMIN)
		return 0;
	rc = query_text(request, "scope", scope, sizeof(scope));
	if (rc < 0 || query_text(request, "owner", job->owner, sizeof(job->owner)) < 0 ||
	    query_text(request, "org", job->org, sizeof(job->org)) < 0)
		return -1;
	if (!scope[0] || !strcmp(scope, "user")) {
		job->scope = (struct store_scope){ 0, job->owner, job->org, SHARED_NOT };
	} else if (!strcmp(scope, "org")) {
		job->scope = (struct store_scope){ 0, NULL, job->org, SHARED_NOT };
	} else if (!strcmp(scope, "all")) {
		job->scope = (struct store_scope){ .all = 1 };
	} else {
		return api_error_set(&request->error, 400, "invalid_scope",
				     "scope must be user, org or all");
	}
	if (scope[0])
		snprintf(job->scope_name, sizeof(job->scope_name), "%s", scope);
	return 0;
}

/* JSON, or CSV by ?format=csv or the header Accept. */
static int usage_format(struct api_request *request, int *ret_is_csv)
{
	const char *accept = http_head_find(request->head, "accept");
	char format[8] = "";

	if (query_text(request, "format", format, sizeof(format)) < 0)
		return -1;
	if (format[0] && strcmp(format, "csv") && strcmp(format, "json"))
		return api_error_set(&request->error, 400, "invalid_format",
				     "format must be json or csv");
	*ret_is_csv = format[0] ? !strcmp(format, "csv") :
				  accept && !strncmp(accept, "text/csv", strlen("text/csv"));
	return 0;
}

void usage_show(struct api_request *request)
{
	struct usage_job *job;
	struct err err = { 0 };
	int count = 0, is_csv = 0;

	for (job = LIST_FIRST(&request->api->usage_jobs); job; job = LIST_NEXT(job, entry))
		count++;
	if (count >= JOBS_MAX) {
		http_reply_header(request->ex, "Retry-After", "1");
		reply_error(request, 503, "busy",
			    "Too many usage reports are in progress; try again.");
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->request = *request;
	memset(&job->request.body, 0, sizeof(job->request.body));
	job->now_ms = lookup_now_ms(request);
	buf_init(&job->csv, REPLY_MAX);
	LIST_INSERT_HEAD(&request->api->usage_jobs, job, entry);
	if (usage_scope(request, job) || usage_month(request, job) ||
	    usage_format(request, &is_csv)) {
		reply_request_error(request);
		usage_job_free(job);
		return;
	}
	if (is_csv)
		usage_csv_head(&job->csv);
	else
		job->sums = usage_sums_new(job->month_ms, job->now_ms);
	job->event = evtimer_new(request->api->parts.base, usage_turn, job);
	job->reader = (struct usage_reader){ .store = request->api->parts.reader,
					     .scope = &job->scope,
					     .month_ms = job->month_ms,
					     .now_ms = job->now_ms,
					     .on_cost = on_cost,
					     .on_lease = job->sums ? on_lease : NULL,
					     .arg = job };
	if (usage_reader_begin(&job->reader, &err))
		usage_fail(job, &err);
	else
		usage_turn(-1, 0, job);
}

void usage_stop(struct api *api)
{
	struct usage_job *job;

	while ((job = LIST_FIRST(&api->usage_jobs))) {
		http_drop(job->request.ex);
		usage_job_free(job);
	}
}
