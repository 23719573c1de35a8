/* SPDX-License-Identifier: MIT */
/*
 * Hetzner Cloud: the table, the options, and the order of a lease's steps, which follows
 * from its ledger. Nothing is kept between steps: no instance, no state.
 */
#include "hetzner.h"

#include <stdio.h>
#include <string.h>

#include "address.h"
#include "account.h"
#include "actions.h"
#include "api.h"
#include "delete.h"
#include "key.h"
#include "lookup.h"
#include "observe.h"
#include "protect.h"
#include "server.h"

static const struct lessor_option options[] = {
	{
		.key = OPT_ENDPOINT,
		.preset = "https://api.hetzner.cloud/v1",
		.help = "URL of the API, with its base path.",
		.type = LESSOR_OPTION_URL,
	},
	{
		.key = OPT_KEYS,
		.preset = "lease",
		.choices = "lease|account",
		.help = "lease: one SSH key object per lease; account: one per account, and "
			"the client's key only in cloud-init.",
		.type = LESSOR_OPTION_CHOICE,
	},
	{
		.key = OPT_BOOT_TIMEOUT,
		.preset = "10m",
		.help = "How long to wait for a server to run before it is deleted and the "
			"next type is tried.",
		.min = 1000,
		.max = 60 * 60 * 1000,
		.type = LESSOR_OPTION_DURATION,
	},
	{
		.key = OPT_POLL,
		.preset = "2s",
		.help = "How often to poll servers that are being created; a learned boot time "
			"needs one poll, within half of this.",
		.min = 10,
		.max = 60 * 1000,
		.type = LESSOR_OPTION_DURATION,
	},
};

static int hetzner_open(struct lessor_call *call, void **instance)
{
	(void)call;
	*instance = NULL;
	return LESSOR_DONE;
}

static void hetzner_close(void *instance)
{
	(void)instance;
}

/* ---- provision --------------------------------------------------------------------- */

static const struct lessor_attempt *attempt_of(const struct lessor_lease *lease, uint32_t number)
{
	for (size_t i = 0; i < lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(lease, i);

		if (a->number == number)
			return a;
	}
	return NULL;
}

static const struct lessor_attempt *open_attempt(const struct lessor_lease *lease)
{
	const struct lessor_attempt *last = lease->attempt_count ?
		lessor_attempt_at(lease, lease->attempt_count - 1) : NULL;

	return last && !last->refused ? last : NULL;
}

static const struct lessor_resource *server_of(const struct lessor_lease *lease, uint32_t attempt)
{
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(lease, i);

		if (r->kind == LESSOR_KIND_SERVER && r->attempt == attempt && !resource_is_over(r))
			return r;
	}
	return NULL;
}

/* Deletes what refused attempts left behind. GONE if there is nothing. */
static int rollback_attempts(struct hz *z)
{
	for (size_t i = 0; i < z->lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(z->lease, i);
		const struct lessor_attempt *a;
		int verdict;

		if (r->kind != LESSOR_KIND_SERVER || resource_is_over(r))
			continue;
		a = attempt_of(z->lease, r->attempt);
		if (!a || !a->refused)
			continue;
		verdict = delete_resource(z, r);
		if (verdict != LESSOR_GONE)
			return verdict;
	}
	return LESSOR_GONE;
}

/* The id of the key for the server. -1 with the step's verdict. */
static int need_key(struct hz *z, const char **ret_id, int *ret_verdict)
{
	if (!keys_are_shared(z->call))
		return key_ensure(z, LESSOR_KIND_KEY, z->lease->public_key, ret_id, ret_verdict);
	*ret_id = z->lease->sentinel_id;
	if ((*ret_id)[0])
		return 0;
	*ret_verdict = lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the account's SSH key does not exist yet");
	return -1;
}

