/* SPDX-License-Identifier: MIT */
/* Shared by all test plugins: operations that do nothing. */
#pragma once

#include <lessor/provider.h>

static inline int plain_open(struct lessor_call *call, void **instance)
{
	(void)call;
	(void)instance;
	return LESSOR_DONE;
}

static inline void plain_close(void *instance)
{
	(void)instance;
}

static inline int plain_step(void *instance, struct lessor_call *call,
			     const struct lessor_lease *lease)
{
	(void)instance;
	(void)lease;
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "nothing here");
}

static inline int plain_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	(void)instance;
	(void)call;
	(void)kind;
	return LESSOR_DONE;
}

static inline int plain_observe(void *instance, struct lessor_call *call,
				struct lessor_waiting *waiting, size_t count)
{
	(void)instance;
	(void)call;
	(void)waiting;
	(void)count;
	return LESSOR_DONE;
}

/* clang-format off */
#define PLAIN(plugin_name) \
	.size = sizeof(struct lessor_provider), .abi = LESSOR_ABI, .name = (plugin_name), \
	.version = "1.0", .summary = "A provider for a test", .concurrency = LESSOR_SERIAL, \
	.capabilities = LESSOR_OWN_IO, \
	.open = plain_open, .close = plain_close, .provision = plain_step, \
	.cleanup = plain_step, .inspect = plain_step, .list = plain_list
/* clang-format on */
