/* SPDX-License-Identifier: MIT */
/* The users of a shared lease, read from the store: contract 2.15. Loop thread. */
#pragma once

#include "api/request.h"

#define ROSTER_MAX 64 /* users of one lease, besides the organisation */

struct roster {
	struct store_share list[ROSTER_MAX + 1]; /* a name of "" is the whole organisation */
	size_t count;
	int64_t updated_ms; /* 0: the lease was never shared */
	char updated_by[128];
};

int roster_read(struct api_request *request, const struct lease *l, struct roster *roster,
		struct err *err);
/* The member "share" of the open object. */
void roster_render(struct jsonw *w, const struct roster *roster);
/* "share" of a lease, for a caller who may manage it; nothing if it was never shared. */
void roster_render_lease(struct api_request *request, struct jsonw *w, const struct lease *l);
/* May the caller see the users? That is whoever may manage the lease. */
int roster_is_visible(const struct caller *caller, const struct lease *l,
		      const struct roster *roster);
/* Converts a name to lower case (ASCII), as names are stored. In place. */
void roster_lower(char *name);
