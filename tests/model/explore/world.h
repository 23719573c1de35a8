/* SPDX-License-Identifier: MIT */
/*
 * One state of the whole model: the store (a lease, its rows and its attempts, as far as they
 * affect decisions), the running step, the provider, and the budgets. Every member is one
 * byte, so that states can be compared and hashed as bytes.
 *
 * Times are ages in ticks, capped at age_most(); `settle` is two ticks, or three short ones.
 */
#pragma once

#include <stdint.h>

#include "lease/aggregate.h"

#define SETTLE_MS 60000
/* The deadline of a step: 90 seconds. */
#define STEP_TICKS 3
#define ROWS_MOST 6

/* What a lease may create: each has one kind, attempt, name and id. A server has one address. */
enum thing { SERVER_1, SERVER_2, KEY, OBJECTS, ADDRESS_1 = OBJECTS, ADDRESS_2, THINGS };

/* ---- the store ----------------------------------------------------------------------------- */

struct row {
	uint8_t thing;
	uint8_t state; /* LESSOR_STATE_, 0: no such row */
	uint8_t is_ours, has_id, has_action;
	uint8_t created, changed; /* ages; the maximum where they do not matter */
	uint8_t is_seen;
	uint8_t absent_count;
	uint8_t absent_age; /* age of the first observation that did not find it */
	uint8_t deletes_unknown;
	uint8_t retain_epoch, label_known, protect_by, is_marked;
	int16_t lands; /* ticks until a request of ours is over; at least lands_least() */
};

/* When the lease is due: never, soon, or at the time that its owner named. */
enum due { DUE_NEVER, DUE_SOON, DUE_AT_UNTIL };
/* The time until which its owner keeps it: not named, in the future, in the past. */
enum until { UNTIL_NONE, UNTIL_LATER, UNTIL_OVER };

struct store {
	uint8_t state, cleanup, epoch, is_retained, retention, is_billed;
	uint8_t is_due;			/* enum due */
	uint8_t has_tries;
	uint8_t has_attention, attention_class;
	uint8_t is_released;		/* a client has released it */
	uint8_t server;			/* 1 + the thing that was handed out as its server */
	uint8_t is_owed_long;		/* cleanup has been owed for hours */
	uint8_t until;			/* enum until */
	uint8_t attempts, refused;	/* their number; a bit for each refused one */
	struct row rows[ROWS_MOST];
};

/* ---- the provider ---------------------------------------------------------------------------- */

/* HIDDEN: created, not shown yet. GOING: a delete was accepted, still shown. */
enum object_state { UNBORN, HIDDEN, SHOWN, GOING, GONE };
enum protection { OFF, BY_US, BY_A_PERSON };
enum action { ACTION_NONE, ACTION_RUNS, ACTION_DONE, ACTION_FAILED };
/* A request yet to be executed: its response was lost, or was sent before the effect. */
enum late { LATE_NOTHING, LATE_DELETE, LATE_LIFT, LATE_PROTECT };
/* What a no-delete release promised: that it is not deleted. */
enum promise { PROMISE_NONE, PROMISE_RECORDED, PROMISE_PROTECTED };
enum address { ADDRESS_NONE, ADDRESS_USED, ADDRESS_LEFT };

struct object {
	uint8_t state, age;		/* age: while HIDDEN */
	uint8_t label;			/* lessor-retain, 0: none */
	uint8_t protection;
	uint8_t is_signed;
	uint8_t action;			/* of its newest delete */
	uint8_t late, late_age;
	uint8_t address;
	uint8_t is_marked; /* another store wrote its label: not deleted here */
	uint8_t promise;   /* what was reported to a client */
};

/* ---- a step ------------------------------------------------------------------------------------ */

/* clang-format off */
/* What a step does next. A request and the commit of its response are two moves. */
#define STEP_POINTS(X) \
	X(AT_NOTHING)		/* no step is running */ \
	X(AT_END)		/* it ends with its verdict */ \
	X(AT_ATTEMPT) X(AT_INTEND) X(AT_CREATE) X(AT_CREATED) \
	X(AT_WAIT) X(AT_READY) X(AT_GIVE_UP) \
	X(AT_LIST) X(AT_LISTED) \
	X(AT_READ) X(AT_SEEN) X(AT_ABSENT) X(AT_LISTED_ONLY) \
	X(AT_DELETE) X(AT_DELETED) X(AT_READ_AGAIN) X(AT_NOT_FOUND) X(AT_READ_404) \
	X(AT_FOLLOW) X(AT_REPORT_PRESENT) \
	X(AT_LIFT_LABEL) X(AT_LIFT) X(AT_LIFT_READ) X(AT_LIFTED) \
	X(AT_KEEP_READ) X(AT_KEEP_LABEL) X(AT_LABEL) X(AT_LABEL_READ) X(AT_LABELLED) \
	X(AT_KEEP_PROTECT) X(AT_PROTECT) X(AT_PROTECT_READ) X(AT_PROTECTED)
