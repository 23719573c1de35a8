/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "step_context.h"

#define ENV_WORDS 12
#define ENV_WORD_ROOM 256

const struct host *hook_host(const struct step_context *ctx, const struct allocation *allocation)
{
	const struct host *host = inventory_find(ctx->pool->inventory, allocation->host);

	return host && host->port == allocation->port &&
			       strcasecmp(host->address, allocation->address) == 0 ?
		       host :
		       NULL;
}

/*
 * The command of a kind, in *ret_own if it was parsed and must be freed. A host that is no
 * longer in the inventory is still reset, with the command stored at its allocation.
 */
static int command_of(const struct step_context *ctx, const struct allocation *allocation,
		      enum job_kind kind, struct command *ret_own, const struct command **ret)
{
	const struct host *host = hook_host(ctx, allocation);
	const char *why;

	*ret_own = (struct command){ 0 };
	*ret = NULL;
	switch (kind) {
	case JOB_PROBE:
		*ret = host ? &host->probe_command : NULL;
		return 0;
	case JOB_PREPARE:
		*ret = host ? &host->prepare : NULL;
		return 0;
	case JOB_RESET:
		break;
	}
	if (host) {
		*ret = &host->reset;
	} else if (allocation->reset) {
		if (command_parse(allocation->reset, ret_own, &why))
			return -1;
		*ret = ret_own;
	}
	return 0;
}

int hook_is_due(const struct step_context *ctx, const struct allocation *allocation,
		enum job_kind kind)
{
	const struct host *host = hook_host(ctx, allocation);
	const struct command *command;
	struct command own;
	int rc = command_of(ctx, allocation, kind, &own, &command);

	if (!rc)
		rc = (command && command->count) ||
		     (kind == JOB_PROBE && host && host->probe != PROBE_NONE);
	command_fini(&own);
	return rc;
}

/* A minimal environment: the daemon's may contain secrets. */
static char **environment_make(struct lessor_call *call, const struct subject *subject,
			       const struct lessor_lease *lease, enum job_kind kind)
{
	char **words = lessor_alloc(call, (ENV_WORDS + 1) * sizeof(*words));
	char *room = lessor_alloc(call, (size_t)ENV_WORDS * ENV_WORD_ROOM);
	const char *home = getenv("HOME");
	const struct {
		const char *key, *value;
	} pairs[] = {
		{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "HOME", home ? home : "/" },
		{ "LESSOR_ACTION", job_kind_name(kind) },
		{ "LESSOR_HOST", subject->host },
		{ "LESSOR_ADDRESS", subject->address },
		{ "LESSOR_PORT", subject->port },
		{ "LESSOR_LEASE", subject->lease },
		{ "LESSOR_SLUG", lease->slug },
	};

	if (!words || !room)
		return NULL;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		words[i] = room + i * ENV_WORD_ROOM;
		snprintf(words[i], ENV_WORD_ROOM, "%s=%s", pairs[i].key, pairs[i].value);
	}
	return words;
}

static int64_t timeout_of(struct lessor_call *call, enum job_kind kind)
{
	static const char *const options[] = {
		[JOB_PROBE] = OPT_PROBE_TIMEOUT,
		[JOB_PREPARE] = OPT_PREPARE_TIMEOUT,
		[JOB_RESET] = OPT_RESET_TIMEOUT,
	};

	return lessor_option_int(call, options[kind]);
}

/* The client's key as one line. */
static const char *key_line(struct lessor_call *call, const struct lessor_lease *lease)
{
	size_t len = strlen(lease->public_key);
	char *line = lessor_alloc(call, len + 2);

	if (!line)
		return "\n";
	memcpy(line, lease->public_key, len);
	line[len] = '\n';
	return line;
}

static int order_start(struct step_context *ctx, const struct allocation *allocation,
		       enum job_kind kind, const struct command *command)
{
	const struct host *host = hook_host(ctx, allocation);
	char port[16];
	const struct subject subject = { allocation->host, allocation->address, port,
					 ctx->lease->id };
	struct job_order order = {
		.kind = kind,
		.id = allocation->id,
		.address = allocation->address,
		.port = allocation->port,
		.wants_ssh = host && host->probe == PROBE_SSH,
		.timeout_ms = timeout_of(ctx->call, kind),
	};

	snprintf(port, sizeof(port), "%d", allocation->port);
	if (command && command->count) {
		order.argv = command_expand(ctx->call, command, &subject);
		order.envp = environment_make(ctx->call, &subject, ctx->lease, kind);
		if (!order.argv || !order.envp) {
			errno = E2BIG;
			return -1;
		}
	}
	if (kind == JOB_PREPARE)
		order.input = key_line(ctx->call, ctx->lease);
	return job_start(ctx->call, &ctx->registry, &order);
}

int hook_start(struct step_context *ctx, const struct allocation *allocation, enum job_kind kind)
{
	const struct command *command;
	struct command own;
	int rc = command_of(ctx, allocation, kind, &own, &command);

	if (rc)
		errno = EINVAL;
	else
		rc = order_start(ctx, allocation, kind, command);
	if (rc)
		lessor_log(ctx->call, LESSOR_LOG_ERROR,
			   "the %s of host %s cannot be started (error %d)", job_kind_name(kind),
			   allocation->host, errno);
	command_fini(&own);
	return rc;
}

int hook_read(struct step_context *ctx, const struct allocation *allocation, struct job *ret)
{
	if (job_read(&ctx->registry, allocation->id, ret)) {
		lessor_log(ctx->call, LESSOR_LOG_ERROR,
			   "the outcome of the command for host %s cannot be read (error %d)",
			   allocation->host, errno);
		return -1;
	}
	if (ret->state == JOB_FAILED)
		lessor_log(ctx->call, LESSOR_LOG_WARNING, "the %s of host %s failed: %s%s%s",
			   job_kind_name(ret->kind), allocation->host, ret->how,
			   ret->said[0] ? "; output: " : "", ret->said);
	return 0;
}
