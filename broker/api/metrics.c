/* SPDX-License-Identifier: MIT */
/* GET /v1/metrics: the Prometheus text format, version 0.0.4. */
#include <inttypes.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/queue_view.h"
#include "api/reply.h"
#include "api/standing.h"
#include "util/alloc.h"

static void metric_add_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP lessor_%s %s\n# TYPE lessor_%s %s\n", name, help, name, type);
}

static void metric_add(struct buf *out, const char *name, const char *type, const char *help,
		       int64_t value)
{
	metric_add_head(out, name, type, help);
	buf_addf(out, "lessor_%s %" PRId64 "\n", name, value);
}

static void place_metrics(struct buf *out, const struct http_counters *c)
{
	static const char *const clients[HTTP_CLIENT_COUNT] = {
		[HTTP_CLIENT_UNKNOWN] = "unknown",
		[HTTP_CLIENT_KNOWN] = "known",
		[HTTP_CLIENT_UNIX] = "unix",
	};

	metric_add_head(out, "http_places", "gauge",
			"Open connections by what is known of the client.");
	for (int i = 0; i < HTTP_CLIENT_COUNT; i++)
		buf_addf(out, "lessor_http_places{client=\"%s\"} %" PRIu64 "\n", clients[i],
			 c->connections_by[i]);
	metric_add_head(out, "http_evicted_total", "counter",
			"Connections closed to make room for others.");
	for (int i = 0; i < HTTP_CLIENT_COUNT; i++) {
		buf_addf(out,
			 "lessor_http_evicted_total{client=\"%s\",reason=\"half_read\"} %" PRIu64
			 "\n",
			 clients[i], c->evicted_half_read[i]);
		buf_addf(out,
			 "lessor_http_evicted_total{client=\"%s\",reason=\"idle\"} %" PRIu64 "\n",
			 clients[i], c->evicted_idle[i]);
		buf_addf(out,
			 "lessor_http_evicted_total{client=\"%s\",reason=\"unread\"} %" PRIu64 "\n",
			 clients[i], c->evicted_unread[i]);
	}
}

static void early_metrics(struct buf *out, const struct engine_queue *queue)
{
	static const char *const reasons[EARLY_COUNT] = {
		[EARLY_OWNER] = "owner",
		[EARLY_ALL] = "all",
		[EARLY_ROOM] = "room",
	};

	metric_add_head(out, "api_early_answers_total", "counter",
			"Requests answered before their wait was over.");
	for (int i = EARLY_OWNER; i < EARLY_COUNT; i++)
		buf_addf(out, "lessor_api_early_answers_total{reason=\"%s\"} %" PRIu64 "\n",
			 reasons[i], engine_queue_early(queue, (enum request_early)i));
}

static void http_metrics(struct buf *out, const struct http_counters *c)
{
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
		{ "http_connections_open", "gauge", "Open connections.", c->connections_open },
		{ "http_connections_total", "counter", "Connections accepted.",
		  c->connections_accepted },
		{ "http_tls_total", "counter", "TLS handshakes completed.", c->connections_tls },
		{ "http_tls_failed_total", "counter", "TLS handshakes failed.",
		  c->connections_tls_failed },
		{ "http_requests_open", "gauge", "Requests without an answer so far.",
		  c->requests_open },
		{ "http_requests_total", "counter", "Requests handed to a handler.", c->requests },
		{ "http_gone_total", "counter", "Clients that disconnected before the answer.",
		  c->gone },
		{ "http_closed_idle_total", "counter", "Connections closed for idleness.",
		  c->closed_idle },
		{ "http_closed_silent_total", "counter", "Connections closed for silence.",
		  c->closed_silent },
		{ "http_closed_slow_total", "counter", "Connections closed for slow reading.",
		  c->closed_slow_reader },
		{ "http_refused_share_total", "counter",
		  "Requests refused because their owner had more than its share of the places.",
		  c->refused_share },
		{ "http_accept_full_total", "counter",
		  "Times accepting paused because every connection was busy.", c->accept_full },
		{ "http_accept_failed_total", "counter",
		  "Times accepting failed, for example for lack of descriptors.", c->accept_failed },
		{ "http_bytes_in_total", "counter", "Bytes read.", c->bytes_in },
		{ "http_bytes_out_total", "counter", "Bytes written.", c->bytes_out },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		metric_add(out, rows[i].name, rows[i].type, rows[i].help, (int64_t)rows[i].value);
	place_metrics(out, c);
	metric_add_head(out, "http_answers_total", "counter", "Answers by class of status.");
	for (int i = 1; i < 6; i++)
		buf_addf(out, "lessor_http_answers_total{status=\"%dxx\"} %" PRIu64 "\n", i,
			 c->answers[i]);
	metric_add_head(out, "http_refusals_total", "counter", "Requests refused by the HTTP room.");
	for (int i = 1; i < HTTP_REFUSAL_COUNT; i++) {
		/* Several refusals share a code. Only those that occurred are shown. */
		if (c->refusals[i])
			buf_addf(out, "lessor_http_refusals_total{code=\"%s\",n=\"%d\"} %" PRIu64
				 "\n", http_refusal_code((enum http_refusal)i), i, c->refusals[i]);
	}
}

