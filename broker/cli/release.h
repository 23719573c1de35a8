/* SPDX-License-Identifier: MIT */
/* Releases a lease for a command that created it. */
#pragma once

#include "cli/cli.h"

/*
 * Releases the lease and waits until nothing is left, as `lessor release` does; the result goes
 * to standard error. Retries for a minute if lessord cannot be reached. Returns the exit code.
 */
int release_lease(struct cli *cli, const char *id);
