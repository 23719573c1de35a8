/* SPDX-License-Identifier: MIT */
/* Slugs: the short names of leases for people. Pure. Contract 3.3. */
#pragma once

#include <stddef.h>

#define SLUG_MAX 41	/* of a slug that a client may choose; ours may be 5 longer */

/*
 * Lower case, [a-z0-9], every run of "-", "_", "." and spaces becomes one "-", none at the
 * ends. -1 when nothing is left, it is longer than SLUG_MAX, or another character is in it.
 */
int slug_normalize(const char *text, char out[48]);
/* The slug of a lease that was given none: adjective-noun, by the hash of its id. */
void slug_generate(const char *lease_id, char out[48]);
