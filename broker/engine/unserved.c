/* SPDX-License-Identifier: MIT */
#include "engine/unserved.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/core.h"
#include "store/shards.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/log.h"
#include "util/text.h"

struct unserved {
	struct engine_config config;
	const struct owner_config *owners;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	int is_ending; /* guarded by the lock */
};

/* ---- which accounts ----------------------------------------------------------------------- */

struct abandoned {
	const struct engine_config *config;
	char (*list)[32];
	size_t count;
	int64_t silent_ms;
};

static int is_configured(const struct engine_config *config, const char *account)
{
	for (size_t i = 0; i < config->account_count; i++) {
		if (!strcmp(config->accounts[i]->config.name, account))
			return 1;
	}
	return 0;
}

static int account_add(void *arg, const char *account)
{
	struct abandoned *found = arg;

	if (is_configured(found->config, account))
		return 0;
	found->list = xrealloc(found->list, (found->count + 1) * sizeof(*found->list));
	TEXT_SET(found->list[found->count++], account);
	return 0;
}

/* Somebody has it, or had it until a moment ago. */
static void served_drop(void *arg, const struct shard *row)
{
	struct abandoned *found = arg;

	if (!shard_is_held(row) && row->now_ms - row->renewed_ms >= found->silent_ms)
		return;
	for (size_t i = 0; i < found->count; i++) {
		if (!strcmp(found->list[i], row->account))
			found->list[i][0] = '\0';
	}
}

/* Is it one that a core would mark, and is not marked yet? */
static int is_unmarked(void *arg, const struct lease *l)
{
	int *count = arg;

	*count = !l->attention[0] &&
		 (lease_is_live(l) || l->cleanup == CLEANUP_OWED || l->cleanup == CLEANUP_RETAINED);
	return *count;
}

/* 1: the account has such a lease among the newest; 0; -1. */
static int has_unmarked(struct store *store, const char *account, struct err *err)
{
	struct store_list list = {
		.scope = { .all = 1 },
		.state = -1,
		.cleanup = -1,
		.open = 1,
		.account = account,
		.limit = 1000,
	};
	int count = 0;

	return store_lease_each(store, &list, is_unmarked, &count, err) < 0 ? -1 : count;
}

/* Leaves in `found` the accounts that must be marked, and "" for the others. */
static int accounts_find(struct store *store, struct abandoned *found, struct err *err)
{
	if (store_account_each(store, account_add, found, err) ||
	    shards_each(store, served_drop, found, err))
		return -1;
	for (size_t i = 0; i < found->count; i++) {
		int rc = found->list[i][0] ? has_unmarked(store, found->list[i], err) : 0;

		if (rc < 0)
			return -1;
		if (!rc)
			found->list[i][0] = '\0';
	}
	return 0;
}

/* ---- one account ---------------------------------------------------------------------------- */

/* Nothing is dispatched: the core has no account in which a step could run. */
static void start_none(void *arg, struct step *step)
{
	(void)arg;
	(void)step;
	BUG_ON(1);
}

/* The time in which nobody served them is theirs. */
static int leases_credit(struct core *core, const struct shard *row, struct err *err)
{
	int rc;

	core_gap(core, row->gaps_ms);
	do {
		if (core_begin(core, err))
			return -1;
		core_gap_credit(core);
		/* A failed write makes the commit fail. */
		if (row->is_owed && !core_gap_left(core))
			shard_credit(core_store(core), NULL);
		rc = core_flush(core, err);
	} while (!rc && core_gap_left(core) && !core_gap_is_stuck(core));
	/* Whoever claims it next measures the same gap again. */
	return rc;
}

/* The core marks its leases when it is loaded. */
static int leases_mark(const struct engine_config *config, const char *account,
		       const struct shard *row, struct store *store, struct err *err)
{
	const struct core_hooks hooks = { .start = start_none };
	struct engine_config part = *config;
	struct core *core;
	int rc;

	part.store = store;
	part.is_part = 1;
	part.missing = account;
	part.accounts = NULL;
	part.account_count = 0;
	part.place[0] = '\0';
	part.crash_count = 0;
	part.store_ahead_ms = row->now_ms - env_wall_ms(config->env);
	if (core_new(&part, &hooks, &core, err))
		return -1;
	rc = leases_credit(core, row, err);
	core_free(core);
	return rc;
}

/* 0: marked; 1: somebody else has it; -1. */
static int account_mark(const struct engine_config *config, const struct owner_config *owners,
			const char *account, struct err *err)
{
	struct shard row;
	struct store *store;
	int rc;

	if (store_open(owners->store, config->env, &store, err))
		return -1;
	rc = owner_claim(owners, account, 0, store, &row, err);
	if (!rc) {
		rc = leases_mark(config, account, &row, store, err);
		if (!store_is_lost(store) && !store_broken(store))
			shard_yield(store, NULL);
	}
	store_close(store);
	return rc;
}

int unserved_look(const struct engine_config *config, const struct owner_config *owners,
		  int64_t silent_ms, int *ret_count, struct err *err)
{
	struct abandoned found = { .config = config, .silent_ms = silent_ms };
	struct store *store;
	int rc;

	*ret_count = 0;
	if (store_open(owners->store, config->env, &store, err))
		return -1;
	rc = accounts_find(store, &found, err);
	store_close(store);
	for (size_t i = 0; i < found.count && rc >= 0; i++) {
		if (!found.list[i][0])
			continue;
		rc = account_mark(config, owners, found.list[i], err);
		*ret_count += !rc;
	}
	free(found.list);
	return rc < 0 ? -1 : 0;
}

/* ---- the thread --------------------------------------------------------------------------- */

static void *looks_run(void *arg)
{
	struct unserved *u = arg;

	pthread_mutex_lock(&u->lock);
	while (!u->is_ending) {
		struct timespec until = env_after_ms(CLOCK_MONOTONIC, UNSERVED_LOOK_MS);
		struct err err = { 0 };
		int count;

		if (pthread_cond_timedwait(&u->ended, &u->lock, &until) == 0)
			continue;
		pthread_mutex_unlock(&u->lock);
		if (unserved_look(&u->config, u->owners, UNSERVED_SILENT_MS, &count, &err))
			log_debug(LOG_FIELDS({ "error", err.text }),
				  "cannot look for accounts that nobody serves; trying again");
		pthread_mutex_lock(&u->lock);
	}
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

int unserved_new(const struct engine_config *config, const struct owner_config *owners,
		 struct unserved **ret, struct err *err)
{
	struct unserved *u = xcalloc(1, sizeof(*u));
	pthread_condattr_t attr;
	int rc;

	u->config = *config;
	u->owners = owners;
	pthread_mutex_init(&u->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&u->ended, &attr);
	pthread_condattr_destroy(&attr);
	rc = pthread_create(&u->thread, NULL, looks_run, u);
	if (rc) {
		pthread_cond_destroy(&u->ended);
		pthread_mutex_destroy(&u->lock);
		free(u);
		return err_set_errno(err, rc, "cannot start the thread for unserved accounts");
	}
	*ret = u;
	return 0;
}

void unserved_free(struct unserved *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&u->lock);
	u->is_ending = 1;
	pthread_cond_signal(&u->ended);
	pthread_mutex_unlock(&u->lock);
	pthread_join(u->thread, NULL);
	pthread_cond_destroy(&u->ended);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
