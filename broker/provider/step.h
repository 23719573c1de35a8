/* SPDX-License-Identifier: MIT */
/*
 * A step: one provider operation, with its inputs copied in and its results copied out. It
 * moves from the engine to a worker and back and is never shared. While it runs, it requests
 * intents and permits and records results through `claim`; before its next request to the
 * provider, `barrier` waits until all its claims are durable.
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
	int64_t hour_micros, month_micros, unit_ms, minimum_ms; /* as in struct lessor_offer */
	int available;
};

struct step {
	/* in */
	enum step_op op;
	struct account *account;
	struct lease lease;   /* zeroed for account tasks */
	struct ledger ledger; /* updated by the claims of this step */
	int64_t epoch;
	int64_t deadline_ms; /* step_now */
	int64_t clock_by_ms; /* step_now, ahead of the wall clock, or */
	int is_by_mono;	     /* of the monotonic clock */
	char instance[32];   /* id of the lessor database */
	char account_key[512];
	char *user_data; /* owned; wiped when freed, since it contains the host key */
	size_t user_data_len;
	char host_key[96];		/* the public host key, "" if user_data contains none */
	uint32_t list_kind;		/* STEP_LIST */
	/*
	 * Other processes may use another copy of the store: each permit to delete needs a read of
	 * the account's sentinel.
	 */
	int reads_sentinel;
	/*
	 * STEP_OBSERVE: one provision step per lease that this step covers. They move with it
	 * and end with it, each with a result of its own. This step owns the array, and what
	 * is not NULL in it when it is freed.
	 */
	struct step **waiting;
	size_t waiting_count;
	/* in a step of `waiting`: the step that covers it; NULL: it runs by itself */
	struct step *look;
	/*
	 * set by any thread: a request in flight is abandoned within some 50 ms (the outcome of a
	 * create or delete is then unknown)
	 */
	atomic_int cancel;

	/*
	 * Has the engine decide the claim, and fills in its results. Returns claim->result.
	 * After a "yes" nothing may be done at the provider, or anywhere outside the process,
	 * until `barrier` has returned. Called on the worker's thread.
	 */
	int (*claim)(void *arg, struct step *step, struct lease_claim *claim);
	/*
	 * Returns 0 when all claims of this step are durable. -1: they never will be, because the
	 * account is no longer this process's: nothing may be done any more. NULL: claims are
	 * durable at once.
	 */
	int (*barrier)(void *arg, struct step *step);
	void *claim_arg;

	/* out */
	int verdict;			/* LESSOR_ */
	uint32_t error_class;
	int64_t wait_ms; /* required by the provider or the request budget; 0: the engine chooses */
	char reason[256];
	char cursor[1024];
	char host[64], server_id[32], server_name[64], server_type[32], location[32], status[32];
	char note[160];
	int violation; /* the plugin violated the contract; `reason` says how */
	/* after a DONE of provision: the server as this step saw it; deep copy */
	struct lessor_observed shown;
	int is_shown;
	/*
	 * in a step of `waiting`: the observation did not cover it, and no other result is
	 * meaningful
	 */
	int is_unobserved;
	int token_number; /* of the account's token that it used, account_token_number */
	int calls;	  /* requests sent to the provider */
	int answers; /* requests recorded, with or without a response, coalesced ones included */
	struct step_price *prices;	/* STEP_CATALOG; owned */
	size_t price_count;
	struct {
		struct lessor_observed seen;	/* deep copies, owned by the step */
	} *listed;			/* STEP_LIST */
	size_t listed_count;

	STAILQ_ENTRY(step) queued; /* in a queue of the current owner: engine or workers */

	/* for use by the current owner */
	void *owner_data;
};

STAILQ_HEAD(step_list, step);

struct step *step_new(enum step_op op, struct account *account);
/* The time now, by the clock of its lease's times and of its deadline. */
int64_t step_now(const struct step *step);
void step_free(struct step *step);
/* Add deep copies of what the step saw: to `listed`, and as `shown`. */
void step_add_listed(struct step *step, const struct lessor_observed *seen);
void step_set_shown(struct step *step, const struct lessor_observed *seen);

/*
 * Runs the operation on this thread until it returns a verdict. A verdict that the contract
 * does not allow becomes LESSOR_RETRY with `violation` set. Never fails. The steps in
 * `waiting` get results too, each as if its own operation had run, or is_unobserved.
 */
void step_run(struct step *step);

/* ---- workers ------------------------------------------------------------------- */

struct workers;

/*
 * `done` is called on the worker's thread and takes over the step. ERR_INVALID, or no thread
 * could be started.
 */
int workers_new(int threads, void (*done)(void *arg, struct step *step), void *arg,
		struct workers **ret, struct err *err);
/* any thread; takes over the step */
void workers_submit(struct workers *workers, struct step *step);
/*
 * Cancels running steps, returns queued ones unrun through `done` with RETRY, and joins the
 * threads.
 */
void workers_free(struct workers *workers);
