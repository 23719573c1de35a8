/* SPDX-License-Identifier: MIT */
/*
 * The operations that are inside a plugin at this moment, so that a crash, a shutdown or the
 * log can name the provider and the lease. Any thread.
 */
#pragma once

#include <stdint.h>

#include "provider/step.h"

/* A copy, in memory that is never freed: it stays readable in a process that is falling apart. */
struct running_step {
	int is_used;
	int64_t began_ms; /* monotonic */
	char record[80];  /* "ACCOUNT OPERATION LEASE", LEASE "-": none; for the crash report */
	char text[160];	  /* "provider hetzner (account a), cleanup of lease cbx_..." */
};

/* The operation begins, on the calling thread. NULL: more run than can be told apart. */
struct running_step *running_begin(const struct step *step);
void running_end(struct running_step *running); /* NULL is fine */
/* Which operation the calling thread is in, "" if none. Async-signal-safe. */
const char *running_here(void);
/* The same as a record; NULL: the thread is in none. */
const char *running_here_record(void);
/* Each of them, with the lock held: `fn` must not call a plugin. */
void running_each(void (*fn)(void *arg, const struct running_step *running), void *arg);
