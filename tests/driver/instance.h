/* SPDX-License-Identifier: MIT */
/* A test's provider that keeps nothing between its calls. */
#pragma once

#include <stddef.h>

#include "lessor/provider.h"

static inline int instance_open(struct lessor_call *call, void **instance)
{
	(void)call;
	*instance = NULL;
	return LESSOR_DONE;
}

static inline void instance_close(void *instance)
{
	(void)instance;
}
