/* SPDX-License-Identifier: MIT */
#include "api/lookup.h"

#include <stdio.h>
#include <string.h>

#include "api/grammar.h"
#include "api/slug.h"

struct account *lookup_account(const struct api *api, const char *name)
{
	for (size_t i = 0; i < api->parts.account_count; i++) {
		if (!strcmp(api->parts.accounts[i]->config.name, name))
			return api->parts.accounts[i];
	}
	return NULL;
}

int lookup_is_unsure(const struct api *api, const struct lease *l)
{
	const struct account *account = lookup_account(api, l->account);

	return !account || account_is_fenced(account) || !account_is_verified(account, INT64_MAX);
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

int lookup_lease_ref(char param[ROUTE_PARAM_ROOM])
{
	char slug[48];

	if (grammar_is_lease_id(param))
		return 1;
	for (char *c = param; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	if (grammar_is_slug(param))
		return 1;
	/* As a slug was written when the lease was asked for. */
	if (slug_normalize(param, slug))
		return 0;
	snprintf(param, ROUTE_PARAM_ROOM, "%s", slug);
	return 1;
}

int lookup_lease(struct call *call)
{
	struct store *reader = call->api->parts.reader;
	struct store_scope scope = lookup_scope(&call->caller);
	struct lease *l = &call->api->lease;
	struct err err = { 0 };
	int rc;

	if (!lookup_lease_ref(call->param)) {
		call_not_found(call);
		return -1;
	}
	if (grammar_is_lease_id(call->param))
		rc = store_lease_visible(reader, call->param, &scope, l, &err);
	else
		rc = store_lease_by_slug(reader, call->param, &scope, l, &err);
	if (rc == 0)
		return 0;
	if (rc > 0)
		call_not_found(call);
	else if (err.kind == ERR_CONFLICT)
		call_error(call, 409, "ambiguous_slug",
			   "Several leases have this slug: use the id.");
	else
		call_broken(call, &err);
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

int lookup_require_runs(struct call *call)
{
	if (lookup_has_runs(call->api))
		return 0;
	http_reply_header(call->ex, "Retry-After", "60");
	call_error(call, 503, "store_unavailable", LOOKUP_NO_RUNS);
	return -1;
}

int lookup_run(struct call *call, struct run_row *run)
{
	struct store_scope scope = lookup_scope(&call->caller);
	struct err err = { 0 };
	int rc;

	if (lookup_require_runs(call))
		return -1;
	rc = lookup_is_run_id(call->param) ?
		     store_run_find(call->api->parts.runs_reader, call->param, &scope, RUN_READ,
				    run, &err) :
		     1;

	if (rc > 0)
		call_not_found(call);
	else if (rc < 0)
		call_broken(call, &err);
	return rc ? -1 : 0;
}
