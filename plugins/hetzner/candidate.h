/* SPDX-License-Identifier: MIT */
/*
 * Which type in which location is tried next: types in their order, and for each
 * the locations in theirs, less what was tried and what is known to be in vain.
 */
#pragma once

#include "hetzner.h"

/* The reason of an attempt refused as invalid where the answer names no field. */
#define REASON_UNSPECIFIED "refused as invalid"

struct candidate {
	const char *type, *location;
	uint32_t refused;	/* known to be in vain: LESSOR_CLASS_ and why; 0: try it */
	char reason[160];
};

/* What this lease has tried; grows as attempts are made, which its snapshot does not. */
struct attempts {
	struct lessor_attempt *list;
	size_t count;
};

int attempts_init(struct hz *z, struct attempts *ret); /* -1: no memory */
void attempts_add(struct hz *z, struct attempts *attempts, const struct candidate *candidate);
/* 0: *ret is the next; -1: there is none. */
int candidate_next(struct hz *z, const struct attempts *attempts, struct candidate *ret);
/* The attempt that says most about why there is no machine; NULL when nothing was tried. */
const struct lessor_attempt *attempts_most_telling(const struct attempts *attempts);

/* Remembers a refusal for some minutes. `location` only, when `type` is "*". */
void soldout_mark(struct lessor_call *call, const char *type, const char *location);

/* What the catalogue says of a type: its architecture, and where it can be ordered. */
void type_cache_put(struct lessor_call *call, const char *type, const char *text);
void type_cache_complete(struct lessor_call *call);
