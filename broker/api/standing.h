/* SPDX-License-Identifier: MIT */
/*
 * The status of an account, on any daemon. The owner knows it from the provider; any other daemon
 * reports only what the owner has recorded in the database, not what it saw itself while it owned
 * the account. Loop thread.
 */
#pragma once

#include "api/relay.h"
#include "provider/account.h"

struct api;

struct standing {
	struct relay_route owner; /* RELAY_SELF: this daemon, as it is without others */
	/* Of this daemon if it is the owner; else only `fenced` and `fence`, as recorded. */
	struct account_figures figures;
	char frozen[128]; /* why nothing is deleted or concluded there; "": it is not */
};

void standing_read(const struct api *api, const struct account *account, struct standing *ret);
