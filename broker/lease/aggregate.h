/* SPDX-License-Identifier: MIT */
/*
 * A lease with its resources and attempts is one value, the aggregate, and lease_apply
 * is the only function of the whole program that changes any state of it:
 *
 *	(aggregate, event, facts) -> (aggregate', effects)
 *
 * Two tables decide: lifecycle.c, state of the lease x event, and resource_events.c,
 * state of a row x what is said of it. The gate for deletes is authorize.c, absence is
 * absence.c. All of it is pure: no SQL, no clock, no randomness of its own, no threads,
 * no log. The engine asks, writes what changed, commits, and then does what `effects`
 * says.
 *
 *                 ready                     deadline
 *   provisioning ------> active ----------------------------> expired
 *        |  |               |                                    |
 *        |  | refused,      | release, cancel                    |
 *        |  | deadline      v                                    v
 *        |  +--> failed   released          cleanup: owed -> done | attention
 *        +---------^---------^                       retained <-> owed (explicit delete)
 */
#pragma once

#include <stdint.h>

#include "lease/claim.h"
#include "lease/lease.h"
#include "lease/ledger.h"

/* `lease.n` 0 and `lease.id` "": the account's own, which is its sentinel and nothing else. */
struct lease_aggregate {
	struct lease lease;
	struct ledger ledger;
	int64_t touched_written_ms;	/* lease.touched_ms as it is stored; whoever stores it */
};

enum lease_op {
	LEASE_OP_NONE,
	LEASE_OP_PROVISION,
	LEASE_OP_CLEANUP,
	LEASE_OP_INSPECT,
	LEASE_OP_RETAIN
};

/* ---- what happens ----------------------------------------------------------------------- */

#define LEASE_EVENTS(X) \
	/* what clients ask for */ \
	X(LEASE_EVENT_BEGIN)		/* a new lease; its request fields are filled in */ \
	X(LEASE_EVENT_RELEASE) \
	X(LEASE_EVENT_HEARTBEAT) \
	/* time, its account, a step's end */ \
	X(LEASE_EVENT_TICK)		/* its due time has come */ \
	X(LEASE_EVENT_BLOCKED)		/* no step of it can run: its account is blocked, fenced, missing */ \
	X(LEASE_EVENT_UNBLOCKED) \
	X(LEASE_EVENT_CLOCK_SET)	/* the wall clock was set: waits stay as long as they were */ \
	X(LEASE_EVENT_RESTART)		/* the process that ran its step is gone */ \
	X(LEASE_EVENT_VERDICT) \
	X(LEASE_EVENT_CLAIM)		/* a running step says something of its rows */ \
	/* what an operator decides */ \
	X(LEASE_EVENT_RETRY) \
	X(LEASE_EVENT_FORGET) \
	X(LEASE_EVENT_ADOPT) \
	/* what a sweep saw, and what another lease needs */ \
	X(LEASE_EVENT_LATE_ARRIVAL)	/* what was concluded to be absent shows after all */ \
	X(LEASE_EVENT_SWEPT)		/* an orphan of this lease is given to its cleanup */ \
	X(LEASE_EVENT_UNPROTECTED)	/* what it keeps is not known to be protected any more */ \
	X(LEASE_EVENT_HAND_OVER)	/* a key that another lease uses becomes that one's */ \
	X(LEASE_EVENT_INHERIT)		/* the same, of the other one */

enum lease_event_kind {
#define X(name) name,
	LEASE_EVENTS(X)
#undef X
	LEASE_EVENT_COUNT
};

/* The end of a step, as far as the life of a lease is concerned. */
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
	const struct lessor_observed *shown;	/* PROVISION, DONE: the server as it was read; NULL */
	int64_t price_hour_micros;		/* of server_type in location, 0: not known */
	const char *currency;
	int64_t absence_ms;	/* when the next observation of what is absent counts, 0: none is due */
};

struct lease_release {
	int delete_machine;	/* 1, 0, or -1: as the lease says (!keep) */
	int is_cancel;
	/* one that keeps it: till when, 0: not said; and why, "" */
	int64_t until_ms;
	const char *reason;
};

enum lease_block { LEASE_BLOCK_ACCOUNT, LEASE_BLOCK_FENCED, LEASE_BLOCK_MISSING };

/* Who decided, and why: both are in the timeline. */
struct lease_decision {
	int64_t row;		/* 0: all that may exist, or the only one that is meant */
	const char *resource_id;	/* ADOPT: the provider's */
	int64_t claimed_by;	/* ADOPT: the row that names it already, 0: none */
	const char *by, *reason;
};

/* What a sweep saw that bears our valid signature; or UNPROTECTED: a row of the ledger. */
struct lease_sighting {
	int64_t row;
	uint32_t kind, attempt;
	const char *name, *id;
	const char *by, *reason;
};

/* The two sides of a key. */
struct lease_handover {
	int64_t row;		/* in this aggregate */
	const struct resource *from;	/* INHERIT: the row that it was */
	const char *from_lease;		/* INHERIT: the id of its lease */
	int has_heir;			/* HAND_OVER: else its owner has a row of its own */
};

