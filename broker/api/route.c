/* SPDX-License-Identifier: MIT */
#include "api/route.h"

#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "util/alloc.h"

#define LIST_QUERY                                                                              \
	"state limit provider class slug since owner org cleanup attention before view cursor " \
	"pagination"

const struct route route_table[] = {
	{ HTTP_GET, "/v1/health", ROLE_ANYONE, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL, "",
	  service_health },
	{ HTTP_GET, "/v1/whoami", ROLE_EACH, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL, "",
	  service_whoami },
	{ HTTP_GET, "/v1/openapi.json", ROLE_EACH, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL, "",
	  service_openapi },
	{ HTTP_GET, "/v1/metrics", ROLE_WATCHES, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL, "",
	  metrics_show },
	{ HTTP_GET, "/v1/providers", ROLE_EACH, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL, "",
	  accounts_list },
	{ HTTP_GET, "/v1/providers/{account}/readiness", ROLE_EACH, OWNS_NOTHING, GOES_NOWHERE,
	  BODY_NONE, NULL,
	  "target windowsMode class serverType serverTypeExplicit market fallback region",
	  accounts_readiness },
	{ HTTP_GET, "/v1/classes", ROLE_EACH, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL,
	  "provider", classes_list },
	{ HTTP_GET, "/v1/usage", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL,
	  "scope month owner org format", usage_show },
	{ HTTP_GET, "/v1/capacity", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, "",
	  capacity_show },
	{ HTTP_GET, "/v1/queue", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, "",
	  queue_show },

	{ HTTP_GET, "/v1/leases", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, LIST_QUERY,
	  leases_list },
	{ HTTP_POST, "/v1/leases", ROLE_WRITES, OWNS_CHANGED, GOES_BY_CREATE, BODY_NEEDED,
	  &body_create, "", create_post },
	{ HTTP_GET, "/v1/leases/{lease}", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL,
	  "providerMetadata", leases_get },
	{ HTTP_PUT, "/v1/leases/{lease}", ROLE_WRITES, OWNS_CHANGED, GOES_BY_CREATE, BODY_NEEDED,
	  &body_create, "", create_put },
	{ HTTP_GET, "/v1/leases/{lease}/events", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE,
	  NULL, "after limit", leases_events },
	{ HTTP_GET, "/v1/leases/{lease}/residue", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE,
	  NULL, "", leases_residue },
	{ HTTP_GET, "/v1/leases/{lease}/share", ROLE_WRITES, OWNS_SEEN, GOES_NOWHERE, BODY_NONE,
	  NULL, "", share_get },
	{ HTTP_PUT, "/v1/leases/{lease}/share", ROLE_WRITES, OWNS_CHANGED, GOES_BY_LEASE,
	  BODY_NEEDED, &body_share_put, "", share_put },
	{ HTTP_DELETE, "/v1/leases/{lease}/share", ROLE_WRITES, OWNS_CHANGED, GOES_BY_LEASE,
	  BODY_OPTIONAL, &body_share_drop, "", share_drop },
	{ HTTP_POST, "/v1/leases/{lease}/heartbeat", ROLE_WRITES, OWNS_CHANGED, GOES_BY_BEAT,
	  BODY_OPTIONAL, &body_heartbeat, "", lease_action_heartbeat },
	{ HTTP_POST, "/v1/leases/{lease}/extend", ROLE_WRITES, OWNS_CHANGED, GOES_BY_LEASE,
	  BODY_NEEDED, &body_extend, "", lease_action_extend },
	{ HTTP_POST, "/v1/leases/{lease}/release", ROLE_WRITES, OWNS_CHANGED, GOES_BY_END,
	  BODY_OPTIONAL, &body_release, "", lease_action_release },
	{ HTTP_POST, "/v1/leases/{lease}/cancel-create", ROLE_WRITES, OWNS_CHANGED, GOES_BY_CANCEL,
	  BODY_NEEDED, &body_cancel, "", lease_action_cancel },
	{ HTTP_POST, "/v1/leases/{lease}/retry", ROLE_WRITES, OWNS_CHANGED, GOES_BY_LEASE,
	  BODY_OPTIONAL, &body_retry, "", lease_action_retry },

	{ HTTP_GET, "/v1/control", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, "",
	  control_open },
	{ HTTP_GET, "/v1/events", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, "after",
	  events_follow },
	{ HTTP_GET, "/v1/runs", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL,
	  "leaseID owner org state limit", runs_list },
	{ HTTP_POST, "/v1/runs", ROLE_WRITES, OWNS_CHANGED, GOES_NOWHERE, BODY_WIDE,
	  &body_run_create, "", run_create },
	{ HTTP_GET, "/v1/runs/{run}", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, "",
	  runs_get },
	{ HTTP_PUT, "/v1/runs/{run}", ROLE_WRITES, OWNS_CHANGED, GOES_NOWHERE, BODY_WIDE,
	  &body_run_create, "", run_create },
	{ HTTP_GET, "/v1/runs/{run}/receipt", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL,
	  "", runs_receipt },
	{ HTTP_GET, "/v1/runs/{run}/logs", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL, "",
	  runs_logs },
	{ HTTP_GET, "/v1/runs/{run}/events", ROLE_EACH, OWNS_SEEN, GOES_NOWHERE, BODY_NONE, NULL,
	  "after limit", runs_events },
	{ HTTP_POST, "/v1/runs/{run}/events", ROLE_WRITES, OWNS_CHANGED, GOES_NOWHERE, BODY_WIDE,
	  &body_run_event, "", run_event_post },
	{ HTTP_POST, "/v1/runs/{run}/telemetry", ROLE_WRITES, OWNS_CHANGED, GOES_NOWHERE,
	  BODY_NEEDED, &body_run_telemetry, "", run_telemetry_post },
	{ HTTP_POST, "/v1/runs/{run}/finish", ROLE_WRITES, OWNS_CHANGED, GOES_NOWHERE, BODY_STREAM,
	  &body_run_finish, "", run_finish_post },

	{ HTTP_GET, "/v1/daemons", ROLE_ADMIN, OWNS_NOTHING, GOES_NOWHERE, BODY_NONE, NULL, "",
	  daemons_list },
	{ HTTP_GET, "/v1/pool", ROLE_ADMIN, OWNS_ALL, GOES_BY_QUERY, BODY_NONE, NULL, "provider",
	  pool_show },
	{ HTTP_GET, "/v1/admin/leases", ROLE_ADMIN, OWNS_ALL, GOES_NOWHERE, BODY_NONE, NULL,
	  LIST_QUERY, leases_list },
	{ HTTP_POST, "/v1/admin/leases/{lease}/release", ROLE_ADMIN, OWNS_ALL, GOES_BY_END,
	  BODY_OPTIONAL, &body_release, "", lease_action_release },
	{ HTTP_POST, "/v1/admin/leases/{lease}/delete", ROLE_ADMIN, OWNS_ALL, GOES_BY_END,
	  BODY_OPTIONAL, &body_delete, "", lease_action_delete },
	{ HTTP_POST, "/v1/admin/leases/{lease}/resolve", ROLE_ADMIN, OWNS_ALL, GOES_BY_LEASE,
	  BODY_NEEDED, &body_resolve, "", lease_action_resolve },
	{ HTTP_POST, "/v1/admin/accounts/{account}/take-over", ROLE_ADMIN, OWNS_NOTHING,
	  GOES_BY_PATH, BODY_NEEDED, &body_take_over, "", accounts_take_over },
	{ HTTP_GET, "/v1/admin/sweep", ROLE_ADMIN, OWNS_ALL, GOES_NOWHERE, BODY_NONE, NULL, "",
	  sweep_show },
	{ HTTP_POST, "/v1/admin/sweep", ROLE_ADMIN, OWNS_ALL, GOES_BY_BODY, BODY_NEEDED,
	  &body_sweep, "", sweep_ask },
};

