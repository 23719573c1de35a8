/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <stdio.h>
#include <string.h>

#include "api.h"
#include "image.h"
#include "key.h"
#include "lookup.h"
#include "protect.h"

/* ---- the sentinel, which proves which project the token opens ------------------------------- */

static const struct lessor_resource *sentinel_row(const struct lessor_lease *account)
{
	for (size_t i = 0; i < account->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(account, i);

		if (r->kind == LESSOR_KIND_SENTINEL && r->id[0] && !resource_is_over(r))
			return r;
	}
	return NULL;
}

static int probe_refused(struct hz *z, const struct reply *reply)
{
	if (reply->outcome == LESSOR_HAPPENED && reply->error_class == LESSOR_CLASS_AUTH)
		return api_refuse(z->call, reply, "reading the account's sentinel");
	return api_retry(z->call, reply, "reading the account's sentinel");
}

/* The host counts its starts and no-delete releases in the labels. */
static int sentinel_count_up(struct hz *z, const struct lessor_resource *row,
			     const struct thing *sentinel)
{
	struct lessor_change change = { .size = sizeof(change) };
	struct lessor_observed seen;
	auto_reply reply = { 0 };

	thing_observe(sentinel, &seen);
	if (lessor_permit_change(z->call, row->row, LESSOR_CHANGE_LABELS, &seen, &change))
		return LESSOR_DONE;
	labels_write(z, row, &change, &reply);
	/* A read-only token proves the account but can neither create nor delete. */
	if (reply.rule && reply.outcome == LESSOR_HAPPENED &&
	    reply.error_class == LESSOR_CLASS_AUTH)
		return api_refuse(z->call, &reply, "writing the account's sentinel");
	return LESSOR_DONE;
}

static int probe_sentinel(struct hz *z, const struct lessor_resource *row)
{
	char path[64];
	auto_reply reply = { 0 };
	struct ssh_key key;
	const char *instance;

	snprintf(path, sizeof(path), "/ssh_keys/%s", row->id);
	api_get(z->call, path, 0, &reply);
	if (reply.rule && reply.rule->on_get == GET_GONE)
		return lessor_refuse(z->call, LESSOR_CLASS_ACCOUNT,
				     "the account's sentinel %s (SSH key %s) does not exist: "
				     "the token opens another project, or somebody deleted it",
				     row->name, row->id);
	if (reply.rule)
		return probe_refused(z, &reply);
	if (parse_key(json_object_get(reply.root, "ssh_key"), LESSOR_KIND_SENTINEL, &key) ||
	    strcmp(key.thing.id, row->id) != 0)
		return api_nonsense(z->call, "reading the account's sentinel");
	instance = thing_label(&key.thing, LESSOR_LABEL_INSTANCE);
	if (strcmp(key.thing.name, row->name) != 0 ||
	    (instance && strcmp(instance, lessor_broker_id(z->call)) != 0))
		return lessor_refuse(z->call, LESSOR_CLASS_ACCOUNT,
				     "SSH key %s is no longer the account's sentinel %s: it was renamed "
				     "or relabelled at the provider",
				     row->id, row->name);
	return sentinel_count_up(z, row, &key.thing);
}

int account_probe(struct hz *z)
{
	const struct lessor_resource *row = sentinel_row(z->lease);
	const char *id;
	int verdict;

	image_remember(z);
	if (row)
		return probe_sentinel(z, row);
	/* probe cannot return PENDING. */
	if (lookup_unsettled(z, LESSOR_KIND_SENTINEL, &verdict))
		return verdict == LESSOR_PENDING ?
			       lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, AT_ONCE,
					    "the account's sentinel was looked up and its ledger was "
					    "updated") :
			       verdict;
	if (key_ensure(z, LESSOR_KIND_SENTINEL, z->lease->account_key, &id, &verdict) == 0)
		return LESSOR_DONE;
	/* Created or found, and recorded: it was just seen to exist. */
	return verdict == LESSOR_PENDING ? LESSOR_DONE : verdict;
}

/* ---- inventory -------------------------------------------------------------------------- */

struct account_inventory {
	struct lessor_call *call;
	uint32_t kind;
	int is_full;
};

static int list_visit(void *arg, const struct thing *thing)
{
	struct account_inventory *inventory = arg;
	const char *instance = thing_label(thing, LESSOR_LABEL_INSTANCE);
	const char *kind = thing_label(thing, LESSOR_LABEL_KIND);
	int is_sentinel = kind && strcmp(kind, "sentinel") == 0;
	struct lessor_observed seen;

	/* The provider's filter is used but not trusted. Sentinels are listed of every broker. */
	if (!instance || (inventory->kind != LESSOR_KIND_SENTINEL &&
			  strcmp(instance, lessor_broker_id(inventory->call)) != 0))
		return 0;
	/* Keys and sentinels are both SSH keys at Hetzner. */
	if (inventory->kind != LESSOR_KIND_SERVER &&
	    is_sentinel != (inventory->kind == LESSOR_KIND_SENTINEL))
		return 0;
	thing_observe(thing, &seen);
	if (thing->kind == LESSOR_KIND_SERVER) {
		const struct server *server = (const struct server *)(const void *)thing;

		seen.status = server->status;
		seen.type = server->type;
		seen.address = server->host;
		seen.protection = server->is_protected ? LESSOR_PROTECTION_ON :
							 LESSOR_PROTECTION_OFF;
	}
	inventory->is_full = lessor_listed(inventory->call, &seen) != 0;
	return inventory->is_full ? -1 : 0;
}

/* They have no labels; the host recognises ours by their ids. */
static int address_visit(void *arg, const struct thing *thing)
{
	struct account_inventory *inventory = arg;
	const struct address *address = (const struct address *)thing;
	struct lessor_observed seen;

	if (address->is_used || address->is_v6)
		return 0;
	thing_observe(thing, &seen);
	inventory->is_full = lessor_listed(inventory->call, &seen) != 0;
	return inventory->is_full ? -1 : 0;
}

static int list_all(struct account_inventory *inventory, const char *query, lookup_visit_fn *visit)
{
	int verdict;

	if (lookup_pages(inventory->call, inventory->kind, query, visit, inventory, &verdict))
		return verdict;
	if (inventory->is_full)
		return lessor_retry(inventory->call, LESSOR_CLASS_BUG, 0,
				    "the host accepts no more objects");
	return LESSOR_DONE;
}

int account_list(struct lessor_call *call, uint32_t kind)
{
	struct account_inventory inventory = { .call = call, .kind = kind };
	char selector[160], encoded[400], query[440];

	if (kind == LESSOR_KIND_ADDRESS)
		return list_all(&inventory, "", address_visit);
	/* No other kinds are ever created. */
	if (kind != LESSOR_KIND_SERVER && kind != LESSOR_KIND_KEY && kind != LESSOR_KIND_SENTINEL)
		return LESSOR_DONE;
	if (kind == LESSOR_KIND_SENTINEL)
		snprintf(selector, sizeof(selector), LESSOR_LABEL_KIND "==sentinel");
	else
		snprintf(selector, sizeof(selector), LESSOR_LABEL_INSTANCE "==%.100s",
			 lessor_broker_id(call));
	api_encode(selector, encoded, sizeof(encoded));
	snprintf(query, sizeof(query), "label_selector=%s", encoded);
	return list_all(&inventory, query, list_visit);
}
