/* SPDX-License-Identifier: MIT */
#include "daemon/shared.h"

#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/descriptors.h"
#include "daemon/registry.h"
#include "schedule/rendezvous.h"
#include "store/daemons.h"
#include "util/alloc.h"
#include "util/text.h"

/* Any thread, once the engines have begun. */
static int owns(void *arg, const char *account)
{
	const struct daemon *d = arg;

	return d->fleet && fleet_owns(d->fleet, account);
}

int shared_begin(struct daemon *d, struct err *err)
{
	const char *names[CONFIG_ACCOUNTS_MAX];
	const struct registry_config config = {
		.env = &d->env,
		.store = config_is_postgres(d->config) ? d->config->store_target : NULL,
		.version = LESSOR_VERSION,
		.accounts = names,
		.account_count = d->accounts.count,
		.owns = config_is_postgres(d->config) ? owns : NULL,
		.owns_arg = d,
	};

	for (size_t i = 0; i < d->accounts.count; i++)
		names[i] = d->accounts.list[i]->config.name;
	return registry_new(&config, &d->registry, err);
}

/* ---- the engines: hints for those who own accounts, on their threads ----------------------- */

#define DAEMONS_MOST 64

static size_t account_rank(void *arg, const char *account, const char *without)
{
	struct daemon *d = arg;
	const char *self = registry_self(d->registry);
	char ids[DAEMONS_MOST][STORE_DAEMON_ID_SIZE];
	const char *list[DAEMONS_MOST];
	size_t living = peers_living(registry_peers(d->registry), env_mono_ms(&d->env), ids,
				     DAEMONS_MOST);
	size_t count = 0;

	for (size_t i = 0; i < living; i++) {
		if (strcmp(ids[i], without) != 0)
			list[count++] = ids[i];
	}
	return rendezvous_rank(account, list, count, self);
}

static int64_t account_seq(void *arg, const char *account)
{
	struct daemon *d = arg;

	return peers_seq(registry_peers(d->registry), account);
}

static void account_committed(void *arg, const struct shard *row)
{
	struct daemon *d = arg;

	peers_committed(registry_peers(d->registry), row, env_mono_ms(&d->env));
}

int shared_fleet_start(struct daemon *d, const struct engine_config *config, struct err *err)
{
	d->owners = (struct owner_config){
		.store = d->config->store_target,
		.env = &d->env,
		.self = registry_self(d->registry),
		.require_sync = d->config->postgres.require_sync,
		.rank = account_rank,
		.seen_seq = account_seq,
		.committed = account_committed,
		.arg = d,
	};
	return fleet_new(config, config_is_postgres(d->config) ? &d->owners : NULL, &d->fleet, err);
}

/* Requests wait for whoever takes the account: this daemon, or another that it has to hear of. */
static void seek(void *arg, const char *account)
{
	struct daemon *d = arg;

	fleet_seek(d->fleet, account);
	registry_seek(d->registry);
}

/* -1: the database has no key. */
static int relay_configure(struct daemon *d, struct relay_config *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	TEXT_SET(ret->self, registry_self(d->registry));
	TEXT_SET(ret->ca_file, d->config->peer_ca_file);
	ret->find = registry_route;
	ret->newest = registry_newest;
	ret->heard = registry_heard;
	ret->arg = d->registry;
	ret->seek = seek;
	ret->seek_arg = d;
	ret->wait_ms = RELAY_WAIT_MS;
	return store_peer_key(d->reader, ret->key, err);
}

int shared_api_start(struct daemon *d, struct err *err)
{
	auto_free struct api_config *config = xcalloc(1, sizeof(*config));
	struct relay_config relay;
	struct api_parts parts = {
		.base = d->base,
		.env = &d->env,
		.fleet = d->fleet,
		.accounts = d->accounts.list,
		.account_count = d->accounts.count,
		.reader = d->reader,
		.runs = d->runs,
		.runs_reader = d->runs_reader,
		.store = d->config->store_target,
		.store_path = d->config->store,
		.backups = config_is_postgres(d->config) ? NULL : d->config->backups,
	};

	d->max_connections = descriptors_connections(d->config);
	daemon_api_config(d, d->config, config);
	registry_source(d->registry, &parts.daemons);
	if (config_is_postgres(d->config)) {
		if (relay_configure(d, &relay, err) < 0)
			return -1;
		parts.relay = &relay;
	}
	return api_new(&parts, config, &d->api, err);
}

void shared_host(const struct daemon *d, char *ret, size_t size)
{
	const char *address = d->config->advertise;
	const char *port = strrchr(address, ':');

	text_set(ret, size, address);
	if (port && (size_t)(port - address) < size)
		ret[port - address] = '\0';
}

int shared_announce(struct daemon *d, struct err *err)
{
	char address[DAEMON_ADDRESS_SIZE];

	daemon_advertised(d, address);
	return registry_start(d->registry, address, err);
}
