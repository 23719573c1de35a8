/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a server to run. Only three things end the wait without a machine:
 * the time for booting is over, the provider says that it failed, or the server
 * is proven gone. A failed look never does.
 */
#pragma once

#include <jansson.h>

#include "api.h"
#include "hetzner.h"

/* The cursor: hints that save calls. Without it everything still comes right. */
struct progress {
	unsigned int polls;
	int64_t followed_ms;	/* when the actions were last looked at */
	int64_t off_ms;		/* `off` with all actions done since then, 0: is not */
	int64_t lost_ms;	/* an exact read first found nothing, 0: it does */
};

struct readiness {
	struct hz *z;
	const struct lessor_attempt *attempt;
	const struct lessor_resource *row;
	struct progress progress;
	int64_t now, poll_ms;
	int is_off;		/* as it was judged last */
};

/* By one step for this lease alone: the step's verdict. */
int readiness_step(struct hz *z, const struct lessor_attempt *attempt,
		   const struct lessor_resource *row);

/* ---- for one look at many of them (observe.c), where others make the requests ---- */

void readiness_begin(struct readiness *w, struct hz *z, const struct lessor_attempt *attempt,
		     const struct lessor_resource *row);
/* So old may a listing be that tells something new of the server, ms. */
int64_t readiness_listing_age(const struct readiness *w);
/* The target of a page of the listing of all our servers, newest first. */
void readiness_listing_path(struct lessor_call *call, int number, char *ret, size_t room);
/* It is in an answer: the verdict; 0: its actions have to be known first. */
int readiness_check(struct readiness *w, const struct server *s);
/* The verdict, with what a list of actions says of the server's; NULL: nothing. */
int readiness_check_actions(struct readiness *w, const json_t *actions);
/* The verdict when its actions could not be asked for now: they are at the next look. */
int readiness_pending(struct readiness *w);
/* The verdict when the answer that was to show it is none. */
int readiness_read_failed(struct readiness *w, const struct reply *reply);
