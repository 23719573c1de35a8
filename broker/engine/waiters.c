/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait: a create until its machine is ready, a release until the cleanup is
 * complete or the machine is protected. They are answered in the transaction that gets the
 * lease there, or after their wait_ms. If too many wait, some are answered earlier.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "util/alloc.h"
#include "util/hash.h"

/* An owner for whom requests wait. */
struct waiting_owner {
	LIST_ENTRY(waiting_owner) entry;
	char owner[sizeof(((struct caller *)0)->owner)];
	char org[sizeof(((struct caller *)0)->org)];
	TAILQ_HEAD(, engine_request) requests; /* the one that has waited longest first */
	int64_t count;
};

static struct waiting_owner *owner_find(struct core *core, const struct caller *caller)
{
	uint32_t hash = hash_fnv32(caller->owner, strlen(caller->owner));
	struct waiting_owner *owner;

	LIST_FOREACH(owner, &core->waiting_owners[hash % WAITER_BUCKETS], entry) {
		if (!strcmp(owner->owner, caller->owner) && !strcmp(owner->org, caller->org))
			return owner;
	}
	owner = xcalloc(1, sizeof(*owner));
	memcpy(owner->owner, caller->owner, sizeof(owner->owner));
	memcpy(owner->org, caller->org, sizeof(owner->org));
	TAILQ_INIT(&owner->requests);
	LIST_INSERT_HEAD(&core->waiting_owners[hash % WAITER_BUCKETS], owner, entry);
	return owner;
}

static struct waiting_owner *owner_with_most(struct core *core)
{
	struct waiting_owner *owner, *most = NULL;

	for (int i = 0; i < WAITER_BUCKETS; i++) {
		LIST_FOREACH(owner, &core->waiting_owners[i], entry) {
			if (!most || owner->count > most->count)
				most = owner;
		}
	}
	return most;
}

static void waiter_add(struct core *core, struct engine_request *request)
{
	struct waiting_owner *owner = owner_find(core, &request->caller);

	request->waiting = owner;
	TAILQ_INSERT_TAIL(&owner->requests, request, waiter_link);
	owner->count++;
	core->waiting++;
	STAILQ_INSERT_HEAD(&core->waiters[request->lease.n % WAITER_BUCKETS], request, link);
}

static void waiter_remove(struct core *core, struct engine_request *request)
{
	struct waiting_owner *owner = request->waiting;

	STAILQ_REMOVE(&core->waiters[request->lease.n % WAITER_BUCKETS], request, engine_request,
		      link);
	core->waiting--;
	TAILQ_REMOVE(&owner->requests, request, waiter_link);
	if (--owner->count)
		return;
	LIST_REMOVE(owner, entry);
	free(owner);
}

/* Will a retained lease become protected by itself? Not while it needs attention. */
static int awaits_protection(struct core *core, const struct lease *l)
{
	const struct core_account *a = core_account_find(core, l->account);

	return l->retention != RETENTION_PROTECTED && !l->attention[0] && a &&
	       core_account_protects(a);
}

static int is_answerable(struct core *core, const struct engine_request *request,
			 const struct lease *l)
{
	if (request->kind == REQUEST_CREATE)
		return l->state != LEASE_PROVISIONING;
	if (l->cleanup == CLEANUP_RETAINED)
		return !request->wait_protected || !awaits_protection(core, l);
	return l->cleanup == CLEANUP_DONE || l->cleanup == CLEANUP_ATTENTION ||
	       lease_waits_for_account(l);
}

int core_is_awaited(const struct core *core, int64_t n)
{
	const struct engine_request *request;

	STAILQ_FOREACH(request, &core->waiters[n % WAITER_BUCKETS], link) {
		if (request->lease.n == n)
			return 1;
	}
	return 0;
}

/* Answers a request that waits with the current lease. */
static void waiter_end(struct core *core, struct engine_request *request)
{
	const struct lease_aggregate *a;

	waiter_remove(core, request);
	a = core_lease(core, request->lease.n, NULL);
	if (a)
		core_fill_answer(request, a);
	core_answer(core, request);
}

