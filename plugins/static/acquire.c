/* SPDX-License-Identifier: MIT */
/*
 * Allocation: creates the record of a free host, probes it, prepares it, and reports it. An
 * unhealthy host is reclaimed immediately and the next one is tried.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "step_context.h"

#define REASON_ROOM 200
#define KEY_ROOM 96

/* ---- which host ---------------------------------------------------------------------------- */

/* The hosts of one type in one location. */
struct availability {
	const struct host *free; /* the first available one */
	int all;
	/* why the others are not available; counted only if none is */
	int leased, resetting, drained, unhealthy;
};

static const char *unhealthy_key(const struct host *host, char ret[KEY_ROOM])
{
	snprintf(ret, KEY_ROOM, "unhealthy/%s", host->name);
	return ret;
}

/* Also finds a machine that was renamed in the inventory while it was leased. */
static const struct allocation *allocation_of(const struct registry *registry,
					      const struct host *host)
{
	const struct allocation *allocation = registry_of_host(registry, host->name);

	for (size_t i = 0; i < registry->count && !allocation; i++) {
		const struct allocation *other = &registry->allocations[i];

		if (other->root && other->port == host->port &&
		    strcasecmp(other->address, host->address) == 0)
			allocation = other;
	}
	return allocation;
}

static int is_resetting(const struct step_context *ctx, const struct allocation *allocation)
{
	struct job job;

	return allocation->root &&
	       (allocation->failures || (job_read(&ctx->registry, allocation->id, &job) == 0 &&
					 job.state != JOB_NONE && job.kind == JOB_RESET));
}

/* Is it free? If not and `ret` is given, counts the reason. */
static int is_free(const struct step_context *ctx, const struct host *host, struct availability *ret)
{
	const struct allocation *allocation = allocation_of(&ctx->registry, host);
	struct availability none = { .free = NULL };
	char key[KEY_ROOM];
	int *why = NULL;

	if (!ret)
		ret = &none;
	if (allocation)
		why = ret != &none && is_resetting(ctx, allocation) ? &ret->resetting :
								      &ret->leased;
	else if (host->drain)
		why = &ret->drained;
	else if (lessor_cache_get(ctx->call, unhealthy_key(host, key)))
		why = &ret->unhealthy;
	if (why)
		++*why;
	return !why;
}

static int is_of(const struct step_context *ctx, const struct host *host, const char *type,
		 const char *location)
{
	return strcmp(host->location, location) == 0 && host_has_type(host, type) &&
	       strcmp(host->architecture, ctx->lease->architecture) == 0;
}

static void availability_count(const struct step_context *ctx, const char *type,
			       const char *location, struct availability *ret)
{
	const struct inventory *inventory = ctx->pool->inventory;

	*ret = (struct availability){ .free = NULL };
	for (size_t i = 0; i < inventory->count; i++) {
		const struct host *host = &inventory->hosts[i];

		if (!is_of(ctx, host, type, location))
			continue;
		ret->all++;
		if (!ret->free && is_free(ctx, host, NULL))
			ret->free = host;
	}
	for (size_t i = 0; i < inventory->count && !ret->free; i++) {
		if (is_of(ctx, &inventory->hosts[i], type, location))
			is_free(ctx, &inventory->hosts[i], ret);
	}
}

/* "no host is free: of 4, 2 leased, 1 being reset, 1 unhealthy" */
static void availability_describe(const struct availability *availability, char ret[REASON_ROOM])
{
	const struct {
		int count;
		const char *what;
	} parts[] = {
		{ availability->leased, "leased" },
		{ availability->resetting, "being reset" },
		{ availability->drained, "drained" },
		{ availability->unhealthy, "unhealthy" },
	};
	size_t len;
	int told = 0;

	if (!availability->all) {
		snprintf(ret, REASON_ROOM, "the inventory has no such host");
		return;
	}
	len = (size_t)snprintf(ret, REASON_ROOM, "no host is free: of %d,", availability->all);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].count)
			continue;
		len += (size_t)snprintf(ret + len, REASON_ROOM - len, "%s %d %s", told++ ? "," : "",
					parts[i].count, parts[i].what);
	}
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* Were all hosts of this type and location tried? After an unhealthy host others are tried. */
static int is_exhausted(const struct step_context *ctx, const char *type, const char *location,
			const struct availability *availability)
{
	uint32_t refused = 0;
	int tried = 0;

	for (size_t i = 0; i < ctx->lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(ctx->lease, i);

		if (strcmp(a->type, type) == 0 && strcmp(a->location, location) == 0) {
			tried++;
			refused = a->refused;
		}
	}
	return tried && (refused == LESSOR_CLASS_CAPACITY || refused == LESSOR_CLASS_INVALID ||
			 tried >= availability->all || !availability->free);
}

