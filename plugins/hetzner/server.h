/* SPDX-License-Identifier: MIT */
/*
 * Making a lease's server: attempts, the order, and what a refusal leads to.
 */
#pragma once

#include "hetzner.h"
#include "parse.h"

/* No attempt is open: opens the next that is not in vain, or refuses the lease. */
int server_next_attempt(struct hz *z);
/* The attempt is open and has no server: orders one. `key_id` is the SSH key's id. */
int server_create(struct hz *z, const struct lessor_attempt *attempt, const char *key_id);

/*
 * Has the ledger name the address that came with the server. It vanishes with it, by the
 * provider's own doing; should it not, the sweep tells whose it was.
 */
void server_note_address(struct hz *z, const struct server *server);

/* What a server's ledger row says to wait for: up to two action ids, joined by a comma. */
#define ACTIONS_ROOM 32
void server_join_actions(const json_t *answer, char ret[ACTIONS_ROOM]);
