/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lessor/provider.h>

#include "util/alloc.h"
#include "util/text.h"

#define HOUR_MS INT64_C(3600000)
#define TTL_MS (8 * HOUR_MS)
#define IDLE_MS (4 * HOUR_MS)
/* ledger_add doubles its capacity at each power of two. */
#define ROWS_ROOM 8

static const struct {
	const char *name, *id;
	uint32_t kind, attempt;
} things[THINGS] = {
	[SERVER_1] = { "server 1", "11", LESSOR_KIND_SERVER, 1 },
	[SERVER_2] = { "server 2", "12", LESSOR_KIND_SERVER, 2 },
	[KEY] = { "key", "20", LESSOR_KIND_KEY, 0 },
	[ADDRESS_1] = { "address 1", "31", LESSOR_KIND_ADDRESS, 0 },
	[ADDRESS_2] = { "address 2", "32", LESSOR_KIND_ADDRESS, 0 },
};

static struct lease model; /* the constant members */
static struct signer signer;
static char names[THINGS][64];
static struct labels labels[THINGS];

const char *thing_name(enum thing thing)
{
	return things[thing].name;
}

uint32_t thing_kind(enum thing thing)
{
	return things[thing].kind;
}

uint32_t thing_attempt(enum thing thing)
{
	return things[thing].attempt;
}

const struct signer *pack_signer(void)
{
	return &signer;
}

const char *pack_id(enum thing thing)
{
	return things[thing].id;
}

const struct labels *pack_labels(enum thing thing)
{
	return &labels[thing];
}

const char *pack_name(enum thing thing)
{
	return names[thing];
}

void pack_init(void)
{
	TEXT_SET(signer.instance, "model");
	memset(signer.key, 7, sizeof(signer.key));
	model = (struct lease){ .n = 1, .ttl_ms = TTL_MS, .idle_ms = IDLE_MS };
	TEXT_SET(model.id, "cbx_000000000001");
	TEXT_SET(model.slug, "violet-prawn");
	TEXT_SET(model.account, "acc");
	TEXT_SET(model.owner, "alice");
	for (int i = 0; i < THINGS; i++) {
		ledger_name(&signer, "acc", &model, things[i].kind, things[i].attempt, names[i]);
		ledger_labels(&signer, "acc", &model, things[i].kind, things[i].attempt, names[i],
			      &labels[i]);
	}
}

/* ---- out of bytes ---------------------------------------------------------------------------- */

/* The times of a row are `age` ticks before `now_ms`. */
struct clock {
	int64_t now_ms;
	int tick_ms;
};

static int64_t ago(const struct clock *clock, int age)
{
	return clock->now_ms - (int64_t)age * clock->tick_ms;
}

int until_counts(const struct config *config, uint32_t state)
{
	/* The end of a permit is still to come if its owner is not there any longer. */
	if (config->is_shared)
		return !lessor_state_is_over(state);
	return lessor_state_is_unsettled(state) || state == LESSOR_STATE_DELETE_UNKNOWN ||
	       state == LESSOR_STATE_UNPROTECT_UNKNOWN;
}

static void open_row(const struct config *config, const struct row *from, int64_t n, int64_t now_ms,
		     struct resource *r)
{
	struct clock clock = { now_ms, tick_ms(config) };

	*r = (struct resource){
		.n = n,
		.lease = 1,
		.attempt = thing_attempt(from->thing),
		.kind = thing_kind(from->thing),
		.state = from->state,
		.ours = from->is_ours,
		.created_ms = ago(&clock, from->created),
		.changed_ms = ago(&clock, from->changed),
		.seen_ms = from->is_seen ? now_ms - HOUR_MS : 0,
		.first_absent_ms = from->absent_count ? ago(&clock, from->absent_age) : 0,
		.absent_count = from->absent_count,
		.deletes_unknown = from->deletes_unknown,
		.retain_epoch = from->retain_epoch,
		.label_known = from->label_known,
		.protect_by = from->protect_by,
		.marked_ms = from->is_marked ? now_ms - HOUR_MS : 0,
		.until_ms = until_counts(config, from->state) ?
				    now_ms + (int64_t)from->lands * clock.tick_ms :
				    0,
	};
	TEXT_SET(r->account, "acc");
	TEXT_SET(r->name, names[from->thing]);
	if (from->has_id)
		TEXT_SET(r->id, things[from->thing].id);
	if (from->has_action)
		TEXT_SET(r->action, "70");
}