static int all_tried(struct step_context *ctx)
{
	const struct lessor_lease *lease = ctx->lease;
	const struct lessor_attempt *telling = NULL;

	for (size_t i = 0; i < lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(lease, i);

		/* A temporary reason is more useful than a permanent one. */
		if (!telling || a->refused != LESSOR_CLASS_INVALID)
			telling = a;
	}
	if (!telling)
		return lessor_refuse(ctx->call, LESSOR_CLASS_INVALID,
				     "no server type or no location is configured; set types in [class] "
				     "and locations in [account]");
	if (lease->attempt_count == 1)
		return lessor_refuse(ctx->call, telling->refused, "%s in %s: %s", telling->type,
				     telling->location, telling->reason);
	return lessor_refuse(ctx->call, telling->refused,
			     "no host after %zu attempts; %s in %s: %s", lease->attempt_count,
			     telling->type, telling->location, telling->reason);
}

static int attempt_is_refused(struct step_context *ctx, uint32_t number, uint32_t error_class,
			      const char *reason)
{
	if (lessor_attempt_refused(ctx->call, number, error_class, reason))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "an attempt could not be closed");
	return lessor_pending(ctx->call, AT_ONCE, "");
}

static int next_attempt(struct step_context *ctx)
{
	const struct lessor_lease *lease = ctx->lease;
	uint32_t number = (uint32_t)lease->attempt_count + 1;

	for (size_t t = 0; t < lease->type_count; t++) {
		for (size_t l = 0; l < lease->location_count; l++) {
			const char *type = lease->types[t], *location = lease->locations[l];
			struct availability availability;

			availability_count(ctx, type, location, &availability);
			if (is_exhausted(ctx, type, location, &availability))
				continue;
			if (lessor_attempt_open(ctx->call, number, type, location))
				return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
						    "no attempt may be started now");
			return lessor_pending(ctx->call, AT_ONCE, "");
		}
	}
	return all_tried(ctx);
}

/* ---- allocating ------------------------------------------------------------------------------------ */

static json_t *allocation_for(struct step_context *ctx, const struct lessor_attempt *attempt,
			      const struct host *host, const struct lessor_intent *intent)
{
	const struct allocation_new from = {
		.intent = intent,
		.kind = LESSOR_KIND_SERVER,
		.now_ms = lessor_now(ctx->call),
		.host = host->name,
		.address = host->address,
		.port = host->port,
		.type = attempt->type,
		.location = attempt->location,
		.reset = command_json(&host->reset),
	};

	return from.reset ? allocation_make(&from) : NULL;
}

static int acquire_host(struct step_context *ctx, const struct lessor_attempt *attempt,
			const struct host *host)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	enum registry_added made = REGISTRY_NOT_ADDED;
	char id[ALLOCATION_ID_ROOM] = "";
	json_t *root;

	if (lessor_intend(ctx->call, LESSOR_KIND_SERVER, attempt->number, &intent))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "no host may be allocated now");
	root = allocation_for(ctx, attempt, host, &intent);
	if (root) {
		made = registry_add(&ctx->registry, root);
		snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(root, "id")));
		json_decref(root);
	}
	switch (made) {
	case REGISTRY_ADDED:
		break;
	case REGISTRY_UNKNOWN:
		lessor_unknown(ctx->call, intent.row, "its record may not be on disk");
		return lessor_pending(ctx->call, AT_ONCE, "");
	case REGISTRY_TAKEN: /* impossible under the lock, unless somebody ignores it */
	case REGISTRY_NOT_ADDED:
		lessor_log(ctx->call, LESSOR_LOG_ERROR,
			   "the record of host %s cannot be written "
			   "(error %d)",
			   host->name, errno);
		lessor_not_created(ctx->call, intent.row, "its record could not be written");
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	}
	if (lessor_created(ctx->call, intent.row, id, ""))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "it could not be "
				    "recorded");
	return lessor_pending(ctx->call, AT_ONCE, "");
}

static int acquire_free(struct step_context *ctx, const struct lessor_attempt *attempt)
{
	char reason[REASON_ROOM];
	struct availability availability;

	availability_count(ctx, attempt->type, attempt->location, &availability);
	if (availability.free)
		return acquire_host(ctx, attempt, availability.free);
	availability_describe(&availability, reason);
	return attempt_is_refused(ctx, attempt->number,
				  availability.all ? LESSOR_CLASS_CAPACITY : LESSOR_CLASS_INVALID,
				  reason);
}

/* ---- from allocated to ready -------------------------------------------------------------------------- */

/* The host is not used for a while; this lease tries another one. */
static int hook_failed(struct step_context *ctx, const struct lessor_attempt *attempt,
		       const struct allocation *allocation, const struct job *job)
{
	const struct host *host = hook_host(ctx, allocation);
	char key[KEY_ROOM], reason[REASON_ROOM];

	if (host)
		lessor_cache_put(ctx->call, unhealthy_key(host, key), "1",
				 lessor_option_int(ctx->call, OPT_UNWELL));
	snprintf(reason, sizeof(reason), "the %s of host %.63s failed: %s",
		 job_kind_name(job->kind), allocation->host, job->how);
	return attempt_is_refused(ctx, attempt->number, LESSOR_CLASS_FAILED, reason);
}

