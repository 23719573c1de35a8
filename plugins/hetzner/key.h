/* SPDX-License-Identifier: MIT */
/*
 * SSH key objects: those of leases, and the account's sentinel.
 */
#pragma once

#include "hetzner.h"
#include "parse.h"

#define FINGERPRINT_ROOM 64 /* 16 pairs, 15 colons, and some reserve */

/*
 * Ensures that the ledger has a key of `kind`. 0 if it does: *ret_id is its id, borrowed
 * from the lease. Otherwise -1 with the step's verdict, which is PENDING if the key was
 * just created or found; the next step sees it.
 */
int key_ensure(struct hz *z, uint32_t kind, const char *public_key, const char **ret_id,
	       int *ret_verdict);

/* Hetzner's fingerprint of an OpenSSH line: MD5 of the blob, with colons. -1: not a key. */
int key_fingerprint(const char *public_key, char ret[FINGERPRINT_ROOM]);

/* Labels as a JSON object. NULL: no memory. */
json_t *labels_json(const struct lessor_label *list, size_t count);
/* Does it have the requested name and all requested labels? */
int thing_is_as_intended(const struct thing *thing, const struct lessor_intent *intent);
