/* SPDX-License-Identifier: MIT */
/*
 * The SSH host key of a machine, generated before the machine is created. Clients get the
 * public key, so that they can verify the first connection; the private key is sent to the
 * machine and not kept. Any thread.
 */
#pragma once

#include "util/env.h"
#include "util/err.h"

#define HOSTKEY_PUBLIC_ROOM 96

struct hostkey {
	char public_line[HOSTKEY_PUBLIC_ROOM];	/* "ssh-ed25519 BASE64", without a comment */
	char private_pem[512];			/* OpenSSH format, unencrypted */
};

/* Uses env's random numbers. -1 if libcrypto lacks Ed25519; then *ret is zeroed. */
int hostkey_make(const struct env *env, struct hostkey *ret, struct err *err);
void hostkey_wipe(struct hostkey *key);