static void open_lease(const struct world *w, int64_t now_ms, struct lease *l)
{
	const struct store *s = &w->store;
	int64_t begun_ms = now_ms - (w->is_time_over ? TTL_MS : HOUR_MS);

	*l = model;
	l->state = s->state;
	l->cleanup = s->cleanup;
	l->epoch = s->epoch;
	l->retained = s->is_retained;
	l->retention = s->retention;
	l->is_billed = s->is_billed;
	l->created_ms = l->touched_ms = l->updated_ms = begun_ms;
	l->provision_deadline_ms = begun_ms + TTL_MS / 2;
	l->ready_ms = s->state == LEASE_ACTIVE ? begun_ms + 1 : 0;
	l->ended_ms = store_is_live(s) ? 0 : now_ms - 2000;
	l->released_ms = s->is_released ? now_ms - 1000 : 0;
	l->cleanup_started_ms = s->is_owed_long ? now_ms - 2 * HOUR_MS : now_ms - 1000;
	l->tries = s->has_tries;
	if (s->has_attention)
		TEXT_SET(l->attention, "because");
	l->attention_class = s->attention_class;
	if (s->server)
		TEXT_SET(l->server_id, things[s->server - 1].id);
	if (s->until)
		l->retain_until_ms = s->until == UNTIL_LATER ? now_ms + 2 * HOUR_MS : now_ms - 1;
	if (s->is_due)
		l->due_ms = s->state == LEASE_ACTIVE ? lease_expires_ms(l) :
			    s->is_due == DUE_AT_UNTIL ? l->retain_until_ms : now_ms;
}

static void open_attempts(const struct store *s, struct ledger *ledger)
{
	for (size_t i = 0; i < s->attempts; i++)
		ledger->attempts[i] = (struct attempt){
			.lease = 1, .number = (uint32_t)i + 1, .type = "t", .location = "l",
			.refused = s->refused & 1u << i ? LESSOR_CLASS_CAPACITY : 0,
		};
	ledger->attempt_count = s->attempts;
}

void pack_open(const struct config *config, const struct world *w, int64_t now_ms,
	       struct lease_aggregate *into)
{
	struct ledger *ledger = &into->ledger;
	const struct store *s = &w->store;

	ledger->resources = xrealloc(ledger->resources, ROWS_ROOM * sizeof(*ledger->resources));
	ledger->attempts = xrealloc(ledger->attempts, ROWS_ROOM * sizeof(*ledger->attempts));
	open_lease(w, now_ms, &into->lease);
	open_attempts(s, ledger);
	ledger->resource_count = 0;
	for (size_t i = 0; i < ROWS_MOST && s->rows[i].state; i++)
		open_row(config, &s->rows[i], (int64_t)++ledger->resource_count, now_ms,
			 &ledger->resources[i]);
}

/* ---- into bytes -------------------------------------------------------------------------------- */

static uint8_t age(const struct clock *clock, int64_t at_ms, int most)
{
	int64_t ticks = (clock->now_ms - at_ms) / clock->tick_ms;

	return (uint8_t)(ticks < most ? ticks : most);
}

/* Does it matter when the row entered its state? As in absence.c. */
static int change_counts(const struct resource *r)
{
	return lessor_state_is_unsettled(r->state) || r->state == LESSOR_STATE_DELETING;
}

static int16_t lands(const struct config *config, const struct resource *r, int64_t now_ms)
{
	int least = lands_least(config), tick = tick_ms(config);
	int64_t ms = r->until_ms - now_ms;
	int64_t ticks = ms > 0 ? (ms + tick - 1) / tick : ms / tick;

	if (!until_counts(config, r->state))
		return 0;
	return (int16_t)(ticks > least ? ticks : least);
}

static int creation_counts(const struct resource *r)
{
	return !r->seen_ms && !lessor_state_is_over(r->state);
}

