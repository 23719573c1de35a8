/* SPDX-License-Identifier: MIT */
/*
 * Lookups that handlers share: accounts by name, and the lease or run of the path, if the
 * caller may see it. Loop thread; reads from the reading connections of the store.
 */
#pragma once

#include "api/request.h"

/* NULL: no such account is configured. Borrowed, as long as the api. */
struct account *lookup_account(const struct api *api, const char *name);

/* What a retained lease has cost until now, in its currency; 0 for any other. */
int64_t lookup_running_micros(const struct api *api, const struct lease *l);

/* As api_now_ms. */
int64_t lookup_now_ms(const struct api_request *request);

/* Which rows the caller may read. Borrows the texts of `caller`. */
struct store_scope lookup_scope(const struct caller *caller);

/*
 * Turns a path segment into a reference: an exact lease id, or a slug in its normal form. 0:
 * it is neither, so there is no such lease.
 */
int lookup_lease_ref(char param[ROUTE_PARAM_SIZE]);
/*
 * Reads the lease of the path, if the caller may see it, into api->lease: by id, else by slug
 * among the live ones, else the caller's own newest ended one with the slug. 0; -1: answered.
 */
int lookup_lease(struct api_request *request);

#define LOOKUP_NO_RUNS "Run history is not available, leases are; the log of lessord says why."

/* Is it run_ and 12 or 32 hex digits? No run has another id. */
int lookup_is_run_id(const char *text);
/* Is there a run history that can be read? Otherwise its routes answer 503. */
int lookup_has_runs(const struct api *api);
/* 0: there is a run history; -1: there is none, and 503 was answered. */
int lookup_require_runs(struct api_request *request);
/* Reads the run of the path, if the caller may see it. 0; -1: answered. */
int lookup_run(struct api_request *request, struct run_row *run);
