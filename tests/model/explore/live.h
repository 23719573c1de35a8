/* SPDX-License-Identifier: MIT */
/*
 * A world during a move from one state to the next: its store is unpacked into an aggregate,
 * lease_apply changes the aggregate, and it is packed again. Checks what must hold for every
 * event, whatever its cause.
 */
#pragma once

#include "world.h"

struct live {
	const struct config *config;
	struct world w;
	int64_t now_ms;
	struct lease_aggregate a;	/* w.store while is_open */
	int is_open;
	struct lease_effects out;	/* of the last event */
	const char *wrong;		/* the first violation, NULL: none */
	/*
	 * For walk.c: a parallel aggregate that was never packed. It must pack to the same
	 * store; otherwise something that a state omits affects decisions.
	 */
	const struct lease_aggregate *shadow_of;
	struct lease_aggregate shadow;
};

/* Call once, first: initialises the constants. */
void live_init(void);
/* The initial state: a lease that was just accepted, in a verified account. */
void live_start(struct live *v, const struct config *config, struct world *ret);
/* Begins a move at this state. */
void live_begin(struct live *v, const struct world *w);
/* Unpacks the store, so that v->a may be read. live_apply calls it. */
void live_open(struct live *v);
/* Ends the move: v->w is the state that it leads to. */
void live_end(struct live *v);
void live_free(struct live *v);

/* Applies one event to the lease. v->out has its effects or refusal. */
void live_apply(struct live *v, const struct lease_event *event);
void live_apply_kind(struct live *v, enum lease_event_kind kind);
/* A claim of the running step, which receives the answer. Returns 0 or -1. */
int live_claim(struct live *v, struct lease_claim *claim);
/* The lease's deadline passes. */
void live_time_over(struct live *v);
enum lease_op live_next_op(struct live *v);
int live_is_due(struct live *v);
/* Records a violation; the first one of a move counts. */
void live_wrong(struct live *v, const char *what);

/* What a read of this object shows. Valid until the next call. */
struct lessor_observed live_observed(enum thing thing, int label, int is_on, int is_signed);
const char *live_id(enum thing thing);
