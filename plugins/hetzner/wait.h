/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a server to run. Only three things end the wait without a machine:
 * the time for booting is over, the provider says that it failed, or the server
 * is proven gone. A failed look never does.
 */
#pragma once

#include "hetzner.h"

int wait_for_server(struct hz *z, const struct lessor_attempt *attempt,
		    const struct lessor_resource *row);
