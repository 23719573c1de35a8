/* SPDX-License-Identifier: MIT */
/*
 * static: a pool of existing hosts. A lease allocates one of them exclusively and returns it;
 * nothing is created or deleted, and nothing costs money.
 *
 *   [account pool]
 *   provider = static
 *   locations = rack1
 *   inventory = /etc/lessord/pool.json		(format: inventory.h)
 *   state = /var/lib/lessord/pool
 *
 * The state directory acts as the cloud of this provider: its servers are records, one file
 * per allocated host (registry.h). A record is created atomically, and only if there is none;
 * it has the name and labels of its lease and an id of its own, and survives any crash. So
 * allocation never depends on this process's memory, and a host whose record says that it
 * needs a reset is not allocated.
 *
 * The directory must exist and be writable only by the daemon. Back it up together with the
 * store, or neither: the account's sentinel in it proves that it is the same directory, and
 * without it nothing is allocated and nothing is concluded. Two daemons that share hosts may
 * share a directory.
 *
 * The hooks of a host (probe, prepare, reset) run outside the daemon (job.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "step_context.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const struct lessor_option options[] = {
	{
		.key = OPT_INVENTORY,
		.help = "The inventory file, which lists the hosts.",
		.type = LESSOR_OPTION_TEXT,
	},
	{
		.key = OPT_STATE,
		.help = "The directory of allocation records. It must exist and be writable "
			"only by the daemon's user.",
		.type = LESSOR_OPTION_TEXT,
	},
	{
		.key = OPT_POLL,
		.preset = "1s",
		.help = "How often to poll a command that runs for a host.",
		.min = 10,
		.max = MINUTE,
		.type = LESSOR_OPTION_DURATION,
	},
	{
		.key = OPT_PROBE_TIMEOUT,
		.preset = "10s",
		.help = "How long a probe may take.",
		.min = 100,
		.max = 10 * MINUTE,
		.type = LESSOR_OPTION_DURATION,
	},
	{
		.key = OPT_PREPARE_TIMEOUT,
		.preset = "2m",
		.help = "How long the command that prepares a host may take.",
		.min = 100,
		.max = HOUR,
		.type = LESSOR_OPTION_DURATION,
	},
	{
		.key = OPT_RESET_TIMEOUT,
		.preset = "10m",
		.help = "How long the command that resets a host may take.",
		.min = 100,
		.max = 24 * HOUR,
		.type = LESSOR_OPTION_DURATION,
	},
	{
		.key = OPT_UNWELL,
		.preset = "2m",
		.help = "How long not to use a host after its probe failed.",
		.min = 0,
		.max = 24 * HOUR,
		.type = LESSOR_OPTION_DURATION,
	},
};

/* ---- the instance -------------------------------------------------------------------------- */

static int state_check(struct lessor_call *call, const char *path)
{
	struct stat st;

	if (path[0] != '/')
		return lessor_refuse(call, LESSOR_CLASS_INVALID,
				     "option 'state' must be an absolute path");
	if (lstat(path, &st))
		return lessor_refuse(call, LESSOR_CLASS_INVALID,
				     "option 'state': %s does not exist or is not accessible "
				     "(error %d); create it for the daemon's user with mode "
				     "0700",
				     path, errno);
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 0022))
		return lessor_refuse(call, LESSOR_CLASS_INVALID,
				     "option 'state': %s must be a directory that nobody else "
				     "can write to, and not a symbolic link",
				     path);
	return LESSOR_DONE;
}

static int static_open(struct lessor_call *call, void **instance)
{
	const char *path = lessor_option_text(call, OPT_INVENTORY);
	struct pool *pool;
	char why[256];

	if (path[0] != '/')
		return lessor_refuse(call, LESSOR_CLASS_INVALID,
				     "option 'inventory' must be an absolute path");
	if (state_check(call, lessor_option_text(call, OPT_STATE)) != LESSOR_DONE)
		return LESSOR_REFUSED;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return lessor_refuse(call, LESSOR_CLASS_BUG, "no memory");
	if (inventory_load(path, &pool->inventory, why, sizeof(why))) {
		free(pool);
		return lessor_refuse(call, LESSOR_CLASS_INVALID, "%s", why);
	}
	*instance = pool;
	return LESSOR_DONE;
}

static void static_close(void *instance)
{
	struct pool *pool = instance;

	inventory_free(pool->inventory);
	free(pool);
}

/*
 * Removed and drained hosts are not allocated any more; leases keep their hosts according to
 * the records, whatever the inventory says. No other operation of this instance is running.
 */
