/* SPDX-License-Identifier: MIT */
/*
 * The queue for capacity. A create that meets a limit and may wait becomes a lease in this queue:
 * it counts against no limit, and no step runs for it, until it is admitted. Each account has a
 * ring of owners, who take turns; an owner's leases are served in the order of their arrival.
 * Between accounts, the lease that has waited longest goes first.
 *
 * A lease that its own owner's or organisation's limit stops is skipped, with the rest of that
 * owner or organisation. One that a limit of all stops, the account's or the total, stops the
 * account or everything: small leases do not overtake a large one. So does a create that may not
 * wait: it is refused where a lease that waits is stopped.
 *
 * The store holds the leases and the owners' turns; the ring in memory is read from it at a start
 * and follows every change, in the same transaction.
 */
#include "engine/capacity_queue.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/bug.h"
#include "util/text.h"

/* ---- the rings --------------------------------------------------------------------------- */

struct capacity_account *capacity_ring(struct capacity_queue *queue, const char *name)
{
	struct capacity_account *a;

	LIST_FOREACH(a, &queue->accounts, link) {
		if (strcmp(a->name, name) == 0)
			return a;
	}
	a = xcalloc(1, sizeof(*a));
	TEXT_SET(a->name, name);
	TAILQ_INIT(&a->owners);
	LIST_INSERT_HEAD(&queue->accounts, a, link);
	return a;
}

struct capacity_owner *capacity_owner_find(const struct capacity_account *a, const char *owner,
					   const char *org)
{
	struct capacity_owner *o;

	TAILQ_FOREACH(o, &a->owners, link) {
		if (strcmp(o->row.owner, owner) == 0 && strcmp(o->row.org, org) == 0)
			return o;
	}
	return NULL;
}

/* To the end of the ring, with the turn that it has. */
static struct capacity_owner *owner_add(struct capacity_account *a,
					const struct store_queue_owner *row)
{
	struct capacity_owner *o = xcalloc(1, sizeof(*o));

	o->row = *row;
	TAILQ_INIT(&o->waiters);
	TAILQ_INSERT_TAIL(&a->owners, o, link);
	if (row->turn > a->turn)
		a->turn = row->turn;
	return o;
}

static void owner_remove(struct capacity_account *a, struct capacity_owner *o)
{
	TAILQ_REMOVE(&a->owners, o, link);
	free(o);
}

static void waiter_add(struct capacity_queue *queue, struct capacity_account *a,
		       struct capacity_owner *o, int64_t n)
{
	struct capacity_waiter *w = xcalloc(1, sizeof(*w));

	w->n = n;
	TAILQ_INSERT_TAIL(&o->waiters, w, link);
	o->count++;
	a->count++;
	queue->count++;
}

static void waiter_remove(struct capacity_queue *queue, struct capacity_account *a,
			  struct capacity_owner *o, int64_t n)
{
	struct capacity_waiter *w;

	TAILQ_FOREACH(w, &o->waiters, link) {
		if (w->n == n)
			break;
	}
	BUG_ON(!w);
	TAILQ_REMOVE(&o->waiters, w, link);
	free(w);
	o->count--;
	a->count--;
	queue->count--;
}

/* ---- joining and leaving ------------------------------------------------------------------ */

struct capacity_use capacity_use(const struct lease *l)
{
	/* What has no row yet is neither. */
	return (struct capacity_use){
		.is_queued = l->n && lease_is_queued(l),
		.counts = l->n && lease_counts(l),
		.price = l->price_hour_micros,
	};
}

/* The owner's turn comes after all others' of the account. */
static int owner_take_turn(struct core *core, struct capacity_account *a, struct capacity_owner *o,
			   struct err *err)
{
	o->row.turn = ++a->turn;
	TAILQ_REMOVE(&a->owners, o, link);
	TAILQ_INSERT_TAIL(&a->owners, o, link);
	return store_queue_owner_put(core->store, &o->row, err);
}

static int queue_join(struct core *core, const struct lease *l, struct err *err)
{
	struct capacity_account *a = capacity_ring(core->capacity, l->account);
	struct capacity_owner *o = capacity_owner_find(a, l->owner, l->org);
	int is_new = !o;

	if (is_new) {
		struct store_queue_owner row = { .turn = 0 };

		TEXT_SET(row.account, l->account);
		TEXT_SET(row.owner, l->owner);
		TEXT_SET(row.org, l->org);
		o = owner_add(a, &row);
	}
	waiter_add(core->capacity, a, o, l->n);
	return is_new ? owner_take_turn(core, a, o, err) : 0;
}

