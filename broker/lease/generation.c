/* SPDX-License-Identifier: MIT */
#include "lease/generation.h"

#include <string.h>

#include "util/text.h"

/* A counter is never written without a holder; "" in the store: none yet. */
static int holder_is_known(const struct generation *g, const char *holder)
{
	size_t len = strlen(holder);

	if (!len || strcmp(holder, g->holder) == 0)
		return len != 0;
	for (const char *at = g->before; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, holder, len) == 0)
			return 1;
		at += word;
	}
	return 0;
}

/* Prepends a holder to a list; drops whole entries from the end if it gets too long. */
static void holder_push(char *list, size_t size, const char *holder)
{
	size_t len = strlen(holder);
	size_t keep = strlen(list);

	if (!len)
		return;
	while (keep && len + 1 + keep >= size) {
		while (keep && list[keep - 1] != ' ')
			keep--;
		keep -= keep > 0;
	}
	memmove(list + len + (keep > 0), list, keep);
	memcpy(list, holder, len);
	if (keep)
		list[len] = ' ';
	list[len + (keep > 0) + keep] = '\0';
}

enum generation_state generation_found(struct generation *g, int64_t found, const char *holder)
{
	g->found = found;
	TEXT_SET(g->found_holder, holder);
	/*
	 * Removed by hand, or older than generations; labels on retained resources still
	 * protect.
	 */
	if (!found)
		return GENERATION_MISSING;
	/* Lower than what was there: a late write by a holder that was itself overtaken. */
	if (found < g->current)
		return GENERATION_MISSING;
	if (found > g->pending || !holder_is_known(g, holder))
		return GENERATION_OVERTAKEN;
	if (g->pending > g->current && found == g->pending && strcmp(holder, g->holder) == 0)
		return GENERATION_ARRIVED;
	return GENERATION_OURS;
}

void generation_arrived(struct generation *g)
{
	g->current = g->pending;
}

void generation_raise(struct generation *g, int64_t now_ms)
{
	int64_t most = g->pending > g->current ? g->pending : g->current;

	if (g->pending == g->current)
		g->before[0] = '\0';
	if (strcmp(g->holder, g->nonce) != 0)
		holder_push(g->before, sizeof(g->before), g->holder);
	if (!holder_is_known(g, g->found_holder))
		holder_push(g->before, sizeof(g->before), g->found_holder);
	g->pending = (g->found > most ? g->found : most) + 1;
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
	/* If not read yet, the sentinel still has the holder that this store knows. */
	if (g->found)
		TEXT_SET(g->before, g->found_holder);
	g->is_fenced = 0;
	g->why[0] = '\0';
	g->is_wanted = 1;
}
