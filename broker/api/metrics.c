/* SPDX-License-Identifier: MIT */
/* GET /metrics and GET /v1/metrics: what is written of each metric; metric.h has the table. */
#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lease_figures.h"
#include "api/lookup.h"
#include "api/metric.h"
#include "api/metrics_process.h"
#include "api/queue_view.h"
#include "api/reply.h"
#include "api/standing.h"
#include "engine/timings.h"
#include "store/backup.h"
#include "util/alloc.h"

static const char *const status_classes[] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };

static void place_metrics(struct buf *out, const struct http_counters *c)
{
	static const char *const clients[HTTP_CLIENT_COUNT] = {
		[HTTP_CLIENT_UNKNOWN] = "unknown",
		[HTTP_CLIENT_KNOWN] = "known",
		[HTTP_CLIENT_UNIX] = "unix",
	};

	metric_head(out, METRIC_http_places);
	for (int i = 0; i < HTTP_CLIENT_COUNT; i++)
		metric_put(out, METRIC_http_places, (int64_t)c->connections_by[i], clients[i]);
	metric_head(out, METRIC_http_evicted_total);
	for (int i = 0; i < HTTP_CLIENT_COUNT; i++) {
		metric_put(out, METRIC_http_evicted_total, (int64_t)c->evicted_half_read[i],
			   clients[i], "half_read");
		metric_put(out, METRIC_http_evicted_total, (int64_t)c->evicted_idle[i], clients[i],
			   "idle");
		metric_put(out, METRIC_http_evicted_total, (int64_t)c->evicted_unread[i],
			   clients[i], "unread");
	}
}

static void early_metrics(struct buf *out, const struct engine_queue *queue)
{
	static const char *const reasons[EARLY_COUNT] = {
		[EARLY_OWNER] = "owner",
		[EARLY_ALL] = "all",
		[EARLY_ROOM] = "room",
	};

	metric_head(out, METRIC_api_early_answers_total);
	for (int i = EARLY_OWNER; i < EARLY_COUNT; i++)
		metric_put(out, METRIC_api_early_answers_total,
			   (int64_t)engine_queue_early(queue, (enum request_early)i), reasons[i]);
}

static void http_metrics(struct buf *out, const struct http_counters *c)
{
	const struct {
		enum metric metric;
		uint64_t value;
	} rows[] = {
		{ METRIC_http_connections_open, c->connections_open },
		{ METRIC_http_connections_total, c->connections_accepted },
		{ METRIC_http_tls_total, c->connections_tls },
		{ METRIC_http_tls_failed_total, c->connections_tls_failed },
		{ METRIC_http_requests_open, c->requests_open },
		{ METRIC_http_requests_total, c->requests },
		{ METRIC_http_gone_total, c->gone },
		{ METRIC_http_closed_idle_total, c->closed_idle },
		{ METRIC_http_closed_silent_total, c->closed_silent },
		{ METRIC_http_closed_slow_total, c->closed_slow_reader },
		{ METRIC_http_refused_share_total, c->refused_share },
		{ METRIC_http_accept_full_total, c->accept_full },
		{ METRIC_http_accept_failed_total, c->accept_failed },
		{ METRIC_http_received_bytes_total, c->bytes_in },
		{ METRIC_http_sent_bytes_total, c->bytes_out },
	};
	char n[12];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		metric_add(out, rows[i].metric, (int64_t)rows[i].value);
	place_metrics(out, c);
	metric_head(out, METRIC_http_answers_total);
	for (int i = 1; i < 6; i++)
		metric_put(out, METRIC_http_answers_total, (int64_t)c->answers[i],
			   status_classes[i]);
	metric_head(out, METRIC_http_refusals_total);
	for (int i = 1; i < HTTP_REFUSAL_COUNT; i++) {
		/* Several refusals share a code. Only those that occurred are shown. */
		if (!c->refusals[i])
			continue;
		snprintf(n, sizeof(n), "%d", i);
		metric_put(out, METRIC_http_refusals_total, (int64_t)c->refusals[i],
			   http_refusal_code((enum http_refusal)i), n);
	}
}

