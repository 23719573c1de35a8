/* SPDX-License-Identifier: MIT */
/*
 * A lease with its resources and attempts is one value, the aggregate. lease_apply is the
 * only function in the program that changes its state:
 *
 *	(aggregate, event, facts) -> (aggregate', effects)
 *
 * Two tables decide: lifecycle.c (state of the lease x event) and resource_events.c (state
 * of a row x claim or event). authorize.c is the gate for deletes, absence.c decides when a
 * resource counts as absent. All of it is pure: no SQL, no clock, no randomness, no
 * threads, no log. The engine applies an event, writes what changed, commits, and then
 * carries out the effects.
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

/* `lease.n` 0 and `lease.id` "": the account's own aggregate, which holds only the sentinel. */
struct lease_aggregate {
	struct lease lease;
	struct ledger ledger;
	int64_t touched_written_ms; /* lease.touched_ms as stored; maintained by the engine */
	uint64_t charged; /* a digest of its charges as written; 0: unknown; the engine's, too */
};

enum lease_op {
	LEASE_OP_NONE,
	LEASE_OP_PROVISION,
	LEASE_OP_CLEANUP,
	LEASE_OP_INSPECT,
	LEASE_OP_RETAIN
};

/* ---- what happens ----------------------------------------------------------------------- */

/* clang-format off */
#define LEASE_EVENTS(X) \
	/* what clients ask for */ \
	X(LEASE_EVENT_BEGIN)		/* a new lease; the request's fields are set */ \
	X(LEASE_EVENT_RELEASE) \
	X(LEASE_EVENT_HEARTBEAT) \
	X(LEASE_EVENT_EXTEND) \
	/* time, the account, the end of a step */ \
	X(LEASE_EVENT_ADMIT)		/* there is capacity for it: it leaves the queue */ \
	X(LEASE_EVENT_TICK)		/* its due time has come */ \
	X(LEASE_EVENT_BLOCKED)		/* its account is blocked, fenced or missing: no step can run */ \
	X(LEASE_EVENT_UNBLOCKED) \
	X(LEASE_EVENT_THAWED)		/* its account was frozen: no delete, no absence was possible */ \
	X(LEASE_EVENT_CLOCK_SET)	/* the wall clock was set: waits keep their length */ \
	X(LEASE_EVENT_GAP)		/* for some time nobody watched over it */ \
	X(LEASE_EVENT_RESTART)		/* the process that ran its step is gone */ \
	X(LEASE_EVENT_VERDICT) \
	X(LEASE_EVENT_CLAIM)		/* a running step reports on its rows */ \
	X(LEASE_EVENT_STUCK)		/* its step does not return, or is not run; or that is over */ \
	/* what an operator decides */ \
	X(LEASE_EVENT_RETRY) \
	X(LEASE_EVENT_FORGET) \
	X(LEASE_EVENT_ADOPT) \
	/* what a sweep saw; keys shared with another lease */ \
	X(LEASE_EVENT_LATE_ARRIVAL)	/* a resource concluded to be absent was seen after all */ \
	X(LEASE_EVENT_SWEPT)		/* an orphan of this lease is handed to its cleanup */ \
	X(LEASE_EVENT_UNPROTECTED)	/* the protection of a retained resource is no longer certain */ \
	X(LEASE_EVENT_KEPT)		/* it is kept, by a release that this store has lost */ \
	X(LEASE_EVENT_HAND_OVER)	/* its key passes to another lease that uses it */ \
	X(LEASE_EVENT_INHERIT)		/* the same, for the lease that receives it */
/* clang-format on */

enum lease_event_kind {
#define X(name) name,
	LEASE_EVENTS(X)
#undef X
	LEASE_EVENT_COUNT
};

/* The end of a step, as far as it concerns the lease. */
struct lease_verdict {
	enum lease_op op;
	int64_t epoch;		/* of the lease when the step started */
	int verdict;		/* LESSOR_ */
	uint32_t error_class;
	int64_t wait_ms;
	int is_breach;	      /* the plugin violated its contract; `reason` says how */
	const char *provider; /* the plugin's name */
	const char *reason;
	const char *cursor;
	const char *host, *server_id, *server_name, *server_type, *location;
	const struct lessor_observed *shown; /* PROVISION, DONE: the server as read; else NULL */
	int64_t price_hour_micros;	     /* of server_type in location, 0: unknown */
	const char *currency;
	int64_t absence_ms; /* when the next observation of an absent resource counts, 0: none is needed */
	int64_t begun_ms; /* when the step began, wall clock; 0: unknown */
};

