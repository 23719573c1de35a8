/* SPDX-License-Identifier: MIT */
/* Leases in various states, for the tests of the lifecycle table. Each begins at NOW. */
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
/* Its machine is ready. */
struct lease ready(void);
/* Released after a minute, its server and key not yet deleted. */
struct lease owed(void);
/* The same, retained, at a provider without delete protection. */
struct lease kept(void);

/* An event without parameters. */
struct lease_effects happen(struct lease *l, int kind, struct lease_facts facts);
/* A step ends. */
struct lease_effects end_step(struct lease *l, const struct lease_verdict *v,
			      const struct lease_facts *facts);
/* A step of this lease's epoch ends; its reason is "because", its cursor "c1". */
struct lease_effects step(struct lease *l, enum lease_op op, int verdict,
			  struct lease_facts facts);
/* A step in which the plugin violates its contract. */
struct lease_effects broken_step(struct lease *l, enum lease_op op, int verdict,
				 struct lease_facts facts);
struct lease_effects release(struct lease *l, int delete_machine, struct lease_facts facts);
/* A no-delete release gives an end and a reason. */
struct lease_effects until(struct lease *l, int64_t until_ms, const char *reason,
			   struct lease_facts facts);
struct lease_effects heartbeat(struct lease *l, int64_t idle_ms, struct lease_facts facts);
struct lease_effects tick(struct lease *l, struct lease_facts facts);
/* The number of lines of this kind in the timeline. */
int notes_of(const struct lease_effects *out, const char *kind);
