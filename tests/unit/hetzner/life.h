/* SPDX-License-Identifier: MIT */
/*
 * A lease's life, step by step: the built plugin, run by the real host, against
 * the simulated cloud under a virtual clock. The ledger is kept in memory by the
 * rules that the engine uses.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cloud/cloud.h"
#include "lease/ledger.h"
#include "lease/transition.h"
#include "provider/account.h"
#include "provider/step.h"

struct life {
	struct env env;
	int64_t now_ms;
	struct cloud *cloud;
	struct account *account;
	struct signer signer;
	struct lease lease;
	struct ledger book;		/* the lease's */
	struct ledger mark;		/* the account's */
	int64_t last_row;
	int64_t settle_ms;
	int unproven;			/* the account is: nothing is concluded from absence */
	int shared;			/* another lease names the same things */
	int running;
	int calls;			/* requests since life_reset_calls */
	int deletes;			/* of these, DELETEs that were sent */
	char *requests;			/* one per line, "POST /servers 201" */
	size_t requests_len;
	int crash_after_effect;		/* the process dies before the next outcome is recorded */
	int crashed;
	/* what the last step said */
	int verdict;
	uint32_t error_class;
	char reason[256];
	int violations;
	struct step_price *prices;
	size_t price_count;
	size_t listed;
};

/* What a step's commit leads to; life-ledger.c. */
int life_commit(void *arg, struct step *step, struct step_commit *what);

/* `options` alternate keys and values, ended by NULL. */
struct life *life_new(const char *const *options);
void life_free(struct life *life);

/* A fresh lease, types and locations comma separated. Accepted now. */
void life_begin(struct life *life, const char *types, const char *locations);
/* One rule or several, as the simulator takes them; ' stands for ". */
void life_fault(struct life *life, const char *json);
void life_config(struct life *life, const char *name, int64_t value);
void life_reset_calls(struct life *life);

/* Runs one step of what is due, at its due time. 0 when nothing is due any more. */
int life_step(struct life *life);
/* Steps until nothing is due, or the lease is active; at most `most` steps. */
void life_run(struct life *life, int most);
void life_release(struct life *life, int delete_machine);
/* Account work: STEP_PROBE, STEP_CATALOG, STEP_LIST (of `kind`), STEP_INSPECT. The verdict. */
int life_account(struct life *life, enum step_op op, uint32_t kind);

/* Objects in the cloud's project 0, ghosts not counted. */
int life_count(struct life *life, enum cloud_kind kind);
/* The first ledger row of a kind in any state but GONE; NULL: none. */
const struct resource *life_row(const struct life *life, uint32_t kind);
/* Requests so far that begin so ("POST /servers"). */
int life_count_requests(const struct life *life, const char *prefix);
/* An answer of the API, asked by nobody's account: for people who meddle. */
int life_meddle(struct life *life, const char *method, const char *target, const char *body);