static void route_metrics(struct buf *out, const struct api *api)
{
	metric_head(out, METRIC_api_answers_total);
	for (size_t r = 0; r <= api->route_count; r++) {
		for (int i = 1; i < 6; i++) {
			if (!api->answers[r][i])
				continue;
			metric_put(out, METRIC_api_answers_total, (int64_t)api->answers[r][i],
				   r < api->route_count ? http_method_name(api->routes[r].method) :
							  "",
				   r < api->route_count ? api->routes[r].path : "",
				   status_classes[i]);
		}
	}
}

static void refusal_metrics(struct buf *out, const struct api *api)
{
	metric_head(out, METRIC_api_refusals_total);
	for (size_t i = 0; i < ARRAY_LEN(api->refusals); i++) {
		char status[8];

		if (!api->refusals[i])
			continue;
		snprintf(status, sizeof(status), "%zu", 400 + i);
		metric_put(out, METRIC_api_refusals_total, (int64_t)api->refusals[i], status);
	}
}

static void account_metrics(struct buf *out, const struct api *api)
{
	static const struct {
		enum metric metric;
		size_t at;
	} rows[] = {
		{ METRIC_account_calls_total, offsetof(struct account_figures, calls) },
		{ METRIC_account_calls_failed_total,
		  offsetof(struct account_figures, calls_failed) },
		{ METRIC_account_calls_shared_total,
		  offsetof(struct account_figures, calls_coalesced) },
		{ METRIC_account_budget_waits_total,
		  offsetof(struct account_figures, budget_waits) },
		{ METRIC_account_steps_overdue, offsetof(struct account_figures, overdue) },
		{ METRIC_account_budget_remaining,
		  offsetof(struct account_figures, rate_remaining) },
	};
	struct account_figures figures;

	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		metric_head(out, rows[r].metric);
		for (size_t i = 0; i < api->parts.account_count; i++) {
			const char *base = (const char *)&figures;
			int64_t value;

			account_figures(api->parts.accounts[i], &figures);
			value = *(const int64_t *)(const void *)(base + rows[r].at);
			/* -1: the provider has not said. */
			if (value >= 0)
				metric_put(out, rows[r].metric, value,
					   api->parts.accounts[i]->config.name);
		}
	}
}

static void timing_metrics(struct buf *out, const struct api *api)
{
	const struct engine_timings *timings = fleet_timings(api->parts.fleet);
	const struct {
		enum metric metric;
		struct histogram_set *set;
	} rows[] = {
		{ METRIC_engine_round_duration_seconds, timings->rounds },
		{ METRIC_engine_commit_duration_seconds, timings->commits },
		{ METRIC_lease_ready_duration_seconds, timings->ready },
		{ METRIC_lease_gone_duration_seconds, timings->gone },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		metric_head(out, rows[i].metric);
		metric_put_histograms(out, rows[i].metric, rows[i].set);
	}
	metric_head(out, METRIC_account_call_duration_seconds);
	for (size_t i = 0; i < api->parts.account_count; i++)
		metric_put_histograms(out, METRIC_account_call_duration_seconds,
				      account_calls(api->parts.accounts[i]));
}

