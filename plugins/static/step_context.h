/* SPDX-License-Identifier: MIT */
/*
 * What the files of this plugin share: the instance, and a step at work on it.
 */
#pragma once

#include <lessor/provider.h>

#include "inventory.h"
#include "job.h"
#include "registry.h"

#define OPT_INVENTORY "inventory"
#define OPT_STATE "state"
#define OPT_POLL "poll"
#define OPT_PROBE_TIMEOUT "probe_timeout"
#define OPT_PREPARE_TIMEOUT "prepare_timeout"
#define OPT_RESET_TIMEOUT "reset_timeout"
#define OPT_UNWELL "unwell"

/* The next step may follow at once. (0 would leave the choice to the host.) */
#define AT_ONCE 1

/* An instance. The host runs its operations one at a time (LESSOR_PER_INSTANCE). */
struct pool {
	struct inventory *inventory;
};

struct step_context {
	struct lessor_call *call;
	const struct lessor_lease *lease;	/* NULL: account work without a ledger */
	const struct pool *pool;
	struct registry registry;
};

/* Opens the book. 0, and work_end must follow; or -1 with the step's verdict. */
int step_context_begin(struct step_context *ctx, struct lessor_call *call,
		       const struct lessor_lease *lease, const struct pool *pool, int *ret_verdict);
void step_context_end(struct step_context *ctx);

/* May be in the book, and nobody knows: what was made is not in the ledger. */
static inline int row_is_unsettled(const struct lessor_resource *row)
{
	return lessor_state_is_unsettled(row->state);
}

/* Nothing more is to be done about it. */
static inline int row_is_over(const struct lessor_resource *row)
{
	return lessor_state_is_over(row->state);
}

/*
 * Settles the first row of a kind that is unsettled: adopts what is in the book, or reports
 * that nothing is. 0: there was none. 1: with the step's verdict, PENDING when the ledger
 * moved on.
 */
int step_context_settle(struct step_context *ctx, uint32_t kind, int *ret_verdict);

/* Says about the holder's host what clients are told. */
void step_context_report(struct step_context *ctx, const struct allocation *allocation);

/* ---- errands: what is run for a host, errand.c ------------------------------------------- */

/* The host of a record as the inventory has it; NULL if it is another machine now, or none. */
const struct host *hook_host(const struct step_context *ctx, const struct allocation *allocation);
/* Is there something to run? -1: what there is cannot be read. */
int hook_is_due(const struct step_context *ctx, const struct allocation *allocation,
		enum job_kind kind);
/* 0: it runs. -1: it does not, and the log says why. */
int hook_start(struct step_context *ctx, const struct allocation *allocation, enum job_kind kind);
/* run_look, and a failure's output in the log. */
int hook_read(struct step_context *ctx, const struct allocation *allocation, struct job *ret);

/* ---- the two ways of a host, take.c and give.c ---------------------------------------------- */

int acquire_provision(struct step_context *ctx);
/* Gives back what `row` stands for. GONE, PENDING, RETRY or REFUSED. */
int reclaim_row(struct step_context *ctx, const struct lessor_resource *row);
