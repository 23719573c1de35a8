/* SPDX-License-Identifier: MIT */
/*
 * A pool of hosts, the built plugin loaded by the real loader, and the engine's real core
 * on a real store, under a virtual clock. What the plugin runs for a host runs for real:
 * whoever waits for it waits until it is over, and then goes on in virtual time.
 */
#pragma once

#include <sys/types.h>

#include "driver/driver.h"

#define WORLD_ACCOUNT "pool"

struct pool_world {
	struct driver d; /* clock, store, core, steps; everything lies in its folder */
	char state[96];
	char inventory[96];
	int violations;		/* of the plugin's contract */
	int die_at_commit;	/* > 0: the process ends before so many more commits are told */
	int die_before;		/* the process ends before a commit of this kind, plus 1; 0: none */
	const char *options[10][2]; /* of the account, as driver_account takes them */
	int option_count;
	char texts[8][96]; /* what the test's own consist of */
};

/* Makes the folder; `inventory` is the file's text, with ' for ". */
void pool_world_make(struct pool_world *w, const char *inventory);
/* One option more; before pool_world_start. */
void pool_world_option(struct pool_world *w, const char *key, const char *value);
/* Opens account and core on what is in the folder; pool_world_stop is a crash without a word. */
void pool_world_start(struct pool_world *w);
/* The same, and nothing is run yet. */
void pool_world_open(struct pool_world *w);
void pool_world_stop(struct pool_world *w);
/* Has the account read the inventory again. */
void pool_world_reload(struct pool_world *w);
/* Removes the folder, too. */
void pool_world_end(struct pool_world *w);

void pool_world_inventory(struct pool_world *w, const char *text);
/* A script for /bin/sh, begun in the folder; its path goes to `ret`. */
void pool_world_script(struct pool_world *w, const char *name, const char *text, char ret[160]);
/* Is there such a file, in the state directory? */
int pool_world_has(const struct pool_world *w, const char *file);
/* Of the state directory, those that begin so. */
int pool_world_count(const struct pool_world *w, const char *prefix);

/* Runs all that is due now. */
void pool_world_settle(struct pool_world *w);
/* For `ms` at most: on to the next due time, after waiting for what runs. Until `is_over`. */
typedef int pool_world_fn(struct pool_world *w, const struct lease *l);
void pool_world_go(struct pool_world *w, const char *id, int64_t ms, pool_world_fn *is_over);
pool_world_fn is_settled;	/* active, or failed and cleaned */
pool_world_fn is_active;
pool_world_fn is_clean;		/* ended, nothing left */
pool_world_fn is_in_attention;
/* A child that dies with us, and whose failed assertions end it. */
pid_t pool_world_fork(void);
/* Waits until nothing runs for any host. */
void pool_world_wait_runs(struct pool_world *w);

void pool_world_create(struct pool_world *w, const char *id, const char *type);
void pool_world_release(struct pool_world *w, const char *id, int delete_machine);
/* A release that keeps the host is refused, with this code. */
void pool_world_keep_refused(struct pool_world *w, const char *id, const char *code);
struct lease pool_world_lease(struct pool_world *w, const char *id);
/* LESSOR_STATE_ of the newest row of its ledger. */
uint32_t pool_world_state(struct pool_world *w, const char *id);
/* Create and wait for the host; release and wait for its end. */
struct lease pool_world_take(struct pool_world *w, const char *id, const char *type);
struct lease pool_world_give(struct pool_world *w, const char *id);
