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
#include "engine/internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/queue.h"
#include "util/alloc.h"
#include "util/bug.h"
#include "util/text.h"

/* Leases admitted in one batch, so that others' answers do not wait for them. */
#define ADMIT_MOST 64

struct capacity_waiter {
	int64_t n;
	TAILQ_ENTRY(capacity_waiter) link;
};

/* An owner in an account's ring. */
struct capacity_owner {
	struct store_queue_owner row;
	TAILQ_HEAD(, capacity_waiter) waiters; /* in the order of arrival; never empty */
	int64_t count;
	TAILQ_ENTRY(capacity_owner) link;
};

struct capacity_account {
	char name[32];
	TAILQ_HEAD(, capacity_owner) owners; /* the next turn first */
	int64_t turn;			     /* the highest that was given */
	int64_t count;
	LIST_ENTRY(capacity_account) link;
};

/* A limit that stops leases of the queue; empty strings mean any. */
struct capacity_stop {
	struct limit_hit hit;
	char account[32], owner[128], org[64];
};

struct capacity_queue {
	LIST_HEAD(, capacity_account) accounts;
	int64_t count;
	int is_changed;		     /* there may be capacity: capacity_admit has work */
	int is_blocked;		     /* an account was skipped because it is blocked */
	int is_news;		     /* who waits has changed since the last commit */
	struct capacity_stop *stops; /* as the last capacity_admit found them */
	size_t stop_count;
	_Atomic uint64_t version;
};

/* ---- the rings --------------------------------------------------------------------------- */

static struct capacity_account *ring_get(struct capacity_queue *queue, const char *name)
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

