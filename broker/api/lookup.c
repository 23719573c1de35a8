/* SPDX-License-Identifier: MIT */
#include "api/lookup.h"

#include <stdio.h>
#include <string.h>

#include "api/reply.h"
#include "api/slug.h"
#include "api/validate.h"

struct account *lookup_account(const struct api *api, const char *name)
{
	for (size_t i = 0; i < api->parts.account_count; i++) {
		if (!strcmp(api->parts.accounts[i]->config.name, name))
			return api->parts.accounts[i];
	}
	return NULL;
}

struct running {
	int64_t now_ms, micros;
};

static void running_add(void *arg, const struct store_cost_row *row)
{
	struct running *running = arg;

	running->micros += cost_total(&row->cost, running->now_ms).micros;
}

int64_t lookup_running_micros(const struct api *api, const struct lease *l)
{
	struct running running = { .now_ms = api_now_ms(api) };

	/* It is shown for information: without it, the lease is shown none the less. */
	if (l->cleanup != CLEANUP_RETAINED ||
	    store_cost_of_lease(api->parts.reader, l->n, running_add, &running, NULL))
		return 0;
	return running.micros;
}

int64_t lookup_now_ms(const struct api_request *request)
{
	return api_now_ms(request->api);
}

struct store_scope lookup_scope(const struct caller *caller)
{
	struct store_scope scope = { .owner = caller->owner, .org = caller->org };

	if (caller->role == TOKEN_ADMIN)
		scope.all = 1;
	else if (caller->role == TOKEN_READER)
		scope.owner = NULL;
	return scope;
}

int lookup_lease_ref(char param[ROUTE_PARAM_SIZE])
{
	char slug[48];

	if (validate_lease_id(param))
		return 1;
	for (char *c = param; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	if (validate_slug(param))
		return 1;
	/* As a slug was written when the lease was asked for. */
	if (slug_normalize(param, slug))
		return 0;
	snprintf(param, ROUTE_PARAM_SIZE, "%s", slug);
	return 1;
}

/* By slug: a live lease that the caller may see, else the caller's own newest ended one. */
static int lease_by_slug(struct api_request *request, const struct store_scope *scope,
			 struct err *err)
{
	struct store *reader = request->api->parts.reader;
	struct lease *l = &request->api->lease;
	int rc = store_lease_by_slug(reader, request->param, scope, l, err);

	if (rc != 1)
		return rc;
	return store_lease_ended_by_slug(reader, request->param, request->caller.owner,
					 request->caller.org, l, err);
}

int lookup_lease(struct api_request *request)
{
	struct store *reader = request->api->parts.reader;
	struct store_scope scope = lookup_scope(&request->caller);
	struct lease *l = &request->api->lease;
	struct err err = { 0 };
	int rc;

	if (!lookup_lease_ref(request->param)) {
		reply_not_found(request);
		return -1;
	}
	if (validate_lease_id(request->param))
		rc = store_lease_visible(reader, request->param, &scope, l, &err);
	else
		rc = lease_by_slug(request, &scope, &err);
	if (rc == 0)
		return 0;
	if (rc > 0)
		reply_not_found(request);
	else if (err.kind == ERR_CONFLICT)
		reply_error(request, 409, "ambiguous_slug",
			    "Several leases have this slug; use the id.");
	else
		reply_store_error(request, &err);
	return -1;
}

int lookup_is_run_id(const char *text)
{
	size_t len = strnlen(text, RUN_ID_SIZE);

	return (len == 16 || len == 36) && !memcmp(text, "run_", 4) &&
	       strspn(text + 4, "0123456789abcdef") == len - 4;
}

int lookup_has_runs(const struct api *api)
{
	return api->parts.runs_reader && runs_is_usable(api->parts.runs);
}

int lookup_require_runs(struct api_request *request)
{
	if (lookup_has_runs(request->api))
		return 0;
	http_reply_header(request->ex, "Retry-After", "60");
	reply_error(request, 503, "store_unavailable", LOOKUP_NO_RUNS);
	return -1;
}

int lookup_run(struct api_request *request, struct run_row *run)
{
	struct store_scope scope = lookup_scope(&request->caller);
	struct err err = { 0 };
	int rc;

	if (lookup_require_runs(request))
		return -1;
	rc = lookup_is_run_id(request->param) ?
		     store_run_find(request->api->parts.runs_reader, request->param, &scope,
				    RUN_READ, run, &err) :
		     1;

	if (rc > 0)
		reply_not_found(request);
	else if (rc < 0)
		reply_store_error(request, &err);
	return rc ? -1 : 0;
}
