/* SPDX-License-Identifier: MIT */
/*
 * A world on its way from one state to the next: its store is taken apart into an aggregate,
 * lease_apply changes that, and it is packed again. What must hold of every event is checked
 * here, whoever caused it.
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
	const char *wrong;		/* what does not hold, NULL: all does */
	/*
	 * For walk.c: an aggregate that was never packed goes along, and must be packed to the
	 * same, or what is left out of a state decides something after all.
	 */
	const struct lease_aggregate *shadow_of;
	struct lease_aggregate shadow;
};

/* Once, before all: what never changes. */
void live_init(void);
/* A lease that was just accepted, in a proven account. */
void live_start(struct live *v, const struct config *config, struct world *ret);
/* A move begins at this state. */
void live_begin(struct live *v, const struct world *w);
/* Its store is taken apart: v->a may be read. Events do that by themselves. */
void live_open(struct live *v);
/* The move is over: v->w is the state that it leads to. */
void live_end(struct live *v);
void live_free(struct live *v);

/* One event for the lease. What refuses it is in v->out. */
void live_apply(struct live *v, const struct lease_event *event);
void live_apply_kind(struct live *v, enum lease_event_kind kind);
/* A claim of the step under way; it is told what it is answered. 0 or -1. */
int live_claim(struct live *v, struct lease_claim *claim);
/* Its deadline has passed. */
void live_time_over(struct live *v);
enum lease_op live_next_op(struct live *v);
int live_is_due(struct live *v);
/* The first thing that is found to be wrong is what a move is judged by. */
void live_wrong(struct live *v, const char *what);

/* What a read of this object shows. Valid until the next call. */
struct lessor_observed live_observed(enum thing thing, int label, int is_on, int is_signed);
const char *live_id(enum thing thing);
