/* SPDX-License-Identifier: MIT */
#include "api/relay_target.h"

#include <stdlib.h>
#include <string.h>

#include "api/lookup.h"
#include "api/org_policy.h"
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
static int lease_read(struct api_request *request, const char *ref, enum store_sharing sharing,
		      struct err *err)
{
	struct store *reader = request->api->parts.reader;
	struct store_scope scope = lookup_scope(&request->caller);
	struct lease *l = &request->api->lease;
	int rc;

	scope.sharing = sharing;
	if (validate_lease_id(ref) && sharing != SHARED_NOT)
		return store_lease_by_id(reader, ref, l, err);
	if (validate_lease_id(ref))
		return store_lease_visible(reader, ref, &scope, l, err);
	rc = store_lease_by_slug(reader, ref, &scope, l, err);
	if (rc == 0 || (rc < 0 && err->kind != ERR_CONFLICT))
		return rc;
	return store_lease_ended_by_slug(reader, ref, request->caller.owner, request->caller.org, l,
					 err);
}

static int default_target(const struct api_request *request, struct relay_target *ret)
{
	TEXT_SET(ret->account, org_default_account(request->api, request->caller.org));
	return lookup_account(request->api, ret->account) != NULL;
}

static int lease_target(struct relay_homes *homes, struct api_request *request,
			struct relay_target *ret, struct err *err)
{
	const char *id = request->param;
	size_t slot = hash_fnv32(id, strlen(id)) % HOMES;
	const struct lease *l = &request->api->lease;
	int is_beat = request->route->goes == GOES_BY_BEAT;
	int rc;

	if (!lookup_lease_ref(request->param))
		return 0;
	/* A heartbeat changes no goal, and is the busiest request. */
	if (is_beat && !strcmp(homes->slots[slot].id, id)) {
		TEXT_SET(ret->account, homes->slots[slot].account);
		return 1;
	}
	rc = lease_read(request, request->param, SHARED_USE, err);
	if (rc > 0 && request->route->goes == GOES_BY_CANCEL)
		return default_target(request, ret);
	if (rc)
		return rc < 0 ? -1 : 0;
	TEXT_SET(ret->account, l->account);
	if (!is_beat)
		ret->epoch = l->epoch;
	if (!is_beat && strcmp(id, l->id) != 0)
		TEXT_SET(ret->lease, l->id);
	if (!strcmp(id, l->id)) {
		TEXT_SET(homes->slots[slot].id, l->id);
		TEXT_SET(homes->slots[slot].account, l->account);
	}
	return 1;
}

int relay_target_own(struct api_request *request, const char *ref, struct relay_target *ret)
{
	struct err err = { 0 };
	int rc = lease_read(request, ref, SHARED_NOT, &err);

	/* There may be several. */
	if (rc)
		return rc < 0 || err.kind == ERR_CONFLICT ? -1 : 0;
	TEXT_SET(ret->account, request->api->lease.account);
	return 1;
}

/* ---- of an account --------------------------------------------------------------------------- */

/* The member `provider` of the body; the handler reports what is wrong with it. */
static const char *body_account(const struct api_request *request)
{
	const char *name = json_string_value(json_object_get(request->body.root, "provider"));

	return name ? name : "";
}

/* The lease that the Idempotency-Key stands for, or that has the id. 0: it is read. */
static int created_read(struct api_request *request)
{
	const char *key = http_head_known(request->head, HTTP_FIELD_IDEMPOTENCY_KEY);
	struct store *reader = request->api->parts.reader;
	struct lease *l = &request->api->lease;
	struct store_idempotency known;

	if (key && request->route->method == HTTP_POST &&
	    store_idempotency_get(reader, request->caller.owner, request->caller.org, key, &known,
				  NULL) == 0)
		return store_lease_by_n(reader, known.lease_n, l, NULL);
	return request->create_id[0] ? store_lease_by_id(reader, request->create_id, l, NULL) : -1;
}

/*
 * A repeated create is for the account of its lease, whatever it names and whatever the default is
 * here. If that cannot be read, the engine finds out.
 */
void relay_target_again(struct api_request *request, char account[32])
{
	int goes = request->route->goes;

	if ((goes == GOES_BY_CREATE && created_read(request) == 0) ||
	    (goes == GOES_BY_CANCEL && store_lease_by_id(request->api->parts.reader, request->param,
							 &request->api->lease, NULL) == 0))
		text_set(account, sizeof(request->api->lease.account), request->api->lease.account);
}

/* A forwarded create names the account that its sender means. */
static int create_target(struct api_request *request, struct relay_target *ret)
{
	const char *id = request->route->method == HTTP_PUT ?
				 request->param :
				 json_string_value(json_object_get(request->body.root, "leaseID"));
	const char *name = body_account(request);
	char account[32] = "";

	if (id && validate_lease_id(id))
		TEXT_SET(request->create_id, id);
	relay_target_again(request, account);
	if (account[0]) {
		TEXT_SET(ret->account, account);
		return 1;
	}
	if (!name[0])
		name = request->account;
	if (!name[0])
		return default_target(request, ret);
	TEXT_SET(ret->account, name);
	return lookup_account(request->api, name) != NULL;
}

int relay_target_find(struct relay_homes *homes, struct api_request *request,
		      struct relay_target *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	switch (request->route->goes) {
	case GOES_NOWHERE:
		return 0;
	case GOES_BY_QUERY:
		return query_text(request, "provider", ret->account, sizeof(ret->account)) > 0 &&
		       lookup_account(request->api, ret->account);
	case GOES_BY_CREATE:
		return create_target(request, ret);
	case GOES_BY_BODY:
		TEXT_SET(ret->account, body_account(request));
		return lookup_account(request->api, ret->account) != NULL;
	case GOES_BY_PATH:
		TEXT_SET(ret->account, request->param);
		return lookup_account(request->api, ret->account) != NULL;
	case GOES_BY_LEASE:
	case GOES_BY_BEAT:
	case GOES_BY_END:
	case GOES_BY_CANCEL:
		break;
	}
	return lease_target(homes, request, ret, err);
}

enum relay_lane relay_target_lane(const struct route *route)
{
	if (route->goes == GOES_BY_CREATE)
		return LANE_CREATE;
	return route->goes == GOES_BY_END ? LANE_END : LANE_QUICK;
}
