/* SPDX-License-Identifier: MIT */
/*
 * Which key logs in to which lease. ssh tries the default keys and the agent's by itself; only
 * a key that was named with `create --ssh-key` is remembered, by the path of its file, in
 * $XDG_STATE_HOME/lessor/identities.
 */
#pragma once

/* Never fails: a path that cannot be recorded has to be named again with --identity. */
void identity_remember(const char *lease_id, const char *public_path);

/*
 * The file for `ssh -i`: the private key next to the public one, or the public one if the
 * private key is in the agent or in a device. NULL: none is remembered; the caller frees.
 */
char *identity_recall(const char *lease_id);
/* The same for the file of a public key. The caller frees. */
char *identity_of_public(const char *public_path);
