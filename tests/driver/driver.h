/* SPDX-License-Identifier: MIT */
/*
 * Drives the engine's core in tests. It replaces the daemon's engine thread and workers and
 * runs on the caller's thread under a virtual clock. The user adds a provider, the cloud that
 * the provider talks to, and the requests of its tests.
 *
 * Ownership: the driver owns the folder, the store in it, the core and the started steps; it
 * opens and closes them. driver_account creates the account and driver_account_free frees it,
 * since an account may outlive a core. The user fills in `config` before driver_open, which
 * sets the driver's own members of it (env, store).
 *
 * Time: `now_ms` is both the true time and the monotonic clock; the wall clock is
 * `wall_off_ms` ahead of it. The user sets both. Nothing runs by itself: driver_settle runs
 * everything that is due now, driver_pass advances from one due time to the next.
 *
 * Steps: a started step waits in `queue`. driver_run_queue runs the steps one after another
 * with step_run, on the account's provider table: the functions of a test, or a built plugin
 * (driver_plugin). A claim is applied at once, in a batch that the step's barrier commits;
 * with `commits_each_claim` it is committed before it is answered. A user that calls the core
 * between steps encloses the calls in driver_begin and driver_flush.
 *
 * If the store fails, or an invariant is broken, the process ends with a message, unless a
 * hook handles it.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/core.h"

#define DRIVER_START_MS INT64_C(1800000000000)
#define DRIVER_PUBLIC_KEY \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl c"

/* For a call that fills `err`: ends the process if it fails. */
#define MUST(what)                                                                           \
	do {                                                                                 \
		if (!(what)) {                                                               \
			fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #what, \
				err.text);                                                   \
			abort();                                                             \
		}                                                                            \
	} while (0)

struct driver;

/* Each may be NULL. `arg` is what driver_init received. A hook may leave with longjmp. */
struct driver_hooks {
	/* core_begin or core_flush failed. If the hook returns, so does the driver's function. */
	void (*store_failed)(void *arg, const struct err *err);
	/* The store is open; no core has read it yet. */
	void (*opened)(void *arg, struct store *store);
	/* Before the core receives a step's claim, and after it has answered it. */
	void (*claiming)(void *arg, const struct lease_claim *claim);
	void (*claimed)(void *arg, struct step *step, const struct lease_claim *claim);
	/* After each commit. */
	void (*committed)(void *arg);
	/* A step has run; the core has not received its result yet. */
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

/* Call first. The clock starts at DRIVER_START_MS. The user sets env.http and env.point. */
void driver_init(struct driver *d, const struct driver_hooks *hooks, void *arg);
/* Creates the folder, in TMPDIR or, if possible, in memory, and sets the path of the store. */
void driver_folder(struct driver *d, const char *name);
/* Removes the folder. */
void driver_folder_remove(struct driver *d);
/* How many files are in the folder, as the machines of the example provider are. */
int driver_files(const char *folder);

/* A built plugin. `path` is absolute. */
const struct lessor_provider *driver_plugin(const char *path);
/*
 * Creates the driver's account. `config` need not name the provider. `options` alternates keys and
 * values, ended by NULL, and may be NULL.
 */
void driver_account(struct driver *d, const struct lessor_provider *table,
		    struct account_config *config, const char *const *options);
void driver_account_free(struct driver *d);
/* For accounts without a driver: allocates the options as account_new expects them. */
void driver_options(struct account_config *config, const char *const *options);

/* Opens the store and a core on it. Runs nothing yet. */
void driver_open(struct driver *d);
/* Simulates a crash: drops steps, core and store without a shutdown; the store's files stay. */
void driver_close(struct driver *d);

int driver_begin(struct driver *d);
int driver_flush(struct driver *d);

/* The core's next due time, in true time; 0: none. */
int64_t driver_next_ms(const struct driver *d);
/* Runs the started steps, and nothing else that is due. */
void driver_run_queue(struct driver *d);
/* Queues what is due and starts steps as far as workers are free, without running them. */
void driver_due(struct driver *d);
/* Runs everything due, and what follows from it, until nothing is. -1: endless loop. */
int driver_settle(struct driver *d);
/* Advances the clock by `ms` in all, from due time to due time. */
void driver_pass(struct driver *d, int64_t ms);

int64_t driver_wall(const struct driver *d);
/* The next random number of the seed. */
uint32_t driver_random(struct driver *d);

/* A client's request. It must stay valid until `answered` is 1. */
struct asked {
	struct engine_request request;
	int answered;
};
/* Sends a request without settling. The default caller is alice of acme. -1: store failed. */
int driver_ask(struct driver *d, struct asked *a);
/* Fills in a create request with defaults. `types` is separated by commas. */
void driver_wish(struct lease *l, const char *id, const char *account, const char *types);
/* Splits at commas. Returns the number of parts. */
int driver_split(const char *text, char (*ret)[32], int most);
int driver_lease(const struct driver *d, const char *id, struct lease *ret);
