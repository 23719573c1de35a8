/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/usage: the leases created in a month, summed by owner, organisation, account and
 * type. Contract 6.3. A month may have hundreds of thousands of leases, so it is read hour by
 * hour, for a few milliseconds at a time, with the other work of the loop in between. The
 * answer is sent after the last hour.
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
#include "util/alloc.h"

#define HOUR_MS 3600000
#define TURN_MS 2
#define GROUPS_MAX 200 /* of one kind; the rest is summed as "(other)" */
#define JOBS_MAX 16

struct sum {
	char key[200];
	int64_t leases, active, runtime_ms;
	int64_t estimated_micros, reserved_micros;	/* US dollars */
};

enum grouping { BY_OWNER, BY_ORG, BY_PROVIDER, BY_TYPE, GROUPING_COUNT };

static const char *const grouping_names[] = {
	[BY_OWNER] = "byOwner",
	[BY_ORG] = "byOrg",
	[BY_PROVIDER] = "byProvider",
	[BY_TYPE] = "byServerType",
};

struct usage_job {
	struct api_request request;
	LIST_ENTRY(usage_job) entry;
	struct event *event;
	char month[8];
	char scope_name[8];
	char owner[128];
	char org[64];
	struct store_scope scope;
	int64_t from_ms, to_ms, now_ms;
	struct sum total;
	struct {
		struct sum sums[GROUPS_MAX + 1];	/* the last one: all others */
		int count;
	} groups[GROUPING_COUNT];
};

/* ---- summing ---------------------------------------------------------------------- */

static void sum_add(struct sum *sum, const struct store_usage_row *row, int64_t now_ms,
		    int64_t usd_micros)
{
	int live = row->state == LEASE_PROVISIONING || row->state == LEASE_ACTIVE;
	int64_t end = live || !row->ended_ms ? now_ms : row->ended_ms;
	int64_t runtime = end > row->created_ms ? end - row->created_ms : 0;
	double hour_usd = (double)row->price_hour_micros * (double)usd_micros / 1e6;

	sum->leases++;
	sum->active += live;
	sum->runtime_ms += runtime;
	sum->estimated_micros += (int64_t)(hour_usd * (double)runtime / HOUR_MS + 0.5);
	sum->reserved_micros += (int64_t)(hour_usd * (double)row->ttl_ms / HOUR_MS + 0.5);
}

static struct sum *group_sum(struct usage_job *job, enum grouping by, const char *key)
{
	struct sum *sums = job->groups[by].sums;
	int count = job->groups[by].count;

	if (!key[0])
		key = "unknown";
	for (int i = 0; i < count; i++) {
		if (!strcmp(sums[i].key, key))
			return &sums[i];
	}
	if (count == GROUPS_MAX) {
		snprintf(sums[count].key, sizeof(sums[count].key), "(other)");
		return &sums[count];
	}
	snprintf(sums[count].key, sizeof(sums[count].key), "%s", key);
	job->groups[by].count++;
	return &sums[count];
}

static void usage_row(void *arg, const struct store_usage_row *row)
{
	struct usage_job *job = arg;
	int64_t usd = job->request.api->config.usd_micros;
	char type[80];

	snprintf(type, sizeof(type), "%s:%s", row->account,
		 row->server_type[0] ? row->server_type : "unknown");
	sum_add(&job->total, row, job->now_ms, usd);
	sum_add(group_sum(job, BY_OWNER, row->owner), row, job->now_ms, usd);
	sum_add(group_sum(job, BY_ORG, row->org), row, job->now_ms, usd);
	sum_add(group_sum(job, BY_PROVIDER, row->account), row, job->now_ms, usd);
	sum_add(group_sum(job, BY_TYPE, type), row, job->now_ms, usd);
}

/* ---- the answer ------------------------------------------------------------------------- */

static void sum_render(struct jsonw *w, const struct sum *sum)
{
	jsonw_int(w, "leases", sum->leases);
	jsonw_int(w, "activeLeases", sum->active);
	jsonw_int(w, "runtimeSeconds", sum->runtime_ms / 1000);
	jsonw_micros(w, "estimatedUSD", sum->estimated_micros);
	jsonw_micros(w, "reservedUSD", sum->reserved_micros);
}

static int sum_compare(const void *a, const void *b)
{
	const struct sum *x = a;
	const struct sum *y = b;

	if (x->reserved_micros != y->reserved_micros)
		return x->reserved_micros < y->reserved_micros ? 1 : -1;
	return strcmp(x->key, y->key);
}

static void groups_render(struct jsonw *w, struct usage_job *job, enum grouping by)
{
	struct sum *sums = job->groups[by].sums;
	int count = job->groups[by].count;

	qsort(sums, (size_t)count, sizeof(*sums), sum_compare);
	jsonw_array(w, grouping_names[by]);
	for (int i = 0; i < count + (sums[count].leases > 0); i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "key", sums[i].key);
		sum_render(w, &sums[i]);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

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
	/* This broker limits the price per hour, not the sum of a month. */
	jsonw_int(w, "maxMonthlyUSD", 0);
	jsonw_int(w, "maxMonthlyUSDPerOwner", 0);
	jsonw_int(w, "maxMonthlyUSDPerOrg", 0);
	jsonw_int(w, "maxActiveLeasesPerProvider", limits->max_active_account);
	jsonw_micros(w, "maxHourlyPrice", limits->max_hour_micros);
	jsonw_micros(w, "maxHourlyPricePerOwner", limits->max_hour_micros_owner);
	jsonw_micros(w, "maxHourlyPricePerOrg", limits->max_hour_micros_org);
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
	sum_render(&w, &job->total);
	for (int by = 0; by < GROUPING_COUNT; by++)
		groups_render(&w, job, (enum grouping)by);
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
	free(job);
}

static void usage_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 0 };
	struct usage_job *job = arg;
	const struct env *env = job->request.api->parts.env;
	int64_t until = env_mono_ms(env) + TURN_MS;
	struct err err;

	(void)fd;
	(void)what;
	while (job->from_ms < job->to_ms) {
		int64_t to = job->from_ms + HOUR_MS < job->to_ms ? job->from_ms + HOUR_MS :
			     job->to_ms;

		if (store_usage_each(job->request.api->parts.reader, &job->scope, job->from_ms, to,
				     usage_row, job, &err)) {
			reply_store_error(&job->request, &err);
			usage_job_free(job);
			return;
		}
		job->from_ms = to;
		if (env_mono_ms(env) >= until && job->from_ms < job->to_ms) {
			event_add(job->event, &soon);
			return;
		}
	}
	usage_answer(job);
	usage_job_free(job);
}

/* ---- the request ------------------------------------------------------------------------- */

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
	job->from_ms = month_start(year, month);
	job->to_ms = month == 12 ? month_start(year + 1, 1) : month_start(year, month + 1);
	/* There are no leases after now. */
	if (job->to_ms > job->now_ms + HOUR_MS)
		job->to_ms = job->now_ms + HOUR_MS;
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

void usage_show(struct api_request *request)
{
	struct usage_job *job;
	int count = 0;

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
	LIST_INSERT_HEAD(&request->api->usage_jobs, job, entry);
	if (usage_scope(request, job) || usage_month(request, job)) {
		reply_request_error(request);
		usage_job_free(job);
		return;
	}
	job->event = evtimer_new(request->api->parts.base, usage_turn, job);
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
