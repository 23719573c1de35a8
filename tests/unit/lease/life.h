/* SPDX-License-Identifier: MIT */
/* Lives of a lease for the tests of the table of its states: each begins at NOW. */
#pragma once

#include "lease/lifecycle.h"

#define NOW INT64_C(1800000000000)
#define BOOT 600000
#define TTL 3600000
#define IDLE 600000
#define READY (NOW + 30000)	/* when ready() became so */
#define HOUR INT64_C(3600000)

/* Just accepted. */
struct lease fresh(void);
/* Its machine is there. */
struct lease ready(void);
/* Released after a minute, with its server and its key still there. */
struct lease owed(void);
/* The same, and kept; at a provider that cannot protect anything. */
struct lease kept(void);

/* Any event that says nothing of its own. */
struct lease_effects happen(struct lease *l, int kind, struct lease_facts facts);
/* A step ends. */
struct lease_effects end_step(struct lease *l, const struct lease_verdict *v,
			      const struct lease_facts *facts);
/* A step of this lease's epoch ends; its reason is "because", its cursor "c1". */
struct lease_effects step(struct lease *l, enum lease_op op, int verdict,
			  struct lease_facts facts);
/* A step in which the plugin broke its contract. */
struct lease_effects broken_step(struct lease *l, enum lease_op op, int verdict,
				 struct lease_facts facts);
struct lease_effects release(struct lease *l, int delete_machine, struct lease_facts facts);
/* A release that keeps it says till when, and why. */
struct lease_effects until(struct lease *l, int64_t until_ms, const char *reason,
			   struct lease_facts facts);
struct lease_effects heartbeat(struct lease *l, int64_t idle_ms, struct lease_facts facts);
struct lease_effects tick(struct lease *l, struct lease_facts facts);
/* How many lines of the timeline are of this kind. */
int notes_of(const struct lease_effects *out, const char *kind);
