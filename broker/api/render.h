/* SPDX-License-Identifier: MIT */
/*
 * Leases, attempts and resources as JSON, with exactly the types that the existing client
 * decodes (contract 3.1): one wrong type makes its whole request fail. Pure.
 */
#pragma once

#include <stddef.h>

#include "api/notice.h"
#include "lease/ledger.h"
#include "lease/lease.h"
#include "util/jsonw.h"

/* The place of a lease in the queue for capacity. */
struct render_queue {
	int64_t place, of, since_ms, until_ms;
	const char *scope; /* what stops it */
};

struct render_parts {
	const struct render_queue *queue;	/* NULL: it is not in the queue */
	const struct attempt *attempts;		/* may be NULL */
	size_t attempt_count;
	const struct resource *resources; /* NULL: without the residue */
	size_t resource_count;
	int64_t now_ms;
	int64_t running_micros;	       /* lookup_running_micros(); 0: without the running cost */
	int is_unsure;		       /* lease_is_unsure() */
	const struct notices *notices; /* may be NULL */
	/* Writes more members at the end; may be NULL. */
	void (*more)(struct jsonw *w, const struct lease *l, void *arg);
	void *more_arg;
};

/* `parts` NULL: without attempts and residue, as in lists. */
void render_lease(struct jsonw *w, const char *key, const struct lease *l,
		  const struct render_parts *parts);
/* Would the ledger add anything to the lease alone? */
int render_wants_ledger(const struct lease *l);
/* Does the answer depend on the store alone, and not on the clock or the account's state? */
int render_is_of_store(const struct lease *l);
/* One row of the ledger, complete. */
void render_resource(struct jsonw *w, const struct resource *r);
/*
 * What the answer to a request that failed says of the lease: enough to ask for the rest.
 * `failure` is shown as it is; "": nothing.
 */
void render_lease_reference(struct jsonw *w, const char *key, const struct lease *l,
			    const char *failure);
/* An element of "provisioningAttempts", with at most so many bytes of its message; 0: without one. */
void render_attempt(struct jsonw *w, const struct attempt *attempt, size_t message_max);
