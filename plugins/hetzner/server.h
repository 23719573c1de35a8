/* SPDX-License-Identifier: MIT */
/*
 * Creates a lease's server: attempts, the create request, and the handling of refusals.
 */
#pragma once

#include "hetzner.h"
#include "parse.h"

/* No attempt is open: opens the next viable one, or refuses the lease. */
int server_next_attempt(struct hz *z);
/* The attempt is open and has no server: creates one. `key_id` is the SSH key's id. */
int server_create(struct hz *z, const struct lessor_attempt *attempt, const char *key_id);

/* The `action` of a server's ledger row: up to two action ids, separated by a comma. */
#define ACTIONS_ROOM 32
void server_join_actions(const json_t *answer, char ret[ACTIONS_ROOM]);