const size_t route_count = ARRAY_LEN(route_table);

/* The literal parts of a path, before and after its "{...}". */
struct shape {
	size_t before;
	const char *tail; /* the part after it; NULL: there is no "{...}" */
	size_t after;
};

static struct shape shapes[ARRAY_LEN(route_table)];

static void shapes_fill(void)
{
	for (size_t i = 0; i < route_count; i++) {
		const char *path = route_table[i].path;
		const char *open = strchr(path, '{');

		shapes[i].before = open ? (size_t)(open - path) : strlen(path);
		shapes[i].tail = open ? strchr(open, '}') + 1 : NULL;
		shapes[i].after = open ? strlen(shapes[i].tail) : 0;
	}
}

/* The length of the segment that matches "{...}"; 0: the path has none; -1: no match. */
static int path_matches(const char *pattern, const struct shape *shape, const char *path,
			size_t len)
{
	size_t param = len - shape->before - shape->after;

	if (len < shape->before + shape->after || memcmp(path, pattern, shape->before))
		return -1;
	if (!shape->tail)
		return param ? -1 : 0;
	if (!param || param >= ROUTE_PARAM_SIZE ||
	    memcmp(path + len - shape->after, shape->tail, shape->after) ||
	    memchr(path + shape->before, '/', param))
		return -1;
	return (int)param;
}

const struct route *route_find(enum http_method method, const char *path, unsigned *ret_methods,
			       char param[ROUTE_PARAM_SIZE])
{
	enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
	size_t len = strlen(path);

	if (!shapes[0].before)
		shapes_fill();
	*ret_methods = 0;
	param[0] = '\0';
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];
		int n = path_matches(route->path, &shapes[i], path, len);

		if (n < 0)
			continue;
		*ret_methods |= 1u << route->method;
		if (route->method != wanted)
			continue;
		memcpy(param, path + shapes[i].before, (size_t)n);
		param[n] = '\0';
		return route;
	}
	return NULL;
}

void route_allow(unsigned methods, char *out, size_t size)
{
	size_t len = 0;

	if (methods & (1u << HTTP_GET))
		methods |= 1u << HTTP_HEAD;
	out[0] = '\0';
	for (int method = 0; method < HTTP_METHOD_COUNT && len < size; method++) {
		if (methods & (1u << method))
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "",
						http_method_name((enum http_method)method));
	}
}

int route_knows_query(const struct route *route, const char *key, size_t len)
{
	const char *at = route->query;

	for (int place = 1; *at; place++) {
		size_t word = strcspn(at, " ");

		if (word == len && !memcmp(at, key, len))
			return place;
		at += word;
		at += *at == ' ';
	}
	return 0;
}
