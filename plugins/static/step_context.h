/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of this plugin: the instance, and the context of a running step.
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

/* The next step may follow immediately. (With 0 the host would choose.) */
#define AT_ONCE 1

/* An instance. The host runs its operations one at a time (LESSOR_PER_INSTANCE). */
struct pool {
	struct inventory *inventory;
};

struct step_context {
	struct lessor_call *call;
	const struct lessor_lease *lease; /* NULL: an account operation without a ledger */
	const struct pool *pool;
	struct registry registry;
};

/* Opens the registry. 0: step_context_end must follow. -1: with the step's verdict. */
int step_context_begin(struct step_context *ctx, struct lessor_call *call,
		       const struct lessor_lease *lease, const struct pool *pool, int *ret_verdict);
void step_context_end(struct step_context *ctx);

/* May be in the registry: the outcome of its creation is not in the ledger. */
static inline int row_is_unsettled(const struct lessor_resource *row)
{
	return lessor_state_is_unsettled(row->state);
}

/* Nothing remains to be done. */
static inline int row_is_over(const struct lessor_resource *row)
{
	return lessor_state_is_over(row->state);
}

/*
 * Settles the first unsettled row of a kind: adopts what is in the registry, or reports that
 * nothing is. 0: there was none. 1: with the step's verdict, PENDING if the ledger was updated.
 */
int step_context_settle(struct step_context *ctx, uint32_t kind, int *ret_verdict);

/* Sets the outputs for clients. */
void step_context_report(struct step_context *ctx, const struct allocation *allocation);

/* ---- hooks: the commands of a host, hook.c ------------------------------------------- */

/* The host of an allocation in the inventory; NULL if absent or another machine by now. */
const struct host *hook_host(const struct step_context *ctx, const struct allocation *allocation);
/* Is there a command to run? -1: the stored command cannot be read. */
int hook_is_due(const struct step_context *ctx, const struct allocation *allocation,
		enum job_kind kind);
/* 0: started; -1: not started, and the reason is logged. */
int hook_start(struct step_context *ctx, const struct allocation *allocation, enum job_kind kind);
/* job_read, which also logs the output of a failed command. */
int hook_read(struct step_context *ctx, const struct allocation *allocation, struct job *ret);

/* ---- allocation and reclaim of a host, acquire.c and reclaim.c ---------------------------------------------- */

int acquire_provision(struct step_context *ctx);
/* Reclaims the host of `row`. GONE, PENDING, RETRY or REFUSED. */
int reclaim_row(struct step_context *ctx, const struct lessor_resource *row);
