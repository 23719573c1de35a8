/* SPDX-License-Identifier: MIT */
/*
 * The SSH public key that is authorized on the machine. A private key is rejected, and the
 * bytes read from it are wiped.
 */
#pragma once

#include "util/err.h"

struct keyfile {
	char *path;
	char *line; /* "ssh-ed25519 AAAA..." without the comment, which may be personal */
};

/*
 * If `path` is NULL, uses the first of id_ed25519.pub, id_ed25519_sk.pub, id_ecdsa.pub,
 * id_ecdsa_sk.pub and id_rsa.pub in ~/.ssh.
 * keyfile_fini frees *ret, also after an error.
 */
int keyfile_load(const char *path, struct keyfile *ret, struct err *err);
/* `text` is the whole file; the caller frees *ret_line. */
int keyfile_parse(const char *text, const char *path, char **ret_line, struct err *err);
void keyfile_fini(struct keyfile *key);