static void standing_metrics(struct buf *out, const struct api *api)
{
	size_t count = api->parts.account_count;
	auto_free struct standing *list = xcalloc(count, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		standing_read(api, api->parts.accounts[i], &list[i]);
	metric_head(out, METRIC_account_blocked);
	for (size_t i = 0; i < count; i++)
		metric_put(out, METRIC_account_blocked, list[i].figures.blocked != 0,
			   api->parts.accounts[i]->config.name);
	metric_head(out, METRIC_account_fenced);
	for (size_t i = 0; i < count; i++)
		metric_put(out, METRIC_account_fenced, list[i].figures.fenced != 0,
			   api->parts.accounts[i]->config.name);
	metric_head(out, METRIC_account_paused);
	for (size_t i = 0; i < count; i++)
		metric_put(out, METRIC_account_paused,
			   limits_pause_find(&api->config.limits,
					     api->parts.accounts[i]->config.name) != NULL,
			   api->parts.accounts[i]->config.name);
	metric_head(out, METRIC_account_verified_timestamp_seconds);
	for (size_t i = 0; i < count; i++)
		metric_put(out, METRIC_account_verified_timestamp_seconds,
			   list[i].owner.place == RELAY_SELF ? list[i].figures.verified_ms / 1000 :
							       0,
			   api->parts.accounts[i]->config.name);
}

static void generation_metrics(struct buf *out, const struct api *api)
{
	metric_head(out, METRIC_account_generation);
	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;
		struct generation generation;

		if (store_generation_get(api->parts.reader, name, &generation, NULL) == 0)
			metric_put(out, METRIC_account_generation, generation.current, name);
	}
}

static int orphan_count(void *arg, const struct orphan *s)
{
	(void)s;
	++*(int64_t *)arg;
	return 0;
}

static void sweep_metrics(struct buf *out, const struct api *api)
{
	metric_head(out, METRIC_sweep_orphans);
	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;
		int64_t count = 0;

		if (store_orphan_each(api->parts.reader, name, orphan_count, &count, NULL) == 0)
			metric_put(out, METRIC_sweep_orphans, count, name);
	}
	metric_head(out, METRIC_sweep_done_timestamp_seconds);
	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;
		struct sweep sweep;

		if (store_sweep_get(api->parts.reader, name, &sweep, NULL) == 0)
			metric_put(out, METRIC_sweep_done_timestamp_seconds, sweep.done_ms / 1000,
				   name);
	}
}

/* Requests that came or went between the daemons on one database. */
static void relay_metrics(struct buf *out, const struct api *api)
{
	const struct relay_counters *counters = relay_counters(api->relay);
	const struct {
		const char *what;
		uint64_t count;
	} rows[] = {
		{ "answered", counters->forwarded }, { "repeated", counters->repeated },
		{ "moving", counters->moving },	     { "received", counters->received },
		{ "refused", counters->refused },
	};

	metric_head(out, METRIC_forwarded_requests_total);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		metric_put(out, METRIC_forwarded_requests_total, (int64_t)rows[i].count,
			   rows[i].what);
	metric_add(out, METRIC_forwarded_pending, (int64_t)relay_count(api->relay));
}

struct owned_metrics {
	struct buf *out;
	const char *self;
	enum metric metric;
};

static void self_find(void *arg, const struct daemon_view *view)
{
	char *self = arg;

	if (view->is_self)
		snprintf(self, 64, "%s", view->id);
}

static void owned_add(void *arg, const struct owned_view *view)
{
	const struct owned_metrics *m = arg;
	int64_t value = m->metric == METRIC_account_owned ?
				view->daemon[0] && !strcmp(view->daemon, m->self) :
			m->metric == METRIC_account_epoch	    ? view->epoch :
			m->metric == METRIC_account_takeovers_total ? view->takeovers :
								      view->frozen[0] != '\0';

	metric_put(m->out, m->metric, value, view->account);
}

static void owned_metrics(struct buf *out, const struct daemons_source *source)
{
	static const enum metric metrics[] = { METRIC_account_owned, METRIC_account_epoch,
					       METRIC_account_takeovers_total,
					       METRIC_account_frozen };
	char self[64] = "";
	struct owned_metrics m = { .out = out, .self = self };

	if (!source->accounts)
		return;
	source->daemons(source->arg, self_find, self);
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		m.metric = metrics[i];
		metric_head(out, m.metric);
		source->accounts(source->arg, owned_add, &m);
	}
}

struct stranded {
	const struct api *api;
	int64_t count;
};

