/* SPDX-License-Identifier: MIT */
/*
 * The engine's core, without a thread of its own: whoever calls it gives it
 * requests, commits and step results between core_begin and core_flush. The
 * daemon does that on the engine thread (engine.c), a test under a virtual
 * clock on its own.
 *
 * Every function but core_new and core_free belongs to one thread at a time.
 */
#pragma once

#include <stdint.h>

#include "engine/engine.h"
#include "provider/step.h"

struct core;

struct core_hooks {
	/* A step is ready to run; called by core_flush after the commit. Moves the step. */
	void (*start)(void *arg, struct step *step);
	void *arg;
};

int core_new(const struct engine_config *config, const struct core_hooks *hooks,
	     struct core **ret, struct err *err);
void core_free(struct core *core);

/*
 * Reads the lease that the request names into memory, if it is not there. Before core_begin:
 * what is read within a batch keeps all of it waiting. What fails here fails in core_request.
 */
void core_prefetch(struct core *core, const struct engine_request *request);
/* Opens the batch's transaction, if none is open. -1: the store is broken. */
int core_begin(struct core *core, struct err *err);
/* The request's `done` comes with core_flush, or later. */
void core_request(struct core *core, struct engine_request *request);
/*
 * Fills claim->result and the answers. The step may go on with them; what it does outside
 * the process waits for core_flush.
 */
void core_claim(struct core *core, struct step *step, struct lease_claim *claim);
/* The step is the core's again, and freed. */
void core_step_done(struct core *core, struct step *step);
/* Everything due at env's time. */
void core_due(struct core *core);
/*
 * Commits; then answers what was decided and starts the steps that are ready.
 * -1: the store is broken, nothing was promised; the process must end.
 */
int core_flush(struct core *core, struct err *err);

/* Does somebody wait for the commit: an answer, a step, a line of the log? */
int core_must_flush(const struct core *core);

/* When core_due should be called next, wall clock; 0: nothing is due. */
int64_t core_next_ms(const struct core *core);
int core_steps_running(const struct core *core);
/* After core_flush: is what is in memory what is stored? -1: not. For tests. */
int core_check(const struct core *core, struct err *err);
/* The store it was given; still the giver's to close, after core_free. */
struct store *core_store(const struct core *core);
void core_set_limits(struct core *core, const struct engine_limits *limits);
/* Every account reads its provider's files again; how that went is in the log. */
void core_reload(struct core *core);
/* No new steps are started from now on, new requests are refused, waiting ones answered. */
void core_drain(struct core *core);
/* Tells every running step to come to its end. */
void core_cancel_steps(struct core *core);
