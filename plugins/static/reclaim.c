/* SPDX-License-Identifier: MIT */
/*
 * The way back: whatever still runs for the host is ended, what its holder left is taken
 * away by the reset, and only then is the record removed, which is what frees the host.
 *
 * The reset is the one act that destroys, and the record's end the other: each has a permit
 * of its own, asked for in the step that does it, on what was read in that step.
 */
#include <stdio.h>
#include <string.h>

#include "step_context.h"

/* A run that is over its time so much cannot be killed: the kernel holds it. */
#define OVERDUE_MS (60 * 1000)

/* What a row that is DELETING waits for. */
#define RESETTING "reset"
#define REMOVED "removed"

static int is_overdue(struct step_context *ctx, const struct job *job)
{
	return lessor_now(ctx->call) - job->started_ms - job->timeout_ms > OVERDUE_MS;
}

static int allocation_is_gone(struct step_context *ctx, const struct lessor_resource *row)
{
	int was_removed = row->state == LESSOR_STATE_DELETING && strcmp(row->action, REMOVED) == 0;

	/* What we removed does not come again; of what somebody else did nobody knows. */
	if (ctx->registry.unreadable && !was_removed)
		return lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read: is it %s?", row->name);
	/* If we died before that was done. */
	job_forget(&ctx->registry, row->id);
	return lessor_gone(ctx->call, row->row, "no record has its id") ?
		       lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "looked at once more first") :
		       lessor_pending(ctx->call, AT_ONCE, "");
}

/* A lease in attention stays there while its reset is tried again; a first one just moves. */
static int wait_for_reset(struct step_context *ctx, const struct allocation *allocation)
{
	int64_t poll_ms = lessor_option_int(ctx->call, OPT_POLL);

	if (allocation->failures)
		return lessor_retry(ctx->call, LESSOR_CLASS_FAILED, poll_ms,
				    "the reset of host %s failed and runs again", allocation->host);
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
	return lessor_refuse(ctx->call, LESSOR_CLASS_OWNERSHIP, "%s (id %s) may not be given back",
			     row->name, row->id);
}

static int not_recorded(struct step_context *ctx)
{
	return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0, "it was not recorded");
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
			     "the reset of host %s failed: %s; nobody else gets it before a reset "
			     "has succeeded",
			     allocation->host, job->how);
}

/* It died with whatever it was doing. The next step does it again, after a while. */
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
	if (hook_start(ctx, allocation, JOB_RESET)) { /* then nothing runs */
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
	/* We died between its start and the ledger's line: DELETE_UNKNOWN. */
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
				     "the reset of host %s is over its time and cannot be ended",
				     allocation->host);
	return wait_for_reset(ctx, allocation);
}

static int free_host(struct step_context *ctx, const struct lessor_resource *row,
		     const struct allocation *allocation)
{
	/* The permit of the reset is used up with it. */
	if (row->state == LESSOR_STATE_DELETING &&
	    lessor_still_there(ctx->call, row->row, "its reset is done"))
		return not_recorded(ctx);
	if (permit_delete(ctx, row, allocation))
		return not_permitted(ctx, row);
	if (registry_remove(&ctx->registry, allocation)) {
		lessor_delete_unknown(ctx->call, row->row, "its record may not be removed for good");
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	}
	job_forget(&ctx->registry, allocation->id);
	/* The next step reads whether it is so. */
	return lessor_deleting(ctx->call, row->row, REMOVED) ?
		       not_recorded(ctx) :
		       lessor_pending(ctx->call, AT_ONCE, "");
}

/* Something of the way in still runs for it: first that must end. */
static int stop_hook(struct step_context *ctx, const struct allocation *allocation,
		     const struct job *job)
{
	if (is_overdue(ctx, job))
		return lessor_refuse(ctx->call, LESSOR_CLASS_TIMEOUT,
				     "the %s of host %s is over its time and cannot be ended",
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
				     "the reset of host %s cannot be read from its record",
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
				     "%s is of a kind that is never made here", row->name);
	if (row->state == LESSOR_STATE_RETAINED)
		return lessor_refuse(ctx->call, LESSOR_CLASS_OWNERSHIP,
				     "%s is kept at its owner's wish", row->name);
	if (!row->id[0])
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "whether %s was made is not settled yet", row->name);
	allocation = registry_by_id(&ctx->registry, row->id);
	return allocation ? reclaim_allocation(ctx, row, allocation) : allocation_is_gone(ctx, row);
}
