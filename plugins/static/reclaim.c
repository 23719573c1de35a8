/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: stops whatever still runs for the host, resets it to remove what its holder left,
 * and only then removes the record, which frees the host.
 *
 * Both the reset and the removal of the record are destructive. Each has its own permit,
 * requested in the same step with what was read in that step.
 */
#include <stdio.h>
#include <string.h>

#include "step_context.h"

/* A job this far beyond its timeout cannot be killed: it is stuck in the kernel. */
#define OVERDUE_MS (60 * 1000)

/* The `action` of a DELETING row: what it waits for. */
#define RESETTING "reset"
#define REMOVED "removed"

static int is_overdue(struct step_context *ctx, const struct job *job)
{
	return lessor_now(ctx->call) - job->started_ms - job->timeout_ms > OVERDUE_MS;
}

static int allocation_is_gone(struct step_context *ctx, const struct lessor_resource *row)
{
	int was_removed = row->state == LESSOR_STATE_DELETING && strcmp(row->action, REMOVED) == 0;

	/* What we removed stays removed; otherwise an unreadable record may be the missing one. */
	if (ctx->registry.unreadable && !was_removed)
		return lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read; it may be that of %s",
				    row->name);
	/* In case we died before this was done. */
	job_forget(&ctx->registry, row->id);
	return lessor_gone(ctx->call, row->row, "no record has its id") ?
		       lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "waiting for a second observation") :
		       lessor_pending(ctx->call, AT_ONCE, "");
}

/* While a reset is retried the lease stays in attention; a first reset is just pending. */
static int wait_for_reset(struct step_context *ctx, const struct allocation *allocation)
{
	int64_t poll_ms = lessor_option_int(ctx->call, OPT_POLL);

	if (allocation->failures)
		return lessor_retry(ctx->call, LESSOR_CLASS_FAILED, poll_ms,
				    "the reset of host %s failed and is running again",
				    allocation->host);
	return lessor_pending(ctx->call, poll_ms, "");
}

static int permit_delete(struct step_context *ctx, const struct lessor_resource *row,
			 const struct allocation *allocation)
{
	struct lessor_observed seen = allocation_observed(allocation);

	return lessor_permit_delete(ctx->call, row->row, &seen);
}

static int not_permitted(struct step_context *ctx, const struct lessor_resource *row)
{
	return lessor_refuse(ctx->call, LESSOR_CLASS_OWNERSHIP,
			     "lessord permits no reclaim of %s (id %s)", row->name, row->id);
}

static int not_recorded(struct step_context *ctx)
{
	return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0, "it could not be recorded");
}

static int reset_failed(struct step_context *ctx, const struct lessor_resource *row,
			struct allocation *allocation, const struct job *job)
{
	if (allocation_set_failures(allocation, allocation->failures + 1) ||
	    registry_change(&ctx->registry, allocation))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	if (lessor_still_there(ctx->call, row->row, "its reset failed"))
		return not_recorded(ctx);
	job_forget(&ctx->registry, allocation->id);
	return lessor_refuse(ctx->call, LESSOR_CLASS_FAILED,
			     "the reset of host %s failed: %s; the host stays allocated until "
			     "a reset succeeds",
			     allocation->host, job->how);
}

/* The job died. A later step starts it again. */
static int reset_lost(struct step_context *ctx, const struct lessor_resource *row,
		      const struct allocation *allocation)
{
	if (lessor_still_there(ctx->call, row->row, "its reset was interrupted"))
		return not_recorded(ctx);
	job_forget(&ctx->registry, allocation->id);
	return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
			    "the reset of host %s was interrupted", allocation->host);
}

static int reset_begin(struct step_context *ctx, const struct lessor_resource *row,
		       const struct allocation *allocation)
{
	if (permit_delete(ctx, row, allocation))
		return not_permitted(ctx, row);
	if (hook_start(ctx, allocation, JOB_RESET)) { /* nothing is running */
		lessor_still_there(ctx->call, row->row, "its reset could not be started");
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the reset of host %s could not be started", allocation->host);
	}
	return lessor_deleting(ctx->call, row->row, RESETTING) ? not_recorded(ctx) :
								 wait_for_reset(ctx, allocation);
}

