/* SPDX-License-Identifier: MIT */
/*
 * The host's side of an operation: what a plugin reaches through its call object, and the
 * enforcement of the contract in provider.h. Lives on the stack of the thread that runs the
 * operation; nothing of it is shared.
 *
 * From top to bottom; each file uses only those below it:
 *
 * operation.c           runs a step
 * operation_observe.c   one operation for many leases, with a part for each
 * operation_verdict.c   checks the verdict and turns it into the step's result
 * operation_host.c      the host's table: log, time, memory, verdicts, outputs, collectors
 * operation_lease.c     the lease as the plugin sees it
 * operation_delete.c    permits to delete and to change, and their outcomes
 * operation_ledger.c    intents, adoptions and results
 * operation_sentinel.c  verification of the account
 * operation_http.c      requests: what may be sent, and when
 * operation_claim.c     claims: decided by the engine, then committed
 * evidence.c            what the responses of this step prove
 * actions.c             matches requests to declared actions
 * plugin_input.c        checks of what a plugin passes in
 * operation_record.c    memory, violations and effects of the operation
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <lessor/provider.h>

#include "provider/http_response.h"
#include "provider/step.h"
#include "util/log.h"

#define OPERATION_EFFECTS_MAX 64

#define OPERATION_ID_SIZE 64

/* What this operation did for a ledger row. */
struct operation_effect {
	int64_t row;
	int intended;		 /* the intent to create it was granted in this step */
	int permitted;		 /* an unused permit to delete it */
	int64_t send_by_mono_ms; /* the end of its intent or permit for this sender; 0: none */
	uint32_t change;	 /* granted LESSOR_CHANGE_ that is not settled yet, 0: none */
	/* the last request of each kind: 1 + index into `requests`, 0: none */
	size_t made, destroyed, changed, protected;
	size_t last;		/* the latest of these; anything read before it is out of date */
	int reported;		/* the plugin reported the outcome */
};

/* A request of this operation and its outcome. */
struct operation_request {
	struct lessor_action action;
	char id[OPERATION_ID_SIZE]; /* the value of the path's {id}, "" if it has none */
	const char *target;	/* path and query */
	uint32_t outcome;	/* LESSOR_HAPPENED, ... */
	int status;
	int is_coalesced; /* the response was, or may have been, requested by another step */
	const char *body; /* of the response; valid as long as the operation */
	size_t body_len;
	struct json_t *root; /* parsed on first use */
	int is_parsed;
	struct json_t *by_id; /* its objects by id, built on first use */
};

struct operation_chunk;

struct operation {
	struct lessor_call base; /* first member: what the plugin sees */
	struct step *step;
	struct account *account;
	int opening; /* in open: no requests, no effects */
	char *token; /* the account's when the step began; NULL: none */

	SLIST_HEAD(, operation_chunk) chunks;	/* scratch memory */
	size_t scratch;
	struct http_response **responses; /* their bodies are still readable for the plugin */
	size_t response_count;
	size_t response_bytes;
	struct operation_request *requests; /* in order of completion */
	size_t request_count;
	/* OPERATION_EFFECTS_MAX, allocated with the first */
	struct operation_effect *effects;
	size_t effect_count;
	int64_t begun_ms;		/* step_now, before the first request; 0: none yet */
	int64_t claimed_mono_ms;	/* when the last claim was about to be made */
	int is_undurable;		/* something was claimed since the last barrier */
	int64_t effect_mono_ms;		/* of the last request with an effect; INT64_MIN: none */

	/* observe: one operation per lease, and the plugin's view of them */
	struct operation *parts;
	struct lessor_waiting *waiting;
	/* in such a part: the operation whose requests are its record */
	struct operation *observer;

	int verdict; /* set by pending or fail, 0: none */
	uint32_t verdict_class;
	int64_t verdict_wait_ms;
	char verdict_reason[256];
	char verdict_cursor[1024];
	char violation[256]; /* the first violation, "" if none */
};

static inline struct operation *operation_of(struct lessor_call *base)
{
	return (struct operation *)(void *)base;
}

