/* SPDX-License-Identifier: MIT */
/*
 * The life of a lease: (row, event) -> (row', what follows). Pure: no clock, no
 * I/O, no randomness of its own. Every change of state in the whole program is
 * made by a function of this file, and the engine commits what it returns.
 *
 *                 ready                     deadline
 *   provisioning ------> active ----------------------------> expired
 *        |  |               |                                    |
 *        |  | refused,      | release, cancel                    |
 *        |  | deadline      v                                    v
 *        |  +--> failed   released          cleanup: owed -> done | attention
 *        +---------^---------^                       retained <-> owed (explicit delete)
 *
 * Beside the row an event is told two facts about the lease: `residue`, how
 * many ledger rows of ours may still exist, and `running`, whether a step is on
 * its way that may yet make or unmake something.
 */
#pragma once

#include <stdint.h>

#include "lease/lease.h"

enum lease_op {
	LEASE_OP_NONE, LEASE_OP_PROVISION, LEASE_OP_CLEANUP, LEASE_OP_LOOK, LEASE_OP_RETAIN
};

struct lease_facts {
	int64_t now_ms;
	int residue;	/* ledger rows of ours that may exist */
	int unsure;	/* of these, how many nobody knows whether they do */
	int deleting;	/* of these, how many may have a delete under way */
	int billed;	/* of these, how many cost money */
	int unprotected; /* of these, how many are kept and not protected at the provider yet */
	int server_gone; /* its server was deleted, and no other one of it may exist */
	int running;	/* a step is on its way */
	int can_protect; /* the provider has a way to protect what is kept */
	int is_blind;	/* the account is not configured, was never verified since this start, or
			 * the store is fenced: nothing ends because of time */
	int is_unsure;	/* the account is not verified now: what is kept may be something else */
	int clock_doubted;	/* the wall clock jumped: nothing ends because of it */
	int64_t absence_ms;	/* when the next observation of what is absent counts, 0: none is due */
	uint32_t random;
};

#define LEASE_NOTES_MAX 4

struct lease_note {
	char kind[40];
	char text[256];
};

/* What follows from an event, beside the changed row. */
struct lease_outcome {
	int changed;		/* the row must be written */
	int goal_changed;	/* the running step is stale: cancel it */
	int retain_rows;	/* ledger rows of known id become retained, with the lease's epoch */
	int raise_generation;	/* older copies of the store must be told apart from now on */
	int unretain_rows;	/* and back to present */
	const char *refusal;	/* the event was refused: API error code; the row is as it was */
	struct lease_note notes[LEASE_NOTES_MAX];	/* for the timeline */
	int note_count;
};

/* The verdict of a step, as far as the life of a lease is concerned. */
struct lease_verdict {
	enum lease_op op;
	int64_t epoch;		/* the one the step was started with */
	int verdict;		/* LESSOR_ */
	uint32_t error_class;
	int64_t wait_ms;
	int is_breach;		/* the plugin broke its contract; `reason` says how */
	const char *provider;	/* its name */
	const char *reason;
	const char *cursor;
	const char *host, *server_id, *server_name, *server_type, *location;
};

/* A new lease, its request fields filled in. Sets everything else. */
void lease_begin(struct lease *l, int64_t now_ms, int64_t boot_ms, struct lease_outcome *out);

/* What should be done for it next, if it is due. */
enum lease_op lease_next(const struct lease *l, const struct lease_facts *facts);

/* Its due time has come: ends what is past its deadline, and sets the next due time. */
void lease_tick(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);

void lease_step_done(struct lease *l, const struct lease_verdict *v,
		     const struct lease_facts *facts, struct lease_outcome *out);

/* The same, for a lease whose step cannot run because its account is blocked: `why` ... */
void lease_blocked(struct lease *l, const char *why, const struct lease_facts *facts,
		   struct lease_outcome *out);
/* ... and when the account works again: what waited for that is due at once. */
void lease_unblocked(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);

/* Does nothing more happen for it until its account works again? */
int lease_waits_for_account(const struct lease *l);

/* ---- what people ask for ---- */

/* Due now, whatever the backoff says. */
void lease_retry(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);
/* An operator took rows out of its ledger; `facts` are of what is left. */
void lease_forgot(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);
/* The gate found the mark of a retention that this store does not know: it is kept. */
void lease_kept_elsewhere(struct lease *l, const struct lease_facts *facts,
			  struct lease_outcome *out);
/* Something of what it keeps is not protected any more. */
void lease_unprotected(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);
/* Something of an ended lease turned up: it is owed, or kept if the lease is. */
void lease_owes(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);
/* Till when its owner means to keep what a no-delete release kept, and why. */
void lease_retain_until(struct lease *l, int64_t until_ms, const char *reason,
			const struct lease_facts *facts, struct lease_outcome *out);

/* ---- for the files of this room ---- */

void lease_note_add(struct lease_outcome *out, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The goal is another one: what runs was started for the old one. */
void lease_goal_change(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out);
/* Says why a person is needed and, by the class, what to do. 1 if that is news. */
int lease_attention_set(struct lease *l, uint32_t error_class, const char *reason);
/*
 * When what was just decided is begun: at once, or where only a look-up can come first a
 * moment later, since a step may have looked just now.
 */
int64_t lease_cleanup_due(const struct lease_facts *facts);
/* When a retained lease is due next: 0 if there is nothing to look for and no end was named. */
int64_t lease_retained_due(const struct lease *l, const struct lease_facts *facts);

/* `delete_machine`: 1, 0, or -1 for the lease's own preset. */
void lease_release(struct lease *l, int delete_machine, int canceled,
		   const struct lease_facts *facts, struct lease_outcome *out);

/* Moves touched_ms; the row itself changes only with `idle_ms`. */
void lease_heartbeat(struct lease *l, int64_t idle_ms, const struct lease_facts *facts,
		     struct lease_outcome *out);