struct lease_release {
	int delete_machine; /* 1, 0, or -1: the lease's own setting (!keep) */
	int is_cancel;
	/* of a no-delete release: until when, 0: no end; and the reason, "" */
	int64_t until_ms;
	const char *reason;
};

/* The whole times, not what is added: a repetition changes nothing. Less than now is ignored. */
struct lease_extension {
	int64_t ttl_ms;
	int64_t idle_ms; /* 0: unchanged */
};

enum lease_block { LEASE_BLOCK_ACCOUNT, LEASE_BLOCK_FENCED, LEASE_BLOCK_MISSING };

/* An operator's decision. Who and why go to the timeline. */
struct lease_decision {
	int64_t row;			/* 0: all that may exist, or the only candidate */
	const char *resource_id;	/* ADOPT: the provider's */
	int64_t claimed_by;		/* ADOPT: the row that already has this id, 0: none */
	const char *by, *reason;
};

/* What a sweep saw with our valid signature. UNPROTECTED, KEPT: a row of the ledger. */
struct lease_sighting {
	int64_t row;
	int64_t label; /* KEPT: of its retention, 0: none */
	uint32_t kind, attempt;
	const char *name, *id;
	const char *by, *reason;
};

/* A key passes from one lease to another. */
struct lease_handover {
	int64_t row;		/* in this aggregate */
	const struct resource *from;	/* INHERIT: the previous owner's row */
	const char *from_lease;		/* INHERIT: the id of its lease */
	int has_heir;			/* HAND_OVER: 1 if a user becomes the owner; 0 if another
					 * owner's row exists */
};

struct lease_event {
	enum lease_event_kind kind;
	union {
		struct {		 /* BEGIN, ADMIT */
			int64_t boot_ms; /* how long it may wait for its machine */
			int is_queued;	 /* BEGIN: it first waits for capacity (queue_ms) */
			int64_t price_hour_micros; /* ADMIT: what is known now; 0: unknown */
			const char *currency;
		};
		struct lease_release release;
		int64_t idle_ms;		  /* HEARTBEAT: new idle time, 0: unchanged */
		struct lease_extension extension; /* EXTEND */
		int is_start; /* UNBLOCKED: verified for the first time since the start */
		struct {      /* CLOCK_SET */
			int64_t clock_by_ms;
			/* times written between these were wrong by as much; 0, 0: none */
			int64_t clock_from_ms, clock_to_ms;
		};
		int64_t gap_ms; /* GAP */
		struct lease_verdict verdict;
		struct {
			const char *reason;
			int is_over;
		} stuck;
		struct {
			struct lease_claim *claim;	/* the answer is filled in */
			int64_t epoch;			/* of the step */
			/* until when what it permits may take effect, on the store's clock */
			int64_t until_ms;
			const char *host_key; /* the machine's host key, "" if none */
		} claim;
		struct lease_decision decision;	/* RETRY, FORGET, ADOPT */
		struct lease_sighting seen;	/* LATE_ARRIVAL, SWEPT, UNPROTECTED, KEPT */
		struct lease_handover handover;
	} u;
};

/* ---- facts about the surroundings ------------------------------------------------------- */

struct lease_facts {
	int64_t now_ms;
	uint32_t random;
	int running;		  /* a step is running ... */
	int64_t running_since_ms; /* ... since then, wall clock; 0: unknown */
	int is_clock_suspect;	  /* the wall clock jumped: no lease ends by time */
	int has_lost_sight; /* the store's rows may have another owner by now: no lease ends by time */
	/*
	 * Other processes may own the store's rows. Otherwise this one knows when the requests of a
	 * step are over, and that those of its predecessor are.
	 */
	int is_shared;
	int64_t store_ahead_ms; /* the store's clock, ahead of this one */
	/* the account */
	const char *account;	/* its name */
	int can_protect;	/* its provider can protect retained resources */
	int is_blind;		/* not configured, not verified since the start, or fenced: no lease
				 * ends by time */
	int is_unsure;		/* not verified now: retained resources may not be ours */
	int is_blocked;		/* no step can run there now ... */
	enum lease_block block;	/* ... and why */
	struct gate_facts gate;
	/*
	 * Commits were lost that may have permitted deletes, which may take effect until then;
	 * 0: none were.
	 */
	int64_t presumed_until_ms;
	const char *request_id; /* how the request is named that asks for it; NULL, "": not at all */
	int64_t settle_ms;	/* how late its provider may show what it created */
	const struct signer *signer;
	struct resource_users users; /* PERMIT, REUSE: other leases with the same resource */

