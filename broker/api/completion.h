/* SPDX-License-Identifier: MIT */
/*
 * What other threads have done for this room comes back here: they put it on one list under
 * one mutex and ring an eventfd; the loop takes the whole list and finishes each outside the
 * lock. The only file here with a lock or an event.
 */
#pragma once

#include <sys/queue.h>

#include "util/err.h"

struct completions;
struct event_base;

/* A part of what is on its way. */
struct completion {
	void (*finish)(struct completion *completion);	/* loop thread; it may free what it is part of */
	STAILQ_ENTRY(completion) entry;
};

int completions_new(struct event_base *base, struct completions **ret, struct err *err);
/* Any thread; hands over and nothing else. */
void completions_put(struct completions *completions, struct completion *completion);
/*
 * Loop thread, once nothing is done elsewhere any more: finishes what has come back, and what
 * that leads to, which is answered at once.
 */
void completions_drain(struct completions *completions);
void completions_free(struct completions *completions);	/* NULL is fine */
