/* SPDX-License-Identifier: MIT */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/condition.h"
#include "api/contract_classes.h"
#include "api/events.h"
#include "api/handlers.h"
#include "api/lease_figures.h"
#include "api/queue_view.h"
#include "api/not_offered.h"
#include "api/reply.h"
#include "api/token_desk.h"
#include "api/token_watch.h"
#include "api/tokens.h"
#include "util/alloc.h"
#include "util/log.h"

#define BODY_MAX 65536
/* Identifies other daemons to the HTTP server, whoever their clients are. */
#define PEER_OWNER UINT64_C(1)

static void request_serve(struct api_request *request);

void api_config_init(struct api_config *config)
{
	memset(config, 0, sizeof(*config));
	snprintf(config->service, sizeof(config->service), "lessor");
	snprintf(config->default_class, sizeof(config->default_class), "small");
	contract_classes_set(config);
	config->ttl_ms = 5400000;
	config->ttl_max_ms = 86400000;
	config->idle_ms = 1800000;
	config->idle_max_ms = 86400000;
	config->create_wait_ms = 20000;
	config->release_wait_ms = 20000;
	config->wait_max_ms = 600000;
	config->sweep_grace_ms = 3600000;
	config->run_log_max = 8 << 20;
	config->refusals_per_minute = 10;
	config->pending_max = 2048;
	config->held_max = 512;
	config->held_owner_max = 32;
}

int api_new(const struct api_parts *parts, const struct api_config *config, struct api **ret,
	    struct err *err)
{
	struct api *api = xcalloc(1, sizeof(*api));

	api->parts = *parts;
	api->config = *config;
	api->routes = route_table;
	api->route_count = route_count;
	api->answers = xcalloc(route_count + 1, sizeof(*api->answers));
	api->cache = cache_new();
	buf_init(&api->out, REPLY_MAX);
	if (auth_new(parts->env, parts->reader, &api->auth, err) ||
	    completions_new(parts->base, &api->completions, err) ||
	    token_desk_new(parts->store, parts->env, &api->token_desk, err) ||
	    (parts->relay &&
	     relay_new(parts->base, parts->env, parts->relay, request_serve, &api->relay, err))) {
		api_free(api);
		return -1;
	}
	auth_use_clock(api->auth, &api->parts.daemons);
	api->parts.store = NULL;
	api->engine_queue = engine_queue_new(api->completions, parts->fleet);
	api->run_queue = run_queue_new(api->completions, parts->runs);
	if (!auth_counters(api->auth)->tokens)
		log_warning(NULL,
			    "there is no API token: all requests except /v1/health are refused "
			    "until one is created with 'lessord token add'");
	*ret = api;
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	usage_stop(api);
	runs_logs_stop(api);
	control_stop(api);
	events_stop(api);
	token_watch_stop(api);
	relay_free(api->relay);
	api->relay = NULL;
	tokens_stop(api);
	if (api->token_desk)
		token_desk_stop(api->token_desk);
	if (api->completions)
		completions_drain(api->completions);
	engine_queue_free(api->engine_queue);
	run_queue_free(api->run_queue);
	completions_free(api->completions);
	token_desk_free(api->token_desk);
	auth_free(api->auth);
	buf_fini(&api->out);
	cache_free(api->cache);
	queue_view_fini(api);
	lease_figures_stop(api);
	free(api->answers);
	free(api);
}

int api_reload(struct api *api, const struct api_config *config, struct err *err)
{
	if (auth_reload(api->auth, err))
		return -1;
	if (config)
		api->config = *config;
	return 0;
}

void api_drain(struct api *api)
{
	events_drain(api);
}

void api_crowded(unsigned count, void *user)
{
	struct api *api = user;

	fleet_hurry(api->parts.fleet, count);
}

void api_set_counters(struct api *api, const struct http_counters *counters)
{
	api->counters = counters;
}

size_t api_pending(const struct api *api)
{
	return engine_queue_count(api->engine_queue);
}

/* ---- checks before a handler --------------------------------- */

/* Only browsers send an Origin. Ours has the Host as its authority. */
static int origin_is_ours(const struct http_head *head)
{
	const char *origin = http_head_known(head, HTTP_FIELD_ORIGIN);
	const char *host = http_head_known(head, HTTP_FIELD_HOST);

	if (!origin)
		return 1;
	if (!strncmp(origin, "http://", 7))
		origin += 7;
	else if (!strncmp(origin, "https://", 8))
		origin += 8;
	else
		return 0;
	return host && !strcasecmp(origin, host);
}

