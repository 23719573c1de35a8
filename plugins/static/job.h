/* SPDX-License-Identifier: MIT */
/*
 * Jobs: commands and probes that run outside the daemon. A step starts a job and returns;
 * later steps read its state. So no worker blocks on it, and it survives both a slow host
 * and the end of the daemon: a supervisor process runs the command, enforces its timeout,
 * kills everything that the command left behind, and writes the outcome to the file run-ID
 * in the state directory.
 *
 * The supervisor and all its descendants hold a lock on that file. So any daemon, even one
 * started later, can tell whether the job is still running; if the lock is free and there
 * is no outcome, the job died.
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
	const char *id;	   /* of the allocation; one job at a time for each */
	char *const *argv; /* NULL: probe address and port */
	char *const *envp;
	const char *input;   /* its standard input; NULL: empty. At most 64 KiB */
	const char *address; /* numeric; only without argv */
	int port;
	int wants_ssh; /* the port must also send an SSH greeting */
	int64_t timeout_ms;
};

/* 0: started; -1: not started, with errno. The outcome of an earlier job is overwritten. */
int job_start(struct lessor_call *call, const struct registry *registry,
	      const struct job_order *order);

enum job_state {
	JOB_NONE,
	JOB_ACTIVE,
	JOB_SUCCEEDED, /* exit status 0, or the probe succeeded */
	JOB_FAILED,    /* it failed, timed out or was stopped */
	JOB_LOST,      /* it died without an outcome */
};

struct job {
	enum job_state state;
	enum job_kind kind;
	int64_t started_ms;
	int64_t timeout_ms;
	char how[96];	/* "exit status 3"; "" unless FAILED */
	char said[400]; /* the end of its output, printable; for the log only */
};

/* -1: unknown, with errno. */
int job_read(const struct registry *registry, const char *id, struct job *ret);
/* Requests termination; job_read tells when it has ended. */
void job_stop(const struct registry *registry, const char *id);
/* Removes the file of a job that has ended. */
void job_forget(const struct registry *registry, const char *id);
