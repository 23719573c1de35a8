/* SPDX-License-Identifier: MIT */
/*
 * How other threads return finished requests to the loop: they append them to one list under
 * a mutex and signal an eventfd; the loop takes the whole list and finishes each entry outside
 * the lock. This is the only file of the room with a lock.
 */
#pragma once

#include <sys/queue.h>

#include "util/err.h"

struct completions;
struct event_base;

/* Embedded in each request that another thread works on. */
struct completion {
	void (*finish)(struct completion *completion); /* loop thread; may free what embeds it */
	STAILQ_ENTRY(completion) entry;
};

int completions_new(struct event_base *base, struct completions **ret, struct err *err);
/* Any thread; does not block. */
void completions_put(struct completions *completions, struct completion *completion);
/*
 * Loop thread, after the other threads have ended: finishes what has returned, and what that
 * submits in turn, which is refused at once.
 */
void completions_drain(struct completions *completions);
void completions_free(struct completions *completions); /* NULL is allowed */
