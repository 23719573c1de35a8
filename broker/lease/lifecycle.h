/* SPDX-License-Identifier: MIT */
/*
 * The life of a lease, as a table of its state and the event. It knows of the ledger
 * what `facts` counts. For aggregate.c, which tells it so, and for the tests of the
 * table; nobody else calls it.
 */
#pragma once

#include "lease/aggregate.h"

/* CLAIM, ADOPT and FORGET are decided by the rows first: what follows of it is told as these. */
enum {
	LIFE_FOUND = LEASE_EVENT_COUNT,	/* something of an ended lease turned up: owed, or kept */
	LIFE_FORGOTTEN,			/* rows were taken out of its ledger */
	LIFE_RETAIN_UNTIL,		/* a release that keeps it says till when, or why */
	LIFE_KEPT_ELSEWHERE,		/* it bears the mark of a retention that this store forgot */
	LIFE_EVENT_COUNT
};

void lifecycle_apply(struct lease *l, int kind, const struct lease_event *event,
		     const struct lease_facts *facts, struct lease_effects *out);

/* What should be done for it next, if it is due. */
enum lease_op lifecycle_next(const struct lease *l, const struct lease_facts *facts);

/* ---- for the files of this room ---- */

void lease_note_add(struct lease_effects *out, enum lease_note_log log, const char *kind,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The goal is another one: what runs was started for the old one. */
void lease_goal_change(struct lease *l, const struct lease_facts *facts, struct lease_effects *out);
/* Says why an operator is needed and, by the class, what to do. 1 if that is news. */
int lease_attention_set(struct lease *l, uint32_t error_class, const char *reason);
/*
 * When what was just decided is begun: at once, or where only a look-up can come first a
 * moment later, since a step may have looked just now.
 */
int64_t lease_cleanup_due(const struct lease_facts *facts);
/* When a retained lease is due next: 0 if there is nothing to look for and no end was named. */
int64_t lease_retained_due(const struct lease *l, const struct lease_facts *facts);
