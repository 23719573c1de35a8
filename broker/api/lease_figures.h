/* SPDX-License-Identifier: MIT */
/*
 * What the metrics say of the open leases of each account: how many there are in each state, what is
 * owed, retained, or needs a person, and what that costs.
 *
 * The store is walked in steps, one for each turn of the loop, so that many leases hold nobody up; a
 * walk begins when somebody asks and the last one is not from just now. Few leases are counted at once.
 * Loop thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lease/lease.h"

struct api;

/* A lease in the queue, besides the states of lease.h. */
#define FIGURES_QUEUED LEASE_STATE_COUNT
#define FIGURES_STATES (LEASE_STATE_COUNT + 1)
#define FIGURES_CLASSES 16 /* LESSOR_CLASS_, or 0 */

struct lease_remains {
	int64_t count, hour_micros;
	int64_t oldest_ms; /* when the first of them ended, or became due; 0: there is none */
};

struct lease_figures {
	char account[32];
	int64_t states[FIGURES_STATES];
	struct lease_remains owed, retained;
	int64_t attention[FIGURES_CLASSES];
};

struct lease_count;

/*
 * One row for each account that is configured or has open leases. NULL: they have not been counted
 * yet, or the store cannot be read. Borrowed, until the next turn of the loop.
 */
const struct lease_figures *lease_figures_read(struct api *api, size_t *ret_count);
void lease_figures_stop(struct api *api);
