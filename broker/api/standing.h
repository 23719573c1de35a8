/* SPDX-License-Identifier: MIT */
/*
 * The status of an account, on any daemon. The owner knows it from the provider; any other daemon
 * reports what the owner says of it in the database, a second later, not what it saw itself while it
 * owned the account. Loop thread.
 */
#pragma once

#include "api/relay.h"
#include "provider/account.h"

struct api;

struct standing {
	struct relay_route owner; /* RELAY_SELF: this daemon, as it is without others */
	/* Of this daemon if it is the owner; else what says whether the account may be used, and why. */
	struct account_figures figures;
	int64_t generation; /* that its sentinel was given last, of standing_read(); 0: none */
	char frozen[128];   /* why nothing is deleted or concluded there; "": it is not */
};

/* Without reading the database: what is known. */
void standing_told(const struct api *api, const struct account *account, struct standing *ret);
/* With the fence as it is recorded now, also while nobody owns the account. */
void standing_read(const struct api *api, const struct account *account, struct standing *ret);
