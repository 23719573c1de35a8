/* SPDX-License-Identifier: MIT */
/*
 * Drives the engine's core in tests: what the daemon's engine thread and its workers are to
 * the core, on the caller's thread under a virtual clock. Who uses it adds a provider, what
 * that provider talks to, and what its tests ask for.
 *
 * Ownership: the driver owns the folder, the store in it, the core and the steps that were
 * started; it opens and closes them. The account is made by driver_account and freed by
 * driver_account_free, since it may outlive a core. `config` is the user's to fill in before
 * driver_open; what belongs to the driver in it (env, store) is set there.
 *
 * Time: `now_ms` is the true time and the monotonic clock, the wall clock is `wall_off_ms`
 * ahead of it. Both are the user's to move. Nothing happens by itself: driver_settle does all
 * that is due now, driver_pass goes on from one due time to the next.
 *
 * Steps: a started step waits in `queue`. driver_run_queue runs one after the other with
 * step_run, so with whatever the account's table is: the functions of a test, or a built
 * plugin (driver_plugin). A claim is applied at once, within a batch that the step's barrier
 * commits; with `commits_each_claim` it is committed before it is answered. driver_begin and
 * driver_flush are the batches of whoever calls the core in between.
 *
 * A broken store, and what else must not be, ends the process with a message, unless a hook
 * says otherwise.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/core.h"

#define DRIVER_START_MS INT64_C(1800000000000)
#define DRIVER_PUBLIC_KEY \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl c"

/* For a call that fills `err`: the process ends if it fails. */
#define MUST(what)                                                                           \
	do {                                                                                 \
		if (!(what)) {                                                               \
			fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #what, \
				err.text);                                                   \
			abort();                                                             \
		}                                                                            \
	} while (0)

struct driver;

/* Each may be NULL. `arg` is the driver's; a hook may leave with longjmp. */
struct driver_hooks {
	/* core_begin or core_flush failed. If it returns, so does who called. */
	void (*store_failed)(void *arg, const struct err *err);
	/* The store is open, and no core has read it yet. */
	void (*opened)(void *arg, struct store *store);
	/* A step's claim, before the core has it, and when it is answered. */
	void (*claiming)(void *arg, const struct lease_claim *claim);
	void (*claimed)(void *arg, struct step *step, const struct lease_claim *claim);
	/* After each commit. */
	void (*committed)(void *arg);
	/* A step has run, and the core does not know of it yet. */
	void (*ran)(void *arg, struct step *step);
};

struct driver {
	char folder[64];
	char path[160]; /* of the store */
	struct env env;
	int64_t now_ms;
	int64_t wall_off_ms;
	uint32_t seed;
	struct engine_config config;
	struct account *account;
	struct core *core;
	struct step_list queue; /* started, not yet run */
	struct step *running;
	long step_count; /* steps run */
	int commits_each_claim;
	const struct driver_hooks *hooks;
	void *arg;
};

/* The first call. The clock starts at DRIVER_START_MS; env.http and env.point are the user's. */
void driver_init(struct driver *d, const struct driver_hooks *hooks, void *arg);
/* Makes the folder, in TMPDIR or in memory where there is such a place, and names the store. */
void driver_folder(struct driver *d, const char *name);
/* Removes it. */
void driver_folder_remove(struct driver *d);

/* A built plugin. `path` is absolute. */
const struct lessor_provider *driver_plugin(const char *path);
/*
 * The driver's account. `config` need not name the provider; `options` alternate keys and
 * values, ended by NULL, and may be NULL.
 */
void driver_account(struct driver *d, const struct lessor_provider *table,
		    struct account_config *config, const char *const *options);
void driver_account_free(struct driver *d);
/* For accounts of no driver: the options' memory, as account_new takes it. */
void driver_options(struct account_config *config, const char *const *options);

/* Opens the store and a core on it. Nothing is run yet. */
void driver_open(struct driver *d);
/* A crash: steps, core and store go without another word; the store's files stay. */
void driver_close(struct driver *d);

int driver_begin(struct driver *d);
int driver_flush(struct driver *d);

/* When the core wants to be called next, in true time; 0: never. */
int64_t driver_next_ms(const struct driver *d);
/* Runs the steps that were started, and nothing more of what is due. */
void driver_run_queue(struct driver *d);
/* Queues what is due and starts what has a place, without running a step. */
void driver_due(struct driver *d);
/* Runs all that is due, and what follows, until nothing is. -1: it never ends. */
int driver_settle(struct driver *d);
/* Moves the clock from due time to due time, `ms` in all. */
void driver_pass(struct driver *d, int64_t ms);

int64_t driver_wall(const struct driver *d);
/* The next of the seed's numbers. */
uint32_t driver_random(struct driver *d);

/* A client's request; it stays until `answered` is 1. */
struct asked {
	struct engine_request request;
	int answered;
};
/* Asks, settles nothing. A caller without a name is alice of acme. -1: the store failed. */
int driver_ask(struct driver *d, struct asked *a);
/* What every create asks for. `types` are separated by commas. */
void driver_wish(struct lease *l, const char *id, const char *account, const char *types);
/* Splits at commas. How many there are. */
int driver_split(const char *text, char (*ret)[32], int most);
int driver_lease(const struct driver *d, const char *id, struct lease *ret);
