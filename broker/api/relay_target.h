/* SPDX-License-Identifier: MIT */
/* Which account a request is for, as far as that decides which daemon serves it. Loop thread. */
#pragma once

#include <stdint.h>

#include "util/err.h"

struct api_request;
struct relay_homes;
struct route;

struct relay_target {
	char account[32];
	int64_t epoch; /* of the lease, as it is now; 0: it does not matter */
	/* Whose epoch that is, if the request names it by a slug, which another may have later; or "". */
	char lease[24];
};

/* What waits long for its answer takes no connection from what does not. */
enum relay_lane {
	LANE_QUICK,
	LANE_END,    /* the answer may wait for the end of a cleanup */
	LANE_CREATE, /* the answer may wait for a machine */
	LANE_COUNT
};
enum relay_lane relay_target_lane(const struct route *route);

/* Remembers the accounts of leases, which never change. */
struct relay_homes *relay_homes_new(void);
void relay_homes_free(struct relay_homes *homes);
/*
 * 1: found. 0: any daemon serves it: it only reads, or is about run history, or about a lease or an
 * account that there is not. -1: the database cannot be read.
 */
int relay_target_find(struct relay_homes *homes, struct api_request *request,
		      struct relay_target *ret, struct err *err);
/*
 * Before a create is sent again: another one like it may have made its lease meanwhile, elsewhere.
 * Before its cancellation is: it may have come. `account` is that of the request, and is changed.
 */
void relay_target_again(struct api_request *request, char account[32]);
/* The account of the caller's own lease, by id or slug. 1: found; 0: there is none; -1: it is not known. */
int relay_target_own(struct api_request *request, const char *ref, struct relay_target *ret);
