/* SPDX-License-Identifier: MIT */
/*
 * One look for all servers that are waited for: the listing of what is ours, newest first,
 * each page parsed once and no further than somebody waits; and the actions of those that
 * take long, as many in one request as the API takes.
 */
#pragma once

#include "readiness.h"

/* A waiting lease, its `verdict` to be set. */
struct awaited {
	struct lessor_waiting *waiting;
	struct hz z;
	struct readiness readiness;
	int64_t id;		/* of its server */
	int is_found;		/* a page shows it */
	int is_followed;	/* ... and its actions have to be known */
};

/* Begins one whose ledger waits for the server of that row. */
void observe_add(struct awaited *a, struct lessor_waiting *waiting,
		 const struct lessor_attempt *attempt, const struct lessor_resource *row);
/* Looks for all of them. Returns the verdict on the look. */
int observe_look(struct lessor_call *call, struct awaited *all, size_t count);
