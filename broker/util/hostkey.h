/* SPDX-License-Identifier: MIT */
/*
 * A machine's SSH host key, made before the machine is: its public half is told to who
 * will log in, so that already the first connection is checked; its private half goes to
 * the machine and is forgotten. Any thread.
 */
#pragma once

#include "util/env.h"
#include "util/err.h"

#define HOSTKEY_PUBLIC_ROOM 96

struct hostkey {
	char public_line[HOSTKEY_PUBLIC_ROOM];	/* "ssh-ed25519 BASE64", without a comment */
	char private_pem[512];			/* as OpenSSH writes it, unencrypted */
};

/* From `env`'s randomness. -1: libcrypto makes no ed25519 key; *ret is all zero then. */
int hostkey_make(const struct env *env, struct hostkey *ret, struct err *err);
void hostkey_wipe(struct hostkey *key);