static void route_metrics(struct buf *out, const struct api *api)
{
	metric_add_head(out, "api_answers_total", "counter",
			"Answers by route and class of status.");
	for (size_t r = 0; r <= api->route_count; r++) {
		for (int i = 1; i < 6; i++) {
			if (!api->answers[r][i])
				continue;
			buf_addf(out,
				 "lessor_api_answers_total{method=\"%s\",route=\"%s\","
				 "status=\"%dxx\"} %" PRIu64 "\n",
				 r < api->route_count ? http_method_name(api->routes[r].method) : "",
				 r < api->route_count ? api->routes[r].path : "", i,
				 api->answers[r][i]);
		}
	}
}

static void refusal_metrics(struct buf *out, const struct api *api)
{
	metric_add_head(out, "api_refusals_total", "counter",
			"Requests answered with an error of the client's, by status.");
	for (size_t i = 0; i < ARRAY_LEN(api->refusals); i++) {
		if (api->refusals[i])
			buf_addf(out, "lessor_api_refusals_total{status=\"%zu\"} %" PRIu64 "\n",
				 400 + i, api->refusals[i]);
	}
}

static void account_metrics(struct buf *out, const struct api *api)
{
	static const struct {
		const char *name, *type, *help;
		size_t at;
	} rows[] = {
		{ "account_calls_total", "counter", "Provider calls.",
		  offsetof(struct account_figures, calls) },
		{ "account_calls_failed_total", "counter", "Provider calls that failed.",
		  offsetof(struct account_figures, calls_failed) },
		{ "account_calls_shared_total", "counter",
		  "Reads that shared the response of another.",
		  offsetof(struct account_figures, calls_coalesced) },
		{ "account_budget_waits_total", "counter", "Calls that waited for the budget.",
		  offsetof(struct account_figures, budget_waits) },
		{ "account_steps_overdue", "gauge",
		  "Steps that have not returned though their deadline has passed.",
		  offsetof(struct account_figures, overdue) },
		{ "account_rate_remaining", "gauge", "Calls left according to the provider, or -1.",
		  offsetof(struct account_figures, rate_remaining) },
	};
	struct account_figures figures;

	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		metric_add_head(out, rows[r].name, rows[r].type, rows[r].help);
		for (size_t i = 0; i < api->parts.account_count; i++) {
			const char *base = (const char *)&figures;

			account_figures(api->parts.accounts[i], &figures);
			buf_addf(out, "lessor_%s{account=\"%s\"} %" PRId64 "\n", rows[r].name,
				 api->parts.accounts[i]->config.name,
				 *(const int64_t *)(const void *)(base + rows[r].at));
		}
	}
}

