/* SPDX-License-Identifier: MIT */
/*
 * The lifecycle of a lease as a table of state and event. Of the ledger it knows only the
 * counts in `facts`. Called by aggregate.c and by the tests of the table only.
 */
#pragma once

#include "lease/aggregate.h"

/*
 * CLAIM, ADOPT and FORGET are applied to the rows first; their consequences for the lease
 * are these events.
 */
enum {
	LIFE_FOUND =
		LEASE_EVENT_COUNT, /* a resource of an ended lease was found: clean up, or retain */
	LIFE_FORGOTTEN,		   /* rows were disowned */
	LIFE_RETAIN_UNTIL,	   /* a no-delete release gives an end or a reason */
	LIFE_KEPT_ELSEWHERE, /* a resource carries a retention label that this store does not know */
	LIFE_EVENT_COUNT
};

void lifecycle_apply(struct lease *l, int kind, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out);

/* The next operation of the lease, once it is due. */
enum lease_op lifecycle_next(const struct lease *l, const struct lease_facts *facts);

/* ---- for the files of this room ---- */

void lease_note_add(struct lease_effects *out, enum lease_note_log log, const char *kind,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Raises the epoch: a running step was started for the old goal. */
void lease_goal_change(struct lease *l, const struct lease_facts *facts, struct lease_effects *out);
/* Sets the attention text: the reason and, by class, what to do. 1 if it changed. */
int lease_attention_set(struct lease *l, uint32_t error_class, const char *reason);
/*
 * When a new cleanup starts: at once, or after INSPECT_PAUSE_MS if it must start with a
 * look-up, as a step may have done one just now.
 */
int64_t lease_cleanup_due(const struct lease_facts *facts);
/* When a retained lease is due next; 0 if nothing is unknown and the retention has no end. */
int64_t lease_retained_due(const struct lease *l, const struct lease_facts *facts);
