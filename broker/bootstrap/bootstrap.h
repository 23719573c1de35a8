/* SPDX-License-Identifier: MIT */
/*
 * The cloud-init a machine is born with: `#cloud-config` and one line of JSON,
 * which is YAML. It is built as data, never as text with holes in it: the scripts
 * are constant (scripts.c), and what a client chose reaches them as arguments or as
 * the content of a file. Its one secret is the host key, which is for the machine alone and is
 * kept nowhere else. Pure.
 *
 * The machine answers to the existing client: the user may log in with the lease's
 * key on every port of the lease, the tools and directories are there, and
 * /usr/local/bin/crabbox-ready says so. /var/lib/crabbox/bootstrapped comes last.
 */
#pragma once

#include <stddef.h>

#include "lease/lease.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/hostkey.h"

#define BOOTSTRAP_MAX 32768	/* bytes a provider takes */

/*
 * Appends to `out`. `host_key` NULL: the machine makes its own. ERR_INVALID when the
 * lease's user, key, ports or work root are not what the API lets through, or when it
 * would be more than BOOTSTRAP_MAX bytes; `out` is then unchanged.
 */
int bootstrap_user_data(const struct lease *l, const struct hostkey *host_key, struct buf *out,
			struct err *err);
