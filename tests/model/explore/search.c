/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "moves.h"
#include "util/alloc.h"
#include "util/buf.h"

/* A runaway model ends here instead of using up all memory. */
#define STATES_MOST 12000000u
#define NOBODY UINT32_MAX

struct edge {
	uint32_t from, to;
};

struct search {
	const struct config *config;
	size_t size; /* of a state, without an unused copy of the store */
	unsigned char *states;
	uint32_t *parents;
	uint32_t count, room;
	uint32_t *table;		/* numbers of states by their hash, plus one */
	uint32_t mask;
	struct edge *edges;		/* the healthy moves */
	size_t edge_count;
	uint32_t current; /* the state whose moves are being made */
	struct result result;
	uint32_t wrong_from; /* the state before the last move of the trail */
	struct mover mover;
};

/* ---- states ------------------------------------------------------------------------------------- */

static uint64_t hash(const unsigned char *bytes, size_t size)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15), word;

	for (; size >= sizeof(word); bytes += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, bytes, size);
	h = (h ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 29;
}

static const unsigned char *state_at(const struct search *s, uint32_t n)
{
	return s->states + (size_t)n * s->size;
}

static void world_at(const struct search *s, uint32_t n, struct world *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, state_at(s, n), s->size);
}

static uint32_t *slot(const struct search *s, const unsigned char *bytes)
{
	uint32_t i = (uint32_t)hash(bytes, s->size) & s->mask;

	while (s->table[i] && memcmp(state_at(s, s->table[i] - 1), bytes, s->size) != 0)
		i = (i + 1) & s->mask;
	return &s->table[i];
}

static void grow(struct search *s)
{
	s->room = s->room ? s->room * 2 : 1u << 16;
	s->states = xrealloc(s->states, s->room * s->size);
	s->parents = xrealloc(s->parents, s->room * sizeof(*s->parents));
	free(s->table);
	s->table = xcalloc((size_t)s->room * 2, sizeof(*s->table));
	s->mask = s->room * 2 - 1;
	for (uint32_t i = 0; i < s->count; i++)
		*slot(s, state_at(s, i)) = i + 1;
}

/* Returns the state's number. *ret_is_new: it was unknown. */
static uint32_t state_put(struct search *s, const struct world *w, int *ret_is_new)
{
	const unsigned char *bytes = (const unsigned char *)w;
	uint32_t *at;

	if (s->count == s->room)
		grow(s);
	at = slot(s, bytes);
	*ret_is_new = !*at;
	if (*at)
		return *at - 1;
	memcpy(s->states + (size_t)s->count * s->size, bytes, s->size);
	s->parents[s->count] = s->current;
	*at = ++s->count;
	return s->count - 1;
}

/* ---- forwards -------------------------------------------------------------------------------------- */

static void edge_add(struct search *s, uint32_t to)
{
	if (!(s->edge_count & (s->edge_count - 1)))
		s->edges = xrealloc(s->edges, (s->edge_count ? s->edge_count * 2 : 1) *
				    sizeof(*s->edges));
	s->edges[s->edge_count++] = (struct edge){ s->current, to };
}

static void found(struct mover *m, int is_healthy)
{
	struct search *s = m->arg;
	const char *wrong = m->live.wrong;
	int is_new;
	uint32_t to;

	if (s->result.wrong)
		return;
	s->result.moves++;
	to = state_put(s, &m->live.w, &is_new);
	if (is_new && !wrong)
		wrong = check_state(s->config, &m->live.w);
	if (wrong) {
		s->result.wrong = wrong;
		s->wrong_from = s->current;
	}
	if (is_healthy && to != s->current)
		edge_add(s, to);
}

static void forwards(struct search *s)
{
	struct world w;
	int is_new;

	s->current = NOBODY;
	live_start(&s->mover.live, s->config, &w);
	state_put(s, &w, &is_new);
	for (uint32_t i = 0; i < s->count && !s->result.wrong; i++) {
		s->current = i;
		world_at(s, i, &w);
		moves_of(&s->mover, &w);
		if (s->count > STATES_MOST)
			s->result.wrong = "model: too many states";
	}
}

/* ---- and back ---------------------------------------------------------------------------------------- */

