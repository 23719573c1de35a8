/* SPDX-License-Identifier: MIT */
/* Admission from the queue for capacity, as capacity_queue.c describes it. */
#include "engine/capacity_queue.h"

#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

/* Leases admitted in one batch, so that others' answers do not wait for them. */
#define ADMIT_MOST 64

void capacity_price(struct core *core, struct lease *l)
{
	struct store_price price;

	if (!l->type_count ||
	    core_price_get(core, l->account, l->types[0], l->location, &price, NULL))
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

	return a && !account_is_blocked(a->account, NULL, 0) &&
	       !limits_pause_find(&core->config.limits, name);
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

/* Admits the lease, or notes what stops it. 1: not now, since another daemon blocks creates. */
static int lease_admit(struct core *core, int64_t n, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_ADMIT, .u.boot_ms = core->config.boot_ms };
	struct lease_aggregate *a = core_lease(core, n, err);
	struct store_counts have;
	struct limit_hit hit;
	struct lease l;
	int rc;

	if (!a)
		return -1;
	l = a->lease;
	capacity_price(core, &l);
	rc = store_create_lock(core->store, err);
	if (rc)
		return rc;
	if (store_counts(core->store, l.owner, l.org, l.account, &have, err))
		return -1;
	rc = core_limits_check(core, &l, &have, &hit, err);
	if (rc < 0)
		return -1;
	if (rc) {
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
	if (!queue->is_changed || core->draining || core->resting ||
	    store_state(core->store) == STORE_RESERVE)
		return;
	queue->is_changed = queue->is_blocked = 0;
	queue->stop_count = 0;
	for (int i = 0; i < ADMIT_MOST && (n = queue_next(core)) != 0; i++) {
		int rc = lease_admit(core, n, &err);

		/* A failed write marks the store broken; the commit then fails. */
		if (rc) {
			queue->is_blocked |= rc == 1;
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
		o = capacity_owner_find(a, l->owner, l->org);
		count += o ? o->count : 0;
	}
	return count;
}

/* How many wait for the limit that stops such a lease, as far as they are its competitors. */
static int64_t waiting_count(const struct core *core, const struct lease *l, enum limit_scope scope)
{
	if (scope == LIMIT_OWNER)
		return waiting_of_owner(core, l);
	return scope == LIMIT_ACCOUNT ? capacity_ring(core->capacity, l->account)->count :
					core->capacity->count;
}

static int queue_is_full(const struct core *core, const struct lease *l)
{
	const struct engine_limits *limits = &core->config.limits;

	return core->capacity->count >= limits->max_queued ||
	       waiting_of_owner(core, l) >= limits->max_queued_owner;
}

enum capacity_answer capacity_ask(struct core *core, struct engine_request *r,
				  const struct lease *l, const struct store_counts *totals,
				  struct err *err)
{
	const struct limit_hit *stop;
	struct store_counts have = *totals;
	struct limit_hit hit;
	int is_old = 0;

	/* Those that wait come first. */
	for (; capacity_is_due(core) && !store_broken(core->store); is_old = 1)
		capacity_admit(core);
	if (is_old && store_counts(core->store, l->owner, l->org, l->account, &have, err))
		return CAPACITY_ERROR;
	if (core_limits_check(core, l, &have, &hit, err) < 0)
		return CAPACITY_ERROR;
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
			     hit.month_ms ? "the money of the month is used up" :
					    "a limit on active leases is reached");
	return CAPACITY_REFUSED;
}
