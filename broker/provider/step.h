/* SPDX-License-Identifier: MIT */
/*
 * A step: one provider operation, with its inputs copied in and its results copied
 * back. It is moved from the engine to a worker and back, never shared; while it runs
 * it requests intents and permits and records results through `claim`, and before its
 * next request to the provider waits through `barrier` until all that it claimed is
 * durable.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lease/claim.h"
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
	STEP_OBSERVE,	/* of the account: one observation for the steps in `waiting` */
};
const char *step_op_name(enum step_op op);

struct step;

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
	 * Has the claim decided and answers, its answers filled in. Returns claim->result.
	 * Nothing may be done with a yes at the provider, or anywhere outside the process,
	 * before `barrier` has returned. Called on the worker's thread.
	 */
	int (*claim)(void *arg, struct step *step, struct lease_claim *claim);
	/* Returns when all that this step claimed is durable; NULL: it is at once. */
	void (*barrier)(void *arg, struct step *step);
	void *claim_arg;

	/* out */
	int verdict;			/* LESSOR_ */
	uint32_t error_class;
	int64_t wait_ms;		/* as the provider or the host's budget requires; 0: choose */
	char reason[256];
	char cursor[1024];
	char host[64], server_id[32], server_name[64], server_type[32], location[32], status[32];
	int violation;			/* the plugin broke the contract; reason says how */
	struct lessor_observed shown;	/* DONE of provision: the server as this step saw it; deep copy */
	int is_shown;
	int is_unobserved;		/* of a step in `waiting`: the observation did not cover
					 * it, and nothing else of the result is meaningful */
	int calls;			/* provider requests made */
	int answers;			/* requests with a response or without, coalesced ones too */
	struct step_price *prices;	/* STEP_CATALOG; owned */
	size_t price_count;
	struct {
		struct lessor_observed seen;	/* deep copies, owned by the step */
	} *listed;			/* STEP_LIST */
	size_t listed_count;

	STAILQ_ENTRY(step) queued; /* in a queue of whoever has it: the engine, or its workers */

	/* for the owner's use while it is on its way */
	void *owner_data;
};

STAILQ_HEAD(step_list, step);

struct step *step_new(enum step_op op, struct account *account);
void step_free(struct step *step);
/* Deep copies of what the step saw: into `listed`, and into `shown`. */
void step_add_listed(struct step *step, const struct lessor_observed *seen);
void step_set_shown(struct step *step, const struct lessor_observed *seen);

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
