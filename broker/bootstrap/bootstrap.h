/* SPDX-License-Identifier: MIT */
/*
 * The cloud-init document a machine boots with: `#cloud-config` and one line of JSON, which
 * is valid YAML. It is built as data, never by filling in a text template: the scripts are
 * constant (scripts.c), and values chosen by a client reach them as arguments or as the
 * content of a file. Its only secret is the private host key, which is stored nowhere else.
 * Pure.
 *
 * The machine meets the expectations of the existing client: the user can log in with the
 * lease's key on every port of the lease, tools and directories exist, and
 * /usr/local/bin/crabbox-ready reports it. /var/lib/crabbox/bootstrapped is created last.
 */
#pragma once

#include <stddef.h>

#include "lease/lease.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/hostkey.h"

#define BOOTSTRAP_MAX 32768 /* bytes that a provider accepts */

/*
 * Appends the document to `out`. `host_key` NULL: the machine generates its own. ERR_INVALID
 * if the lease's user, key, ports or work root are not what the API admits, or if the
 * document would exceed BOOTSTRAP_MAX bytes; `out` is then unchanged.
 */
int bootstrap_user_data(const struct lease *l, const struct hostkey *host_key, struct buf *out,
			struct err *err);
