/* SPDX-License-Identifier: MIT */
/*
 * Checks all awaited servers at once: the listing of our servers, newest first, each page
 * parsed once and only as far as a lease waits for one; and the actions of those that take
 * long, as many per request as the API allows.
 */
#pragma once

#include "readiness.h"

/* A waiting lease whose `verdict` is to be set. */
struct awaited {
	struct lessor_waiting *waiting;
	struct hz z;
	struct readiness readiness;
	int64_t id;	 /* the id of its server */
	int is_found;	 /* a page contains it */
	int is_followed; /* ... and its actions are needed */
};

/* Adds a lease that waits for the server of that row. */
void observe_add(struct awaited *a, struct lessor_waiting *waiting,
		 const struct lessor_attempt *attempt, const struct lessor_resource *row);
/* Checks all of them. Returns the verdict for the operation. */
int observe_look(struct lessor_call *call, struct awaited *all, size_t count);