static int thing_of(const struct resource *r)
{
	for (int i = 0; i < THINGS; i++) {
		if (r->kind == things[i].kind && r->attempt == things[i].attempt &&
		    (!r->id[0] || strcmp(r->id, things[i].id) == 0))
			return i;
	}
	return -1;
}

static const char *close_row(const struct config *config, const struct resource *r, int64_t now_ms,
			     struct row *ret)
{
	struct clock clock = { now_ms, tick_ms(config) };
	int most = age_most(config), thing = thing_of(r);

	if (thing < 0)
		return "model: a row of an unknown thing";
	if (r->retain_epoch > UINT8_MAX || r->label_known > UINT8_MAX)
		return "model: an epoch out of its range";
	if (r->created_ms > now_ms || r->changed_ms > now_ms || r->first_absent_ms > now_ms)
		return "model: a time in the future";
	*ret = (struct row){
		.thing = (uint8_t)thing,
		.state = (uint8_t)r->state,
		.is_ours = (uint8_t)r->ours,
		.has_id = r->id[0] != '\0',
		.has_action = r->action[0] && r->state == LESSOR_STATE_DELETING,
		.created = age(&clock, creation_counts(r) ? r->created_ms : 0, most),
		.changed = age(&clock, change_counts(r) ? r->changed_ms : 0, most),
		.is_seen = r->seen_ms != 0,
		.absent_count = (uint8_t)r->absent_count,
		.absent_age = r->absent_count && !lessor_state_is_over(r->state) ?
				      age(&clock, r->first_absent_ms, most) :
				      0,
		.deletes_unknown = r->deletes_unknown != 0,
		.retain_epoch = (uint8_t)r->retain_epoch,
		.label_known = (uint8_t)r->label_known,
		.protect_by = (uint8_t)r->protect_by,
		.is_marked = r->marked_ms != 0,
		.lands = lands(config, r, now_ms),
	};
	return NULL;
}

static const char *close_lease(const struct lease *l, int64_t now_ms, struct store *ret)
{
	int is_owed = l->cleanup == CLEANUP_OWED || l->cleanup == CLEANUP_ATTENTION;

	if (l->epoch > UINT8_MAX)
		return "model: an epoch out of its range";
	*ret = (struct store){
		/* How it ended no longer matters. */
		.state = (uint8_t)(lease_is_live(l) ? l->state : LEASE_EXPIRED),
		.cleanup = (uint8_t)l->cleanup,
		.epoch = (uint8_t)l->epoch,
		.is_retained = l->retained != 0,
		.retention = (uint8_t)l->retention,
		.is_billed = l->is_billed != 0,
		.is_due = !l->due_ms			  ? DUE_NEVER :
			  l->due_ms == l->retain_until_ms ? DUE_AT_UNTIL :
							    DUE_SOON,
		.until = !l->retain_until_ms	     ? UNTIL_NONE :
			 l->retain_until_ms > now_ms ? UNTIL_LATER :
						       UNTIL_OVER,
		.has_tries = l->tries != 0,
		.has_attention = l->attention[0] != '\0',
		.attention_class = l->attention[0] ? (uint8_t)l->attention_class : 0,
		.is_released = l->released_ms != 0,
		.is_owed_long = is_owed && now_ms - l->cleanup_started_ms >= HOUR_MS,
	};
	for (int i = 0; i < OBJECTS && l->server_id[0]; i++) {
		if (strcmp(l->server_id, things[i].id) == 0)
			ret->server = (uint8_t)(i + 1);
	}
	return NULL;
}

const char *pack_close(const struct config *config, const struct lease_aggregate *a, int64_t now_ms,
		       struct store *ret)
{
	const struct ledger *ledger = &a->ledger;
	const char *wrong = close_lease(&a->lease, now_ms, ret);

	if (ledger->resource_count > ROWS_MOST || ledger->attempt_count > ROWS_ROOM)
		return "model: too many rows";
	ret->attempts = (uint8_t)ledger->attempt_count;
	for (size_t i = 0; i < ledger->attempt_count; i++)
		ret->refused |= (uint8_t)((ledger->attempts[i].refused != 0) << i);
	for (size_t i = 0; i < ledger->resource_count && !wrong; i++)
		wrong = close_row(config, &ledger->resources[i], now_ms, &ret->rows[i]);
	return wrong;
}