static int queue_leave(struct core *core, const struct lease *l, struct err *err)
{
	struct capacity_account *a = capacity_ring(core->capacity, l->account);
	struct capacity_owner *o = capacity_owner_find(a, l->owner, l->org);
	int rc = 0;

	BUG_ON(!o);
	waiter_remove(core->capacity, a, o, l->n);
	if (!o->count) {
		rc = store_queue_owner_drop(core->store, &o->row, err);
		owner_remove(a, o);
	} else if (lease_is_live(l)) {
		rc = owner_take_turn(core, a, o, err);
	}
	return rc;
}

int capacity_follow(struct core *core, const struct lease *l, const struct capacity_use *before,
		    struct err *err)
{
	struct capacity_use now = capacity_use(l);

	if (before->counts && (!now.counts || now.price < before->price))
		capacity_changed(core);
	if (now.is_queued == before->is_queued)
		return 0;
	core->capacity->is_news = 1;
	/* Those behind it may fit, or no longer have to wait for it. */
	capacity_changed(core);
	return now.is_queued ? queue_join(core, l, err) : queue_leave(core, l, err);
}

void capacity_changed(struct core *core)
{
	if (core->capacity)
		core->capacity->is_changed = 1;
}

/* How late a lease of the queue notices what another engine's leases no longer take. */
#define LOOK_MS 1000

void capacity_look(struct core *core)
{
	int64_t now = env_mono_ms(core->env);

	if (!core_only_account(core) || !core->capacity->count ||
	    now - core->capacity->looked_mono_ms < LOOK_MS)
		return;
	core->capacity->looked_mono_ms = now;
	capacity_changed(core);
}

int capacity_is_due(const struct core *core)
{
	return core->capacity->count && core->capacity->is_changed && !core->draining &&
	       !core->resting && store_state(core->store) != STORE_RESERVE;
}

void capacity_publish(struct core *core)
{
	if (core->capacity->is_news && core->hooks.queue_changed)
		core->hooks.queue_changed(core->hooks.arg);
	core->capacity->is_news = 0;
}

/* ---- a start ------------------------------------------------------------------------------ */

/* Another engine admits those of other accounts. */
static int is_elsewhere(const struct core *core, const char *account)
{
	const char *only = core_only_account(core);

	return only && strcmp(only, account) != 0;
}

static void turn_read(void *arg, const struct store_queue_owner *row)
{
	struct core *core = arg;

	if (!is_elsewhere(core, row->account))
		owner_add(capacity_ring(core->capacity, row->account), row);
}

static int waiter_read(void *arg, const struct store_queued *row)
{
	struct core *core = arg;
	struct capacity_account *a;
	struct capacity_owner *o;

	if (is_elsewhere(core, row->account))
		return 0;
	a = capacity_ring(core->capacity, row->account);
	o = capacity_owner_find(a, row->owner, row->org);

	/* Always there, unless the file was edited by hand. */
	if (!o) {
		struct store_queue_owner turn = { .turn = a->turn + 1 };

		TEXT_SET(turn.account, row->account);
		TEXT_SET(turn.owner, row->owner);
		TEXT_SET(turn.org, row->org);
		o = owner_add(a, &turn);
	}
	waiter_add(core->capacity, a, o, row->n);
	return 0;
}

static void owners_without_waiters_remove(struct capacity_account *a)
{
	struct capacity_owner *next;

	for (struct capacity_owner *o = TAILQ_FIRST(&a->owners); o; o = next) {
		next = TAILQ_NEXT(o, link);
		if (!o->count)
			owner_remove(a, o);
	}
}

int capacity_init(struct core *core, struct err *err)
{
	struct capacity_queue *queue = xcalloc(1, sizeof(*queue));
	struct capacity_account *a;

	LIST_INIT(&queue->accounts);
	queue->is_changed = 1;
	core->capacity = queue;
	if (store_queue_owner_each(core->store, turn_read, core, err) ||
	    store_queue_each(core->store, waiter_read, core, err))
		return -1;
	LIST_FOREACH(a, &queue->accounts, link)
		owners_without_waiters_remove(a);
	return 0;
}

static void ring_free(struct capacity_account *a)
{
	struct capacity_owner *o;
	struct capacity_waiter *w;

	while ((o = TAILQ_FIRST(&a->owners)) != NULL) {
		while ((w = TAILQ_FIRST(&o->waiters)) != NULL) {
			TAILQ_REMOVE(&o->waiters, w, link);
			free(w);
		}
		owner_remove(a, o);
	}
	free(a);
}

void capacity_fini(struct core *core)
{
	struct capacity_account *a;

	if (!core->capacity)
		return;
	while ((a = LIST_FIRST(&core->capacity->accounts)) != NULL) {
		LIST_REMOVE(a, link);
		ring_free(a);
	}
	free(core->capacity->stops);
	free(core->capacity);
	core->capacity = NULL;
}
