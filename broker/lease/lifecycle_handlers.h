/* SPDX-License-Identifier: MIT */
/*
 * The handlers of the table in lifecycle.c, by file. Each handles one event in one state of
 * the lease; nothing else calls them.
 */
#pragma once

#include "lease/lifecycle.h"

/* Between two look-ups of an unknown resource. */
#define INSPECT_PAUSE_MS 1000

/* One event of one lease. */
struct life {
	struct lease *l;
	const struct lease_event *e;
	const struct lease_facts *f;
	struct lease_effects *out;
};

static inline int64_t time_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- lifecycle_changes.c ---- */

/* Ends a live lease; everything it may have created must now be cleaned up. */
void lifecycle_end(struct life *s, enum lease_state state, enum lease_end_reason reason);
/* May time end the lease now? */
int lifecycle_may_end(const struct life *s);
/* The machine was not ready in time. */
void lifecycle_not_ready(struct life *s);
/* Nothing is left: cleanup is done. */
void lifecycle_cleaned(struct life *s);
/* Operator action is needed; recorded in the timeline if new. */
void lifecycle_attend(struct life *s, uint32_t error_class, const char *reason);

/* ---- last_look.c ---- */

/* At a tick after the deadline: may its machine be ready, and is that still to be found out? */
int last_look_is_open(const struct life *s);
/*
 * After a verdict that did not make the lease active: ends it if its time is over and the last
 * look has shown that it is not ready, or can no longer be waited for.
 */
void last_look_verdict(struct life *s);

/* ---- lifecycle_steps.c ---- */

void on_verdict_provisioning(struct life *s);
void on_verdict_owed(struct life *s);
void on_verdict_retained(struct life *s);

/* ---- lifecycle_requests.c ---- */

void on_release_live(struct life *s);
void on_release_owed(struct life *s);
void on_release_retained(struct life *s);
void on_release_done(struct life *s);
void on_retain_until(struct life *s);
void on_touch(struct life *s);
void on_touch_ended(struct life *s);
void on_extend(struct life *s);
