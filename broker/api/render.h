/* SPDX-License-Identifier: MIT */
/*
 * Leases, attempts and resources as JSON, with exactly the types that the existing client
 * decodes (contract 3.1): one wrong type makes its whole request fail. Pure.
 */
#pragma once

#include <stddef.h>

#include "lease/ledger.h"
#include "lease/lease.h"
#include "util/jsonw.h"

struct render_parts {
	const struct attempt *attempts;		/* may be NULL */
	size_t attempt_count;
	const struct resource *resources; /* NULL: without the residue */
	size_t resource_count;
	int64_t now_ms;
	int64_t running_micros; /* lookup_running_micros(); 0: without the running cost */
	int is_unsure;	/* lookup_is_unsure() */
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
/* The array "provisioningAttempts". */
void render_attempts(struct jsonw *w, const struct attempt *attempts, size_t count);
