/* SPDX-License-Identifier: MIT */
/* Searches all states of a configuration breadth-first, then back from the settled ones. */
#pragma once

#include "world.h"

struct result {
	uint32_t states, moves;
	const char *wrong;	/* NULL: all holds */
	char *trail;		/* the moves that lead there, one per line; the caller frees it */
};

struct result search(const struct config *config);
/* Makes `count` walks of `length` random moves with an aggregate that is never packed (live.h). */
struct result walk(const struct config *config, int count, int length);
