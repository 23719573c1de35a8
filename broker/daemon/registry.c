/* SPDX-License-Identifier: MIT */
#include "daemon/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/owner.h"
#include "store/survey.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/text.h"

/* A series of failures is logged once. */
#define QUIET_MS 60000

struct daemon_registry {
	struct registry_config config;
	char *target; /* secret: it may have a password in it; NULL: not shared */
	char (*accounts)[32];
	struct peers *peers;
	struct store_daemon self;
	/* the thread's */
	struct store *store; /* NULL: not open */
	int64_t failed_ms;
	char namesake[STORE_DAEMON_ID_SIZE]; /* that was logged */
	pthread_t thread;
	int has_thread;
	pthread_mutex_t lock; /* guards the following */
	pthread_cond_t wake;
	int stopping, seeking;
};

static int64_t registry_now(const struct daemon_registry *registry)
{
	return env_mono_ms(registry->config.env);
}

/* ---- a round ----------------------------------------------------------------------------------- */

static void saw_daemon(void *arg, const struct store_daemon *row)
{
	peers_saw_daemon(arg, row);
}

static void saw_shard(void *arg, const struct shard *row)
{
	struct daemon_registry *registry = arg;

	peers_saw_shard(registry->peers, row);
	peers_saw_clock(registry->peers, row->now_ms, registry_now(registry));
}

/* Requests that are meant for the other one would come here, and be refused. */
static void namesake_log(struct daemon_registry *registry, int64_t now)
{
	struct store_daemon other;

	if (peers_namesake(registry->peers, now, &other) || !strcmp(other.id, registry->namesake))
		return;
	TEXT_SET(registry->namesake, other.id);
	log_warning(LOG_FIELDS({ "address", other.address }),
		    "daemon %.8s has the same address as this one, so requests for its accounts "
		    "cannot reach it: set `advertise` to an address of its own on each daemon",
		    other.id);
}

static int round_run(struct daemon_registry *registry, struct err *err)
{
	struct store_daemon forgotten;
	int64_t seq, now = registry_now(registry);
	const char *account;
	size_t at = 0;

	if (!registry->store &&
	    store_open_poll(registry->target, registry->config.env, &registry->store, err))
		return -1;
	registry->self.seen_ms = env_wall_ms(registry->config.env);
	if (store_daemon_put(registry->store, &registry->self, err))
		return -1;
	peers_begin(registry->peers, now);
	if (store_daemon_each(registry->store, saw_daemon, registry->peers, err) ||
	    shards_each(registry->store, saw_shard, registry, err))
		return -1;
	peers_end(registry->peers);
	namesake_log(registry, now);
	while ((seq = peers_lost(registry->peers, &at, &account)) != 0) {
		if (shards_doubt(registry->store, account, seq, OWNER_PRESUME_MS, err))
			return -1;
		peers_told(registry->peers, account);
	}
	return peers_forgotten(registry->peers, now, &forgotten) ?
		       0 :
		       store_daemon_drop(registry->store, &forgotten, err);
}

int registry_round(struct daemon_registry *registry, struct err *err)
{
	if (round_run(registry, err) == 0)
		return 0;
	/* A connection that failed may be of no use: the next round begins with another. */
	store_close(registry->store);
	registry->store = NULL;
	return -1;
}

static void failure_log(struct daemon_registry *registry, const struct err *err)
{
	int64_t now = registry_now(registry);

	if (!registry->failed_ms || now - registry->failed_ms > QUIET_MS)
		log_warning(LOG_FIELDS({ "error", err->text }),
			    "cannot read which other daemons there are; requests for their accounts "
			    "wait, and are then answered 503");
	registry->failed_ms = now;
}

static void *registry_main(void *arg)
{
	struct daemon_registry *registry = arg;
	int64_t round_ms = registry->config.round_ms ? registry->config.round_ms :
						       REGISTRY_ROUND_MS;

	pthread_mutex_lock(&registry->lock);
	while (!registry->stopping) {
		struct timespec until = env_after_ms(CLOCK_MONOTONIC, round_ms);
		struct timespec soonest = env_after_ms(CLOCK_MONOTONIC, REGISTRY_SEEK_MS);
		struct err err = { 0 };

		registry->seeking = 0;
		pthread_mutex_unlock(&registry->lock);
		if (registry_round(registry, &err))
			failure_log(registry, &err);
		pthread_mutex_lock(&registry->lock);
		while (!registry->stopping &&
		       pthread_cond_timedwait(&registry->wake, &registry->lock,
					      registry->seeking ? &soonest : &until) == 0)
			;
	}
	pthread_mutex_unlock(&registry->lock);
	return NULL;
}

/* ---- its life ---------------------------------------------------------------------------------- */

