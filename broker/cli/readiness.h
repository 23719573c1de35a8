/* SPDX-License-Identifier: MIT */
/* Waits until a machine has finished booting: until its own ready check says so. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/transport.h"

/* Polls a lease that is being provisioned, until `end_ms`. -1, or the exit code after an error. */
int readiness_await_lease(struct cli *cli, json_t **doc, int64_t end_ms, struct progress *progress);

/*
 * Logs in until /usr/local/bin/crabbox-ready succeeds, or until `end_ms` (when_mono_ms). A
 * machine that has no such program is ready when it lets its user in. Sends heartbeats. -1, or
 * the exit code after an error.
 */
int readiness_await(struct cli *cli, struct transport *transport, const json_t *lease,
		    int64_t end_ms, struct progress *progress);
