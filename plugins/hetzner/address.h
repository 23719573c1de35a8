/* SPDX-License-Identifier: MIT */
/* The primary address that comes and goes with a server. */
#pragma once

#include "hetzner.h"
#include "parse.h"

/*
 * Records the address that came with the server in the ledger. The provider deletes it
 * together with the server; if it does not, the sweep knows whose it was.
 */
void address_note(struct hz *z, const struct server *server);
