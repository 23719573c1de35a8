/* SPDX-License-Identifier: MIT */
/*
 * One create, from the first request to a ready machine or to none. The ids are generated
 * here, before anything is sent: a request whose response is lost is repeated with the same
 * ids, which never creates a second machine, and an unfinished create is cancelled by them.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/queue_watch.h"

struct creation {
	char lease_id[24];	/* cbx_ and 12 hex digits */
	char attempt_id[48];	/* cat_ and 32 */
	json_t *body;		/* owned */
	int64_t wait_ms;	/* how long to wait for the machine; 0: do not wait */
	struct progress progress;
	struct queue_watch queue;
	json_t *doc; /* the latest response with the lease; owned; NULL at first */
};

/* Generates the ids and adds them to `body`, whose reference it takes over. */
void creation_init(struct creation *creation, json_t *body, int64_t wait_ms);
void creation_fini(struct creation *creation);

/*
 * Sends the request, waits, and cancels if necessary. Reports everything but a successful
 * result. Returns the exit code; `doc` is the lease as last seen.
 */
int creation_run(struct creation *creation, struct cli *cli);
