/* SPDX-License-Identifier: MIT */
#include "api/relay_target.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/request.h"
#include "api/validate.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/text.h"

/* Direct-mapped by id. */
#define HOMES 16384

struct relay_homes {
	struct {
		char id[24];
		char account[32];
	} slots[HOMES];
};

struct relay_homes *relay_homes_new(void)
{
	return xcalloc(1, sizeof(struct relay_homes));
}

void relay_homes_free(struct relay_homes *homes)
{
	free(homes);
}

/* ---- of a lease ------------------------------------------------------------------------------ */

/* Without asking whose it is: the owner of the account does that. */
static int lease_read(struct api_request *request, const char *ref, enum store_sharing sharing)
{
	struct store *reader = request->api->parts.reader;
	struct store_scope scope = lookup_scope(&request->caller);
	struct lease *l = &request->api->lease;

	scope.sharing = sharing;
	if (validate_lease_id(ref) && sharing != SHARED_NOT)
		return store_lease_by_id(reader, ref, l, NULL);
	if (validate_lease_id(ref))
		return store_lease_visible(reader, ref, &scope, l, NULL);
	if (store_lease_by_slug(reader, ref, &scope, l, NULL) == 0)
		return 0;
	return store_lease_ended_by_slug(reader, ref, request->caller.owner, request->caller.org, l,
					 NULL);
}

static int lease_target(struct relay_homes *homes, struct api_request *request,
			struct relay_target *ret)
{
	const char *id = request->param;
	size_t slot = hash_fnv32(id, strlen(id)) % HOMES;
	const struct lease *l = &request->api->lease;

	if (!lookup_lease_ref(request->param))
		return 0;
	/* A heartbeat changes no goal, and is the busiest request. */
	if (request->route->handle == lease_action_heartbeat && !strcmp(homes->slots[slot].id, id)) {
		TEXT_SET(ret->account, homes->slots[slot].account);
		return 1;
	}
	if (lease_read(request, request->param, SHARED_USE))
		return 0;
	TEXT_SET(ret->account, l->account);
	if (request->route->handle != lease_action_heartbeat)
		ret->epoch = l->epoch;
	if (!strcmp(id, l->id)) {
		TEXT_SET(homes->slots[slot].id, l->id);
		TEXT_SET(homes->slots[slot].account, l->account);
	}
	return 1;
}

int relay_target_own(struct api_request *request, const char *ref, struct relay_target *ret)
{
	if (lease_read(request, ref, SHARED_NOT))
		return 0;
	TEXT_SET(ret->account, request->api->lease.account);
	return 1;
}

/* ---- of an account --------------------------------------------------------------------------- */

/* The member `provider` of the body; what is wrong with it the handler says. */
static const char *body_account(const struct api_request *request)
{
	const char *name = json_string_value(json_object_get(request->body.root, "provider"));

	return name ? name : "";
}

static int create_target(struct api_request *request, struct relay_target *ret)
{
	const struct api *api = request->api;
	const char *name = body_account(request);

	if (!name[0])
		name = api->config.default_account;
	if (!name[0] && api->parts.account_count)
		name = api->parts.accounts[0]->config.name;
	TEXT_SET(ret->account, name);
	return lookup_account(api, name) != NULL;
}

int relay_target_find(struct relay_homes *homes, struct api_request *request,
		      struct relay_target *ret)
{
	const struct route *route = request->route;

	memset(ret, 0, sizeof(*ret));
	if (route->handle == pool_show)
		return query_text(request, "provider", ret->account, sizeof(ret->account)) > 0 &&
		       lookup_account(request->api, ret->account);
	if (route->method == HTTP_GET)
		return 0;
	if (route->members == &body_create) {
		ret->is_slow = 1;
		return create_target(request, ret);
	}
	if (route->handle == sweep_ask) {
		TEXT_SET(ret->account, body_account(request));
		return lookup_account(request->api, ret->account) != NULL;
	}
	if (strstr(route->path, "{account}")) {
		TEXT_SET(ret->account, request->param);
		return lookup_account(request->api, ret->account) != NULL;
	}
	if (!strstr(route->path, "{lease}"))
		return 0;
	ret->is_slow = route->members == &body_release || route->members == &body_delete;
	return lease_target(homes, request, ret);
}