static int reset_runs(struct step_context *ctx, const struct lessor_resource *row,
		      const struct allocation *allocation, const struct job *job)
{
	/* We died between its start and the ledger's update: DELETE_UNKNOWN. */
	if (row->state != LESSOR_STATE_DELETING) {
		if (permit_delete(ctx, row, allocation)) {
			job_stop(&ctx->registry, allocation->id);
			return not_permitted(ctx, row);
		}
		if (lessor_deleting(ctx->call, row->row, RESETTING))
			return not_recorded(ctx);
	}
	if (is_overdue(ctx, job))
		return lessor_refuse(ctx->call, LESSOR_CLASS_TIMEOUT,
				     "the reset of host %s exceeded its timeout and cannot be "
				     "stopped",
				     allocation->host);
	return wait_for_reset(ctx, allocation);
}

static int free_host(struct step_context *ctx, const struct lessor_resource *row,
		     const struct allocation *allocation)
{
	/* The permit of the reset is used up. */
	if (row->state == LESSOR_STATE_DELETING &&
	    lessor_still_there(ctx->call, row->row, "its reset is done"))
		return not_recorded(ctx);
	if (permit_delete(ctx, row, allocation))
		return not_permitted(ctx, row);
	if (registry_remove(&ctx->registry, allocation)) {
		lessor_delete_unknown(ctx->call, row->row,
				      "its record may not be removed from "
				      "disk");
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	}
	job_forget(&ctx->registry, allocation->id);
	/* The next step verifies it. */
	return lessor_deleting(ctx->call, row->row, REMOVED) ?
		       not_recorded(ctx) :
		       lessor_pending(ctx->call, AT_ONCE, "");
}

/* A probe or prepare command is still running: it must end first. */
static int stop_hook(struct step_context *ctx, const struct allocation *allocation,
		     const struct job *job)
{
	if (is_overdue(ctx, job))
		return lessor_refuse(ctx->call, LESSOR_CLASS_TIMEOUT,
				     "the %s of host %s exceeded its timeout and cannot be "
				     "stopped",
				     job_kind_name(job->kind), allocation->host);
	job_stop(&ctx->registry, allocation->id);
	return lessor_pending(ctx->call, lessor_option_int(ctx->call, OPT_POLL), "");
}

static int reclaim_allocation(struct step_context *ctx, const struct lessor_resource *row,
			      struct allocation *allocation)
{
	int owed = allocation->stage == STAGE_TAKEN ? 0 : hook_is_due(ctx, allocation, JOB_RESET);
	int is_reset;
	struct job job;

	if (owed < 0)
		return lessor_refuse(ctx->call, LESSOR_CLASS_PROVIDER,
				     "the reset command of host %s cannot be read from its "
				     "record",
				     allocation->host);
	if (hook_read(ctx, allocation, &job))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be read");
	is_reset = job.kind == JOB_RESET;
	if (job.state == JOB_ACTIVE)
		return is_reset ? reset_runs(ctx, row, allocation, &job) :
				  stop_hook(ctx, allocation, &job);
	if (!owed || (is_reset && job.state == JOB_SUCCEEDED))
		return free_host(ctx, row, allocation);
	if (is_reset && row->state == LESSOR_STATE_DELETING) {
		if (job.state == JOB_FAILED)
			return reset_failed(ctx, row, allocation, &job);
		if (job.state == JOB_LOST)
			return reset_lost(ctx, row, allocation);
	}
	return reset_begin(ctx, row, allocation);
}

int reclaim_row(struct step_context *ctx, const struct lessor_resource *row)
{
	struct allocation *allocation;

	if (row_is_over(row) || !row->ours)
		return LESSOR_GONE;
	if (row->kind != LESSOR_KIND_SERVER)
		return lessor_refuse(ctx->call, LESSOR_CLASS_BUG,
				     "%s is of a kind that this provider never creates", row->name);
	if (row->state == LESSOR_STATE_RETAINED)
		return lessor_refuse(ctx->call, LESSOR_CLASS_OWNERSHIP, "%s is retained", row->name);
	if (!row->id[0])
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "it is not yet known whether %s was created", row->name);
	allocation = registry_by_id(&ctx->registry, row->id);
	return allocation ? reclaim_allocation(ctx, row, allocation) : allocation_is_gone(ctx, row);
}
