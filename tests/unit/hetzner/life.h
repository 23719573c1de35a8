/* SPDX-License-Identifier: MIT */
/*
 * A lease's life, step by step: the built plugin, run by the real host, against the simulated
 * cloud with a virtual clock. The aggregate is in memory and changed by lease_apply, as in the
 * engine. Every life asserts that no step of the plugin violates its contract.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/cloud.h"
#include "lease/aggregate.h"
#include "lease/generation.h"
#include "provider/account.h"
#include "provider/step.h"

struct life {
	struct env env;
	int64_t now_ms;
	struct cloud *cloud;
	struct account *account;
	struct signer signer;
	union {
		struct lease_aggregate a;
		struct {
			struct lease lease;
			struct ledger book;
		};
	};
	union {				/* the account's */
		struct lease_aggregate own;
		struct {
			struct lease no_lease;
			struct ledger mark;
		};
	};
	struct generation gen;		/* of the account */
	int64_t last_row;
	int64_t settle_ms;
	int is_verified; /* by the last probe, and no step was refused since */
	int unverified;	 /* whatever the probe: absence proves nothing */
	int is_shared;	 /* the store has other owners, too */
	int shared;	 /* another lease refers to the same resources */
	/* of the running step: like struct running of the engine */
	int not_now;
	uint32_t refusal_class;
	char refusal[160];
	int64_t absence_ms;
	int looks, unobserved;		/* observations, and those without a result for the lease */
	int calls;			/* requests since life_reset_calls */
	int deletes;			/* of these, DELETEs that were sent */
	char *requests;			/* one per line, "POST /servers 201" */
	size_t requests_len;
	int crash_after_effect; /* N: the process crashes before it records the result of
					 * the Nth request that is not a read; 0: never */
	int crashed;
	/* the result of the last step */
	int verdict;
	uint32_t error_class;
	char reason[256], note[160];
	char violation[256]; /* the first of the plugin's contract; "" if none */
	struct step_price *prices;
	size_t price_count;
	size_t listed;
};

_Static_assert(offsetof(struct life, book) == offsetof(struct life, a.ledger) &&
		       offsetof(struct life, mark) == offsetof(struct life, own.ledger),
	       "the short names refer to the same members");

/*
 * How lives wait for their servers: 1: first by a shared observation (of one lease, here), as in
 * the engine; 0: by provision alone.
 */
extern int life_looks;

/* Commits a step's claim; life-claims.c. */
int life_commit(void *arg, struct step *step, struct lease_claim *claim);
/* For the files of this fixture: clock and cloud; facts outside an aggregate; an event. */
void life_world(struct life *life);
struct lease_facts life_facts(const struct life *life);
struct lease_effects life_apply(struct life *life, struct lease_aggregate *a,
				const struct lease_event *event);

/* An account that was never probed. `options`: alternating keys and values, then NULL. */
struct life *life_open(const char *const *options);
/* An account whose sentinel exists; the call counter is 0. */
struct life *life_new(const char *const *options);
void life_free(struct life *life);
/* The process crashes, and another one continues with the same store. */
void life_restart(struct life *life);

/* Creates a lease, accepted now. Types and locations are comma-separated. */
void life_begin(struct life *life, const char *types, const char *locations);
/* One or more fault rules in the simulator's format; ' stands for ". */
void life_fault(struct life *life, const char *json);
void life_config(struct life *life, const char *name, int64_t value);
void life_reset_calls(struct life *life);
/* A step like those of life_step, without a lease. */
struct step *life_new_step(struct life *life, enum step_op op);

/*
 * Runs the next due step at its due time; in an unverified account first a probe. Returns 0 when
 * nothing is due.
 */
int life_step(struct life *life);
/* Steps until nothing is due, or the lease is active; at most `most` steps. */
void life_run(struct life *life, int most);
/* Steps until its cleanup is done, or needs an operator; at most `most` steps. */
void life_end(struct life *life, int most);
void life_release(struct life *life, int delete_machine);
/* Returns why the release is refused; LEASE_REFUSAL_NONE: it is not. */
enum lease_refusal life_try_release(struct life *life, int delete_machine);
/* Runs STEP_PROBE, STEP_CATALOG, STEP_LIST (of `kind`) or STEP_INSPECT. Returns the verdict. */
int life_account(struct life *life, enum step_op op, uint32_t kind);

/* An active lease of these types, one minute old; the call counter is 0. */
struct life *life_active(const char *types);
void life_expect_active(struct life *life);
/* Asserts: released, cleanup done, no server and `keys` keys at the provider. */
void life_expect_clean(struct life *life, int keys);
/* Objects in the cloud's project 0; ghosts and the account's own sentinel are not counted. */
int life_count(struct life *life, enum cloud_kind kind);
/* The id of the object with this name in the cloud; 0: none. */
int64_t life_find(struct life *life, enum cloud_kind kind, const char *name);
/* The cloud's object of a row's resource. -1: it does not exist. */
int life_object(struct life *life, const struct resource *row, struct cloud_object *ret);
/* The value of one of its labels; NULL: none. */
const char *life_label(struct life *life, const struct resource *row, const char *key);
/* The first open ledger row of a kind; NULL: none. */
const struct resource *life_row(const struct life *life, uint32_t kind);
/* The account's sentinel. */
const struct resource *life_mark(const struct life *life);
/* The number of requests so far with this prefix ("POST /servers"). */
int life_count_requests(const struct life *life, const char *prefix);
/* Sends a request as a person with another token; returns the status. */
int life_meddle(struct life *life, const char *method, const char *target, const char *body);
/* Makes the account's token read-only, or writable again. */
void life_readonly(struct life *life, int on);
