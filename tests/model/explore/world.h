/* SPDX-License-Identifier: MIT */
/*
 * One state of everything that the explorer knows: the store (a lease, its rows and its
 * attempts, as far as they decide anything), the step under way, the provider, and what may
 * still go wrong. Every member is one byte, so that states are compared and hashed as bytes.
 *
 * Times are ages in ticks, up to age_most() for all that is older; two ticks are `settle`.
 */
#pragma once

#include <stdint.h>

#include "lease/aggregate.h"

#define TICK_MS 30000
#define SETTLE_TICKS 2
/* A step has 90 seconds. */
#define STEP_TICKS 3
#define ROWS_MOST 6

/* What a lease may make: each has one kind, attempt, name and id. An address comes with its server. */
enum thing { SERVER_1, SERVER_2, KEY, OBJECTS, ADDRESS_1 = OBJECTS, ADDRESS_2, THINGS };

/* ---- the store ----------------------------------------------------------------------------- */

struct row {
	uint8_t thing;
	uint8_t state;			/* LESSOR_STATE_, 0: there is no such row */
	uint8_t is_ours, has_id, has_action;
	uint8_t created, changed;	/* ages, the greatest where they decide nothing */
	uint8_t is_seen;
	uint8_t absent_count;
	uint8_t absent_age;		/* of the first observation that did not find it */
	uint8_t deletes_unknown;
	uint8_t retain_epoch, label_known, protect_by, is_marked;
};

/* Nothing; soon; or when its owner's time is over. */
enum due { DUE_NEVER, DUE_SOON, DUE_AT_UNTIL };
/* Till when its owner means to keep it: not said, not yet over, over. */
enum until { UNTIL_NONE, UNTIL_LATER, UNTIL_OVER };

struct store {
	uint8_t state, cleanup, epoch, is_retained, retention, is_billed;
	uint8_t is_due;			/* enum due */
	uint8_t has_tries;
	uint8_t has_attention, attention_class;
	uint8_t is_released;		/* a client has released it */
	uint8_t server;			/* 1 + the thing that it was told is its server */
	uint8_t is_owed_long;		/* what is owed has been owed for hours */
	uint8_t until;			/* enum until */
	uint8_t attempts, refused;	/* how many; one bit each */
	struct row rows[ROWS_MOST];
};

/* ---- the provider ---------------------------------------------------------------------------- */

/* HIDDEN: made, and not shown yet. GOING: a delete was accepted, and it is still shown. */
enum object_state { UNBORN, HIDDEN, SHOWN, GOING, GONE };
enum protection { OFF, BY_US, BY_A_PERSON };
enum action { ACTION_NONE, ACTION_RUNS, ACTION_DONE, ACTION_FAILED };
/* A request that is still to be carried out: its answer was lost, or came before that. */
enum late { LATE_NOTHING, LATE_DELETE, LATE_LIFT, LATE_PROTECT };
/* By a no-delete release: from then on it is not deleted. */
enum promise { PROMISE_NONE, PROMISE_RECORDED, PROMISE_PROTECTED };
enum address { ADDRESS_NONE, ADDRESS_USED, ADDRESS_LEFT };

struct object {
	uint8_t state, age;		/* of what is hidden */
	uint8_t label;			/* lessor-retain, 0: none */
	uint8_t protection;
	uint8_t is_signed;
	uint8_t action;			/* of its newest delete */
	uint8_t late, late_age;
	uint8_t address;
	uint8_t is_marked;		/* another store wrote its label: nobody here deletes it */
	uint8_t promise;		/* what a client was told of it */
};

/* ---- a step ------------------------------------------------------------------------------------ */

/* clang-format off */
/* What a step does next. A request and what is committed of its answer are two moves. */
#define STEP_POINTS(X) \
	X(AT_NOTHING)		/* there is no step */ \
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
	uint8_t thing;			/* what it lists or makes */
	uint8_t saw;			/* the objects that a listing showed, a bit each; or: it was read */
	uint8_t label, is_on, is_signed;	/* as it was read */
	uint8_t is_proof;		/* it was our project that was read */
	uint8_t is_gave_up;		/* its delete was read to have failed */
	uint8_t outcome, is_labelled;	/* of its requests */
	uint8_t writes;			/* the label that was permitted */
	uint8_t refusal, is_not_now;	/* what the claims of this step were told */
	uint8_t verdict, error_class;
};

/* ---- all of it ----------------------------------------------------------------------------------- */

/* As the daemon knows it: not proven since its start, proven, another one, or ahead of its store. */
enum account { ACCOUNT_UNKNOWN, ACCOUNT_VERIFIED, ACCOUNT_BLOCKED, ACCOUNT_FENCED };

/* How often each may still happen. */
struct budget {
	uint8_t faults;		/* answers lost before or after the effect, refusals, deletes that fail */
	uint8_t crashes;
	uint8_t calls;		/* a client's releases, with and without delete */
	uint8_t lies;		/* reads and listings that miss what is there */
	uint8_t flips;		/* the token opens another project, or ours again */
	uint8_t people;		/* somebody protects, unprotects or relabels something */
	uint8_t marks;		/* another store keeps something: it writes its label */
	uint8_t operators;	/* retry, forget, adopt */
	uint8_t fences;		/* somebody else raises the generation */
	uint8_t clocks;		/* the wall clock jumps ahead */
	uint8_t copies;		/* an older store is put back */
};

struct world {
	struct store store;
	struct step step;
	struct object objects[OBJECTS];
	uint8_t account, was_verified;
	uint8_t is_other_project;	/* the token opens another project now */
	uint8_t is_time_over;		/* its deadline has passed */
	uint8_t is_clock_suspect;	/* the wall clock jumped */
	uint8_t is_restored;		/* an older store is in use: history was lost */
	uint8_t is_bared;		/* somebody switched a protection off */
	struct budget left;
	struct store copy;		/* of the store; last: without one it is not kept */
};

/* How much may go wrong, and what is expected of it. */
struct config {
	const char *name;
	struct budget budget;
	int attempts;			/* server types to try */
	int has_address;
	int cannot_protect;
	int is_slow;			/* time passes within a step, too */
	int is_wild;			/* a plugin asks to delete in any order */
	int has_late;			/* a request without an answer may be carried out later */
	int has_hours;			/* what is owed may be owed for hours */
	int has_until;			/* a client says till when it is kept; and cancels */
	int is_tardy;			/* what is made may be shown later than `settle` */
	int is_long;			/* not for CTest */
	uint32_t states, moves;
};

/* What is older than that decides the same; a step may have begun some time ago. */
static inline int age_most(const struct config *config)
{
	return SETTLE_TICKS + (config->is_slow ? STEP_TICKS : 0);
}

int row_is_over(const struct row *row);
int object_exists(const struct object *object);
int store_is_live(const struct store *store);
/* The row of ours that may be it; NULL. */
const struct row *store_holds(const struct store *store, enum thing thing);
/* An operator has taken it out of the ledger. */
int store_forgot(const struct store *store, enum thing thing);
const char *thing_name(enum thing thing);
uint32_t thing_kind(enum thing thing);
uint32_t thing_attempt(enum thing thing);
