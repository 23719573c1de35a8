/* SPDX-License-Identifier: MIT */
/*
 * Does a state contain everything that affects decisions? Makes random walks with a parallel
 * aggregate that is never packed: after each move it must pack to the same store (live.h).
 */
#include <stdlib.h>
#include <string.h>

#include "moves.h"
#include "search.h"
#include "util/alloc.h"
#include "util/buf.h"

struct walker {
	struct mover mover;
	uint64_t random;
	uint32_t count;		      /* number of moves of this state */
	uint32_t chosen;	      /* the move to make; UINT32_MAX: only count them */
	struct world world;	      /* the state that it leads to */
	struct lease_aggregate whole; /* the aggregate in that state */
	int64_t now_ms;
	const char *wrong;
	struct buf trail;
};

static uint32_t pick(struct walker *w, uint32_t count)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 16) % count;
}

static void whole_set(struct walker *w, const struct lease_aggregate *from)
{
	struct lease_aggregate was = w->whole;

	w->whole.lease = from->lease;
	ledger_copy(&from->ledger, &w->whole.ledger);
	ledger_fini(&was.ledger);
}

static void found(struct mover *m, int is_healthy)
{
	struct walker *w = m->arg;

	(void)is_healthy;
	if (m->live.wrong && !w->wrong) {
		w->wrong = m->live.wrong;
		buf_addf(&w->trail, "        %s\n", m->label);
	}
	if (w->count++ != w->chosen)
		return;
	buf_addf(&w->trail, "        %s\n", m->label);
	w->world = m->live.w;
	w->now_ms = m->live.now_ms;
}

/* Keeps the aggregate after the chosen move, when that move is repeated. */
static void keep_whole(struct mover *m, int is_healthy)
{
	struct walker *w = m->arg;

	found(m, is_healthy);
	if (w->count - 1 == w->chosen)
		whole_set(w, &m->live.shadow);
}

static void step(struct walker *w)
{
	struct world from = w->world;
	struct lease_aggregate whole = w->whole;

	w->mover.live.shadow_of = &whole;
	w->mover.live.now_ms = w->now_ms;
	w->count = 0;
	w->chosen = UINT32_MAX;
	moves_of(&w->mover, &from);
	w->chosen = pick(w, w->count);
	w->count = 0;
	w->whole = (struct lease_aggregate){ 0 };
	w->mover.found = keep_whole;
	moves_of(&w->mover, &from);
	w->mover.found = found;
	lease_aggregate_fini(&whole);
}

static void begin(struct walker *w, const struct config *config)
{
	w->mover.live.shadow_of = NULL;
	live_start(&w->mover.live, config, &w->world);
	w->now_ms = w->mover.live.now_ms;
	whole_set(w, &w->mover.live.a);
	buf_clear(&w->trail);
}

struct result walk(const struct config *config, int count, int length)
{
	struct walker w = {
		.mover = { .found = found, .wants_labels = 1 },
		.random = UINT64_C(0x2545f4914f6cdd1d),
	};
	struct result result = { 0 };

	w.mover.arg = &w;
	buf_init(&w.trail, 1 << 20);
	for (int i = 0; i < count && !w.wrong; i++) {
		begin(&w, config);
		for (int k = 0; k < length && !w.wrong; k++) {
			step(&w);
			result.moves++;
		}
	}
	result.wrong = w.wrong;
	result.trail = buf_take(&w.trail);
	lease_aggregate_fini(&w.whole);
	live_free(&w.mover.live);
	return result;
}
