/* SPDX-License-Identifier: MIT */
#include "lease/times.h"

#include "util/alloc.h"

/* The moments of a lease, of a row and of an attempt. */
static const size_t lease_moments[] = {
	offsetof(struct lease, created_ms),	    offsetof(struct lease, touched_ms),
	offsetof(struct lease, ready_ms),	    offsetof(struct lease, ended_ms),
	offsetof(struct lease, released_ms),	    offsetof(struct lease, updated_ms),
	offsetof(struct lease, cleanup_started_ms), offsetof(struct lease, admitted_ms),
};
static const size_t resource_moments[] = {
	offsetof(struct resource, created_ms),	    offsetof(struct resource, changed_ms),
	offsetof(struct resource, authorized_ms),   offsetof(struct resource, seen_ms),
	offsetof(struct resource, first_absent_ms), offsetof(struct resource, marked_ms),
};
static const size_t attempt_moments[] = { offsetof(struct attempt, started_ms) };

static int64_t *moment(void *row, size_t at)
{
	return (int64_t *)(void *)((char *)row + at);
}

int64_t time_past(int64_t at_ms, int64_t now_ms)
{
	return at_ms < now_ms ? at_ms : now_ms;
}

static int is_ahead(int64_t at_ms, int64_t now_ms)
{
	int64_t by;

	/* A damaged row may hold anything. */
	return !__builtin_sub_overflow(at_ms, now_ms, &by) && by > TIMES_AHEAD_MS;
}

/* The latest becomes now, and the others of the future keep their distance from it. */
static int moments_mend(void *row, const size_t *moments, size_t count, int64_t now_ms)
{
	int64_t latest = now_ms;

	for (size_t i = 0; i < count; i++) {
		int64_t at = *moment(row, moments[i]);

		if (is_ahead(at, latest))
			latest = at;
	}
	if (latest == now_ms)
		return 0;
	for (size_t i = 0; i < count; i++) {
		int64_t *at = moment(row, moments[i]);

		if (is_ahead(*at, now_ms))
			*at -= latest - now_ms;
	}
	return 1;
}

static int moments_move(void *row, const size_t *moments, size_t count,
			const struct times_change *change)
{
	int changed = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t *at = moment(row, moments[i]);

		if (!*at || *at < change->from_ms || *at > change->to_ms)
			continue;
		*at += change->by_ms;
		changed = 1;
	}
	return changed;
}

int lease_is_ahead(const struct lease *l, int64_t now_ms)
{
	for (size_t i = 0; i < ARRAY_LEN(lease_moments); i++) {
		const char *at = (const char *)l + lease_moments[i];

		if (lease_moments[i] != offsetof(struct lease, touched_ms) &&
		    is_ahead(*(const int64_t *)(const void *)at, now_ms))
			return 1;
	}
	return 0;
}

/* Moves a time that was set relative to `then_ms`, which turns out to be `by_ms` away. */
static void time_follow(int64_t *at, int64_t then_ms, int64_t by_ms)
{
	if (*at > then_ms)
		*at += by_ms;
}

/* What was set relative to the begin and to the release, when these have moved. */
static void lease_follow(struct lease *l, int64_t begun_ms, int64_t released_ms)
{
	int is_due = l->due_ms == l->retain_until_ms;

	time_follow(&l->provision_deadline_ms, begun_ms, lease_begun_ms(l) - begun_ms);
	if (!l->retain_until_ms)
		return;
	time_follow(&l->retain_until_ms, released_ms, l->released_ms - released_ms);
	if (is_due)
		l->due_ms = l->retain_until_ms;
}

int lease_times_mend(struct lease *l, int64_t now_ms)
{
	int64_t begun = lease_begun_ms(l), released = l->released_ms;

	if (!moments_mend(l, lease_moments, ARRAY_LEN(lease_moments), now_ms))
		return 0;
	lease_follow(l, begun, released);
	/* Of an active lease and one in the queue, its tick sets the right one. */
	if (l->state == LEASE_ACTIVE || lease_is_queued(l) ||
	    (l->due_ms > now_ms + LEASE_WAIT_MOST_MS && l->due_ms != l->retain_until_ms))
		l->due_ms = now_ms;
	return 1;
}

/* The end of its request was set when the row changed, unless by another clock. */
static void resource_follow(struct resource *r, int64_t changed_ms, int is_shared)
{
	if (!is_shared)
		time_follow(&r->until_ms, changed_ms, r->changed_ms - changed_ms);
	r->is_dirty = 1;
}

void ledger_times_mend(struct ledger *ledger, int64_t now_ms, int is_shared)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		struct resource *r = &ledger->resources[i];
		int64_t changed_ms = r->changed_ms;

		if (moments_mend(r, resource_moments, ARRAY_LEN(resource_moments), now_ms))
			resource_follow(r, changed_ms, is_shared);
	}
	for (size_t i = 0; i < ledger->attempt_count; i++)
		ledger->attempts[i].is_dirty |= moments_mend(&ledger->attempts[i], attempt_moments,
							     ARRAY_LEN(attempt_moments), now_ms);
}

int lease_times_move(struct lease *l, const struct times_change *change)
{
	int64_t begun = lease_begun_ms(l), released = l->released_ms;

	if (!moments_move(l, lease_moments, ARRAY_LEN(lease_moments), change))
		return 0;
	lease_follow(l, begun, released);
	if (l->state == LEASE_ACTIVE || lease_is_queued(l))
		l->due_ms += change->by_ms;
	return 1;
}

void ledger_times_move(struct ledger *ledger, const struct times_change *change, int is_shared)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		struct resource *r = &ledger->resources[i];
		int64_t changed_ms = r->changed_ms;

		if (moments_move(r, resource_moments, ARRAY_LEN(resource_moments), change))
			resource_follow(r, changed_ms, is_shared);
	}
	for (size_t i = 0; i < ledger->attempt_count; i++)
		ledger->attempts[i].is_dirty |= moments_move(&ledger->attempts[i], attempt_moments,
							     ARRAY_LEN(attempt_moments), change);
}

void ledger_clock_set(struct ledger *ledger, int64_t now_ms, int64_t by_ms, int keeps_until)
{
	for (size_t i = 0; by_ms && i < ledger->resource_count; i++) {
		struct resource *r = &ledger->resources[i];

		if (!resource_is_residue(r))
			continue;
		if (!keeps_until && r->until_ms > now_ms - by_ms) {
			r->until_ms += by_ms;
			r->is_dirty = 1;
		}
		if (by_ms > 0 || (r->changed_ms <= now_ms && r->created_ms <= now_ms))
			continue;
		r->changed_ms = time_past(r->changed_ms, now_ms);
		r->created_ms = time_past(r->created_ms, now_ms);
		r->is_dirty = 1;
	}
}
