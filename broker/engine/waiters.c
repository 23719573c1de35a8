/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait: a create until its machine is ready, a release until the cleanup is
 * complete or the machine is protected. They are answered in the transaction that gets the
 * lease there, or after their wait_ms.
 */
#include "engine/internal.h"

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
	STAILQ_INSERT_HEAD(&core->waiters[request->lease.n % WAITER_BUCKETS], request, link);
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
		STAILQ_REMOVE(bucket, r, engine_request, link);
		core_fill_answer(r, a);
		core_answer(core, r);
	}
}

/* Answers a bucket's requests whose time is over (`all`: every one), with the current lease. */
static void bucket_time_out(struct core *core, struct request_list *bucket, int64_t now_ms, int all)
{
	struct engine_request *next;

	for (struct engine_request *r = STAILQ_FIRST(bucket); r; r = next) {
		const struct lease_aggregate *a;

		next = STAILQ_NEXT(r, link);
		if (!all && r->wait_until_ms > now_ms) {
			if (!core->next_waiter_ms || r->wait_until_ms < core->next_waiter_ms)
				core->next_waiter_ms = r->wait_until_ms;
			continue;
		}
		STAILQ_REMOVE(bucket, r, engine_request, link);
		a = core_lease(core, r->lease.n, NULL);
		if (a)
			core_fill_answer(r, a);
		core_answer(core, r);
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

void waiters_init(struct core *core)
{
	for (int i = 0; i < WAITER_BUCKETS; i++)
		STAILQ_INIT(&core->waiters[i]);
}