static int static_reload(void *instance, struct lessor_call *call)
{
	struct pool *pool = instance;
	struct inventory *now;
	size_t added = 0, left = 0;
	char why[256];

	if (inventory_load(lessor_option_text(call, OPT_INVENTORY), &now, why, sizeof(why)))
		return lessor_refuse(call, LESSOR_CLASS_INVALID, "%s", why);
	for (size_t i = 0; i < now->count; i++)
		added += !inventory_find(pool->inventory, now->hosts[i].name);
	for (size_t i = 0; i < pool->inventory->count; i++)
		left += !inventory_find(now, pool->inventory->hosts[i].name);
	lessor_log(call, LESSOR_LOG_INFO, "the inventory has %zu hosts: %zu added, %zu removed",
		   now->count, added, left);
	inventory_free(pool->inventory);
	pool->inventory = now;
	return LESSOR_DONE;
}

/* ---- lease operations ------------------------------------------------------------------------------ */

static int static_provision(void *instance, struct lessor_call *call,
			    const struct lessor_lease *lease)
{
	struct step_context ctx;
	int verdict;

	if (step_context_begin(&ctx, call, lease, instance, &verdict))
		return verdict;
	verdict = acquire_provision(&ctx);
	step_context_end(&ctx);
	return verdict;
}

static int cleanup_rows(struct step_context *ctx)
{
	int verdict;

	if (step_context_settle(ctx, LESSOR_KIND_SERVER, &verdict))
		return verdict;
	for (size_t i = 0; i < ctx->lease->resource_count; i++) {
		verdict = reclaim_row(ctx, lessor_resource_at(ctx->lease, i));
		if (verdict != LESSOR_GONE)
			return verdict;
	}
	return LESSOR_GONE;
}

static int static_cleanup(void *instance, struct lessor_call *call,
			  const struct lessor_lease *lease)
{
	struct step_context ctx;
	int verdict;

	if (step_context_begin(&ctx, call, lease, instance, &verdict))
		return verdict;
	verdict = cleanup_rows(&ctx);
	step_context_end(&ctx);
	return verdict;
}

static const struct lessor_resource *newest_row(const struct lessor_lease *lease)
{
	for (size_t i = lease->resource_count; i-- > 0;) {
		const struct lessor_resource *row = lessor_resource_at(lease, i);

		if (row->kind == LESSOR_KIND_SERVER && row->id[0] && !row_is_over(row))
			return row;
	}
	return NULL;
}

static int inspect_row(struct step_context *ctx)
{
	const struct lessor_resource *row;
	const struct allocation *allocation;
	int verdict;

	/* inspect cannot return PENDING; the next call sees what was settled. */
	if (step_context_settle(ctx, LESSOR_KIND_SERVER, &verdict))
		return verdict == LESSOR_PENDING ? lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT,
								AT_ONCE, "the ledger was updated") :
						   verdict;
	row = newest_row(ctx->lease);
	allocation = row ? registry_by_id(&ctx->registry, row->id) : NULL;
	if (allocation) {
		step_context_report(ctx, allocation);
		return LESSOR_DONE;
	}
	return row && ctx->registry.unreadable ?
		       lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read; it may be that of %s",
				    row->name) :
		       LESSOR_GONE;
}

static int static_inspect(void *instance, struct lessor_call *call,
			  const struct lessor_lease *lease)
{
	struct step_context ctx;
	int verdict;

	if (step_context_begin(&ctx, call, lease, instance, &verdict))
		return verdict;
	verdict = inspect_row(&ctx);
	step_context_end(&ctx);
	return verdict;
}

/* ---- account operations ---------------------------------------------------------------------------- */

static int list_kind(struct step_context *ctx, uint32_t kind)
{
	if (ctx->registry.unreadable)
		return lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read");
	for (size_t i = 0; i < ctx->registry.count; i++) {
		const struct allocation *allocation = &ctx->registry.allocations[i];
		const char *broker = allocation_label(allocation, LESSOR_LABEL_INSTANCE);
		struct lessor_observed seen = allocation_observed(allocation);

		if (allocation->kind != kind || !broker ||
		    strcmp(broker, lessor_broker_id(ctx->call)) != 0)
			continue;
		if (lessor_listed(ctx->call, &seen))
			return lessor_retry(ctx->call, LESSOR_CLASS_BUG, 0,
					    "the host accepts no more objects");
	}
	return LESSOR_DONE;
}

static int static_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	struct step_context ctx;
	int verdict;

	if (step_context_begin(&ctx, call, NULL, instance, &verdict))
		return verdict;
	verdict = list_kind(&ctx, kind);
	step_context_end(&ctx);
	return verdict;
}

