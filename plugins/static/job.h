/* SPDX-License-Identifier: MIT */
/*
 * Commands and probes that run beside the daemon. A step starts one and goes; later steps
 * look at how it is. So no worker waits for it, and neither a slow host nor the end of the
 * daemon loses it: a supervisor, a process of its own, runs the command, stops it when its
 * time is over, sees to it that nothing it started stays, and writes what came of it into
 * the file run-ID of the state directory.
 *
 * The supervisor and all that it started hold a lock on that file. So it is known for
 * certain whether any of it still runs, also by a daemon that was started later; and if
 * the lock is free and no outcome is there, it died before it was done.
 */
#pragma once

#include <stdint.h>

#include <lessor/provider.h>

#include "inventory.h"
#include "registry.h"

enum job_kind { JOB_PROBE, JOB_PREPARE, JOB_RESET };
const char *job_kind_name(enum job_kind kind);

struct job_order {
	enum job_kind kind;
	const char *id;			/* of the record; one run at a time for each */
	char *const *argv;		/* NULL: look at address and port */
	char *const *envp;
	const char *input;		/* on its standard input; NULL: nothing. At most 64 KiB */
	const char *address;		/* numeric; without argv only */
	int port;
	int wants_ssh;			/* the port must also greet like an SSH server */
	int64_t timeout_ms;
};

/* 0: it runs. -1: it does not, errno says why. What a former run left is overwritten. */
int job_start(struct lessor_call *call, const struct registry *registry,
	      const struct job_order *order);

enum job_state {
	JOB_NONE,
	JOB_ACTIVE,
	JOB_SUCCEEDED, /* it succeeded */
	JOB_FAILED,    /* it failed, was too slow, or was stopped */
	JOB_LOST,      /* it ended before it could say how */
};

struct job {
	enum job_state state;
	enum job_kind kind;
	int64_t started_ms;
	int64_t timeout_ms;
	char how[96];	/* "exit status 3"; "" unless BADLY */
	char said[400];	/* the end of its output, printable; for the log only */
};

/* -1: nobody knows, errno says why. */
int job_read(const struct registry *registry, const char *id, struct job *ret);
/* Asks it to end; it is over when run_look says so. */
void job_stop(const struct registry *registry, const char *id);
/* Forgets one that is over. */
void job_forget(const struct registry *registry, const char *id);
