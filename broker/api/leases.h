/* SPDX-License-Identifier: MIT */
/* Reading leases. Loop thread, from its own connection to the store. */
#pragma once

#include "api/call.h"
#include "api/render.h"

/*
 * Makes a path segment a reference: an exact lease id, or a slug in its normal form. 0: it
 * can be neither, so there is no such lease.
 */
int leases_ref(char param[ROUTE_PARAM_ROOM]);
/* The lease of the path, if the caller may see it, in api->lease: 0, or -1: answered. */
int leases_find(struct call *call);
