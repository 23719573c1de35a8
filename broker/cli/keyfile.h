/* SPDX-License-Identifier: MIT */
/*
 * The SSH public key that a machine is made for. A private key is refused, and what
 * was read of it is wiped.
 */
#pragma once

#include "util/err.h"

struct keyfile {
	char *path;
	char *line;	/* "ssh-ed25519 AAAA..." without the comment, which names people */
};

/*
 * `path` NULL takes the first of id_ed25519.pub, id_ecdsa.pub and id_rsa.pub in
 * ~/.ssh. keyfile_fini frees *ret, after an error too.
 */
int keyfile_load(const char *path, struct keyfile *ret, struct err *err);
/* `text` is the whole file; the caller frees *ret_line. */
int keyfile_parse(const char *text, const char *path, char **ret_line, struct err *err);
void keyfile_fini(struct keyfile *key);
