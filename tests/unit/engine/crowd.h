/* SPDX-License-Identifier: MIT */
/*
 * Leases that wait for their servers: the engine's core, the built Hetzner plugin in the real
 * host and the simulated cloud with one virtual clock. Counts the plugin's requests and
 * observations. One crowd at a time.
 *
 * Leases are numbered from 0 to CROWD_LEASES_MAX - 1; a number is used once per crowd.
 */
#pragma once

#include <stdint.h>

#include "lease/lease.h"

#define CROWD_LEASES_MAX 2100

struct crowd_config {
	const char *keys;   /* the plugin's option: "account" or "lease" */
	int64_t boot_ms;    /* from the create's response to `running`; 0: the simulator's times */
	int cannot_observe; /* each lease is polled by a step of its own */
};

/* Since crowd_reset_counts. */
struct crowd_counts {
	int calls;	  /* requests on the wire for leases */
	int listings;	  /* of these, pages of the listing of servers */
	int observations; /* steps that observe all that wait */
	int answers;	  /* their responses, including those from the cache */
	double cpu_ms;	  /* without the simulated cloud's */
};

void crowd_begin(const struct crowd_config *config);
void crowd_end(void);
/* For servers created from now on. */
void crowd_set_boot(int64_t boot_ms);

void crowd_create(int lease);
void crowd_release(int lease);
void crowd_pass(int64_t ms);
struct lease crowd_lease(int lease);
/* Is a step running at the moment? For functions that the plugin calls. */
int crowd_is_running(void);
/* From `running` at the provider to the commit of the active lease, which it was once. */
int64_t crowd_late_ms(int lease);
/* The whole life of one lease, from the create to the end of its cleanup. */
void crowd_live(int lease);

void crowd_reset_counts(void);
struct crowd_counts crowd_counts(void);
