/* SPDX-License-Identifier: MIT */
/*
 * Everything that can happen in a state. Each move is one commit or one request, so that a
 * crash, a client or the provider can come between any two of them.
 *
 *	moves.c		the table of steps; what every step has in common
 *	moves_make.c	steps that make things and look for them
 *	moves_delete.c	steps that delete
 *	moves_keep.c	steps that protect what is kept, and lift that
 *	moves_world.c	provider, people, clients, operators, crashes, time
 */
#pragma once

#include "live.h"

struct mover {
	struct live live;		/* the move that is being made */
	const struct world *from;
	void (*found)(struct mover *m, int is_healthy);
	void *arg;			/* of found */
	int wants_labels;
	char label[120];
};

/* All moves of a state, one after the other. */
void moves_of(struct mover *m, const struct world *w);

/* ---- for the files of moves ---- */

enum { FAULTY, HEALTHY };

/* A move begins; it ends with move_end, or nothing came of it. */
struct live *move_begin(struct mover *m);
/* The same, which takes one of what may still happen so often. NULL: none is left. */
struct live *move_begin_of(struct mover *m, const uint8_t *left);
/* `is_healthy`: it comes about by itself, without a fault, a person or a client. */
void move_end(struct mover *m, int is_healthy, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The daemon's: a step begins, or goes on. */
void move_daemon(struct mover *m);
void move_world(struct mover *m);

/* What a step does next, by the ledger as it is. */
void step_plan(struct live *v);
/* It is over; its lease is told with the next move. */
void step_verdict(struct live *v, int verdict, uint32_t error_class);
/* The object that its row is of. */
struct object *step_object(struct live *v);
enum thing step_thing(const struct world *w);
/* Can the object be read now? */
int step_shows(const struct world *w, enum thing thing);
/* What was read of it just now is what the step knows of it. */
void step_saw(struct live *v, int is_seen);
struct lease_claim step_claim(const struct live *v, enum lease_claim_kind kind);
/* A claim with what the step has read as its evidence. */
int step_say(struct live *v, struct lease_claim *claim);
int step_say_kind(struct live *v, enum lease_claim_kind kind);
/* Its server was read: the address is written down. */
void step_note_address(struct live *v, enum thing server);

/* A request that has an effect. */
struct request {
	const char *name;
	void (*carry_out)(struct live *v);
	enum step_point accepted, failed;	/* where the step goes on */
	enum late late;			/* what may be carried out later, if its answer is lost */
};

/* It is answered, refused, lost before or after its effect, or cancelled. */
void move_request(struct mover *m, const struct request *r);
/* The provider cannot do that. */
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
/* Carried out by the provider: here every wrong delete is caught. */
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