static void owner_hurry(struct core *core, struct waiting_owner *owner, enum request_early why)
{
	struct engine_request *request = TAILQ_FIRST(&owner->requests);

	request->early = why;
	waiter_end(core, request);
}

static void waiters_limit(struct core *core, struct waiting_owner *owner)
{
	const struct engine_config *config = &core->config;

	if (config->max_waiting_owner && owner->count > config->max_waiting_owner)
		owner_hurry(core, owner, EARLY_OWNER);
	else if (config->max_waiting && (int64_t)core->waiting > config->max_waiting)
		owner_hurry(core, owner_with_most(core), EARLY_ALL);
}

void core_wait(struct core *core, struct engine_request *request)
{
	if (request->wait_ms <= 0 || core->draining ||
	    is_answerable(core, request, &request->lease)) {
		core_answer(core, request);
		return;
	}
	request->wait_until_ms = core_now(core) + request->wait_ms;
	if (!core->next_waiter_ms || request->wait_until_ms < core->next_waiter_ms)
		core->next_waiter_ms = request->wait_until_ms;
	waiter_add(core, request);
	waiters_limit(core, request->waiting);
}

void core_hurry(struct core *core, unsigned count)
{
	for (; count && core->waiting; count--)
		owner_hurry(core, owner_with_most(core), EARLY_ROOM);
}

void core_wake(struct core *core, const struct lease_aggregate *a)
{
	const struct lease *l = &a->lease;
	struct request_list *bucket = &core->waiters[l->n % WAITER_BUCKETS];
	struct engine_request *next;

	for (struct engine_request *r = STAILQ_FIRST(bucket); r; r = next) {
		next = STAILQ_NEXT(r, link);
		if (r->lease.n != l->n || !is_answerable(core, r, l))
			continue;
		waiter_remove(core, r);
		core_fill_answer(r, a);
		core_answer(core, r);
	}
}

/* Answers a bucket's requests whose time is over (`all`: every one), with the current lease. */
static void bucket_time_out(struct core *core, struct request_list *bucket, int64_t now_ms, int all)
{
	struct engine_request *next;

	for (struct engine_request *r = STAILQ_FIRST(bucket); r; r = next) {
		next = STAILQ_NEXT(r, link);
		if (!all && r->wait_until_ms > now_ms) {
			if (!core->next_waiter_ms || r->wait_until_ms < core->next_waiter_ms)
				core->next_waiter_ms = r->wait_until_ms;
			continue;
		}
		waiter_end(core, r);
	}
}

void core_wait_timeouts(struct core *core, int64_t now_ms, int all)
{
	if (!all && (!core->next_waiter_ms || core->next_waiter_ms > now_ms))
		return;
	core->next_waiter_ms = 0;
	for (int i = 0; i < WAITER_BUCKETS; i++)
		bucket_time_out(core, &core->waiters[i], now_ms, all);
}

void waiters_take(struct core *core, struct request_list *list)
{
	struct engine_request *request;

	for (int i = 0; i < WAITER_BUCKETS; i++) {
		while ((request = STAILQ_FIRST(&core->waiters[i])) != NULL) {
			waiter_remove(core, request);
			STAILQ_INSERT_TAIL(list, request, link);
		}
	}
}

void waiters_init(struct core *core)
{
	for (int i = 0; i < WAITER_BUCKETS; i++) {
		STAILQ_INIT(&core->waiters[i]);
		LIST_INIT(&core->waiting_owners[i]);
	}
}

void waiters_fini(struct core *core)
{
	struct waiting_owner *owner;

	for (int i = 0; i < WAITER_BUCKETS; i++) {
		while ((owner = LIST_FIRST(&core->waiting_owners[i])) != NULL) {
			LIST_REMOVE(owner, entry);
			free(owner);
		}
	}
}