static int advance_host(struct step_context *ctx, const struct lessor_attempt *attempt,
			const struct lessor_resource *row);

/* From here on a reset is needed, whatever happens next. */
static int next_stage(struct step_context *ctx, const struct lessor_attempt *attempt,
		      const struct lessor_resource *row, struct allocation *allocation)
{
	enum stage next = allocation->stage == STAGE_TAKEN &&
					  hook_is_due(ctx, allocation, JOB_PREPARE) > 0 ?
				  STAGE_USED :
				  STAGE_READY;

	if (allocation_set_stage(allocation, next) || registry_change(&ctx->registry, allocation))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	job_forget(&ctx->registry, allocation->id);
	return advance_host(ctx, attempt, row);
}

/* Runs the hook of this stage, and advances when it has succeeded. */
static int run_stage(struct step_context *ctx, const struct lessor_attempt *attempt,
		     const struct lessor_resource *row, struct allocation *allocation,
		     enum job_kind kind)
{
	int64_t poll_ms = lessor_option_int(ctx->call, OPT_POLL);
	struct job job;

	if (hook_read(ctx, allocation, &job))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be read");
	if (job.state == JOB_ACTIVE)
		return lessor_pending(ctx->call, poll_ms, "");
	if (job.state == JOB_SUCCEEDED && job.kind == kind)
		return next_stage(ctx, attempt, row, allocation);
	if (job.state != JOB_NONE && job.kind == kind) {
		job_forget(&ctx->registry, allocation->id);
		if (job.state == JOB_FAILED)
			return hook_failed(ctx, attempt, allocation, &job);
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the %s of host %s was interrupted", job_kind_name(kind),
				    allocation->host);
	}
	if (hook_is_due(ctx, allocation, kind) <= 0)
		return next_stage(ctx, attempt, row, allocation);
	if (hook_start(ctx, allocation, kind))
		return lessor_retry(ctx->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the %s of host %s could not be started", job_kind_name(kind),
				    allocation->host);
	return lessor_pending(ctx->call, poll_ms, "");
}

static int advance_host(struct step_context *ctx, const struct lessor_attempt *attempt,
			const struct lessor_resource *row)
{
	struct allocation *allocation = registry_by_id(&ctx->registry, row->id);

	if (!allocation)
		return ctx->registry.unreadable ?
			       lessor_retry(ctx->call, LESSOR_CLASS_PROVIDER, 0,
					    "a record of the pool cannot be read; it may be "
					    "that of %s",
					    row->name) :
			       attempt_is_refused(ctx, attempt->number, LESSOR_CLASS_FAILED,
						  "its record was removed by somebody else");
	switch (allocation->stage) {
	case STAGE_TAKEN:
		return run_stage(ctx, attempt, row, allocation, JOB_PROBE);
	case STAGE_USED:
		return run_stage(ctx, attempt, row, allocation, JOB_PREPARE);
	case STAGE_READY:
		break;
	}
	step_context_report(ctx, allocation);
	return LESSOR_DONE;
}

/* ---- provision ---------------------------------------------------------------------------- */

static const struct lessor_attempt *attempt_of(const struct lessor_lease *lease, uint32_t number)
{
	for (size_t i = 0; i < lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(lease, i);

		if (a->number == number)
			return a;
	}
	return NULL;
}

/* The row of the host that this lease has, or NULL. */
static const struct lessor_resource *row_of(const struct lessor_lease *lease)
{
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *row = lessor_resource_at(lease, i);

		if (row->kind == LESSOR_KIND_SERVER && row->ours && !row_is_over(row))
			return row;
	}
	return NULL;
}

int acquire_provision(struct step_context *ctx)
{
	const struct lessor_lease *lease = ctx->lease;
	const struct lessor_attempt *last =
		lease->attempt_count ? lessor_attempt_at(lease, lease->attempt_count - 1) : NULL;
	const struct lessor_resource *row;
	const struct lessor_attempt *of_row;
	int verdict;

	if (step_context_settle(ctx, LESSOR_KIND_SERVER, &verdict))
		return verdict;
	row = row_of(lease);
	of_row = row ? attempt_of(lease, row->attempt) : NULL;
	if (of_row && !of_row->refused)
		return advance_host(ctx, of_row, row);
	if (row) {
		verdict = reclaim_row(ctx, row);
		/* It is gone; the next step sees that. */
		return verdict == LESSOR_GONE ? lessor_pending(ctx->call, AT_ONCE, "") : verdict;
	}
	return last && !last->refused ? acquire_free(ctx, last) : next_attempt(ctx);
}