/* The only daemon owns all there is, from its start on. */
static void own_all(struct daemon_registry *registry)
{
	int64_t now = registry_now(registry);

	peers_begin(registry->peers, now);
	peers_saw_daemon(registry->peers, &registry->self);
	for (size_t i = 0; i < registry->config.account_count; i++) {
		struct shard row = { .epoch = 1,
				     .since_ms = registry->self.started_ms,
				     .expires_ms = INT64_MAX };

		TEXT_SET(row.account, registry->accounts[i]);
		TEXT_SET(row.owner, registry->self.id);
		TEXT_SET(row.address, registry->self.id);
		peers_saw_shard(registry->peers, &row);
	}
	peers_end(registry->peers);
}

int registry_new(const struct registry_config *config, struct daemon_registry **ret, struct err *err)
{
	struct daemon_registry *registry = xcalloc(1, sizeof(*registry));
	unsigned char bytes[(STORE_DAEMON_ID_SIZE - 1) / 2];
	pthread_condattr_t attributes;

	(void)err;
	registry->config = *config;
	registry->target = config->store ? xstrdup(config->store) : NULL;
	registry->accounts = xcalloc(config->account_count + 1, sizeof(*registry->accounts));
	for (size_t i = 0; i < config->account_count; i++)
		TEXT_SET(registry->accounts[i], config->accounts[i]);
	registry->config.accounts = NULL;
	pthread_mutex_init(&registry->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&registry->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	env_random(config->env, bytes, sizeof(bytes));
	hash_hex(bytes, sizeof(bytes), registry->self.id);
	TEXT_SET(registry->self.version, config->version);
	registry->self.schema = STORE_SCHEMA;
	registry->self.started_ms = registry->self.seen_ms = env_wall_ms(config->env);
	registry->peers = peers_new(registry->self.id);
	if (!registry->target)
		own_all(registry);
	*ret = registry;
	return 0;
}

int registry_start(struct daemon_registry *registry, const char *address, struct err *err)
{
	TEXT_SET(registry->self.address, address);
	if (!registry->target) {
		own_all(registry);
		return 0;
	}
	if (pthread_create(&registry->thread, NULL, registry_main, registry))
		return err_set(err, ERR_IO, "cannot create a thread for the other daemons");
	registry->has_thread = 1;
	return 0;
}

void registry_seek(struct daemon_registry *registry)
{
	pthread_mutex_lock(&registry->lock);
	registry->seeking = 1;
	pthread_cond_signal(&registry->wake);
	pthread_mutex_unlock(&registry->lock);
}

static void registry_leave(struct daemon_registry *registry)
{
	/* Without effect, the others notice in some seconds. */
	if (registry->store)
		store_daemon_drop(registry->store, &registry->self, NULL);
	store_close(registry->store);
}

void registry_free(struct daemon_registry *registry)
{
	if (!registry)
		return;
	pthread_mutex_lock(&registry->lock);
	registry->stopping = 1;
	pthread_cond_signal(&registry->wake);
	pthread_mutex_unlock(&registry->lock);
	if (registry->has_thread)
		pthread_join(registry->thread, NULL);
	registry_leave(registry);
	pthread_cond_destroy(&registry->wake);
	pthread_mutex_destroy(&registry->lock);
	peers_free(registry->peers);
	if (registry->target)
		hash_wipe(registry->target, strlen(registry->target));
	free(registry->target);
	free(registry->accounts);
	free(registry);
}

/* ---- what it says ------------------------------------------------------------------------------ */

const char *registry_self(const struct daemon_registry *registry)
{
	return registry->self.id;
}

struct peers *registry_peers(struct daemon_registry *registry)
{
	return registry->peers;
}

void registry_route(void *arg, const char *account, struct relay_route *ret)
{
	struct daemon_registry *registry = arg;
	int is_ours = !registry->target || !registry->config.owns ||
		      registry->config.owns(registry->config.owns_arg, account);

	peers_route(registry->peers, account, is_ours, registry_now(registry), ret);
}

int64_t registry_newest(void *arg, const char *account, int64_t *ret_at)
{
	struct daemon_registry *registry = arg;

	return peers_newest(registry->peers, account, ret_at);
}

void registry_heard(void *arg, const char *account, int64_t seq, int64_t at)
{
	struct daemon_registry *registry = arg;

	peers_heard(registry->peers, account, seq, at, registry_now(registry));
}

static void source_daemons(void *arg, daemons_fn fn, void *fn_arg)
{
	struct daemon_registry *registry = arg;

	peers_each_daemon(registry->peers, registry_now(registry), fn, fn_arg);
}

static void source_accounts(void *arg, daemons_account_fn fn, void *fn_arg)
{
	struct daemon_registry *registry = arg;

	peers_each_account(registry->peers, registry_now(registry), fn, fn_arg);
}

static int64_t source_now_ms(void *arg)
{
	struct daemon_registry *registry = arg;

	return peers_clock(registry->peers, registry_now(registry));
}

void registry_source(struct daemon_registry *registry, struct daemons_source *ret)
{
	ret->arg = registry;
	ret->daemons = source_daemons;
	ret->accounts = source_accounts;
	ret->now_ms = source_now_ms;
}
