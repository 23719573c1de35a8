/* SPDX-License-Identifier: MIT */
/* Lives of a lease for the tests of its transitions: each begins at NOW. */
#pragma once

#include "lease/transition.h"

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

/* A step of this lease's epoch ends; its reason is "because", its cursor "c1". */
struct lease_outcome step(struct lease *l, enum lease_op op, int verdict,
			  struct lease_facts facts);
/* A step in which the plugin broke its contract. */
struct lease_outcome broken_step(struct lease *l, enum lease_op op, int verdict,
				 struct lease_facts facts);
struct lease_outcome release(struct lease *l, int delete_machine, struct lease_facts facts);
struct lease_outcome tick(struct lease *l, struct lease_facts facts);
/* How many lines of the timeline are of this kind. */
int notes_of(const struct lease_outcome *out, const char *kind);
