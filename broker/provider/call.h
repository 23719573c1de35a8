/* SPDX-License-Identifier: MIT */
/*
 * The host's side of one operation: what a plugin reaches through its call
 * object, and the keeping of the contract in provider.h. Lives on the stack of
 * the thread that runs the operation; nothing of it is shared.
 *
 * call.c        log, time, memory, verdicts, outputs, collectors
 * call_ledger.c intents, adoptions and results, through the step's commit
 * call_delete.c permits to delete and to change, and what became of them
 * call_http.c   requests: who may send what, and when
 * actions.c     which declared action a request is
 * observe.c     one operation for many leases, and a call for each
 * evidence.c    what the answers of this step show
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#include "provider/answer.h"
#include "provider/step.h"

#define CALL_EFFECTS_MAX 64

#define CALL_ID_ROOM 64

/* What this operation did about one ledger row. */
struct call_effect {
	int64_t row;
	int intended;		/* the host said yes to making it, in this step */
	int permitted;		/* a permit to delete it that no request has used yet */
	uint32_t change;	/* LESSOR_CHANGE_ that was granted and is not settled yet, 0: none */
	/* the last request of its kind for it: 1 + index into `requests`, 0: none */
	size_t made, destroyed, changed, protected;
	size_t last;		/* of any of them: what was read before it says nothing any more */
	int recorded;		/* the plugin said what became of it */
};

/* One request of this operation and what came of it. */
struct call_request {
	struct lessor_action action;
	char id[CALL_ID_ROOM];	/* the path's {id}, "" if it has none */
	const char *target;	/* path and query */
	uint32_t outcome;	/* LESSOR_HAPPENED, ... */
	int status;
	int is_shared;		/* the answer was, or may have been, another step's */
	const char *body;	/* of an answer; lives as long as the call */
	size_t body_len;
	struct json_t *root;	/* parsed when first needed */
	int is_parsed;
	struct json_t *by_id;	/* its objects by their ids, made when first needed */
};

struct call_chunk;

struct call {
	struct lessor_call base;	/* first: what the plugin sees */
	struct step *step;
	struct account *account;
	int opening;			/* inside open: no requests, no effects */

	struct call_chunk *chunks;	/* scratch memory */
	size_t scratch;
	struct answer **answers;	/* whose bodies the plugin may still read */
	size_t answer_count;
	size_t answer_bytes;
	struct call_request *requests;	/* in the order in which they were answered */
	size_t request_count;
	struct call_effect *effects;	/* room for CALL_EFFECTS_MAX, made with the first */
	size_t effect_count;
	int64_t begun_ms;		/* wall clock, before the first request; 0: none yet */
	int is_undurable;		/* something was claimed since the last barrier */
	int64_t effect_mono_ms;		/* of the last request that changed something; INT64_MIN: none */

	/* of observe: one call a lease, and what the plugin sees of them */
	struct call *parts;
	struct lessor_waiting *waiting;
	struct call *look;		/* of such a part: the call whose requests are its record */

	int said;			/* verdict recorded by pending or fail, 0: none */
	uint32_t said_class;
	int64_t said_wait_ms;
	char said_reason[256];
	char said_cursor[1024];
	char violation[256];		/* the first one, "" if none */
};

void call_init(struct call *call, struct step *step);
void call_fini(struct call *call);
/* The lease as the plugin sees it; all of it lives until call_fini. */
const struct lessor_lease *call_lease(struct call *call);
/* Scratch memory, zeroed, whatever its size. */
void *call_alloc(struct call *call, size_t size);
char *call_dup(struct call *call, const char *text);
/* The plugin broke the contract: logged, and remembered for the step. Always returns -1. */
int call_violation(struct call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Opens an account's instance: account.c uses it at start. */
int call_open(struct account *account, struct err *err);

/* ---- between the files of a call ---- */

/* What the operation's verdict makes of the step: results, and breaches. */
void call_conclude(struct call *call, int verdict);
/* Calls for the leases of an observe, and the end of these calls. */
void call_observe_begin(struct call *call);
void call_observe_end(struct call *call);

/* Deep copy into the step's list. */
void step_add_listed(struct step *step, const struct lessor_observed *seen);

/* Made if it is new; NULL if there is no room. */
struct call_effect *call_effect_need(struct call *call, int64_t row);
/* NULL if the row is new to this step. */
struct call_effect *call_effect_find(struct call *call, int64_t row);
/* Does its provider reach machines by I/O of its own, and by nothing else? */
int call_is_own_io(const struct call *call);
/*
 * Reads the account's sentinel, by the host's own request. 1: it is there (or there is
 * none to read); what it bears is in `evidence`. 0: it could not be read, or is not there.
 */
int call_read_sentinel(struct call *call, struct claim_evidence *evidence);
/* The host's table takes these from call_ledger.c, call_delete.c and call_http.c. */
void call_ledger_fill(struct lessor_host *host);
void call_delete_fill(struct lessor_host *host);
void call_http_fill(struct lessor_host *host);
/* After the operation: what it has not reported is settled by the record. */
void call_ledger_check(struct call *call);

static inline struct call *call_of(struct lessor_call *base)
{
	return (struct call *)(void *)base;
}

/* What call_ledger.c and call_delete.c share: the claim is decided; the step's ledger follows. */
int call_commit(struct call *call, struct lease_claim *what);
/* Before anything that the provider, or another process, can see. */
void call_barrier(struct call *call);
/* The row that a plugin names; NULL is a breach. `name` is of the function that it called. */
const struct resource *call_row(struct call *call, int64_t row, const char *name);
/* A plugin's text, "" if it is none. */
const char *call_text(const char *text);
int call_action_is_sane(const char *action);
int call_id_is_sane(const char *id);
/* What the plugin read, in the host's own size; -1 if it is not even that. */
int call_seen_copy(struct call *call, struct lessor_observed *ret,
		   const struct lessor_observed *from, const char *name);
/*
 * Reads the sentinel, last of all: whoever has the token of another project sees nothing
 * anywhere. -1: not now; the observation does not count.
 */
int call_prove_project(struct call *call, struct claim_evidence *evidence);
void call_effect_record(struct call *call, int64_t row);
/* Room for one more in an array of `count`; it doubles. */
void *call_grow(void *array, size_t count, size_t size);
/* What a plugin must give of what it read; it may know nothing of what came later. */
#define CALL_OBSERVED_LEAST offsetof(struct lessor_observed, status)
/* `size` is what the plugin put into the structure; 0 and a zero-padded copy, or -1. */
int call_copy_in(void *ret, size_t ret_size, const void *from, uint32_t size, size_t least);
