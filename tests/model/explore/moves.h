/* SPDX-License-Identifier: MIT */
/*
 * Everything that can happen in a state. Each move is one commit or one request, so that a
 * crash, a client or the provider can act between any two of them.
 *
 *	moves.c		the table of steps; what all steps have in common
 *	moves_make.c	steps that create resources and look them up
 *	moves_delete.c	steps that delete
 *	moves_keep.c	steps that protect retained resources, and lift the protection
 *	moves_world.c	provider, people, clients, operators, crashes, time
 *	moves_takeover.c another daemon claims the account
 */
#pragma once

#include "live.h"

struct mover {
	struct live live; /* the current move */
	const struct world *from;
	void (*found)(struct mover *m, int is_healthy);
	void *arg; /* for found */
	int wants_labels;
	char label[120];
};

/* Makes all moves of a state, one after another. */
void moves_of(struct mover *m, const struct world *w);

/* ---- for the files of moves ---- */

enum { FAULTY, HEALTHY };

/* Begins a move. Without a move_end it is discarded. */
struct live *move_begin(struct mover *m);
/* The same, and takes one from this budget. NULL: the budget is used up. */
struct live *move_begin_of(struct mover *m, const uint8_t *left);
/* `is_healthy`: it happens by itself, without a fault, a person or a client. */
void move_end(struct mover *m, int is_healthy, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The daemon's moves: a step begins or continues. */
void move_daemon(struct mover *m);
void move_world(struct mover *m);

/* Decides from the ledger what a step does next. */
void step_plan(struct live *v);
/* Ends the step with a verdict; the next move reports it to the lease. */
void step_verdict(struct live *v, int verdict, uint32_t error_class);
/* The object of the step's row. */
struct object *step_object(struct live *v);
enum thing step_thing(const struct world *w);
/* Can the object be read now? */
int step_shows(const struct world *w, enum thing thing);
/* Stores in the step what it has just read of its object. */
void step_saw(struct live *v, int is_seen);
struct lease_claim step_claim(const struct live *v, enum lease_claim_kind kind);
/* Makes a claim, with what the step has read as its evidence. */
int step_say(struct live *v, struct lease_claim *claim);
int step_say_kind(struct live *v, enum lease_claim_kind kind);
/* Its server was read: records the address. */
void step_note_address(struct live *v, enum thing server);

/* A request with an effect. */
struct request {
	const char *name;
	void (*carry_out)(struct live *v);
	enum step_point accepted, failed; /* where the step continues */
	enum late late;			  /* what may be executed later, if its response is lost */
};

/* The request is answered, refused, lost before or after its effect, or cancelled. */
void move_request(struct mover *m, const struct request *r);
/* The provider refuses the request. */
void move_request_refused(struct mover *m, const struct request *r, const char *why);

/* moves_make.c */
void move_attempt(struct mover *m);
void move_intend(struct mover *m);
void move_create(struct mover *m);
void move_created(struct mover *m);
void move_wait(struct mover *m);
void move_ready(struct mover *m);
void move_give_up(struct mover *m);
void move_list(struct mover *m);
void move_listed(struct mover *m);
void world_make(struct live *v, enum thing thing);
/* moves_delete.c */
void move_read(struct mover *m);
void move_seen(struct mover *m);
void move_absent(struct mover *m);
void move_listed_only(struct mover *m);
void move_delete(struct mover *m);
void move_deleted(struct mover *m);
void move_read_again(struct mover *m);
void move_not_found(struct mover *m);
void move_read_404(struct mover *m);
void move_follow(struct mover *m);
void move_report_present(struct mover *m);
/* The provider executes a delete. Every wrong delete is detected here. */
void world_destroy(struct live *v, enum thing thing);
/* moves_keep.c */
void move_lift_label(struct mover *m);
void move_lift(struct mover *m);
void move_lift_read(struct mover *m);
void move_lifted(struct mover *m);
void move_keep_read(struct mover *m);
void move_keep_label(struct mover *m);
void move_label(struct mover *m);
void move_label_read(struct mover *m);
void move_labelled(struct mover *m);
void move_keep_protect(struct mover *m);
void move_protect(struct mover *m);
void move_protect_read(struct mover *m);
void move_protected(struct mover *m);
void world_lift(struct live *v, enum thing thing);
void world_protect(struct live *v, enum thing thing);
/* moves_world.c */
/* A daemon begins with what the store says. */
void world_restart(struct live *v);
/* moves_takeover.c */
void move_takeover(struct mover *m);
/* Can the daemon that lost the account still delete something, or lift its protection? */
int deposed_may_delete(const struct world *w);