/* clang-format on */

enum step_point {
#define X(name) name,
	STEP_POINTS(X)
#undef X
	STEP_POINT_COUNT
};

struct step {
	uint8_t at;
	uint8_t op, epoch, begun;	/* begun: its age */
	uint8_t row;			/* of the ledger, from 0 */
	uint8_t thing;			/* what it lists or creates */
	uint8_t saw;			/* a bit for each object in a listing; or: it was read */
	uint8_t label, is_on, is_signed;	/* as it was read */
	uint8_t is_proof;			/* the read was of our project */
	uint8_t is_gave_up;			/* the action of its delete was read as failed */
	uint8_t outcome, is_labelled;		/* results of its requests */
	uint8_t writes;				/* the permitted label */
	uint8_t refusal, is_not_now;		/* the answers to this step's claims */
	uint8_t verdict, error_class;
};

/*
 * The request that the daemon was about to send when another one claimed the account. It may stand
 * still, and send it later; nothing tells it, and whatever is answered decides nothing.
 */
struct deposed {
	uint8_t at; /* AT_NOTHING: there is none, or it is over */
	uint8_t row, writes;
	uint8_t left; /* ticks until what permits it has ended */
};

/* ---- the whole world ------------------------------------------------------------------------ */

/* The daemon's view: unverified since the start, verified, another project, ahead of the store. */
enum account { ACCOUNT_UNKNOWN, ACCOUNT_VERIFIED, ACCOUNT_BLOCKED, ACCOUNT_FENCED };

/* How often each of these may still happen. */
struct budget {
	uint8_t faults; /* responses lost before or after the effect, refusals, failures */
	uint8_t crashes;
	uint8_t calls;		/* a client's releases, with and without delete */
	uint8_t lies;		/* reads and listings that miss an existing object */
	uint8_t flips;		/* the token opens another project, or ours again */
	uint8_t people;		/* a person protects, unprotects or relabels an object */
	uint8_t marks;		/* another store retains an object: it writes its label */
	uint8_t operators;	/* retry, forget, adopt */
	uint8_t fences;		/* another daemon raises the generation */
	uint8_t clocks;		/* the wall clock jumps ahead */
	uint8_t copies;		/* an older store is restored */
	uint8_t takeovers;	/* another daemon claims the account */
};

struct world {
	struct store store;
	struct step step;
	struct deposed deposed;
	struct object objects[OBJECTS];
	uint8_t account, was_verified;
	uint8_t is_other_project;	/* the token opens another project now */
	uint8_t is_time_over;		/* the lease's deadline has passed */
	uint8_t is_clock_suspect;	/* the wall clock jumped */
	uint8_t is_restored;		/* an older store is in use: history was lost */
	uint8_t is_bared;		/* a person switched a protection off */
	struct budget left;
	struct store copy; /* of the store; last, so that states without one omit it */
};

/* The budgets and options of a configuration, and its expected size. */
struct config {
	const char *name;
	struct budget budget;
	int attempts;			/* server types to try */
	int has_address;
	int cannot_protect;
	int is_slow;   /* time also passes within a step */
	int is_wild;   /* the plugin requests deletes in any order */
	int has_late;  /* a request without a response may be executed later */
	int has_hours; /* cleanup may be owed for hours */
	int has_until; /* a client names a time to keep it until, or cancels */
	int is_tardy;  /* objects may be shown later than `settle` */
	int is_shared; /* other daemons may own the account; ticks are short */
	int is_long;   /* not run by CTest */
	uint32_t states, moves;
};

static inline int tick_ms(const struct config *config)
{
	return config->is_shared ? 20000 : 30000;
}

static inline int settle_ticks(const struct config *config)
{
	return SETTLE_MS / tick_ms(config);
}

/* Greater ages make no difference. A slow step may have begun some time ago. */
static inline int age_most(const struct config *config)
{
	return settle_ticks(config) + (config->is_slow ? STEP_TICKS : 0);
}

/* Whether it was over when a slow step began. */
static inline int lands_least(const struct config *config)
{
	return config->is_slow ? -STEP_TICKS : 0;
}

int row_is_over(const struct row *row);
int object_exists(const struct object *object);
int store_is_live(const struct store *store);
/* The row of ours that may be of this thing; NULL: none. */
const struct row *store_holds(const struct store *store, enum thing thing);
/* Did an operator remove it from the ledger? */
int store_forgot(const struct store *store, enum thing thing);
const char *thing_name(enum thing thing);
uint32_t thing_kind(enum thing thing);
uint32_t thing_attempt(enum thing thing);