static int hetzner_provision(void *instance, struct lessor_call *call,
			     const struct lessor_lease *lease)
{
	struct hz z = { .call = call, .lease = lease };
	const struct lessor_attempt *attempt;
	const struct lessor_resource *server;
	const char *key_id = "";
	int verdict;

	(void)instance;
	if (lookup_unsettled(&z, LESSOR_KIND_SERVER, &verdict))
		return verdict;
	verdict = rollback_attempts(&z);
	if (verdict != LESSOR_GONE)
		return verdict;
	attempt = open_attempt(lease);
	server = attempt ? server_of(lease, attempt->number) : NULL;
	if (server)
		return readiness_step(&z, attempt, server);
	if (need_key(&z, &key_id, &verdict))
		return verdict;
	return attempt ? server_create(&z, attempt, key_id) : server_next_attempt(&z);
}

/* ---- observe ------------------------------------------------------------------------- */

/* The server that the lease waits for. NULL: something else must be done first. */
static const struct lessor_resource *awaited_server(const struct lessor_lease *lease,
						    const struct lessor_attempt **ret_attempt)
{
	const struct lessor_resource *server;

	*ret_attempt = open_attempt(lease);
	server = *ret_attempt ? server_of(lease, (*ret_attempt)->number) : NULL;
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(lease, i);

		if (r->kind == LESSOR_KIND_SERVER && r != server && !resource_is_over(r))
			return NULL;
	}
	return server && server->state == LESSOR_STATE_PRESENT && server->id[0] ? server : NULL;
}

static int hetzner_observe(void *instance, struct lessor_call *call,
			   struct lessor_waiting *waiting, size_t count)
{
	struct awaited *all = lessor_alloc(call, count * sizeof(*all));
	size_t added = 0;

	(void)instance;
	if (!all)
		return lessor_retry(call, LESSOR_CLASS_BUG, 0, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct lessor_waiting *w = lessor_waiting_at(waiting, i);
		const struct lessor_attempt *attempt;
		const struct lessor_resource *server = awaited_server(w->lease, &attempt);

		if (server)
			observe_add(&all[added++], w, attempt, server);
	}
	return added ? observe_look(call, all, added) : LESSOR_DONE;
}

/* ---- cleanup ------------------------------------------------------------------------- */

/* Deletes all resources of a kind, in ledger order. GONE if none is left. */
static int delete_kind(struct hz *z, uint32_t kind)
{
	for (size_t i = 0; i < z->lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(z->lease, i);
		int verdict;

		if (r->kind != kind)
			continue;
		verdict = delete_resource(z, r);
		if (verdict != LESSOR_GONE)
			return verdict;
	}
	return LESSOR_GONE;
}

static int hetzner_cleanup(void *instance, struct lessor_call *call,
			   const struct lessor_lease *lease)
{
	static const uint32_t order[] = {
		LESSOR_KIND_SERVER, LESSOR_KIND_ADDRESS, LESSOR_KIND_VOLUME, LESSOR_KIND_OTHER,
		LESSOR_KIND_KEY,
	};
	struct hz z = { .call = call, .lease = lease };
	int verdict;

	(void)instance;
	if (lookup_unsettled(&z, LESSOR_KIND_SERVER, &verdict) ||
	    lookup_unsettled(&z, LESSOR_KIND_KEY, &verdict))
		return verdict;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		verdict = delete_kind(&z, order[i]);
		if (verdict != LESSOR_GONE)
			return verdict;
	}
	return LESSOR_GONE;
}

/* ---- inspect --------------------------------------------------------------------------- */

static const struct lessor_resource *newest_server(const struct lessor_lease *lease)
{
	for (size_t i = lease->resource_count; i-- > 0;) {
		const struct lessor_resource *r = lessor_resource_at(lease, i);

		if (r->kind == LESSOR_KIND_SERVER && r->id[0] && !resource_is_over(r))
			return r;
	}
	return NULL;
}