	/* Counts of the ledger: set by lease_apply, zero in the caller's copy. */
	int residue;		/* rows of ours that may exist */
	int unsure;		/* of these, how many have an unknown create */
	int deleting;		/* of these, how many may have a delete under way */
	int billed;		/* of these, how many cost money */
	int unprotected; /* of these, how many are retained and not yet protected at the provider */
	int server_gone; /* its server was deleted and no other server may exist */
	int awaited;	 /* its servers, of attempts that are not refused, that may become ready */
	int64_t awaited_ms; /* when the latest change of such a server's row was; 0: none */
	/* when the next observation counts of what may have been created; 0: nothing is unknown */
	int64_t settles_ms;
};

/* ---- effects ---------------------------------------------------------------------------- */

/* Why an event was refused; the aggregate is as it was. */
enum lease_refusal {
	LEASE_REFUSAL_NONE,
	LEASE_REFUSAL_ENDED,	    /* heartbeat, extension */
	LEASE_REFUSAL_EXPIRED,	    /* heartbeat, extension */
	LEASE_REFUSAL_CLEANUP_RUNS, /* a delete may be in progress */
	LEASE_REFUSAL_MACHINE_GONE, /* its machine is already gone */
	LEASE_REFUSAL_ALIVE,
	LEASE_REFUSAL_NOTHING_TO_RETRY,
	LEASE_REFUSAL_NOTHING_TO_FORGET,
	LEASE_REFUSAL_NO_SUCH_RESOURCE,
	LEASE_REFUSAL_CLAIMED, /* another row has this resource */
	LEASE_REFUSAL_COUNT
};

#define LEASE_NOTES_MAX 6

/* The level at which the log repeats a line of the timeline. */
enum lease_note_log { NOTE_QUIET, NOTE_INFO, NOTE_NOTICE, NOTE_WARNING, NOTE_ERROR, NOTE_LOG_ONLY };

struct lease_note {
	char kind[40];
	char text[256];
	enum lease_note_log log;
};

/* Zeroed by the caller. Rows and attempts that changed are marked dirty in the ledger. */
struct lease_effects {
	enum lease_refusal refusal;
	int is_new;		/* the lease has no row yet */
	int changed;		/* the lease row must be written */
	int times_changed;	/* also when it was created, and its deadline */
	int goal_changed;	/* the running step is stale: cancel it */
	int raise_generation;	/* raise the account's generation, so that older copies of the store
				 * are fenced */
	int sweep_soon;		/* sweep soon: absence was concluded without a delete of ours */
	struct lease_note notes[LEASE_NOTES_MAX];	/* for the timeline and the log */
	int note_count;
	/* of a claim */
	size_t row_index; /* the row concerned, if has_row */
	int has_row;
	int not_now;		/* a permit was refused for a temporary reason ... */
	uint32_t refusal_class; /* ... or for one that needs operator action: LESSOR_CLASS_ and why */
	char refusal_text[160];
	int64_t absence_ms; /* when the next observation of an absent resource counts, 0: none is needed */
	int is_sentinel_known; /* account's own aggregate: the row holds the sentinel's id */
	int is_sentinel_found; /* and a look-up found it: its labels must be read */
	/* internal to lease_apply: rows become retained, with the lease's epoch; and back */
	int retain_rows, unretain_rows;
};

void lease_apply(struct lease_aggregate *a, const struct lease_event *event,
		 const struct lease_facts *facts, struct lease_effects *out);

/* The next operation of the lease, once it is due. */
enum lease_op lease_next_op(const struct lease_aggregate *a, const struct lease_facts *facts);
/* Is the lease waiting for its account to work again? */
int lease_waits_for_account(const struct lease *l);
/*
 * The next key row after `after` (NULL: the first) that may be handed over now; NULL if
 * none.
 */
const struct resource *lease_next_handover(const struct lease_aggregate *a,
					   const struct resource *after);

/* ADOPT: row `row`, or with 0 the only row of ours without an id; NULL if there is none. */
struct resource *lease_row_meant(const struct lease_aggregate *a, int64_t row);

/* Frees the ledger and zeroes the aggregate. */
void lease_aggregate_fini(struct lease_aggregate *a);