static int stranded_add(void *arg, const char *account)
{
	struct stranded *stranded = arg;
	struct store_counts counts;

	if (!lookup_account(stranded->api, account) &&
	    store_counts(stranded->api->parts.reader, "", "", account, &counts, NULL) == 0)
		stranded->count += counts.account;
	return 0;
}

static void service_metrics(struct buf *out, const struct api *api)
{
	metric_head(out, METRIC_build_info);
	metric_put(out, METRIC_build_info, 1, api->config.version);
	metric_add(out, METRIC_api_pending, (int64_t)engine_queue_count(api->engine_queue));
	metric_add(out, METRIC_runs_pending, (int64_t)run_queue_count(api->run_queue));
	metric_add(out, METRIC_runs_available, runs_is_usable(api->parts.runs));
	metric_add(out, METRIC_store_state, fleet_store_state(api->parts.fleet));
	metric_add(out, METRIC_store_read_errors_total, (int64_t)api->store_errors);
}

static void auth_metrics(struct buf *out, const struct auth_counters *auth)
{
	metric_add(out, METRIC_auth_tokens, (int64_t)auth->tokens);
	metric_add(out, METRIC_auth_accepted_total, (int64_t)auth->accepted);
	metric_add(out, METRIC_auth_refused_total, (int64_t)auth->refused);
	metric_add(out, METRIC_auth_limited_total, (int64_t)auth->limited);
}

static void limit_metrics(struct buf *out, struct api_request *request)
{
	const struct api *api = request->api;
	const struct queue_view *queue = queue_view_read(request->api, NULL);
	int64_t now_ms = api_now_ms(api), oldest_ms = 0;
	struct store_counts counts;

	if (store_counts(api->parts.reader, request->caller.owner, request->caller.org, "", &counts,
			 NULL) == 0) {
		metric_add(out, METRIC_leases_counted, counts.all);
		metric_add_milli(out, METRIC_leases_price_per_hour, counts.micros_all / 1000);
	}
	if (!queue)
		return;
	for (size_t i = 0; i < queue->count; i++) {
		int64_t waits_ms = now_ms - queue->entries[i].row.since_ms;

		oldest_ms = waits_ms > oldest_ms ? waits_ms : oldest_ms;
	}
	metric_add(out, METRIC_leases_queued, (int64_t)queue->count);
	metric_add_milli(out, METRIC_leases_queued_oldest_seconds, oldest_ms);
}

struct remains_metrics {
	enum metric count, oldest, price;
	size_t at; /* in struct lease_figures */
};

static void remains_metrics(struct buf *out, const struct lease_figures *rows, size_t count,
			    const struct remains_metrics *m, int64_t now_ms)
{
	const enum metric metrics[] = { m->count, m->oldest, m->price };

	for (size_t k = 0; k < ARRAY_LEN(metrics); k++) {
		metric_head(out, metrics[k]);
		for (size_t i = 0; i < count; i++) {
			const struct lease_remains *remains =
				(const void *)((const char *)&rows[i] + m->at);
			int64_t age_ms = remains->oldest_ms ? now_ms - remains->oldest_ms : 0;

			if (metrics[k] == m->count)
				metric_put(out, metrics[k], remains->count, rows[i].account);
			else
				metric_put_milli(out, metrics[k],
						 metrics[k] == m->price ?
							 remains->hour_micros / 1000 :
						 age_ms > 0 ? age_ms :
							      0,
						 rows[i].account);
		}
	}
}

static void state_metrics(struct buf *out, const struct lease_figures *rows, size_t count)
{
	metric_head(out, METRIC_leases);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < FIGURES_STATES; k++)
			metric_put(out, METRIC_leases, rows[i].states[k], rows[i].account,
				   k == FIGURES_QUEUED ? "queued" :
							 lease_state_name((enum lease_state)k));
	}
	metric_head(out, METRIC_leases_attention);
	for (size_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < FIGURES_CLASSES; k++) {
			/* Only those that occur, and one that shows that there is none. */
			if (rows[i].attention[k] || k == 0)
				metric_put(out, METRIC_leases_attention, rows[i].attention[k],
					   rows[i].account, k ? error_class_name(k) : "none");
		}
	}
}

