/* SPDX-License-Identifier: MIT */
/*
 * Checks the rows after each commit, and the claims that steps are granted: I3, I6, I9,
 * I10, I12, I14, I23, I24.
 */
#include "world.h"

#include <string.h>

/* Without faults an expiry is noticed within this time. */
#define NOTICED_MS (60 * SECOND)
/* After a jump the clock is not trusted for at least this time. */
#define SUSPECT_MS MINUTE

static int state_may_follow(enum lease_state from, enum lease_state to)
{
	switch (from) {
	case LEASE_PROVISIONING:
		return to == LEASE_ACTIVE || to == LEASE_FAILED || to == LEASE_RELEASED;
	case LEASE_ACTIVE:
		return to == LEASE_RELEASED || to == LEASE_EXPIRED;
	default:
		return 0;
	}
}

static int is_late(void *arg, const struct store_event *e)
{
	*(int *)arg |= strcmp(e->kind, "lease.late") == 0;
	return 0;
}

/* Has a resource of it appeared after it was concluded to be absent? */
static int showed_late(struct world *w, const struct lease *l)
{
	int found = 0;

	store_event_each(core_store(w->d.core), l->n, 0, 10000, is_late, &found, NULL);
	return found;
}

static int cleanup_may_follow(enum lease_cleanup from, enum lease_cleanup to, int may_owe_again)
{
	switch (from) {
	case CLEANUP_NONE:
		return to != CLEANUP_ATTENTION;
	case CLEANUP_OWED:
	case CLEANUP_ATTENTION:
		return to != CLEANUP_NONE;
	case CLEANUP_RETAINED:
		return to == CLEANUP_OWED || to == CLEANUP_DONE;
	default:
		/* The sweep found a resource of it after all; it is retained if the lease is. */
		return (to == CLEANUP_OWED || to == CLEANUP_RETAINED) && may_owe_again;
	}
}

/* An unknown, late, garbled or failed response is no refusal and must not fail a lease. */
static void watch_failure(struct world *w, const struct known *k, const struct lease *l)
{
	if (w->may_fail || w->outage || w->jumped || w->restored || pruning_hides(w, k) ||
	    (w->may_be_late && l->end_reason == LEASE_END_DEADLINE))
		return;
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].edited && strcmp(w->made[i].lease, k->id) == 0)
			return;
	}
	violate(w, "I24: %s failed, but nothing refused it: %.200s", k->id, l->failure);
}

static void watch_change(struct world *w, struct known *k, const struct lease *l)
{
	const struct lease *was = &k->row;

	if (l->epoch < was->epoch)
		violate(w, "I14: the epoch of %s went from %lld to %lld", k->id,
			(long long)was->epoch, (long long)l->epoch);
	if (l->state != was->state && !state_may_follow(was->state, l->state))
		violate(w, "I9: %s went from %s to %s", k->id, lease_state_name(was->state),
			lease_state_name(l->state));
	if (l->state == LEASE_FAILED && was->state == LEASE_PROVISIONING)
		watch_failure(w, k, l);
	if (l->state != was->state && l->state != LEASE_ACTIVE && l->epoch == was->epoch)
		violate(w, "I12: %s ended without a new epoch", k->id);
	if (l->cleanup != was->cleanup &&
	    !cleanup_may_follow(was->cleanup, l->cleanup, w->sweep_deletes || showed_late(w, l)))
		violate(w, "I9: cleanup of %s went from %s to %s", k->id,
			lease_cleanup_name(was->cleanup), lease_cleanup_name(l->cleanup));
	/* History is written once; but times of a clock that was known to be wrong are corrected. */
	if (was->ended_ms && l->end_reason != was->end_reason)
		violate(w, "I14: the end reason of %s was rewritten", k->id);
	if (((was->ended_ms && l->ended_ms != was->ended_ms) ||
	     (was->released_ms && l->released_ms != was->released_ms)) &&
	    !w->jumped)
		violate(w, "I14: the end time of %s was rewritten", k->id);
	if (was->retained && !l->retained && !k->delete_asked)
		violate(w, "I3: %s is no longer retained, but no delete was requested", k->id);
	if (was->retained && !l->retained)
		k->delete_asked = 0;
}

