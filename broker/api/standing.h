/* SPDX-License-Identifier: MIT */
/*
 * How an account stands, whichever daemon is asked: its owner has asked the provider, and knows;
 * any other daemon knows what the owner has recorded in the database, and not what it saw itself
 * when the account was its own. Loop thread.
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
