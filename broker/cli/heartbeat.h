/* SPDX-License-Identifier: MIT */
/*
 * Keeps a lease alive while something uses its machine, and tells on standard error what its
 * user has to know meanwhile: that no heartbeat arrives, that the lease will end, that it has.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"

struct heartbeat {
	struct cli *cli;
	char *id;
	char *name; /* for commands that its user may type */
	int64_t interval_ms;
	int64_t due_ms;		/* when_mono_ms of the next one */
	int64_t warn_ms;	/* of the warning that the lease will end; 0: none to come */
	int64_t end_ms;		/* of the end by TTL, as far as it is known; 0: unknown */
	int is_late;		/* a failure has been reported */
	int has_ended;		/* the lease is over, and that has been reported */
	int is_raw;		/* the terminal needs a carriage return in front of each line */
	int (*stop)(void *arg); /* ends a request early; may be NULL */
	void *stop_arg;
};

/* The first one is due at once. `lease` is a recent response. */
void heartbeat_init(struct heartbeat *heartbeat, struct cli *cli, const json_t *lease);
void heartbeat_fini(struct heartbeat *heartbeat);

/* Milliseconds until heartbeat_run has something to do; 0: now; -1: never again. */
int64_t heartbeat_left_ms(const struct heartbeat *heartbeat);
/* Does what is due. Takes as long as lessord does to answer, at most ten seconds. */
void heartbeat_run(struct heartbeat *heartbeat);

/* For a program that failed: has the lease ended? Then says so, as a heartbeat does. */
void heartbeat_check(struct heartbeat *heartbeat);

/* A line on standard error that may stand in the middle of somebody else's output. */
void heartbeat_tell(const struct heartbeat *heartbeat, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
