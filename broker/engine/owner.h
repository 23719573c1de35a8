/* SPDX-License-Identifier: MIT */
/*
 * The ownership (ownership.h) of one account by its row in a store that several daemons share
 * (store/shard.h). The row is the truth. Who should own the account is only a hint: a daemon that
 * is not the first choice waits a moment before it claims what is free, and gives up, when nothing
 * of it runs, what another should own. Whoever gave it up is not waited for.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "engine/ownership.h"
#include "store/shard.h"
#include "util/env.h"

struct owner;

/* Of all accounts of a daemon. Borrowed by its owners. */
struct owner_config {
	const char *store; /* for store_open */
	const struct env *env;
	const char *self; /* by which other daemons find this one: what its claims name */
	int require_sync; /* as in struct shard_claim */
	/*
	 * How many living daemons come before this one for the account, without the one that claims
	 * name `without`; "": of all. NULL: none. Any thread.
	 */
	size_t (*rank)(void *arg, const char *account, const char *without);
	/* The highest seq of the account that was seen anywhere. NULL: what this owner saw. */
	int64_t (*seen_seq)(void *arg, const char *account);
	/*
	 * An owner has committed its row as it is: whoever claims it next may find less, and does not
	 * know. Engine threads. NULL: nobody is told.
	 */
	void (*committed)(void *arg, const struct shard *row);
	void *arg;
};

/* Claims an account, of which `seq` was seen, as shard_claim. */
int owner_claim(const struct owner_config *config, const char *account, int64_t seq,
		struct store *store, struct shard *ret, struct err *err);

/* How long a permit that was lost with a database may still be acted on: P + G. */
#define OWNER_PRESUME_MS (20000 + 30000)
/* For each daemon that comes before this one: how long it has to claim what is free. */
#define OWNER_HEAD_START_MS 1000
/* A hint counts once it has been the same for this long: daemons come and go. */
#define OWNER_SETTLE_MS 6000
/* Steps have this long to end before a move; if they do not, the next try is that much later. */
#define OWNER_REST_MS 10000
#define OWNER_REST_AGAIN_MS 60000

/* `last_move_ms`: of the daemon, so that at most one account moves within a TTL. Borrowed. */
struct owner *owner_new(const struct owner_config *config, const char *account,
			_Atomic int64_t *last_move_ms);
/* After the engine that uses it. NULL is allowed. */
void owner_free(struct owner *owner);
/* Valid as long as the owner. */
const struct engine_ownership *owner_ownership(struct owner *owner);