static struct capacity_owner *owner_find(const struct capacity_account *a, const char *owner,
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
	struct capacity_account *a = ring_get(core->capacity, l->account);
	struct capacity_owner *o = owner_find(a, l->owner, l->org);
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
	struct capacity_account *a = ring_get(core->capacity, l->account);
	struct capacity_owner *o = owner_find(a, l->owner, l->org);
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

int capacity_is_due(const struct core *core)
{
	return core->capacity->count && core->capacity->is_changed && !core->draining &&
	       store_state(core->store) != STORE_RESERVE;
}

void capacity_publish(struct core *core)
{
	if (core->capacity->is_news)
		atomic_fetch_add(&core->capacity->version, 1);
	core->capacity->is_news = 0;
}

uint64_t core_queue_version(const struct core *core)
{
	return atomic_load(&core->capacity->version);
}

/* ---- a start ------------------------------------------------------------------------------ */

static void turn_read(void *arg, const struct store_queue_owner *row)
{
	owner_add(ring_get(arg, row->account), row);
}

static int waiter_read(void *arg, const struct store_queued *row)
{
	struct capacity_account *a = ring_get(arg, row->account);
	struct capacity_owner *o = owner_find(a, row->owner, row->org);

	/* Always there, unless the file was edited by hand. */
	if (!o) {
		struct store_queue_owner turn = { .turn = a->turn + 1 };

		TEXT_SET(turn.account, row->account);
		TEXT_SET(turn.owner, row->owner);
		TEXT_SET(turn.org, row->org);
		o = owner_add(a, &turn);
	}
	waiter_add(arg, a, o, row->n);
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
	queue->version = 1;
	core->capacity = queue;
	if (store_queue_owner_each(core->store, turn_read, queue, err) ||
	    store_queue_each(core->store, waiter_read, queue, err))
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

/* ---- admission ------------------------------------------------------------------------------ */

void capacity_price(struct core *core, struct lease *l)
{
	struct store_price price;

	if (!l->type_count ||
	    store_price_get(core->store, l->account, l->types[0], l->location, &price, NULL))
		return;
	l->price_hour_micros = price.hour_micros;
	TEXT_SET(l->currency, price.currency);
}

static int is_of(const char *name, const char *wanted)
{
	return !name[0] || strcmp(name, wanted) == 0;
}

/* The limit that stops such a lease, because it stops one that waits; NULL: none. */
static const struct limit_hit *stop_find(const struct capacity_queue *queue, const char *account,
					 const char *owner, const char *org)
{
	for (size_t i = 0; i < queue->stop_count; i++) {
		const struct capacity_stop *stop = &queue->stops[i];

		if (is_of(stop->account, account) && is_of(stop->owner, owner) &&
		    is_of(stop->org, org))
			return &stop->hit;
	}
	return NULL;
}

static void stop_add(struct capacity_queue *queue, const struct lease *l,
		     const struct limit_hit *hit)
{
	struct capacity_stop *stop;

	queue->stops = xgrow(queue->stops, queue->stop_count, sizeof(*queue->stops));
	stop = &queue->stops[queue->stop_count++];
	*stop = (struct capacity_stop){ .hit = *hit };
	if (hit->scope == LIMIT_ACCOUNT)
		TEXT_SET(stop->account, l->account);
	if (hit->scope == LIMIT_OWNER)
		TEXT_SET(stop->owner, l->owner);
	if (hit->scope == LIMIT_OWNER || hit->scope == LIMIT_ORG)
		TEXT_SET(stop->org, l->org);
}

static int ring_is_usable(struct core *core, const char *name)
{
	struct core_account *a = core_account_find(core, name);

	return a && !account_is_blocked(a->account, NULL, 0);
}

/* The first lease of the account that no stop concerns; 0: none. */
static int64_t ring_next(const struct capacity_queue *queue, const struct capacity_account *a)
{
	const struct capacity_owner *o;

	TAILQ_FOREACH(o, &a->owners, link) {
		if (!stop_find(queue, a->name, o->row.owner, o->row.org))
			return TAILQ_FIRST(&o->waiters)->n;
	}
	return 0;
}

/* Of the accounts' next leases the one that has waited longest; 0: none. */
static int64_t queue_next(struct core *core)
{
	struct capacity_account *a;
	int64_t next = 0;

	LIST_FOREACH(a, &core->capacity->accounts, link) {
		int64_t n;

		if (!a->count)
			continue;
		if (!ring_is_usable(core, a->name)) {
			core->capacity->is_blocked = 1;
			continue;
		}
		n = ring_next(core->capacity, a);
		if (n && (!next || n < next))
			next = n;
	}
	return next;
}

/* Admits the lease, or notes what stops it. */
static int lease_admit(struct core *core, int64_t n, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_ADMIT, .u.boot_ms = core->config.boot_ms };
	struct lease_aggregate *a = core_lease(core, n, err);
	struct store_counts have;
	struct limit_hit hit;
	struct lease l;

	if (!a)
		return -1;
	l = a->lease;
	capacity_price(core, &l);
	if (store_counts(core->store, l.owner, l.org, l.account, &have, err))
		return -1;
	if (limits_exceeded(&core->config.limits, &have, l.price_hour_micros, &hit)) {
		stop_add(core->capacity, &l, &hit);
		return 0;
	}
	event.u.price_hour_micros = l.price_hour_micros;
	event.u.currency = l.currency;
	return core_apply(core, a, &event, NULL, err);
}

void capacity_admit(struct core *core)
{
	struct capacity_queue *queue = core->capacity;
	struct err err = { 0 };
	int64_t n = 0;

	queue->is_changed |= queue->is_blocked;
	if (!queue->is_changed || core->draining || store_state(core->store) == STORE_RESERVE)
		return;
	queue->is_changed = queue->is_blocked = 0;
	queue->stop_count = 0;
	for (int i = 0; i < ADMIT_MOST && (n = queue_next(core)) != 0; i++) {
		/* A failed write marks the store broken; the commit then fails. */
		if (lease_admit(core, n, &err)) {
			log_error(LOG_FIELDS({ "error", err.text }),
				  "cannot admit a lease that waits for capacity");
			n = 0;
			break;
		}
	}
	/* What an admission changes is taken into account already. */
	queue->is_changed = n != 0;
}

static int64_t waiting_of_owner(const struct core *core, const struct lease *l)
{
	const struct capacity_account *a;
	const struct capacity_owner *o;
	int64_t count = 0;

	LIST_FOREACH(a, &core->capacity->accounts, link) {
		o = owner_find(a, l->owner, l->org);
		count += o ? o->count : 0;
	}
	return count;
}

/* How many wait for the limit that stops such a lease, as far as they are its competitors. */
static int64_t waiting_count(const struct core *core, const struct lease *l, enum limit_scope scope)
{
	if (scope == LIMIT_OWNER)
		return waiting_of_owner(core, l);
	return scope == LIMIT_ACCOUNT ? ring_get(core->capacity, l->account)->count :
					core->capacity->count;
}

static int queue_is_full(const struct core *core, const struct lease *l)
{
	const struct engine_limits *limits = &core->config.limits;

	return core->capacity->count >= limits->max_queued ||
	       waiting_of_owner(core, l) >= limits->max_queued_owner;
}

enum capacity_answer capacity_ask(struct core *core, struct engine_request *r,
				  const struct lease *l, struct err *err)
{
	const struct limit_hit *stop;
	struct store_counts have;
	struct limit_hit hit;

	/* Those that wait come first. */
	while (capacity_is_due(core) && !store_broken(core->store))
		capacity_admit(core);
	if (store_counts(core->store, l->owner, l->org, l->account, &have, err))
		return CAPACITY_ERROR;
	limits_exceeded(&core->config.limits, &have, l->price_hour_micros, &hit);
	stop = stop_find(core->capacity, l->account, l->owner, l->org);
	if (hit.scope == LIMIT_NONE && stop) {
		hit = *stop;
		hit.ahead = waiting_count(core, l, hit.scope);
	}
	if (hit.scope == LIMIT_NONE)
		return CAPACITY_FREE;
	if (l->queue_ms && !limit_is_too_small(&hit)) {
		if (!queue_is_full(core, l))
			return CAPACITY_WAIT;
		hit.is_queue_full = 1;
	}
	r->limit = hit;
	if (hit.is_queue_full)
		request_fail(r, RESULT_LIMIT, "queue_full", "the queue for capacity is full");
	else
		request_fail(r, RESULT_LIMIT, "cost_limit_exceeded",
			     "a limit on active leases is reached");
	return CAPACITY_REFUSED;
}