struct lease_event {
	enum lease_event_kind kind;
	union {
		int64_t boot_ms;		/* BEGIN: how long it may wait for its machine */
		struct lease_release release;
		int64_t idle_ms;		/* HEARTBEAT: new idle time, 0: as it is */
		int is_start;			/* UNBLOCKED: it is proven for the first time since a start */
		int64_t clock_by_ms;		/* CLOCK_SET */
		struct lease_verdict verdict;
		struct {
			struct lease_claim *claim;	/* its answers are filled in */
			int64_t epoch;			/* of the step */
			const char *host_key;		/* what the machine boots with, "" */
		} claim;
		struct lease_decision decision;	/* RETRY, FORGET, ADOPT */
		struct lease_sighting seen;	/* LATE_ARRIVAL, SWEPT, UNPROTECTED */
		struct lease_handover handover;
	} u;
};

/* ---- what is known beside it ------------------------------------------------------------- */

struct lease_facts {
	int64_t now_ms;
	uint32_t random;
	int running;		/* a step is on its way */
	int is_clock_suspect;	/* the wall clock jumped: nothing ends because of it */
	/* the account */
	const char *account;	/* its name */
	int can_protect;	/* its provider has a way to protect what is kept */
	int is_blind;		/* not configured, never verified since this start, or fenced: nothing
				 * ends because of time */
	int is_unsure;		/* not verified now: what is kept may be something else */
	int is_blocked;		/* nothing can be done there now ... */
	enum lease_block block;	/* ... and why */
	struct gate_facts gate;
	int64_t settle_ms;	/* how late its provider may show what it made */
	const struct signer *signer;
	struct resource_users users;	/* PERMIT, REUSE: who else names the same thing */

	/* Of the ledger: lease_apply counts them, whoever calls it leaves them zero. */
	int residue;		/* rows of ours that may exist */
	int unsure;		/* of these, how many nobody knows whether they do */
	int deleting;		/* of these, how many may have a delete under way */
	int billed;		/* of these, how many cost money */
	int unprotected;	/* of these, how many are kept and not protected at the provider yet */
	int server_gone;	/* its server was deleted, and no other one of it may exist */
};

/* ---- what follows ------------------------------------------------------------------------- */

/* Why an event was refused; the aggregate is as it was. */
enum lease_refusal {
	LEASE_REFUSAL_NONE,
	LEASE_REFUSAL_ENDED,		/* heartbeat */
	LEASE_REFUSAL_EXPIRED,		/* heartbeat */
	LEASE_REFUSAL_CLEANUP_RUNS,	/* something of it may be being deleted */
	LEASE_REFUSAL_MACHINE_GONE,	/* and its machine is gone already */
	LEASE_REFUSAL_ALIVE,
	LEASE_REFUSAL_NOTHING_TO_RETRY,
	LEASE_REFUSAL_NOTHING_TO_FORGET,
	LEASE_REFUSAL_NO_SUCH_RESOURCE,
	LEASE_REFUSAL_CLAIMED,		/* another row names the resource */
	LEASE_REFUSAL_COUNT
};

#define LEASE_NOTES_MAX 6

/* How loud the log says it, beside the timeline. */
enum lease_note_log { NOTE_QUIET, NOTE_INFO, NOTE_NOTICE, NOTE_WARNING, NOTE_ERROR, NOTE_LOG_ONLY };

struct lease_note {
	char kind[40];
	char text[256];
	enum lease_note_log log;
};

/* Zeroed by the caller. Rows and attempts that changed are marked in the ledger itself. */
struct lease_effects {
	enum lease_refusal refusal;
	int is_new;		/* the lease has no row yet */
	int changed;		/* the lease row must be written */
	int goal_changed;	/* the running step is stale: cancel it */
	int raise_generation;	/* older copies of the store must be told apart from now on */
	int sweep_soon;		/* something was concluded from absence alone */
	struct lease_note notes[LEASE_NOTES_MAX];	/* for the timeline and the log */
	int note_count;
	/* of a claim */
	size_t row_index;	/* of the row that it is about, if has_row */
	int has_row;
	int not_now;		/* a permit was refused for a reason that passes by itself ... */
	uint32_t refusal_class;	/* ... or for one that an operator must look at: LESSOR_CLASS_ and why */
	char refusal_text[160];
	int64_t absence_ms;	/* when the next observation of what was not found counts, 0: none */
	int is_sentinel_known;	/* the account's own: the row's id is the sentinel's */
	int is_sentinel_found;	/* and it was found by a look-up: what it bears is news */
	/* for lease_apply: rows of known id become retained, with the lease's epoch; and back */
	int retain_rows, unretain_rows;
};

void lease_apply(struct lease_aggregate *a, const struct lease_event *event,
		 const struct lease_facts *facts, struct lease_effects *out);

/* What should be done for it next, if it is due. */
enum lease_op lease_next_op(const struct lease_aggregate *a, const struct lease_facts *facts);
/* Does nothing more happen for it until its account works again? */
int lease_waits_for_account(const struct lease *l);
/* The key rows of it that may be handed over now; NULL: none after `after`. */
const struct resource *lease_next_handover(const struct lease_aggregate *a,
					   const struct resource *after);

/* ADOPT: the row that is meant, which is `row`, or the only one of ours without an id; NULL. */
struct resource *lease_row_meant(const struct lease_aggregate *a, int64_t row);

/* Frees what it holds, and zeroes it. */
void lease_aggregate_fini(struct lease_aggregate *a);
