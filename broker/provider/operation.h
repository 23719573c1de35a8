/* SPDX-License-Identifier: MIT */
/*
 * The host's side of one operation: what a plugin reaches through its call
 * object, and the enforcement of the contract in provider.h. Lives on the stack
 * of the thread that runs the operation; nothing of it is shared.
 *
 * From the top down; each file uses only those below it:
 *
 * operation.c           runs a step
 * operation_observe.c   one operation for many leases, with an operation for each
 * operation_verdict.c   what the verdict makes of the step
 * operation_host.c      the host's table: log, time, memory, verdicts, outputs, collectors
 * operation_lease.c     the lease as the plugin sees it
 * operation_delete.c    permits to delete and to change, and what became of them
 * operation_ledger.c    intents, adoptions and results
 * operation_sentinel.c  is this still the account that we know?
 * operation_http.c      requests: who may send what, and when
 * operation_claim.c     claims, decided by the engine and made durable
 * evidence.c            what the responses of this step show
 * actions.c             which declared action a request is
 * plugin_input.c        checks of what a plugin passes in
 * operation_record.c    memory, breaches and effects of the operation
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

/* What this operation did about one ledger row. */
struct operation_effect {
	int64_t row;
	int intended;		/* the host granted the intent to make it, in this step */
	int permitted;		/* a permit to delete it that no request has used yet */
	uint32_t change;	/* LESSOR_CHANGE_ that was granted and is not settled, 0: none */
	/* the last request of its kind for it: 1 + index into `requests`, 0: none */
	size_t made, destroyed, changed, protected;
	size_t last;		/* of any of them: whatever was read before it is out of date */
	int reported;		/* the plugin reported the outcome */
};

/* One request of this operation and what came of it. */
struct operation_request {
	struct lessor_action action;
	char id[OPERATION_ID_SIZE];	/* the path's {id}, "" if it has none */
	const char *target;	/* path and query */
	uint32_t outcome;	/* LESSOR_HAPPENED, ... */
	int status;
	int is_coalesced;	/* the response was, or may have been, another step's */
	const char *body;	/* of a response; lives as long as the operation */
	size_t body_len;
	struct json_t *root;	/* parsed when first needed */
	int is_parsed;
	struct json_t *by_id;	/* its objects by their ids, made when first needed */
};

struct operation_chunk;

struct operation {
	struct lessor_call base;	/* first: what the plugin sees */
	struct step *step;
	struct account *account;
	int opening;			/* inside open: no requests, no effects */

	SLIST_HEAD(, operation_chunk) chunks;	/* scratch memory */
	size_t scratch;
	struct http_response **responses;	/* whose bodies the plugin may still read */
	size_t response_count;
	size_t response_bytes;
	struct operation_request *requests;	/* in the order in which they completed */
	size_t request_count;
	struct operation_effect *effects;	/* OPERATION_EFFECTS_MAX, allocated with the first */
	size_t effect_count;
	int64_t begun_ms;		/* wall clock, before the first request; 0: none yet */
	int is_undurable;		/* something was claimed since the last barrier */
	int64_t effect_mono_ms;		/* of the last request with an effect; INT64_MIN: none */

	/* of observe: one operation a lease, and what the plugin sees of them */
	struct operation *parts;
	struct lessor_waiting *waiting;
	struct operation *observer;	/* of such a part: the one whose requests are its record */

	int verdict;			/* recorded by pending or fail, 0: none */
	uint32_t verdict_class;
	int64_t verdict_wait_ms;
	char verdict_reason[256];
	char verdict_cursor[1024];
	char violation[256];		/* the first one, "" if none */
};

static inline struct operation *operation_of(struct lessor_call *base)
{
	return (struct operation *)(void *)base;
}

/* ---- operation_record.c ---- */

/* Scratch memory, zeroed, whatever its size. */
void *operation_alloc(struct operation *op, size_t size);
char *operation_dup(struct operation *op, const char *text);
void operation_record_fini(struct operation *op);
const struct log_field *operation_log_fields(const struct operation *op, struct log_field ret[5]);
/* The plugin broke the contract: logged, and remembered for the step. Always returns -1. */
int operation_violation(struct operation *op, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Does its provider reach machines by I/O of its own, and by nothing else? */
int operation_is_own_io(const struct operation *op);
/* Added if it is new; NULL if there are too many. */
struct operation_effect *operation_effect_get(struct operation *op, int64_t row);
/* NULL if the row is new to this step. */
struct operation_effect *operation_effect_find(struct operation *op, int64_t row);
void operation_effect_report(struct operation *op, int64_t row);

/* ---- plugin_input.c ---- */

/* What a plugin must fill in of what it read; it may know nothing of later members. */
#define PLUGIN_OBSERVED_MIN offsetof(struct lessor_observed, status)
/* `size` is what the plugin put into the structure; 0 and a zero-padded copy, or -1. */
int plugin_copy_in(void *ret, size_t ret_size, const void *from, uint32_t size, size_t least);
/* What the plugin read, in the host's own size; -1 if it is not even that. */
int plugin_copy_observed(struct operation *op, struct lessor_observed *ret,
			 const struct lessor_observed *from, const char *name);
/* A plugin's text, "" if it is none. */
const char *plugin_text(const char *text);
int plugin_action_is_valid(const char *action);
int plugin_id_is_valid(const char *id);

/* ---- operation_claim.c ---- */

/* The engine decides the claim; the step's ledger follows. */
int operation_claim(struct operation *op, struct lease_claim *what);
/* Before anything that the provider, or another process, can see. */
void operation_barrier(struct operation *op);
/* The row that a plugin names; NULL is a breach. `name` is of the function that it called. */
const struct resource *operation_row(struct operation *op, int64_t row, const char *name);

/* ---- operation_http.c, operation_sentinel.c ---- */

/* A GET by the host itself: not checked, not coalesced. `path` is `action`'s with `id` in it. */
void operation_get(struct operation *op, const struct lessor_action *action, const char *id,
		   const char *path);
/*
 * Reads the sentinel, last of all: whoever has the token of another project sees nothing
 * anywhere. -1: not now; the observation does not count.
 */
int operation_prove_project(struct operation *op, struct claim_evidence *evidence);

/* ---- the host's table: its parts, an operation's beginning and end ---- */

void operation_ledger_fill(struct lessor_host *host);
void operation_delete_fill(struct lessor_host *host);
void operation_http_fill(struct lessor_host *host);

void operation_init(struct operation *op, struct step *step);
void operation_fini(struct operation *op);
/* The lease as the plugin sees it; all of it lives until operation_fini. */
const struct lessor_lease *operation_lease(struct operation *op);

/* ---- after the plugin's function returned ---- */

/* Settles by the record what the plugin has not reported. */
void operation_settle(struct operation *op);
/* What the operation's verdict makes of the step: results, and breaches. */
void operation_conclude(struct operation *op, int verdict);
/* Operations for the leases of an observe, and the end of these. */
void operation_observe_begin(struct operation *op);
void operation_observe_end(struct operation *op);