static int sentinel_make(struct step_context *ctx)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	struct allocation_new from = { .intent = &intent,
				       .kind = LESSOR_KIND_SENTINEL,
				       .now_ms = lessor_now(ctx->call) };
	enum registry_added made = REGISTRY_NOT_ADDED;
	json_t *root;
	int verdict = LESSOR_DONE;

	if (lessor_intend(ctx->call, LESSOR_KIND_SENTINEL, 0, &intent))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the account's sentinel may not be created now");
	root = allocation_make(&from);
	if (root)
		made = registry_add(&ctx->registry, root);
	if (made == REGISTRY_NOT_ADDED) {
		lessor_not_created(ctx->call, intent.row, "it could not be written");
		verdict = lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				       "the account's sentinel cannot be written");
	} else if (made != REGISTRY_ADDED) {
		lessor_unknown(ctx->call, intent.row, "it may have been written");
		verdict = lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, AT_ONCE,
				       "looking for the account's sentinel");
	} else if (lessor_created(ctx->call, intent.row,
				  json_string_value(json_object_get(root, "id")), "")) {
		verdict = lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				       "it could not be "
				       "recorded");
	}
	json_decref(root);
	return verdict;
}

static int sentinel_check(struct step_context *ctx, const struct lessor_resource *row)
{
	const struct allocation *allocation = registry_by_id(&ctx->registry, row->id);

	if (!allocation && ctx->registry.unreadable)
		return lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read; it may be the "
				    "account's sentinel");
	if (!allocation || strcmp(allocation->name, row->name) != 0)
		return lessor_refuse(ctx->call, LESSOR_CLASS_ACCOUNT,
				     "the account's sentinel %s is not in the state directory: "
				     "it is another directory, not mounted, or older than the "
				     "database",
				     row->name);
	return LESSOR_DONE;
}

static int probe_account(struct step_context *ctx)
{
	int verdict;

	for (size_t i = 0; i < ctx->lease->resource_count; i++) {
		const struct lessor_resource *row = lessor_resource_at(ctx->lease, i);

		if (row->kind == LESSOR_KIND_SENTINEL && row->id[0] && !row_is_over(row))
			return sentinel_check(ctx, row);
	}
	if (step_context_settle(ctx, LESSOR_KIND_SENTINEL, &verdict))
		return verdict;
	return sentinel_make(ctx);
}

static int static_probe(void *instance, struct lessor_call *call,
			const struct lessor_lease *account)
{
	struct step_context ctx;
	int verdict;

	if (step_context_begin(&ctx, call, account, instance, &verdict))
		return verdict;
	verdict = probe_account(&ctx);
	step_context_end(&ctx);
	return verdict;
}

/* Was this combination of type and location already offered for an earlier host? */
static int is_offered(const struct inventory *inventory, size_t before, const char *type,
		      const char *location)
{
	for (size_t i = 0; i < before; i++) {
		const struct host *host = &inventory->hosts[i];

		if (strcmp(host->location, location) == 0 && host_has_type(host, type))
			return 1;
	}
	return 0;
}

static int any_free(const struct step_context *ctx, const char *type, const char *location)
{
	const struct inventory *inventory = ctx->pool->inventory;

	for (size_t i = 0; i < inventory->count; i++) {
		const struct host *host = &inventory->hosts[i];

		if (strcmp(host->location, location) == 0 && host_has_type(host, type) &&
		    !host->drain && !registry_of_host(&ctx->registry, host->name))
			return 1;
	}
	return 0;
}

static int offer_all(struct step_context *ctx)
{
	const struct inventory *inventory = ctx->pool->inventory;

	for (size_t i = 0; i < inventory->count; i++) {
		const struct host *host = &inventory->hosts[i];

		for (int t = 0; t < host->type_count; t++) {
			const char *type = host->types[t];

			if (is_offered(inventory, i, type, host->location))
				continue;
			if (lessor_offer(ctx->call, type, host->location, 0, "EUR",
					 (uint32_t)any_free(ctx, type, host->location)))
				return lessor_retry(ctx->call, LESSOR_CLASS_BUG, 0,
						    "the host accepts no more offers");
		}
	}
	return LESSOR_DONE;
}

static int static_catalog(void *instance, struct lessor_call *call)
{
	struct step_context ctx;
	int verdict;

	if (step_context_begin(&ctx, call, NULL, instance, &verdict))
		return verdict;
	verdict = offer_all(&ctx);
	step_context_end(&ctx);
	return verdict;
}

static const struct lessor_provider static_provider = {
	.size = sizeof(struct lessor_provider),
	.abi = LESSOR_ABI,
	.name = "static",
	.version = "0.1.0",
	.summary = "A pool of existing hosts",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.option_size = sizeof(options[0]),
	.concurrency = LESSOR_PER_INSTANCE,
	.capabilities = LESSOR_OWN_IO,
	/* A record is visible as soon as its creation returns. */
	.visible_within_ms = 1000,
	.open = static_open,
	.close = static_close,
	.provision = static_provision,
	.cleanup = static_cleanup,
	.inspect = static_inspect,
	.list = static_list,
	.probe = static_probe,
	.catalog = static_catalog,
	.reload = static_reload,
};

LESSOR_PROVIDER(static_provider)
