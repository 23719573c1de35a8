/* SPDX-License-Identifier: MIT */
/*
 * What the handlers look up: the account of a name, and the lease or the run of a path that
 * the caller may see. Loop thread, from the reading connections of the store.
 */
#pragma once

#include "api/request.h"

/* NULL: the configuration has none of this name. */
struct account *lookup_account(const struct api *api, const char *name);
/* Is the lease's account not configured, blocked, fenced, or not verified since the start? */
int lookup_is_unsure(const struct api *api, const struct lease *l);

int64_t lookup_now_ms(const struct api_request *request); /* wall clock */

/* Whose rows the caller may read. Borrows from `caller`. */
struct store_scope lookup_scope(const struct caller *caller);

/*
 * Turns a path segment into a reference: an exact lease id, or a slug in its normal form. 0:
 * it is neither, so there is no such lease.
 */
int lookup_lease_ref(char param[ROUTE_PARAM_ROOM]);
/* The lease of the path, if the caller may see it, in api->lease: 0, or -1: answered. */
int lookup_lease(struct api_request *request);

#define LOOKUP_NO_RUNS "Run history is not available."

/* run_ and 12 or 32 hex digits; no run has another id. */
int lookup_is_run_id(const char *text);
/* Is there a run history that can be read? Otherwise its routes answer 503. */
int lookup_has_runs(const struct api *api);
/* Answers 503 if there is none: -1; else 0. */
int lookup_require_runs(struct api_request *request);
/* The run of the path, if the caller may see it: 0, or -1: answered. */
int lookup_run(struct api_request *request, struct run_row *run);