/* ---- operation_record.c ---- */

/* Scratch memory, zeroed; any size. */
void *operation_alloc(struct operation *op, size_t size);
char *operation_dup(struct operation *op, const char *text);
void operation_record_fini(struct operation *op);
const struct log_field *operation_log_fields(const struct operation *op, struct log_field ret[5]);
/* Logs a contract violation and remembers it for the step. Always returns -1. */
int operation_violation(struct operation *op, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Does the provider use I/O of its own exclusively? */
int operation_is_own_io(const struct operation *op);
/* Finds or adds the entry; NULL if there are too many. */
struct operation_effect *operation_effect_get(struct operation *op, int64_t row);
/* NULL if this step did nothing for the row. */
struct operation_effect *operation_effect_find(struct operation *op, int64_t row);
/* The last claim has granted it: from before that claim on counts until when it may be sent. */
void operation_effect_granted(struct operation *op, struct operation_effect *effect);
void operation_effect_report(struct operation *op, int64_t row);

/* ---- plugin_input.c ---- */

/* Members that a plugin must fill in; an older one does not know the later members. */
#define PLUGIN_OBSERVED_MIN offsetof(struct lessor_observed, status)
#define PLUGIN_OFFER_MIN sizeof(struct lessor_offer)
/*
 * `size` is the plugin's size of the structure. Returns 0 and a zero-padded copy, or -1 if it
 * is below `least`.
 */
int plugin_copy_in(void *ret, size_t ret_size, const void *from, uint32_t size, size_t least);
/* Copies an observed resource in the host's own size; -1, a violation, if it is malformed. */
int plugin_copy_observed(struct operation *op, struct lessor_observed *ret,
			 const struct lessor_observed *from, const char *name);
/* A plugin's text; "" if it is NULL or not UTF-8. */
const char *plugin_text(const char *text);
int plugin_action_is_valid(const char *action);
int plugin_id_is_valid(const char *id);

/* ---- operation_claim.c ---- */

/*
 * Submits a claim to the engine and updates the step's ledger with the decision. Returns 0 or
 * -1.
 */
int operation_claim(struct operation *op, struct lease_claim *what);
/*
 * Waits for the commit of all claims. Call before anything that the provider or another
 * process can see. -1: there will be none, so nothing may be sent.
 */
int operation_barrier(struct operation *op);
/* The row that a plugin names; NULL is a violation. `name`: of the function that it called. */
const struct resource *operation_row(struct operation *op, int64_t row, const char *name);

/* ---- operation_http.c, operation_sentinel.c ---- */

/*
 * Sends a GET of the host's own: unchecked and not coalesced. `path` is that of `action` with
 * `id` filled in.
 */
void operation_get(struct operation *op, const struct lessor_action *action, const char *id,
		   const char *path);
/*
 * Reads the sentinel, as the last request of an observation: with the token of another project
 * everything would look absent. -1: not proven now; the observation does not count.
 */
int operation_prove_project(struct operation *op, struct claim_evidence *evidence);

/*
 * Before a permit to delete, on a store that others share: reads the sentinel, which shows whether
 * another process uses the account by now.
 */
void operation_read_holder(struct operation *op, struct claim_evidence *evidence);

/* ---- the host's table; setup and teardown of an operation ---- */

void operation_ledger_fill(struct lessor_host *host);
void operation_delete_fill(struct lessor_host *host);
void operation_http_fill(struct lessor_host *host);

void operation_init(struct operation *op, struct step *step);
void operation_fini(struct operation *op);
/* The lease as the plugin sees it; valid until operation_fini. */
const struct lessor_lease *operation_lease(struct operation *op);

/* ---- after the plugin's function returned ---- */

/* Settles from the record what the plugin has not reported. */
void operation_reconcile(struct operation *op);
/* Turns the operation's verdict into the step's result, and checks it. */
void operation_conclude(struct operation *op, int verdict);
/* Set up and end the operations for the leases of an observe. */
void operation_observe_begin(struct operation *op);
void operation_observe_end(struct operation *op);