static void standing_metrics(struct buf *out, const struct api *api)
{
	size_t count = api->parts.account_count;
	auto_free struct standing *list = xcalloc(count, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		standing_read(api, api->parts.accounts[i], &list[i]);
	metric_add_head(out, "account_blocked", "gauge", "1 if the account cannot be used.");
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "lessor_account_blocked{account=\"%s\"} %d\n",
			 api->parts.accounts[i]->config.name, list[i].figures.blocked != 0);
	metric_add_head(out, "account_fenced", "gauge",
			"1 if the database may be older than the account: needs operator action.");
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "lessor_account_fenced{account=\"%s\"} %d\n",
			 api->parts.accounts[i]->config.name, list[i].figures.fenced != 0);
	metric_add_head(out, "account_proven_seconds", "gauge",
			"When the account was last verified; 0 on a daemon that does not own it.");
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "lessor_account_proven_seconds{account=\"%s\"} %" PRId64 "\n",
			 api->parts.accounts[i]->config.name,
			 list[i].owner.place == RELAY_SELF ? list[i].figures.verified_ms / 1000 : 0);
}

static int orphan_count(void *arg, const struct orphan *s)
{
	(void)s;
	++*(int64_t *)arg;
	return 0;
}

static void sweep_metrics(struct buf *out, const struct api *api)
{
	metric_add_head(out, "sweep_strays", "gauge",
			"Orphans: our resources that are in no ledger.");
	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;
		int64_t count = 0;

		if (store_orphan_each(api->parts.reader, name, orphan_count, &count, NULL) == 0)
			buf_addf(out, "lessor_sweep_strays{account=\"%s\"} %" PRId64 "\n", name,
				 count);
	}
	metric_add_head(out, "sweep_done_seconds", "gauge",
			"When a sweep of the account last completed.");
	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;
		struct sweep sweep;

		if (store_sweep_get(api->parts.reader, name, &sweep, NULL) == 0)
			buf_addf(out, "lessor_sweep_done_seconds{account=\"%s\"} %" PRId64 "\n",
				 name, sweep.done_ms / 1000);
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

	metric_add_head(out, "forwarded_requests_total", "counter",
			"Requests that another daemon answered; were sent to one again; were answered "
			"503, as nobody owned the account; came from another daemon; only seemed to.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_addf(out, "lessor_forwarded_requests_total{what=\"%s\"} %" PRIu64 "\n",
			 rows[i].what, rows[i].count);
	metric_add(out, "forwarded_pending", "gauge",
		   "Requests that are with another daemon, or wait for an owner of their account.",
		   (int64_t)relay_count(api->relay));
}

struct owned_metrics {
	struct buf *out;
	const char *self;
	enum { OWNED_HERE, OWNED_EPOCH, OWNED_TAKEOVERS, OWNED_FROZEN } which;
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
	static const char *const names[] = { "account_owned", "account_epoch",
					     "account_takeovers_total", "account_frozen" };
	const int64_t values[] = { view->daemon[0] && !strcmp(view->daemon, m->self), view->epoch,
				   view->takeovers, view->frozen[0] != '\0' };

	buf_addf(m->out, "lessor_%s{account=\"%s\"} %" PRId64 "\n", names[m->which], view->account,
		 values[m->which]);
}

