/* SPDX-License-Identifier: MIT */
/* A provider that does in provision what the lease's slug says: crash, abort, exit or loop. */
#include <lessor/provider.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static int misbehave_open(struct lessor_call *call, void **instance)
{
	(void)call;
	*instance = NULL;
	return LESSOR_DONE;
}

static void misbehave_close(void *instance)
{
	(void)instance;
}

static int misbehave_provision(void *instance, struct lessor_call *call,
			       const struct lessor_lease *lease)
{
	static volatile int *const nowhere;
	static volatile int for_ever = 1;

	(void)instance;
	(void)call;
	if (!strcmp(lease->slug, "crash"))
		return *nowhere;
	if (!strcmp(lease->slug, "abort"))
		abort();
	if (!strcmp(lease->slug, "exit"))
		exit(0);
	while (for_ever && !strcmp(lease->slug, "loop"))
		;
	return LESSOR_RETRY;
}

static int misbehave_cleanup(void *instance, struct lessor_call *call,
			     const struct lessor_lease *lease)
{
	(void)instance;
	(void)call;
	(void)lease;
	return LESSOR_GONE;
}

static int misbehave_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	(void)instance;
	(void)call;
	(void)kind;
	return LESSOR_DONE;
}

static const struct lessor_provider misbehave = {
	.size = sizeof(struct lessor_provider),
	.abi = LESSOR_ABI,
	.name = "misbehave",
	.version = "1.0",
	.summary = "Everything that a provider must not do",
	.concurrency = LESSOR_PARALLEL,
	.capabilities = LESSOR_OWN_IO,
	.visible_within_ms = 1000,
	.open = misbehave_open,
	.close = misbehave_close,
	.provision = misbehave_provision,
	.cleanup = misbehave_cleanup,
	.inspect = misbehave_provision,
	.list = misbehave_list,
};

LESSOR_PROVIDER(misbehave)
