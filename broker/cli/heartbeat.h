/* SPDX-License-Identifier: MIT */
/*
 * Keeps a lease alive while something uses its machine, and tells on standard error what its
 * user has to know meanwhile: that no heartbeat arrives, that the lease will end, that it has.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/beat.h"
#include "cli/cli.h"

struct heartbeat {
	struct cli *cli;
	struct beat beat;
	char *name;	 /* for commands that its user may type */
	int64_t warn_ms; /* of the warning that the lease will end; 0: none to come */
	int64_t end_ms;	 /* of the end by TTL, as far as it is known; 0: unknown */
	int is_late;	 /* a failure has been reported */
	int has_ended;	 /* the lease is over, and that has been reported */
	int is_raw;	 /* the terminal needs a carriage return in front of each line */
};

/* The first one is due at once. `lease` is a recent response. */
void heartbeat_init(struct heartbeat *heartbeat, struct cli *cli, const json_t *lease);
void heartbeat_fini(struct heartbeat *heartbeat);

/* Nonzero from `stop` ends a request early; NULL: nothing does. */
void heartbeat_stop_by(struct heartbeat *heartbeat, int (*stop)(void *arg), void *arg);

/* Milliseconds until heartbeat_run has something to do; 0: now; -1: never again. */
int64_t heartbeat_left_ms(const struct heartbeat *heartbeat);
/* Does what is due. Takes as long as lessord does to answer, at most ten seconds. */
void heartbeat_run(struct heartbeat *heartbeat);

/* For a program that failed: has the lease ended? Then says so, as a heartbeat does. */
void heartbeat_check(struct heartbeat *heartbeat);

/* A line on standard error that may stand in the middle of somebody else's output. */
void heartbeat_tell(const struct heartbeat *heartbeat, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
