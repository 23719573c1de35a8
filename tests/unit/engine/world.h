/* SPDX-License-Identifier: MIT */
/*
 * A small world for the engine's core: the driver, and a toy provider whose cloud is an
 * array.
 */
#pragma once

#include "driver/driver.h"

#define CLOUD_MAX 320

enum toy_fault {
	TOY_NONE,
	TOY_SOLD_OUT,		/* the create is refused; the next type is tried */
	TOY_LOST_MADE,		/* the create happens, its answer is lost */
	TOY_LOST_NOT_MADE,	/* the create does not happen, its answer is lost */
	TOY_BREAK_CONTRACT,	/* DONE without a host */
	TOY_HIDE,		/* a made server is not seen by look-ups */
};

struct toy_server {
	int alive;
	char id[32];
	char name[64];
	char lease[32];
	char host_key[96]; /* the public host key in its user data; "": none */
	struct labels labels;
	char keys[LABELS_MAX][32];
};

struct world {
	struct driver d; /* clock, store, core, steps, account */

	/* the toy's cloud */
	struct toy_server cloud[CLOUD_MAX];
	int made, deleted, creates_sent;
	enum toy_fault create_fault;	/* of the next create only, unless sticky */
	int create_fault_sticky;
	int boot_polls;			/* PENDINGs before a server is ready */
	int delete_refusals;		/* RETRYs before a delete works */
	int delete_silent;		/* the next delete works, and nothing is reported of it */
	int cleanup_lies;		/* it says that nothing is left */
	int cleanup_lies_after_refusal;	/* ... once a permit was refused */
	int strip_labels;		/* a person did */
	int probe_refuses;
	int probes, provisions, cleanups;	/* steps run */
	int looks;				/* observations run */
	size_t looked, look_most;	/* leases they covered: in all, and at most in one */
	int look_verdict;		/* not 0: observations return this and cover no lease */
	uint32_t look_class;		/* the class of look_verdict, if that is a failure */
	const char *look_misses;	/* the id of a lease that observations do not cover */
	char ops[64];			/* the last steps, a letter each: P, C, L */
	int lists;			/* inventories asked for */
	int list_fails;			/* so many RETRYs before one is complete */
	int may_break;		/* the store may break in a request ... */
	int is_broken;		/* ... and has: the process ends */
	const char *between_lives;	/* a command to run once, while no core has the store */
	uint32_t probe_class;
	/* called in the middle of a create, before its answer is known */
	void (*during_create)(struct world *w);
	/* and between the permit and the delete */
	void (*during_delete)(struct world *w);
	/* and when a create begins, with its call */
	void (*before_create)(struct world *w, struct lessor_call *call);
	/* and in the middle of an observation */
	void (*during_look)(struct world *w, struct lessor_call *call);
	/* and when a cleanup begins */
	void (*before_cleanup)(struct world *w, struct lessor_call *call);
};

void world_start(struct world *w, const struct engine_limits *limits);
/* With a provider that has observe. */
void world_start_observing(struct world *w, const struct engine_limits *limits);
void world_end(struct world *w);
/* The test has written to the store behind the core: drops what the core has in memory. */
void world_forget(struct world *w);
/* A crash: frees the core without stopping it, and opens a new one on the same store. */
void world_restart(struct world *w, const struct engine_limits *limits);

/* Runs everything that is due now, and the steps that follow, until nothing is. */
void world_settle(struct world *w);
/* Moves the clock from due time to due time, `ms` in all. */
void world_pass(struct world *w, int64_t ms);

/* Submits a request without running anything. It must stay valid until `*answered` is 1. */
void world_ask(struct world *w, struct asked *a);
void world_create(struct world *w, struct asked *a, const char *id);
void world_release(struct world *w, struct asked *a, const char *ref, int delete_machine);
int world_lease(struct world *w, const char *id, struct lease *ret);
int world_alive(const struct world *w);
/* What the toy's API shows of a server. */
void world_observe(const struct world *w, const struct toy_server *s, struct lessor_observed *seen);
