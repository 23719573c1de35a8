/* SPDX-License-Identifier: MIT */
/*
 * Leases and what belongs to them as JSON, exactly as the existing client decodes
 * them (contract 3.1): a wrong type in any field fails its whole call. Pure.
 */
#pragma once

#include <stddef.h>

#include "lease/ledger.h"
#include "lease/lease.h"
#include "util/jsonw.h"

struct render_parts {
	const struct attempt *attempts;		/* may be NULL */
	size_t attempt_count;
	const struct resource *resources;	/* NULL: the residue is not told */
	size_t resource_count;
	int64_t now_ms;				/* 0: what it has cost is not told */
	int is_unsure;				/* its account cannot be relied on just now */
	/* Writes more fields at the end; may be NULL. */
	void (*more)(struct jsonw *w, const struct lease *l, void *arg);
	void *more_arg;
};

/* `parts` NULL: neither attempts nor residue are told, as in lists. */
void render_lease(struct jsonw *w, const char *key, const struct lease *l,
		  const struct render_parts *parts);
/* Would parts add something to what the lease alone says? Then the ledger is worth reading. */
int render_wants_ledger(const struct lease *l);
/* Does the answer depend on the store alone, not on the clock nor on the account's state? */
int render_is_of_store(const struct lease *l);
/* One row of the ledger, with everything we know of it. */
void render_resource(struct jsonw *w, const struct resource *r);
/* "provisioningAttempts" as an array of their own. */
void render_attempts(struct jsonw *w, const struct attempt *attempts, size_t count);