/* application/json, with at most charset=utf-8 behind it. */
static int type_is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;

	if (strncasecmp(type, json, len))
		return 0;
	type += len;
	type += strspn(type, " \t");
	if (!*type)
		return 1;
	if (*type != ';')
		return 0;
	type++;
	type += strspn(type, " \t");
	return !strcasecmp(type, "charset=utf-8") || !strcasecmp(type, "charset=\"utf-8\"");
}

/*
 * Unknown keys of a GET are ignored: a newer client may send some that only change how the
 * answer looks. What changes something may not be misunderstood.
 */
static int query_check(struct api_request *request)
{
	const char *at = request->head->query;
	unsigned seen = 0;

	while (at && *at) {
		size_t len = strcspn(at, "&");
		size_t key = strcspn(at, "=&");
		int place = route_knows_query(request->route, at, key);

		if (!place && request->route->method != HTTP_GET)
			return api_error_set(&request->error, 400, "unknown_query",
					     request->route->query[0] ?
						     "Unknown query key. Allowed keys: %s." :
						     "This route takes no query string.",
					     request->route->query);
		if (place && seen & (1u << place))
			return api_error_set(&request->error, 400, "duplicate_query",
					     "The query key %.*s may be given only once.", (int)key,
					     at);
		if (place)
			seen |= 1u << place;
		at += len;
		at += *at == '&';
	}
	return 0;
}

static int body_check(struct api_request *request)
{
	const char *type = http_head_known(request->head, HTTP_FIELD_CONTENT_TYPE);
	const char *body;
	size_t len;

	body = http_exchange_body(request->ex, &len);
	if (request->route->body == BODY_NONE) {
		if (len)
			return api_error_set(&request->error, 400, "unexpected_body",
					     "This route takes no body.");
		return 0;
	}
	if (type ? !type_is_json(type) : len > 0)
		return api_error_set(&request->error, 415, "unsupported_media_type",
				     "The body must be application/json.");
	if (request->route->body == BODY_STREAM)
		return 0;
	if (request->route->body == BODY_WIDE) {
		static const struct json_body_bounds wide = { 32768, ROUTE_WIDE_MAX, 1 };

		return json_body_open_wide(&request->body, body, len, &wide, &request->error);
	}
	return json_body_open(&request->body, body, len, request->route->body == BODY_OPTIONAL,
			      &request->error);
}

static int head_refuse(struct http_body_rule *rule, int status, const char *code,
		       const char *message)
{
	rule->status = status;
	rule->code = code;
	rule->message = message;
	return -1;
}

/* No route has this method and path; `methods`: those that have the path. */
static int route_refuse(const struct http_head *head, unsigned methods, struct http_body_rule *rule)
{
	const struct not_offered *known = not_offered_find(head->method, head->path);

	if (known)
		return head_refuse(rule, known->status, "not_offered", known->message);
	if (!methods)
		return head_refuse(rule, 404, "not_found", "Not found.");
	rule->field = "Allow";
	route_allow(methods, rule->field_value, sizeof(rule->field_value));
	return head_refuse(rule, 405, "method_not_allowed",
			   "This path does not support the method.");
}

/* Counts an accepted request once: when it is whole (`is_whole`), not at its head. */
static enum auth_result token_check(struct api *api, const struct http_exchange *ex, int is_whole,
				    struct caller *caller)
{
	const char *authorization = http_head_known(http_exchange_head(ex),
						    HTTP_FIELD_AUTHORIZATION);

	/* Another daemon has checked it. */
	if (api->relay && forwarded_is(http_exchange_head(ex)))
		return relay_accepts(api->relay, ex, is_whole, caller) ? AUTH_OK : AUTH_REFUSED;
	if (!is_whole && auth_peek(api->auth, authorization, caller))
		return AUTH_OK;
	return auth_check(api->auth, authorization, http_exchange_peer(ex)->address,
			  api->config.refusals_per_minute, caller);
}

static int token_refuse(struct api *api, const struct http_exchange *ex, enum auth_result result,
			struct http_body_rule *rule)
{
	const char *authorization = http_head_known(http_exchange_head(ex),
						    HTTP_FIELD_AUTHORIZATION);

	if (result == AUTH_LIMITED) {
		rule->retry_s = 60;
		return head_refuse(rule, 429, "too_many_refusals",
				   "Too many requests without a valid token came from this address. "
				   "Check the token, and try again after a minute.");
	}
	rule->field = "WWW-Authenticate";
	snprintf(rule->field_value, sizeof(rule->field_value), "Bearer");
	return head_refuse(rule, 401, "unauthorized", auth_refusal(api->auth, authorization));
}

/*
 * Who opened a listener for the metrics alone wants whoever can reach it to read them, if that is from
 * this machine.
 */
static int is_local_metrics(const struct http_exchange *ex)
{
	const struct http_peer *peer = http_exchange_peer(ex);

	return peer->purpose == API_FOR_METRICS && (peer->is_loopback || peer->is_unix);
}