static void lease_metrics(struct buf *out, struct api *api)
{
	static const struct remains_metrics owed = { METRIC_leases_owed,
						     METRIC_leases_owed_oldest_seconds,
						     METRIC_leases_owed_price_per_hour,
						     offsetof(struct lease_figures, owed) };
	static const struct remains_metrics retained = { METRIC_leases_retained,
							 METRIC_leases_retained_oldest_seconds,
							 METRIC_leases_retained_price_per_hour,
							 offsetof(struct lease_figures, retained) };
	size_t count;
	const struct lease_figures *rows = lease_figures_read(api, &count);

	if (!rows)
		return;
	state_metrics(out, rows, count);
	remains_metrics(out, rows, count, &owed, api_now_ms(api));
	remains_metrics(out, rows, count, &retained, api_now_ms(api));
}

/* What the months' limits are about. Without an account: of all. */
static void month_metrics(struct buf *out, const struct api *api)
{
	size_t count = api->parts.account_count + 1;
	auto_free struct store_spend *spend = xcalloc(count, sizeof(*spend));
	const enum metric metrics[] = { METRIC_month_reserved, METRIC_month_settled,
					METRIC_month_limit };

	for (size_t i = 0; i < count; i++) {
		spend[i].month_ms = cost_month_ms(api_now_ms(api));
		if (store_spend_get(api->parts.reader, "", "",
				    i ? api->parts.accounts[i - 1]->config.name : "", &spend[i], 1,
				    NULL))
			return;
	}
	for (size_t k = 0; k < ARRAY_LEN(metrics); k++) {
		metric_head(out, metrics[k]);
		for (size_t i = 0; i < count; i++) {
			const char *account = i ? api->parts.accounts[i - 1]->config.name : "";
			const struct limits_for limits = limits_of(&api->config.limits, "", "",
								   account);
			const struct store_money *money = i ? &spend[i].account : &spend[i].all;
			const int64_t micros[] = {
				money->reserved_micros, money->settled_micros,
				limits.max_month_micros[i ? LIMIT_ACCOUNT : LIMIT_TOTAL]
			};

			if (metrics[k] != METRIC_month_limit || micros[k])
				metric_put_milli(out, metrics[k], micros[k] / 1000, account);
		}
	}
}

static void backup_metrics(struct buf *out, const struct api *api)
{
	int64_t at_s;

	if (!api->parts.backups)
		return;
	at_s = store_backup_newest(api->parts.backups);
	metric_add(out, METRIC_store_backup_timestamp_seconds, at_s > 0 ? at_s : 0);
}

static void stranded_metrics(struct buf *out, const struct api *api)
{
	struct stranded stranded = { .api = api };

	if (store_account_each(api->parts.reader, stranded_add, &stranded, NULL) == 0)
		metric_add(out, METRIC_leases_without_account, stranded.count);
}

void metrics_show(struct api_request *request)
{
	const struct api *api = request->api;
	struct buf *out = &request->api->out;

	buf_clear(out);
	service_metrics(out, api);
	auth_metrics(out, auth_counters(api->auth));
	limit_metrics(out, request);
	metric_add(out, METRIC_clock_suspect, env_is_clock_suspect(api->parts.env));
	sweep_metrics(out, api);
	generation_metrics(out, api);
	metrics_of_process(out);
	metrics_of_store(out, api->parts.store_path);
	backup_metrics(out, api);
	lease_metrics(out, request->api);
	month_metrics(out, api);
	stranded_metrics(out, api);
	route_metrics(out, api);
	refusal_metrics(out, api);
	early_metrics(out, api->engine_queue);
	account_metrics(out, api);
	timing_metrics(out, api);
	standing_metrics(out, api);
	owned_metrics(out, &api->parts.daemons);
	if (api->relay)
		relay_metrics(out, api);
	if (api->counters)
		http_metrics(out, api->counters);
	reply_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(out), out->len);
}
