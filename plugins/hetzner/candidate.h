/* SPDX-License-Identifier: MIT */
/*
 * Which type in which location is tried next: types in their order, and for each
 * the locations in theirs, less what was tried and what is known to be in vain.
 */
#pragma once

#include "hetzner.h"

/* The reason of an attempt refused as invalid where the answer names no field. */
#define REASON_UNSPECIFIED "refused as invalid"

struct pick {
	const char *type, *location;
	uint32_t refused;	/* known to be in vain: LESSOR_CLASS_ and why; 0: try it */
	char reason[160];
};

/* What this lease has tried; grows as attempts are made, which its snapshot does not. */
struct tried {
	struct lessor_attempt *attempts;
	size_t count;
};

int tried_init(struct hz *z, struct tried *ret);	/* -1: no memory */
void tried_add(struct hz *z, struct tried *tried, const struct pick *pick);
/* 0: *ret is the next; -1: there is none. */
int pick_next(struct hz *z, const struct tried *tried, struct pick *ret);
/* The attempt that says most about why there is no machine; NULL when nothing was tried. */
const struct lessor_attempt *tried_most_telling(const struct tried *tried);

/* Remembers a refusal for some minutes. `location` only, when `type` is "*". */
void soldout_mark(struct lessor_call *call, const char *type, const char *location);

/* What the catalogue says of a type: its architecture, and where it can be ordered. */
void known_put(struct lessor_call *call, const char *type, const char *text);
void known_complete(struct lessor_call *call);
