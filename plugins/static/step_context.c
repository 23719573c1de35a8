/* SPDX-License-Identifier: MIT */
#include "step_context.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/*
 * Another account or daemon may hold the lock for some milliseconds: wait for it, but not
 * longer than any working process would hold it.
 */
#define BUSY_LOOK_MS 5
#define BUSY_LOOKS 400
/* Do not repeat at each step what only an operator can fix. */
#define COMPLAIN_MS (10 * 60 * 1000)

static enum registry_opened open_in_turn(struct lessor_call *call, const char *state,
					 struct registry *ret)
{
	enum registry_opened opened = registry_open(state, ret);

	for (int i = 0; opened == REGISTRY_BUSY && i < BUSY_LOOKS && !lessor_cancelled(call); i++) {
		poll(NULL, 0, BUSY_LOOK_MS);
		opened = registry_open(state, ret);
	}
	return opened;
}

int step_context_begin(struct step_context *ctx, struct lessor_call *call,
		       const struct lessor_lease *lease, const struct pool *pool, int *ret_verdict)
{
	const char *state = lessor_option_text(call, OPT_STATE);

	*ctx = (struct step_context){ .call = call, .lease = lease, .pool = pool };
	switch (open_in_turn(call, state, &ctx->registry)) {
	case REGISTRY_OPEN:
		break;
	case REGISTRY_BUSY:
		*ret_verdict = lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "the state directory is locked by another process "
					    "or account");
		return -1;
	case REGISTRY_FAILED:
		lessor_log(call, LESSOR_LOG_ERROR, "%s cannot be read (error %d)", state, errno);
		*ret_verdict = lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "the state directory cannot be read");
		return -1;
	}
	if (ctx->registry.unreadable && !lessor_cache_get(call, "complained")) {
		lessor_cache_put(call, "complained", "1", COMPLAIN_MS);
		lessor_log(call, LESSOR_LOG_ERROR,
			   "%d records in %s cannot be read; their hosts are not allocated: %s",
			   ctx->registry.unreadable, state, ctx->registry.complaint);
	}
	return 0;
}

void step_context_end(struct step_context *ctx)
{
	registry_close(&ctx->registry);
}

/* ---- settling -------------------------------------------------------------------------------- */

static int label_is(const struct allocation *allocation, const char *key, const char *value)
{
	const char *is = allocation_label(allocation, key);

	return is && strcmp(is, value) == 0;
}

/* Does its name or do its labels match `row`? */
static int claims_row(const struct step_context *ctx, const struct allocation *allocation,
		      const struct lessor_resource *row)
{
	char attempt[16];

	if (!allocation->root || allocation->kind != row->kind)
		return 0;
	if (strcmp(allocation->name, row->name) == 0)
		return 1;
	snprintf(attempt, sizeof(attempt), "%" PRIu32, row->attempt);
	return ctx->lease->id[0] && label_is(allocation, LESSOR_LABEL_LEASE, ctx->lease->id) &&
	       label_is(allocation, LESSOR_LABEL_INSTANCE, lessor_broker_id(ctx->call)) &&
	       label_is(allocation, LESSOR_LABEL_ATTEMPT, attempt);
}

static int settle_row(struct step_context *ctx, const struct lessor_resource *row)
{
	int found = 0, foreign = 0;

	for (size_t i = 0; i < ctx->registry.count; i++) {
		struct lessor_observed seen;

		if (!claims_row(ctx, &ctx->registry.allocations[i], row))
			continue;
		seen = allocation_observed(&ctx->registry.allocations[i]);
		if (lessor_adopt(ctx->call, &seen) == 0)
			found = 1;
		else
			foreign = 1;
	}
	if (found)
		return lessor_pending(ctx->call, AT_ONCE, "");
	if (foreign)
		return lessor_refuse(ctx->call, LESSOR_CLASS_OWNERSHIP,
				     "the record of %s in the pool is not provably ours",
				     row->name);
	if (ctx->registry.unreadable)
		return lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read; it may be that of %s",
				    row->name);
	if (lessor_not_seen(ctx->call, row->row))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "it is not yet known whether %s was created", row->name);
	return lessor_pending(ctx->call, AT_ONCE, "");
}

int step_context_settle(struct step_context *ctx, uint32_t kind, int *ret_verdict)
{
	for (size_t i = 0; i < ctx->lease->resource_count; i++) {
		const struct lessor_resource *row = lessor_resource_at(ctx->lease, i);

		if (row->kind != kind || !row->ours || !row_is_unsettled(row))
			continue;
		*ret_verdict = settle_row(ctx, row);
		return 1;
	}
	return 0;
}

/* ---- outputs ------------------------------------------------------------------------------------ */

void step_context_report(struct step_context *ctx, const struct allocation *allocation)
{
	struct job job;
	const char *status = allocation->stage == STAGE_READY ? "leased" : "being prepared";

	if (job_read(&ctx->registry, allocation->id, &job) == 0 && job.state != JOB_NONE &&
	    job.kind == JOB_RESET)
		status = "being reset";
	lessor_output(ctx->call, LESSOR_OUT_HOST, allocation->address);
	lessor_output(ctx->call, LESSOR_OUT_SERVER_ID, allocation->id);
	lessor_output(ctx->call, LESSOR_OUT_SERVER_NAME, allocation->host);
	lessor_output(ctx->call, LESSOR_OUT_SERVER_TYPE, allocation->type);
	lessor_output(ctx->call, LESSOR_OUT_LOCATION, allocation->location);
	lessor_output(ctx->call, LESSOR_OUT_STATUS, status);
}
