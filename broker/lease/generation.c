/* SPDX-License-Identifier: MIT */
#include "lease/generation.h"

#include <string.h>

#include "util/text.h"

static int knows(const struct generation *g, const char *holder)
{
	return strcmp(holder, g->holder) == 0 || strcmp(holder, g->before) == 0;
}

enum generation_state generation_found(struct generation *g, int64_t found, const char *holder)
{
	g->found = found;
	TEXT_SET(g->found_holder, holder);
	/* Removed by hand, or from before there were any; the labels on what is retained stay. */
	if (!found)
		return GENERATION_MISSING;
	if (found > g->pending || !knows(g, holder))
		return GENERATION_OVERTAKEN;
	if (g->pending > g->current && found == g->pending && strcmp(holder, g->holder) == 0)
		return GENERATION_ARRIVED;
	return found < g->current ? GENERATION_MISSING : GENERATION_OURS;
}

void generation_arrived(struct generation *g)
{
	g->current = g->pending;
}

void generation_raise(struct generation *g, int64_t now_ms)
{
	int64_t most = g->pending > g->current ? g->pending : g->current;

	g->pending = (g->found > most ? g->found : most) + 1;
	TEXT_SET(g->before, g->found_holder);
	TEXT_SET(g->holder, g->nonce);
	g->raised_ms = now_ms;
	g->is_wanted = 0;
}

void generation_fence(struct generation *g, const char *why)
{
	g->is_fenced = 1;
	TEXT_SET(g->why, why);
}

void generation_take_over(struct generation *g)
{
	if (g->found > g->pending)
		g->pending = g->found;
	g->current = g->pending;
	TEXT_SET(g->before, g->found_holder);
	g->is_fenced = 0;
	g->why[0] = '\0';
	g->is_wanted = 1;
}
