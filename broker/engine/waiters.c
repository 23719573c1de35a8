/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait for a lease to get somewhere: a create for its machine, a
 * release for nothing to be left. They are answered in the transaction that
 * gets it there, or when their time is over.
 */
#include "engine/internal.h"

/* What is kept: does its protection come by itself? Not while something stands in its way. */
static int awaits_protection(struct core *core, const struct lease *l)
{
	const struct core_account *a = core_account_find(core, l->account);

	return l->retention != RETENTION_PROTECTED && !l->attention[0] && a &&
	       core_account_protects(a);
}

static int is_settled(struct core *core, const struct engine_request *request,
		      const struct lease *l)
{
	if (request->kind == REQUEST_CREATE)
		return l->state != LEASE_PROVISIONING;
	if (l->cleanup == CLEANUP_RETAINED)
		return !request->wait_protected || !awaits_protection(core, l);
	return l->cleanup == CLEANUP_DONE || l->cleanup == CLEANUP_ATTENTION ||
	       lease_waits_for_account(l);
}

void core_fill_answer(struct engine_request *request, const struct lease_aggregate *a)
{
	request->lease = a->lease;
	request->attempt_count = 0;
	for (size_t i = 0; i < a->ledger.attempt_count && i < ATTEMPTS_SHOWN; i++)
		request->attempts[request->attempt_count++] = a->ledger.attempts[i];
}

int core_is_awaited(const struct core *core, int64_t n)
{
	const struct engine_request *at = core->waiters[n % WAITER_BUCKETS];

	while (at && at->lease.n != n)
		at = at->next;
	return at != NULL;
}

void core_wait(struct core *core, struct engine_request *request)
{
	struct engine_request **bucket = &core->waiters[request->lease.n % WAITER_BUCKETS];

	if (request->wait_ms <= 0 || core->draining || is_settled(core, request, &request->lease)) {
		core_answer(core, request);
		return;
	}
	request->wait_until_ms = core_now(core) + request->wait_ms;
	if (!core->next_waiter_ms || request->wait_until_ms < core->next_waiter_ms)
		core->next_waiter_ms = request->wait_until_ms;
	request->next = *bucket;
	*bucket = request;
}

void core_wake(struct core *core, const struct lease_aggregate *a)
{
	const struct lease *l = &a->lease;
	struct engine_request **at = &core->waiters[l->n % WAITER_BUCKETS];

	while (*at) {
		struct engine_request *request = *at;

		if (request->lease.n != l->n || !is_settled(core, request, l)) {
			at = &request->next;
			continue;
		}
		*at = request->next;
		core_fill_answer(request, a);
		core_answer(core, request);
	}
}

void core_wait_timeouts(struct core *core, int64_t now_ms, int all)
{
	int64_t next = 0;

	if (!all && (!core->next_waiter_ms || core->next_waiter_ms > now_ms))
		return;
	for (int i = 0; i < WAITER_BUCKETS; i++) {
		struct engine_request **at = &core->waiters[i];

		while (*at) {
			struct engine_request *request = *at;
			const struct lease_aggregate *a;

			if (!all && request->wait_until_ms > now_ms) {
				if (!next || request->wait_until_ms < next)
					next = request->wait_until_ms;
				at = &request->next;
				continue;
			}
			*at = request->next;
			a = core_lease(core, request->lease.n, NULL);
			if (a)
				core_fill_answer(request, a);
			core_answer(core, request);
		}
	}
	core->next_waiter_ms = next;
}
