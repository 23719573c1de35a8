/* SPDX-License-Identifier: MIT */
/*
 * The operations that are inside a plugin at this moment, so that a crash, a shutdown or the
 * log can name the provider and the lease. Any thread.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "provider/step.h"

/* On the stack of the thread that calls the plugin. */
struct running_step {
	TAILQ_ENTRY(running_step) link;
	int64_t began_ms; /* monotonic */
	char text[160];	  /* "provider hetzner (account a), cleanup of lease cbx_..." */
};

void running_begin(struct running_step *running, const struct step *step);
void running_end(struct running_step *running);
/* Which operation the calling thread is in, "" if none. Async-signal-safe. */
const char *running_here(void);
/* Each of them, longest first, with the lock held: `fn` must not call a plugin. */
void running_each(void (*fn)(void *arg, const struct running_step *running), void *arg);
