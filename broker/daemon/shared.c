/* SPDX-License-Identifier: MIT */
#include "daemon/shared.h"

#include <stdio.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/descriptors.h"
#include "daemon/registry.h"
#include "store/daemons.h"
#include "util/alloc.h"
#include "util/text.h"

int shared_begin(struct daemon *d, struct err *err)
{
	const char *names[CONFIG_ACCOUNTS_MAX];
	const struct registry_config config = {
		.env = &d->env,
		.store = config_is_postgres(d->config) ? d->config->store_target : NULL,
		.version = LESSOR_VERSION,
		.accounts = names,
		.account_count = d->accounts.count,
	};

	for (size_t i = 0; i < d->accounts.count; i++)
		names[i] = d->accounts.list[i]->config.name;
	return registry_new(&config, &d->registry, err);
}

/* -1: the database has no key. */
static int relay_configure(const struct daemon *d, struct relay_config *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	TEXT_SET(ret->self, registry_self(d->registry));
	TEXT_SET(ret->ca_file, d->config->peer_ca_file);
	ret->find = registry_route;
	ret->arg = d->registry;
	ret->wait_ms = RELAY_WAIT_MS;
	TEXT_SET(ret->ca_file, d->config->peer_ca_file);
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