static int report_server(struct hz *z, const struct lessor_resource *row, const struct server *s)
{
	if (strcmp(s->thing.id, row->id) != 0)
		return api_nonsense(z->call, "reading the server by its id");
	if (strcmp(s->thing.name, row->name) != 0)
		return lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP,
				     "server %s is no longer named %s", row->id, row->name);
	address_note(z, s);
	if (server_host(z->call, s)[0])
		lessor_output(z->call, LESSOR_OUT_HOST, server_host(z->call, s));
	lessor_output(z->call, LESSOR_OUT_SERVER_ID, s->thing.id);
	lessor_output(z->call, LESSOR_OUT_SERVER_NAME, s->thing.name);
	lessor_output(z->call, LESSOR_OUT_SERVER_TYPE, s->type);
	lessor_output(z->call, LESSOR_OUT_LOCATION, s->location);
	lessor_output(z->call, LESSOR_OUT_STATUS, s->status);
	return LESSOR_DONE;
}

/*
 * Also settles unknown creates: those of a retained lease are looked up to be recorded,
 * never to be deleted.
 */
static int hetzner_inspect(void *instance, struct lessor_call *call,
			   const struct lessor_lease *lease)
{
	struct hz z = { .call = call, .lease = lease };
	const struct lessor_resource *row;
	char path[64];
	auto_reply reply = { 0 };
	struct server server;
	int verdict = LESSOR_GONE;
	int looked = lookup_unsettled(&z, LESSOR_KIND_SERVER, &verdict);

	(void)instance;
	if (!looked)
		looked = lookup_unsettled(&z, LESSOR_KIND_KEY, &verdict);
	/* inspect cannot return PENDING; the next call sees what was settled. */
	if (looked)
		return verdict == LESSOR_PENDING ? lessor_retry(call, LESSOR_CLASS_TRANSIENT,
								AT_ONCE, "the ledger was updated") :
						   verdict;
	row = newest_server(lease);
	if (!row)
		return LESSOR_GONE;
	snprintf(path, sizeof(path), "/servers/%s", row->id);
	api_get(call, path, 0, &reply);
	if (reply.rule && reply.rule->on_get == GET_GONE)
		return LESSOR_GONE;
	if (reply.rule)
		return api_retry(call, &reply, "reading the server");
	if (parse_server(json_object_get(reply.root, "server"), &server))
		return api_nonsense(call, "reading the server");
	return report_server(&z, row, &server);
}

/* ---- the account -------------------------------------------------------------------------- */

static int hetzner_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	(void)instance;
	return account_list(call, kind);
}

static int hetzner_probe(void *instance, struct lessor_call *call,
			 const struct lessor_lease *account)
{
	struct hz z = { .call = call, .lease = account };

	(void)instance;
	return account_probe(&z);
}

static int hetzner_catalog(void *instance, struct lessor_call *call)
{
	(void)instance;
	return account_catalog(call);
}

static int hetzner_retain(void *instance, struct lessor_call *call,
			  const struct lessor_lease *lease)
{
	struct hz z = { .call = call, .lease = lease };

	(void)instance;
	return protection_keep(&z);
}

static const struct lessor_provider hetzner = {
	.size = sizeof(struct lessor_provider),
	.abi = LESSOR_ABI,
	.name = "hetzner",
	.version = "0.1.0",
	.summary = "Servers of Hetzner Cloud",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.option_size = sizeof(options[0]),
	.concurrency = LESSOR_PARALLEL,
	.capabilities = LESSOR_CAN_USER_DATA,
	.http_auth = "bearer",
	.http_origin = "https://api.hetzner.cloud/v1",
	.actions = hetzner_actions,
	.action_count = HETZNER_ACTIONS,
	.action_size = sizeof(struct lessor_action),
	/* Lists and reads lag seconds behind creates; Hetzner's own clients wait a minute. */
	.visible_within_ms = 60 * 1000,
	.open = hetzner_open,
	.close = hetzner_close,
	.provision = hetzner_provision,
	.cleanup = hetzner_cleanup,
	.inspect = hetzner_inspect,
	.list = hetzner_list,
	.probe = hetzner_probe,
	.catalog = hetzner_catalog,
	.retain = hetzner_retain,
	.observe = hetzner_observe,
};

LESSOR_PROVIDER(hetzner)
