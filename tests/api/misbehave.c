/* SPDX-License-Identifier: MIT */
/*
 * A provider that does in provision what the lease's slug says: crash, abort, recurse, exit or
 * loop; and in catalog, if the environment has MISBEHAVE_CATALOG, a crash.
 */
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

/* Uses up the stack. */
static int recurse(volatile char *from)
{
	volatile char here[4096];

	here[0] = from ? *from : 0;
	return here[0] ? 0 : recurse(here) + here[0];
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
	if (!strcmp(lease->slug, "recurse"))
		return recurse(NULL);
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

static int misbehave_catalog(void *instance, struct lessor_call *call)
{
	static volatile int *const nowhere;

	(void)instance;
	(void)call;
	return getenv("MISBEHAVE_CATALOG") ? *nowhere : LESSOR_DONE;
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
	.catalog = misbehave_catalog,
};

LESSOR_PROVIDER(misbehave)
