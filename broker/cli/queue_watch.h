/* SPDX-License-Identifier: MIT */
/*
 * A create in the queue for capacity: shows its place, and reports that it is still wanted. Also
 * what the CLI says of a refusal at a limit.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/progress.h"

/* Zeroed before the first call. */
struct queue_watch {
	int64_t place, of;    /* as last shown */
	int64_t heartbeat_ms; /* of the last one, when_mono_ms */
};

/*
 * Is the lease in the queue? Then its place is shown: on a terminal in the line of progress, else
 * in a line of its own when it has changed. A heartbeat is sent now and then, without which the
 * idle timeout would end the wait.
 */
int queue_watch(struct queue_watch *watch, struct cli *cli, struct progress *progress,
		const json_t *lease);

/*
 * A refusal at a limit in one sentence with the next command, in response->error; another response
 * is left as it is. `is_waiting`: the request asked to wait for capacity.
 */
void queue_describe_refusal(struct client_response *response, int is_waiting);
