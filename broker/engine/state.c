/* SPDX-License-Identifier: MIT */
/*
 * The bottom of the core: access to the clock, the accounts and the leases. Nothing here changes
 * a lease.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <string.h>

#include "util/log.h"

/* How long a provider may take to show what it created, if it does not say. */
#define SETTLE_MS (5 * 60 * 1000)
#define PAGE 256
/* Retry interval of a lease that cannot be read. */
#define UNREAD_RETRY_MS 5000

/* By the store's clock whatever happens to the machine's, which may be set at any moment. */
int64_t core_now(const struct core *core)
{
	return core->is_by_store ? env_mono_ms(core->env) + core->now_by_mono_ms :
				   env_wall_ms(core->env);
}

int64_t core_clock_by_ms(const struct core *core)
{
	return core->is_by_store ? core_now(core) - env_wall_ms(core->env) : 0;
}

uint32_t core_random32(struct core *core)
{
	/* Every event gets a number and few use it: a system call for each would cost too much. */
	if (!core->random_left) {
		env_random(core->env, core->random, sizeof(core->random));
		core->random_left = sizeof(core->random) / sizeof(core->random[0]);
	}
	return core->random[--core->random_left];
}

const char *core_only_account(const struct core *core)
{
	if (!core->config.is_part)
		return NULL;
	return core->config.missing ? core->config.missing : core->accounts[0].account->config.name;
}

struct core_account *core_account_find(struct core *core, const char *name)
{
	for (size_t i = 0; i < core->account_count; i++) {
		if (strcmp(core->accounts[i].account->config.name, name) == 0)
			return &core->accounts[i];
	}
	return NULL;
}

int core_account_protects(const struct core_account *a)
{
	return a->account->table->retain != NULL && a->account->config.protect_retained;
}

/* Three probe intervals: a single missed probe must not stop the account. */
int core_account_is_identified(const struct core *core, const struct core_account *a)
{
	return !a->account->table->probe ||
	       account_is_verified(a->account, core->config.probe_ms * 3);
}

int core_account_is_verified(const struct core *core, const struct core_account *a)
{
	return core_account_is_identified(core, a) && !account_is_blocked(a->account, NULL, 0);
}

int core_account_is_readable(const struct core *core, const struct core_account *a)
{
	return core_account_is_identified(core, a) &&
	       (account_is_fenced(a->account) || !account_is_blocked(a->account, NULL, 0));
}

int64_t core_settle_ms(const struct core *core, const struct core_account *a)
{
	if (a->account->config.settle_ms)
		return a->account->config.settle_ms;
	if (core->config.settle_ms)
		return core->config.settle_ms;
	return a->account->table->visible_within_ms ? a->account->table->visible_within_ms :
						      SETTLE_MS;
}

static int count_one(void *arg, const struct lease *l)
{
	(void)l;
	++*(int *)arg;
	return 1;
}

int core_account_has_open(struct core *core, const struct core_account *a)
{
	struct store_list list = {
		.scope = { .all = 1 },
		.state = -1,
		.cleanup = -1,
		.open = 1,
		.account = a->account->config.name,
		.limit = 1,
	};
	int count = 0;

	store_lease_each(core->store, &list, count_one, &count, NULL);
	return count > 0;
}

int64_t core_store_ahead_ms(const struct core *core)
{
	return core->is_by_store ? core->store_by_mono_ms - core->now_by_mono_ms : 0;
}

int core_gap_left(const struct core *core)
{
	return core->gap.ms || core->gap.next_ms;
}

int core_has_lost_sight(const struct core *core)
{
	return core_gap_left(core) || env_mono_ms(core->env) >= core->sees_until_mono_ms;
}

int core_clock_is_suspect(const struct core *core)
{
	return clock_is_suspect(&core->clock, env_mono_ms(core->env));
}

int core_account_has_generation(const struct core_account *a)
{
	const struct lessor_provider *table = a->account->table;

	/* As in operation_is_own_io: with the host's HTTP, a provider's own I/O has no effects. */
	return table->probe && (table->http_auth || !(table->capabilities & LESSOR_OWN_IO));
}

/* ---- leases -------------------------------------------------------------------------- */

struct lease_aggregate *core_lease(struct core *core, int64_t n, struct err *err)
{
	return aggregates_get(core->aggregates, n, err);
}

int core_lease_by_id(struct core *core, const char *id, struct lease_aggregate **ret,
		     struct err *err)
{
	return aggregates_get_id(core->aggregates, id, ret, err);
}

int core_lease_unread(struct core *core, int64_t n, struct err *err)
{
	if (err->kind == ERR_NOT_FOUND)
		return 0;
	/* The store has failed, or the connection to it, or the transaction has. */
	if (store_broken(core->store) || store_state(core->store) == STORE_AWAY ||
	    err->kind == ERR_BUSY || (core->config.is_shared && core->in_transaction))
		return -1;
	log_error(LOG_FIELDS({ "error", err->text }),
		  "cannot read the lease in row %" PRId64 "; retrying in %d s", n,
		  UNREAD_RETRY_MS / 1000);
	heap_set(core->due, n, core_now(core) + UNREAD_RETRY_MS);
	return 0;
}

int core_lease_each(struct core *core, struct store_list list, core_lease_fn fn, void *arg,
		    struct err *err)
{
	int64_t n[PAGE];
	int count;

	list.limit = PAGE;
	list.scope.all = 1;
	if (!list.account)
		list.account = core_only_account(core);
	do {
		count = store_lease_numbers(core->store, &list, n, err);
		if (count < 0)
			return -1;
		for (int i = 0; i < count; i++) {
			struct err why = { 0 };
			struct lease_aggregate *a = core_lease(core, n[i], &why);

			if (a ? fn(arg, core, a, err) : core_lease_unread(core, n[i], &why)) {
				if (!a && err)
					*err = why;
				return -1;
			}
		}
		if (count)
			list.before_n = n[count - 1];
	} while (count == PAGE);
	return 0;
}
