/* SPDX-License-Identifier: MIT */
/*
 * A lease's life, step by step: the built plugin, run by the real host, against
 * the simulated cloud under a virtual clock. The aggregate is kept in memory and
 * changed by lease_apply, as the engine does it. That the plugin breaks its contract in
 * no step is asserted of each life.
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
	int is_verified;		/* by the last probe, and no step was refused since */
	int unverified;			/* whatever it said: nothing is concluded from absence */
	int shared;			/* another lease names the same things */
	/* of the running step: as struct running of the engine */
	int not_now;
	uint32_t refusal_class;
	char refusal[160];
	int64_t absence_ms;
	int looks, unobserved;		/* looks for many, and those that said nothing of the lease */
	int calls;			/* requests since life_reset_calls */
	int deletes;			/* of these, DELETEs that were sent */
	char *requests;			/* one per line, "POST /servers 201" */
	size_t requests_len;
	int crash_after_effect;		/* N: the process dies before what became of the Nth
					 * request that is no read is recorded; 0: it lives */
	int crashed;
	/* what the last step said */
	int verdict;
	uint32_t error_class;
	char reason[256];
	char violation[256];		/* of the plugin's contract, the first; "" if none */
	struct step_price *prices;
	size_t price_count;
	size_t listed;
};

_Static_assert(offsetof(struct life, book) == offsetof(struct life, a.ledger) &&
	       offsetof(struct life, mark) == offsetof(struct life, own.ledger),
	       "the short names are of the same things");

/*
 * How lives wait for their servers: 1 by a look for many (of one lease, here) first, as the
 * engine does; 0 by provision alone.
 */
extern int life_looks;

/* What a step's claim leads to; life-claims.c. */
int life_commit(void *arg, struct step *step, struct lease_claim *claim);
/* For the files behind it: clock and cloud; what is known beside an aggregate; an event. */
void life_world(struct life *life);
struct lease_facts life_facts(const struct life *life);
struct lease_effects life_apply(struct life *life, struct lease_aggregate *a,
				const struct lease_event *event);

/* An account that was never probed. `options` alternate keys and values, ended by NULL. */
struct life *life_open(const char *const *options);
/* One whose sentinel is made; no call is counted yet. */
struct life *life_new(const char *const *options);
void life_free(struct life *life);
/* The process dies and another one goes on with the same store. */
void life_restart(struct life *life);

/* A fresh lease, types and locations comma separated. Accepted now. */
void life_begin(struct life *life, const char *types, const char *locations);
/* One rule or several, as the simulator takes them; ' stands for ". */
void life_fault(struct life *life, const char *json);
void life_config(struct life *life, const char *name, int64_t value);
void life_reset_calls(struct life *life);
/* A step as life_step makes them, with no lease in it yet. */
struct step *life_new_step(struct life *life, enum step_op op);

/*
 * Runs one step of what is due, at its due time; in an account that is not proven a probe
 * first. 0 when nothing is due any more.
 */
int life_step(struct life *life);
/* Steps until nothing is due, or the lease is active; at most `most` steps. */
void life_run(struct life *life, int most);
/* Steps until its cleanup is done, or needs an operator; at most `most` steps. */
void life_end(struct life *life, int most);
void life_release(struct life *life, int delete_machine);
/* Why it is refused, LEASE_REFUSAL_NONE: it was not. */
enum lease_refusal life_try_release(struct life *life, int delete_machine);
/* Account work: STEP_PROBE, STEP_CATALOG, STEP_LIST (of `kind`), STEP_INSPECT. The verdict. */
int life_account(struct life *life, enum step_op op, uint32_t kind);

/* An active lease of these types, a minute old; no call is counted yet. */
struct life *life_active(const char *types);
void life_expect_active(struct life *life);
/* Released, cleaned, and no server and so many keys at the provider. */
void life_expect_clean(struct life *life, int keys);
/* Objects in the cloud's project 0; ghosts and the account's own sentinel are not counted. */
int life_count(struct life *life, enum cloud_kind kind);
/* The id of what has this name there; 0: nothing has. */
int64_t life_find(struct life *life, enum cloud_kind kind, const char *name);
/* What the cloud knows of a row's resource. -1: it is not there. */
int life_object(struct life *life, const struct resource *row, struct cloud_object *ret);
/* The value of one of its labels; NULL: none. */
const char *life_label(struct life *life, const struct resource *row, const char *key);
/* The first ledger row of a kind that is not over; NULL: none. */
const struct resource *life_row(const struct life *life, uint32_t kind);
/* The account's sentinel. */
const struct resource *life_mark(const struct life *life);
/* Requests so far that begin so ("POST /servers"). */
int life_count_requests(const struct life *life, const char *prefix);
/* An answer of the API, asked by nobody's account: for people who meddle. */
int life_meddle(struct life *life, const char *method, const char *target, const char *body);
/* From now on the account's token may only read, or write again. */
void life_readonly(struct life *life, int on);