/* Sorts healthy moves by target: those to n come from from[first[n]] up to from[first[n + 1]]. */
static void sort_edges(const struct search *s, uint32_t *first, uint32_t *from)
{
	for (size_t i = 0; i < s->edge_count; i++)
		first[s->edges[i].to]++;
	for (uint32_t i = 1; i < s->count; i++)
		first[i] += first[i - 1];
	first[s->count] = (uint32_t)s->edge_count;
	for (size_t i = 0; i < s->edge_count; i++)
		from[--first[s->edges[i].to]] = s->edges[i].from;
}

/* From every state, healthy moves alone must lead to a settled one. */
static void backwards(struct search *s)
{
	auto_free uint32_t *first = xcalloc((size_t)s->count + 1, sizeof(*first));
	auto_free uint32_t *from = xcalloc(s->edge_count + 1, sizeof(*from));
	auto_free uint32_t *todo = xcalloc(s->count, sizeof(*todo));
	auto_free unsigned char *settles = xcalloc(s->count, 1);
	uint32_t count = 0;
	struct world w;

	sort_edges(s, first, from);
	for (uint32_t i = 0; i < s->count; i++) {
		world_at(s, i, &w);
		if (check_is_settled(s->config, &w)) {
			settles[i] = 1;
			todo[count++] = i;
		}
	}
	while (count) {
		uint32_t at = todo[--count];

		for (uint32_t k = first[at]; k < first[at + 1]; k++) {
			if (settles[from[k]])
				continue;
			settles[from[k]] = 1;
			todo[count++] = from[k];
		}
	}
	/* The first one found has the shortest trail. */
	for (uint32_t i = 0; i < s->count && !s->result.wrong; i++) {
		if (!settles[i]) {
			s->result.wrong = "stuck: it never settles by itself";
			s->wrong_from = i;
		}
	}
}

/* ---- the trail --------------------------------------------------------------------------------------- */

/* Searches for the move that leads from the parent to this state, or violates something. */
struct looking {
	const struct search *s;
	uint32_t for_state;
	char label[sizeof(((struct mover *)0)->label)];
};

static void compare(struct mover *m, int is_healthy)
{
	struct looking *l = m->arg;

	(void)is_healthy;
	if (l->label[0])
		return;
	if (l->for_state == NOBODY ? !m->live.wrong && !check_state(l->s->config, &m->live.w) :
	    memcmp(&m->live.w, state_at(l->s, l->for_state), l->s->size) != 0)
		return;
	memcpy(l->label, m->label, sizeof(l->label));
}

static void tell_move(const struct search *s, uint32_t from, uint32_t to, struct buf *out)
{
	struct looking looking = { .s = s, .for_state = to };
	struct mover m = {
		.found = compare, .arg = &looking, .wants_labels = 1,
		.live = { .config = s->config, .now_ms = s->mover.live.now_ms },
	};
	struct world w;

	world_at(s, from, &w);
	moves_of(&m, &w);
	buf_addf(out, "        %s\n", looking.label);
	live_free(&m.live);
}

static void tell_trail(const struct search *s, uint32_t to, struct buf *out)
{
	size_t length = 0;
	uint32_t *path;

	for (uint32_t i = to; i != NOBODY; i = s->parents[i])
		length++;
	path = xcalloc(length, sizeof(*path));
	for (uint32_t i = to, k = 0; i != NOBODY; i = s->parents[i])
		path[length - ++k] = i;
	for (size_t i = 1; i < length; i++)
		tell_move(s, path[i - 1], path[i], out);
	free(path);
}

struct result search(const struct config *config)
{
	struct search s = {
		.config = config,
		.size = config->budget.copies ? sizeof(struct world) : offsetof(struct world, copy),
		.mover = { .found = found },
	};
	struct buf trail;

	s.mover.arg = &s;
	forwards(&s);
	s.result.states = s.count;
	buf_init(&trail, 1 << 20);
	if (!s.result.wrong) {
		backwards(&s);
		if (s.result.wrong)
			tell_trail(&s, s.wrong_from, &trail);
	} else if (s.count <= STATES_MOST) {
		tell_trail(&s, s.wrong_from, &trail);
		tell_move(&s, s.wrong_from, NOBODY, &trail);
	}
	s.result.trail = buf_take(&trail);
	live_free(&s.mover.live);
	free(s.states);
	free(s.parents);
	free(s.table);
	free(s.edges);
	return s.result;
}
