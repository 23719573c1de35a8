/* SPDX-License-Identifier: MIT */
/*
 * SSH key objects: a lease's own, and the account's mark (sentinel).
 */
#pragma once

#include "hetzner.h"
#include "parse.h"

#define FINGERPRINT_ROOM 64	/* 16 pairs, 15 colons, and room to write */

/*
 * Sees to it that the ledger holds a key of `kind`. 0 when it does: *ret_id is
 * its id, borrowed from the lease. -1 with the step's verdict otherwise; that is
 * PENDING when the key was made or found just now, and the next step sees it.
 */
int key_ensure(struct hz *z, uint32_t kind, const char *public_key, const char **ret_id,
	       int *ret_verdict);

/* Hetzner's fingerprint of an OpenSSH line: MD5 of the blob, with colons. -1: it is no key. */
int key_fingerprint(const char *public_key, char ret[FINGERPRINT_ROOM]);

/* Labels as a JSON object. NULL when there is no memory. */
json_t *labels_json(const struct lessor_label *list, size_t count);
/* Is this what was asked for, by name and all labels? */
int thing_is_as_intended(const struct thing *thing, const struct lessor_intent *intent);