/* The route of a request, as route_find. */
static const struct route *route_of(const struct http_exchange *ex, unsigned *ret_methods,
				    char param[ROUTE_PARAM_SIZE])
{
	const struct http_head *head = http_exchange_head(ex);

	if (http_exchange_peer(ex)->purpose == API_FOR_METRICS &&
	    strcmp(head->path, "/metrics") != 0) {
		*ret_methods = 0;
		return NULL;
	}
	return route_find(head->method, head->path, ret_methods, param);
}

/*
 * What is decided by the head alone: may the caller have this route? -1: the answer is in the
 * rule.
 */
static int head_check(struct api *api, const struct http_exchange *ex, int is_whole,
		      const struct route *route, struct caller *caller, struct http_body_rule *rule)
{
	enum auth_result result;

	if (!origin_is_ours(http_exchange_head(ex)))
		return head_refuse(rule, 403, "origin_not_allowed",
				   "Requests from web pages of other origins are refused.");
	if (route->roles == ROLE_ANYONE || is_local_metrics(ex))
		return 0;
	result = token_check(api, ex, is_whole, caller);
	if (result != AUTH_OK)
		return token_refuse(api, ex, result, rule);
	tokens_used(api);
	rule->is_trusted = 1;
	rule->owner = api->relay && forwarded_is(http_exchange_head(ex)) ?
			      PEER_OWNER :
			      auth_owner(api->auth, caller);
	if (route->roles & ROLE(caller->role))
		return 0;
	/* Refusals are counted, not logged: a client could fill the log with them. */
	return head_refuse(rule, 403, "forbidden",
			   route->roles == ROLE_ADMIN ?
				   "admin token required" :
				   "The role of this token does not allow this; use a token of another role.");
}

static void reply_rule(struct api_request *request, const struct http_body_rule *rule)
{
	char retry[12];

	if (rule->retry_s) {
		snprintf(retry, sizeof(retry), "%u", (unsigned)rule->retry_s);
		http_reply_header(request->ex, "Retry-After", retry);
	}
	if (rule->field)
		http_reply_header(request->ex, rule->field, rule->field_value);
	reply_error(request, rule->status, rule->code, rule->message);
}

/* A request that has waited; it was checked before. */
static void request_serve(struct api_request *request)
{
	if (body_check(request))
		reply_request_error(request);
	else
		request->route->handle(request);
	json_body_close(&request->body);
}

void api_handle(struct http_exchange *ex, void *user)
{
	struct api *api = user;
	struct api_request request = { .api = api, .ex = ex, .head = http_exchange_head(ex) };
	struct http_body_rule rule = { .status = 0 };
	unsigned methods;
	int refused;

	if (api->relay)
		queue_view_forget(api);
	request.route = route_of(ex, &methods, request.param);
	request.answered =
		api->answers[request.route ? (size_t)(request.route - route_table) : route_count];
	if (!request.route && !methods &&
	    !not_offered_find(request.head->method, request.head->path)) {
		reply_not_found(&request);
		return;
	}
	refused = request.route ? head_check(api, ex, 1, request.route, &request.caller, &rule) :
				  route_refuse(request.head, methods, &rule);
	if (rule.is_trusted && http_exchange_trust(ex, rule.owner)) {
		refused = head_refuse(&rule, 503, "busy", HTTP_BUSY_MESSAGE);
		rule.retry_s = 2;
		http_reply_close(ex);
	}
	if (refused) {
		reply_rule(&request, &rule);
		return;
	}
	if (query_check(&request) || body_check(&request) || condition_read(&request))
		reply_request_error(&request);
	else if (!api->relay || !relay_take(api->relay, &request))
		request.route->handle(&request);
	json_body_close(&request.body);
}

/*
 * A body that no handler would read is refused before the client sends it; so nobody without a
 * token can have the broker wait for one.
 */
void api_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user)
{
	const struct http_head *head = http_exchange_head(ex);
	struct api *api = user;
	struct caller caller;
	const struct route *route;
	char param[ROUTE_PARAM_SIZE];
	unsigned methods;

	route = route_of(ex, &methods, param);
	if (rule->max > BODY_MAX)
		rule->max = BODY_MAX;
	if (route && head_check(api, ex, 0, route, &caller, rule) == 0) {
		if (route->body == BODY_WIDE)
			rule->max = ROUTE_WIDE_MAX;
		else if (route->body == BODY_STREAM)
			run_finish_head(api, &caller, param, rule);
	} else if (!route) {
		route_refuse(head, methods, rule);
	}
	if (rule->status)
		reply_count(api, route, rule->status);
}
