/* SPDX-License-Identifier: MIT */
/*
 * Waits for a server to run. Only three things end the wait without a machine: the boot
 * timeout, a failure reported by the provider, or proof that the server is gone. A
 * failed poll never does.
 */
#pragma once

#include <jansson.h>

#include "api.h"
#include "hetzner.h"
#include "poll_estimate.h"

/* The cursor: hints that save requests. The result is the same without them. */
struct progress {
	int64_t unready_ms;  /* its age when it was last seen, not ready; 0: never */
	int64_t followed_ms; /* when the actions were last read */
	int64_t off_ms;	     /* since when it is `off` with all actions done; 0: it is not */
	int64_t lost_ms;     /* when an exact read first found nothing; 0: it found the server */
};

struct readiness {
	struct hz *z;
	const struct lessor_attempt *attempt;
	const struct lessor_resource *row;
	struct progress progress;
	int64_t now, poll_ms;
	int is_off; /* in the last response */
};

/* Checks the server of one lease in one step. Returns the step's verdict. */
int readiness_step(struct hz *z, const struct lessor_attempt *attempt,
		   const struct lessor_resource *row);

/* How long to wait for a server of that age; not beyond the boot timeout. */
int64_t readiness_wait(struct lessor_call *call, const struct lessor_attempt *attempt,
		       int64_t age_ms);

/* ---- for observe.c, which sends the requests for many leases at once ---- */

void readiness_begin(struct readiness *w, struct hz *z, const struct lessor_attempt *attempt,
		     const struct lessor_resource *row);
/* The greatest age of a listing that can have news of the server, ms. */
int64_t readiness_listing_age(const struct readiness *w);
/* The target of one page, with `size` servers, of the listing of all ours, newest first. */
void readiness_listing_path(struct lessor_call *call, int size, int number, char *ret, size_t room);
/*
 * Has its id shown something else for a while? Then it needs a step of its own, which looks it up
 * by name.
 */
int readiness_is_other(const struct readiness *w, const struct server *s);
/* Checks a server from a response. Returns a verdict, or 0 if its actions are needed. */
int readiness_check(struct readiness *w, const struct server *s);
/* The verdict after a list of actions was read; NULL: it could not be read. */
int readiness_check_actions(struct readiness *w, const json_t *actions);
/* The verdict "not ready yet"; the actions are read at the next poll. */
int readiness_pending(struct readiness *w);
/* The verdict after a failed read. */
int readiness_read_failed(struct readiness *w, const struct reply *reply);