static void owned_metrics(struct buf *out, const struct daemons_source *source)
{
	char self[64] = "";
	struct owned_metrics m = { .out = out, .self = self };

	if (!source->accounts)
		return;
	source->daemons(source->arg, self_find, self);
	metric_add_head(out, "account_owned", "gauge", "1 if this daemon owns the account.");
	source->accounts(source->arg, owned_add, &m);
	m.which = OWNED_EPOCH;
	metric_add_head(out, "account_epoch", "gauge", "How often the account was claimed.");
	source->accounts(source->arg, owned_add, &m);
	m.which = OWNED_TAKEOVERS;
	metric_add_head(out, "account_takeovers_total", "counter",
			"How often the account passed to another owner, as this daemon saw it.");
	source->accounts(source->arg, owned_add, &m);
	m.which = OWNED_FROZEN;
	metric_add_head(out, "account_frozen", "gauge",
			"1 while the account is compared with a database that may have lost something.");
	source->accounts(source->arg, owned_add, &m);
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
	metric_add_head(out, "build_info", "gauge", "The running version.");
	buf_addf(out, "lessor_build_info{version=\"%s\"} 1\n", api->config.version);
	metric_add(out, "api_pending", "gauge", "Requests that wait for the engine.",
		   (int64_t)engine_queue_count(api->engine_queue));
	metric_add(out, "runs_pending", "gauge", "Requests that wait for run history.",
		   (int64_t)run_queue_count(api->run_queue));
	metric_add(out, "runs_available", "gauge",
		   "1 if run history is available; if 0, the log has the reason.",
		   runs_is_usable(api->parts.runs));
	metric_add(out, "store_state", "gauge",
		   "0: the database can be written; 1: its disk is full: creates are refused, all else "
		   "uses the reserve; 2: another process has locked it; 3: disk and reserve are full; "
		   "4: it does not answer.",
		   fleet_store_state(api->parts.fleet));
	metric_add(out, "store_read_errors_total", "counter",
		   "Requests answered 503 because the database could not be read.",
		   (int64_t)api->store_errors);
}

static void auth_metrics(struct buf *out, const struct auth_counters *auth)
{
	metric_add(out, "auth_tokens", "gauge", "API tokens loaded.", (int64_t)auth->tokens);
	metric_add(out, "auth_accepted_total", "counter", "Requests with a valid token.",
		   (int64_t)auth->accepted);
	metric_add(out, "auth_refused_total", "counter", "Requests without a valid token.",
		   (int64_t)auth->refused);
	metric_add(out, "auth_limited_total", "counter", "Refused requests that were answered 429.",
		   (int64_t)auth->limited);
}

static void limit_metrics(struct buf *out, struct api_request *request)
{
	const struct api *api = request->api;
	const struct queue_view *queue = queue_view_read(request->api, NULL);
	struct store_counts counts;

	if (store_counts(api->parts.reader, request->caller.owner, request->caller.org, "", &counts,
			 NULL) == 0) {
		metric_add(out, "leases_counted", "gauge", "Leases that count against the limits.",
			   counts.all);
		metric_add(out, "leases_hourly_micros", "gauge", "Sum of their hourly prices.",
			   counts.micros_all);
	}
	if (queue)
		metric_add(out, "leases_queued", "gauge", "Leases that wait for capacity.",
			   (int64_t)queue->count);
}

static void attention_metrics(struct buf *out, const struct api *api)
{
	struct stranded stranded = { .api = api };
	int64_t attention;

	if (store_attention_count(api->parts.reader, &attention, NULL) == 0)
		metric_add(out, "leases_attention", "gauge", "Leases that need operator action.",
			   attention);
	if (store_account_each(api->parts.reader, stranded_add, &stranded, NULL) == 0)
		metric_add(out, "leases_without_account", "gauge",
			   "Leases that may cost money in accounts that are not configured.",
			   stranded.count);
}

void metrics_show(struct api_request *request)
{
	const struct api *api = request->api;
	struct buf *out = &request->api->out;

	buf_clear(out);
	service_metrics(out, api);
	auth_metrics(out, auth_counters(api->auth));
	limit_metrics(out, request);
	metric_add(out, "clock_suspect", "gauge",
		   "1 if the wall clock is in doubt: nothing ends by time.",
		   env_is_clock_suspect(api->parts.env));
	sweep_metrics(out, api);
	attention_metrics(out, api);
	route_metrics(out, api);
	refusal_metrics(out, api);
	early_metrics(out, api->engine_queue);
	account_metrics(out, api);
	standing_metrics(out, api);
	owned_metrics(out, &api->parts.daemons);
	if (api->relay)
		relay_metrics(out, api);
	if (api->counters)
		http_metrics(out, api->counters);
	reply_text(request, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(out), out->len);
}
