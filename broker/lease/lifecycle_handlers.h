/* SPDX-License-Identifier: MIT */
/*
 * The handlers of the table in lifecycle.c, by the file that holds them. Each is one event
 * in one state of the lease; nobody else calls them.
 */
#pragma once

#include "lease/lifecycle.h"

/* Between two looks for what nobody knows. */
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

/* The end of a live lease, whatever the reason. Everything it may have made is now owed. */
void lifecycle_end(struct life *s, enum lease_state state, enum lease_end_reason reason);
/* Nothing of it is left. */
void lifecycle_cleaned(struct life *s);
/* An operator is needed; in the timeline if it is news. */
void lifecycle_attend(struct life *s, uint32_t error_class, const char *reason);

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