static void watch_expiry(struct world *w, struct known *k, const struct lease *l)
{
	int64_t late = driver_wall(&w->d) - lease_expires_ms(l);

	if (w->clock_wrong)
		violate(w, "I23: %s expired by a clock that is %lld h wrong", k->id,
			(long long)(w->d.wall_off_ms / HOUR));
	if (w->jumped) {
		/* I23: nothing expires while the clock is in doubt. */
		if (w->d.now_ms - w->jumped_ms < SUSPECT_MS && !w->restarts)
			violate(w, "I23: %s expired %lld s after the clock jumped", k->id,
				(long long)(w->d.now_ms - w->jumped_ms) / 1000);
		return;
	}
	if (late < 0)
		violate(w, "I10: %s expired %lld s early", k->id, (long long)-late / 1000);
	if (late > NOTICED_MS && !w->restarts && !w->disturbed)
		violate(w, "I10: %s expired %lld s late", k->id, (long long)late / 1000);
	k->expired_ms = w->d.now_ms - late;
}

static void watch_lease(struct world *w, struct known *k, size_t index)
{
	struct lease l;
	int rc = world_lease(w, index, &l);

	if (rc) {
		/* I6: what was acknowledged is stored. */
		if (!pruning_noticed(w, k) && k->acked && !w->restored)
			violate(w, "I6: %s was acknowledged but is not stored", k->id);
		k->seen = 0;
		return;
	}
	/* A store that was put back may still have it. */
	k->is_pruned = 0;
	if (k->seen)
		watch_change(w, k, &l);
	if (l.state == LEASE_EXPIRED && (!k->seen || k->row.state == LEASE_ACTIVE))
		watch_expiry(w, k, &l);
	if (l.touched_ms < k->touched_ms && !w->restored && !w->jumped)
		violate(w, "I6: a heartbeat of %s was acknowledged but is not stored", k->id);
	promises_committed(w, &l, k->seen && k->row.retention == RETENTION_PROTECTED);
	/* From this commit on. */
	k->kept = l.retained;
	k->was_kept |= l.retained;
	k->is_protected |= l.retained && l.retention == RETENTION_PROTECTED;
	k->was_active |= l.state == LEASE_ACTIVE;
	k->row = l;
	k->seen = 1;
	trace(w, &l.state, sizeof(l.state));
	trace(w, &l.cleanup, sizeof(l.cleanup));
	trace(w, &l.epoch, sizeof(l.epoch));
}

void watch_commit(struct world *w)
{
	if (!w->d.core)
		return;
	if (w->file_gone)
		violate(w, "I26: a commit to a database that was moved or replaced");
	for (size_t i = 0; i < w->lease_count; i++)
		watch_lease(w, &w->leases[i], i);
	disk_committed(w);
	inventory_committed(w);
	doubt_committed(w);
}

void watch_leave(struct world *w, const struct step *step, const struct lease_claim *what)
{
	int index = step->lease.n ? lease_index(w, step->lease.id) : -1;

	if (what->result)
		return;
	/* I12: only a step with the lease's current epoch may be granted a new effect. */
	if (index >= 0 && w->leases[index].seen && step->epoch != w->leases[index].row.epoch &&
	    (what->kind == CLAIM_ATTEMPT || what->kind == CLAIM_INTEND ||
	     what->kind == CLAIM_PERMIT ||
	     (what->kind == CLAIM_REUSE && what->resource_kind != LESSOR_KIND_ADDRESS)))
		violate(w, "I12: a step of epoch %lld was granted %s, but %s has epoch %lld",
			(long long)step->epoch, lease_claim_name(what->kind), step->lease.id,
			(long long)w->leases[index].row.epoch);
}

void watch_start(struct world *w, struct store *store)
{
	/* A restored store, or a commit that was cut off, is checked elsewhere. */
	if (w->restored || w->power || w->store_faults)
		return;
	for (size_t i = 0; i < w->lease_count; i++) {
		const struct known *k = &w->leases[i];
		struct lease l;

		if (!k->seen || store_lease_by_id(store, k->id, &l, NULL))
			continue;
		if (l.tries != k->row.tries || l.due_ms != k->row.due_ms ||
		    l.retained != k->row.retained || l.cleanup != k->row.cleanup)
			violate(w, "I14: after a start %s differs from what was committed", k->id);
	}
}
