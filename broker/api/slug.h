/* SPDX-License-Identifier: MIT */
/* Slugs: short, readable names of leases. Contract 3.3. Pure. */
#pragma once

#include <stddef.h>

#define SLUG_MAX 41 /* of a slug that a client chooses; ours may be 5 bytes longer */

/*
 * Converts to lower case and each run of "-", "_", "." and spaces to one "-", and removes those
 * at the ends. -1: nothing is left, it is longer than SLUG_MAX, or it has another character.
 */
int slug_normalize(const char *text, char out[48]);
/* The default slug of a lease: adjective-noun, chosen by the hash of its id. */
void slug_generate(const char *lease_id, char out[48]);
