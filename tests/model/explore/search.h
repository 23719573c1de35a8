/* SPDX-License-Identifier: MIT */
/* Breadth first over all states of a configuration, then back from those that are settled. */
#pragma once

#include "world.h"

struct result {
	uint32_t states, moves;
	const char *wrong;	/* NULL: all holds */
	char *trail;		/* the moves that lead there, a line each; the caller frees it */
};

struct result search(const struct config *config);
/* `count` walks of `length` random moves with an aggregate that is never packed (live.h). */
struct result walk(const struct config *config, int count, int length);
