/* SPDX-License-Identifier: MIT */
/*
 * The type and location to try next: types in order, and for each type locations in
 * order, without those that were tried or are known to fail.
 */
#pragma once

#include "hetzner.h"

/* The reason of an attempt that was refused as invalid without naming a field. */
#define REASON_UNSPECIFIED "refused as invalid"

struct candidate {
	const char *type, *location;
	uint32_t refused; /* LESSOR_CLASS_ if it is known to fail, with the reason; 0: try it */
	char reason[160];
};

/* The attempts of this lease. Unlike the lease snapshot, it grows within a step. */
struct attempts {
	struct lessor_attempt *list;
	size_t count;
};

int attempts_init(struct hz *z, struct attempts *ret); /* -1: no memory */
void attempts_add(struct hz *z, struct attempts *attempts, const struct candidate *candidate);
/* 0: *ret is the next candidate; -1: there is none. */
int candidate_next(struct hz *z, const struct attempts *attempts, struct candidate *ret);
/* The attempt that best explains why there is no machine; NULL if there was none. */
const struct lessor_attempt *attempts_most_telling(const struct attempts *attempts);

/* Remembers a refusal for some minutes. Type "*" means the whole location. */
void soldout_mark(struct lessor_call *call, const char *type, const char *location);

/* Caches catalogue data of a type: its architecture and where it can be ordered. */
void type_cache_put(struct lessor_call *call, const char *type, const char *text);
void type_cache_complete(struct lessor_call *call);
