/* SPDX-License-Identifier: MIT */
/*
 * One create, from the first request to a machine or to nothing. The ids are
 * minted here, before anything is sent, so that a lost answer is asked for again
 * under the same name and never makes a second machine; and so that what cannot
 * be brought to an end can be taken back by that name.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/progress.h"

struct creation {
	char lease_id[24];	/* cbx_ and 12 hex digits */
	char attempt_id[48];	/* cat_ and 32 */
	json_t *body;		/* owned */
	int64_t wait_ms;	/* how long to wait for the machine; 0: not at all */
	struct progress progress;
	json_t *doc;		/* the newest answer with the lease; owned; NULL at first */
};

/* Mints the ids and puts them into `body`, which is handed over. */
void creation_init(struct creation *creation, json_t *body, int64_t wait_ms);
void creation_fini(struct creation *creation);

/*
 * Sends, waits, takes back when it must. Everything but the final result is said
 * here. The exit code; `doc` is the lease as last seen.
 */
int creation_run(struct creation *creation, struct cli *cli);
