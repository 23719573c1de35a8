/* SPDX-License-Identifier: MIT */
/*
 * Announces this daemon to the others on the database, and reads every second which others there
 * are and who owns which account (peers.h): a thread with a connection of its own, so that a
 * database that does not answer delays nothing else. A file is not shared: then there is no thread,
 * and this daemon is the only one.
 */
#pragma once

#include "daemon/peers.h"
#include "util/env.h"
#include "util/err.h"

struct daemon_registry;

struct registry_config {
	const struct env *env;
	const char *store; /* for store_open_poll; NULL: the store is not shared */
	const char *version;
	const char *const *accounts; /* of this daemon; borrowed until registry_new returns */
	size_t account_count;
	/* Does this daemon own the account now? Any thread; NULL: each of them, always. */
	int (*owns)(void *arg, const char *account);
	void *owns_arg;
	int64_t round_ms; /* 0: REGISTRY_ROUND_MS */
};

#define REGISTRY_ROUND_MS 1000
/* The interval of rounds while somebody seeks an owner. */
#define REGISTRY_SEEK_MS 100

int registry_new(const struct registry_config *config, struct daemon_registry **ret,
		 struct err *err);
/* The id of this daemon: 32 hex digits, new at each start. Claims name it, too. */
const char *registry_self(const struct daemon_registry *registry);
/* From now on this daemon's address is announced, and the others are read. */
int registry_start(struct daemon_registry *registry, const char *address, struct err *err);
/*
 * One round: writes, reads. The thread does this; tests do it without one. -1: what is known stays
 * as it was, and ages.
 */
int registry_round(struct daemon_registry *registry, struct err *err);
/* The next round is due now, since somebody waits for what it reads. Any thread. */
void registry_seek(struct daemon_registry *registry);
/* Any thread, from registry_new on; does not wait. For relay_config.find: `arg` is the registry. */
void registry_route(void *arg, const char *account, struct relay_route *ret);
/* For relay_config.newest and heard, in the same way. */
int64_t registry_newest(void *arg, const char *account, int64_t *ret_at);
void registry_heard(void *arg, const char *account, int64_t seq, int64_t at);
struct peers *registry_peers(struct daemon_registry *registry);
/* For api_parts.daemons. */
void registry_source(struct daemon_registry *registry, struct daemons_source *ret);
/* Ends the thread, and removes the row. NULL is allowed. */
void registry_free(struct daemon_registry *registry);
