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
	TOY_SOLD_OUT,	    /* the create is refused; lessord tries the next type */
	TOY_LOST_MADE,	    /* the create is done, its response is lost */
	TOY_LOST_NOT_MADE,  /* the create is not done, its response is lost */
	TOY_BREAK_CONTRACT, /* DONE without a host */
	TOY_HIDE,	    /* look-ups do not find a created server */
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
	int delete_silent;		/* the next delete works, but is not reported */
	int cleanup_lies;		/* it reports that nothing is left */
	int cleanup_lies_after_refusal; /* ... after a refused permit */
	int strip_labels;		/* as a person would */
	int probe_refuses;
	int probes, provisions, cleanups;	/* steps run */
	int looks;				/* observations run */
	size_t looked, look_most;		/* leases covered: in total, and the most in one */
	int look_verdict;	   /* not 0: observations return this and cover no lease */
	uint32_t look_class;	   /* the class of look_verdict, if that is a failure */
	const char *look_misses;   /* the id of a lease that observations do not cover */
	char ops[64];		   /* the last steps, one letter each: P, C, L */
	int lists;		   /* inventories requested */
	int list_fails;		   /* RETRYs before one is complete */
	int sentinel_lists;	   /* lists of sentinels requested */
	const char *neighbours[8]; /* instances that these lists show */
	int neighbour_count;
	int may_break;		   /* the store may fail in a request ... */
	int is_broken;		   /* ... and has failed: the process ends */
	const char *between_lives; /* a command to run once, while no core uses the store */
	uint32_t probe_class;
	/* called in the middle of a create, before its response is known */
	void (*during_create)(struct world *w);
	/* and between the permit and the delete */
	void (*during_delete)(struct world *w);
	/* and when a create begins, with its call */
	void (*before_create)(struct world *w, struct lessor_call *call);
	/* and in the middle of an observation */
	void (*during_look)(struct world *w, struct lessor_call *call);
	/* and when the inventory is listed */
	void (*during_list)(struct world *w);
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

/* Runs everything that is due now, and the steps that follow, until nothing is due. */
void world_settle(struct world *w);
/* Moves the clock from due time to due time, `ms` in all. */
void world_pass(struct world *w, int64_t ms);

/* Submits a request without running anything. It must stay valid until `*answered` is 1. */
void world_ask(struct world *w, struct asked *a);
void world_create(struct world *w, struct asked *a, const char *id);
void world_release(struct world *w, struct asked *a, const char *ref, int delete_machine);
int world_lease(struct world *w, const char *id, struct lease *ret);
int world_alive(const struct world *w);
/* What the toy's API reports about a server. */
void world_observe(const struct world *w, const struct toy_server *s, struct lessor_observed *seen);
