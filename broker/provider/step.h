/* SPDX-License-Identifier: MIT */
/*
 * A step: one call of one provider operation, with everything it needs copied
 * in and everything it found out copied back. It is moved from the engine to a
 * worker and back, never shared; while it runs it asks for intents, permits and
 * the recording of results through `commit`, which returns after they are
 * durable.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "lease/generation.h"
#include "lease/ledger.h"
#include "lease/lease.h"
#include "provider/account.h"
#include "util/err.h"

enum step_op {
	STEP_PROVISION,
	STEP_CLEANUP,
	STEP_INSPECT,
	STEP_PROBE,	/* of the account */
	STEP_CATALOG,	/* of the account */
	STEP_LIST,	/* of the account */
	STEP_RELOAD,	/* of the account */
	STEP_RETAIN,
	STEP_OBSERVE,	/* of the account: one look for the steps in `waiting` */
};
const char *step_op_name(enum step_op op);

enum step_commit_kind {
	COMMIT_ATTEMPT,		/* attempt, type, location */
	COMMIT_ATTEMPT_REFUSED,	/* attempt, error_class, text */
	COMMIT_INTEND,		/* kind, attempt -> row, name, labels */
	COMMIT_CREATED,		/* row, id, action */
	COMMIT_NOT_CREATED,	/* row, text */
	COMMIT_UNKNOWN,		/* row, text */
	COMMIT_NOT_SEEN,	/* row */
	COMMIT_ADOPT,		/* seen */
	COMMIT_REUSE,		/* kind, id, name in `text` */
	COMMIT_PERMIT,		/* row, evidence */
	COMMIT_DELETING,	/* row, action */
	COMMIT_DELETE_UNKNOWN,	/* row, text */
	COMMIT_STILL_THERE,	/* row, text, evidence */
	COMMIT_GONE,		/* row, text, evidence */
	COMMIT_CHANGE,		/* row, change, evidence -> labels, is_done: may it be changed? */
	COMMIT_CHANGED,		/* row, change, evidence: what became of it */
};
const char *step_commit_name(enum step_commit_kind kind);

struct step;

/* What became of the request that had an effect on a row. */
enum effect_outcome {
	EFFECT_NOT_SENT,
	EFFECT_ACCEPTED,	/* answered with 2xx */
	EFFECT_REFUSED,		/* answered: it did not happen */
	EFFECT_UNKNOWN,		/* sent, or perhaps sent, and no such answer */
};

/* What the host's record of a step shows of one row: what reports are judged by. */
struct step_evidence {
	int is_own_io;		/* the provider has I/O of its own: there is no record */
	int64_t begun_ms;	/* wall clock, before the first request of this step; 0: there was none */
	int is_absent;		/* complete: exact read and listings, as far as the row's state asks */
	int is_proof;		/* an answer of this step that only the right project gives */
	int is_gave_up;		/* the provider says that its delete failed and goes on no more */
	enum effect_outcome outcome;	/* of the delete or the change that was permitted */
	int is_labelled;	/* CHANGED, UNPROTECT: the labels were answered with 2xx before it */
	int is_read;		/* `seen` is of the last request, exact and unshared */
	int is_seen;		/* `seen` is of an exact, unshared read after the last effect */
	struct lessor_observed seen;	/* borrowed; zeroed if nothing was read */
	/* the account's sentinel, read after all of that */
	int is_sentinel_read;
	int64_t generation;	/* what it bore, 0: none */
	char holder[GENERATION_HOLDER_ROOM];
};

/* What a running step asks to be made durable. Pointers are borrowed for the call. */
struct step_commit {
	enum step_commit_kind kind;
	uint32_t resource_kind;
	uint32_t attempt;
	int64_t row;
	uint32_t error_class;
	const char *type, *location;
	const char *id, *action, *text;
	const struct lessor_observed *seen;
	uint32_t change;	/* LESSOR_CHANGE_ */
	struct step_evidence evidence;
	/* answers */
	int result;		/* 0 yes, -1 no */
	int is_done;		/* COMMIT_CHANGE: there is nothing to change */
	char name[64];
	struct labels labels;		/* INTEND: of the new one; CHANGE: those to be set */
	struct resource resource;	/* the row as it now is, where there is one; the step's ledger
					 * follows it, so INTEND and PERMIT must fill it */
	struct err err;			/* why not */
};

struct step_price {
	char type[32], location[32], currency[4];
	int64_t hour_micros;
	int available;
};

struct step {
	/* in */
	enum step_op op;
	struct account *account;
	struct lease lease;		/* a zeroed one for account work */
	struct ledger ledger;		/* kept up to date by the commits of this step */
	int64_t epoch;
	int64_t deadline_ms;		/* wall clock */
	char instance[32];		/* the broker's id */
	char account_key[512];
	char *user_data;		/* owned; wiped, for the host key in it */
	size_t user_data_len;
	char host_key[96];		/* its public half, "" if there is none in user_data */
	uint32_t list_kind;		/* STEP_LIST */
	/*
	 * STEP_OBSERVE: provision steps, one a lease, that run by this one. They go wherever it
	 * goes and end with it, each with a result of its own. The array is the step's, and what
	 * is not NULL in it when the step is freed.
	 */
	struct step **waiting;
	size_t waiting_count;
	struct step *look;		/* of a step in `waiting`: that one; NULL: it runs by itself */
	atomic_int cancel;		/* any thread may set it: a request in flight is given up within
					 * some 50 ms (a create's or delete's outcome is then unknown) */

	/*
	 * Makes `what` durable and answers. Called on the worker's thread, in
	 * provision, cleanup and probe only. Returns what->result.
	 */
	int (*commit)(void *arg, struct step *step, struct step_commit *what);
	void *commit_arg;

	/* out */
	int verdict;			/* LESSOR_ */
	uint32_t error_class;
	int64_t wait_ms;		/* as the provider or the host's budget asked; 0: choose */
	char reason[256];
	char cursor[1024];
	char host[64], server_id[32], server_name[64], server_type[32], location[32], status[32];
	int violation;			/* the plugin broke the contract; reason says how */
	struct lessor_observed shown;	/* DONE of provision: the server as this step saw it; deep copy */
	int is_shown;
	int is_unobserved;		/* of a step in `waiting`: the look says nothing of it, and
					 * nothing else of the result means anything */
	int calls;			/* provider requests made */
	int answers;			/* requests with an answer or without, shared ones too */
	struct step_price *prices;	/* STEP_CATALOG; owned */
	size_t price_count;
	struct {
		struct lessor_observed seen;	/* deep copies, owned by the step */
	} *listed;			/* STEP_LIST */
	size_t listed_count;

	/* for the owner's use while it is on its way */
	struct step *next;
	void *owner_data;
};

struct step *step_new(enum step_op op, struct account *account);
void step_free(struct step *step);

/*
 * Runs the operation to its verdict on this thread. Any verdict the contract
 * does not allow becomes LESSOR_RETRY with `violation` set. Never fails. Those in `waiting`
 * have their results as well, each as if its own operation had run, or is_unobserved.
 */
void step_run(struct step *step);

/* ---- workers ------------------------------------------------------------------- */

struct workers;

/* `done` is called on the worker's thread with the step it may not touch again. */
int workers_new(int threads, void (*done)(void *arg, struct step *step), void *arg,
		struct workers **ret, struct err *err);
void workers_submit(struct workers *workers, struct step *step);	/* any thread; moves the step */
/* Sets every running step's cancel, lets queued ones go unrun (returned through done with
 * RETRY), waits for the threads. */
void workers_free(struct workers *workers);
