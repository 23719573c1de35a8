/* SPDX-License-Identifier: MIT */
/*
 * The end of a case: all faults are removed, hours pass without faults, and then every
 * lease must be finished: I1, I1b, I7, I8, I18, I21.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Several times the longest backoff. */
#define HEALTHY_MS (4 * HOUR)

static int ledger_names(const struct lease *l, const struct ledger *ledger, const struct made *m)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (r->state == LESSOR_STATE_GONE || r->state == LESSOR_STATE_HANDED_OVER)
			continue;
		if (r->id[0] && strtoll(r->id, NULL, 10) == m->id)
			return 1;
		/* By name only, where attention says that ownership cannot be proven. */
		if (!r->id[0] && l->cleanup == CLEANUP_ATTENTION && strcmp(r->name, m->name) == 0)
			return 1;
	}
	return 0;
}

struct sought {
	int64_t id;
	int found, why;
};

static int is_sought(void *arg, const struct orphan *s)
{
	struct sought *sought = arg;

	if (strtoll(s->id, NULL, 10) == sought->id) {
		sought->found = 1;
		sought->why = s->why;
	}
	return 0;
}

/*
 * Has the sweep reported it? This covers what no ledger can know: a resource that is newer
 * than the store, or that reappeared after it was proven gone.
 */
static int is_reported(struct world *w, const struct lease *l, const struct made *m)
{
	struct sought sought = { m->id, 0, 0 };

	store_orphan_each(core_store(w->d.core), "hetzner", is_sought, &sought, NULL);
	w->orphans += sought.found;
	if (sought.found && l && l->retained && sought.why != ORPHAN_RETAINED)
		violate(w, "I3: the sweep does not know that the lease of %s is retained", m->name);
	return sought.found;
}

/* Was the key handed over to another lease that uses it when its own lease ended? */
static int is_handed_over(struct world *w, const char *id, const struct made *m)
{
	int found = 0;

	for (size_t i = 0; i < w->lease_count && m->kind == CLOUD_KEY && !found; i++) {
		struct ledger ledger = { 0 };
		struct lease other;

		if (strcmp(w->leases[i].id, id) == 0 || world_lease(w, i, &other) ||
		    other.cleanup == CLEANUP_DONE ||
		    store_ledger(core_store(w->d.core), other.n, &ledger, NULL))
			continue;
		found = ledger_names(&other, &ledger, m);
		ledger_fini(&ledger);
	}
	return found;
}

/* I1, I1b: each existing resource is in a ledger that still holds it, or reported (I25). */
static void check_known(struct world *w, const char *id, const struct lease *l)
{
	struct ledger ledger = { 0 };

	if (l && store_ledger(core_store(w->d.core), l->n, &ledger, NULL)) {
		violate(w, "cannot read the ledger of %s", id);
		return;
	}
	for (size_t i = 0; i < w->made_count; i++) {
		const struct made *m = &w->made[i];

		if (!m->alive || !m->by_us || m->elsewhere || m->kind == CLOUD_IP ||
		    (w->restored && m->edited) ||
		    strcmp(m->lease, id) != 0 ||
		    (l && l->cleanup != CLEANUP_DONE && ledger_names(l, &ledger, m)) ||
		    is_handed_over(w, id, m))
			continue;
		/* The sweep finds what appears late; its cleanup is owed again automatically. */
		if (!(w->comes_back && m->deletes) && !w->lies && !w->restored && !m->is_pruned)
			violate(w, "I1: %s %lld (%s) still exists and is in no ledger",
				cloud_kind_name(m->kind), (long long)m->id, m->name);
		else if (!is_reported(w, l, m))
			violate(w, "I25: %s %lld (%s) still exists and is not reported",
				cloud_kind_name(m->kind), (long long)m->id, m->name);
	}
	ledger_fini(&ledger);
}

/* The last user of a key deletes it: does that lease need an operator, or is it retained? */
static int waits_for_other(struct world *w, const struct lease *l)
{
	for (size_t i = 0; i < w->lease_count; i++) {
		struct lease other;

		if (strcmp(w->leases[i].id, l->id) != 0 && world_lease(w, i, &other) == 0 &&
		    (other.cleanup == CLEANUP_ATTENTION || other.cleanup == CLEANUP_RETAINED))
			return l->due_ms != 0;
	}
	return 0;
}

static void check_cleanup(struct world *w, const struct lease *l)
{
	switch (l->cleanup) {
	case CLEANUP_DONE:
		if (l->due_ms)
			violate(w, "I7: %s is done but has a due time", l->id);
		break;
	case CLEANUP_OWED:
		if (!waits_for_other(w, l))
			violate(w, "I7: cleanup of %s is owed after hours without faults: %.150s",
				l->id, l->last_error);
		break;
	case CLEANUP_RETAINED:
		if (!l->retained)
			violate(w, "I3: cleanup of %s is retained, but the lease is not", l->id);
		if (l->due_ms && !l->attention[0])
			violate(w, "I7: %s is retained, all of it known, but due in %lld s: %.120s",
				l->id, (long long)(l->due_ms - driver_wall(&w->d)) / 1000,
				l->last_error);
		break;
	case CLEANUP_ATTENTION:
		/* I21: attention has a reason and is checked again. */
		if (!l->attention[0] || !l->due_ms)
			violate(w, "I21: %s is in attention without a reason or a due time", l->id);
		/* Whatever clients ask for, and whenever, is no reason. */
		if (!w->disturbed && !w->restarts && !w->jumped && !w->store_faults)
			violate(w, "I21: %s is in attention, but nothing failed: %.120s", l->id,
				l->attention);
		break;
	default:
		violate(w, "I7: %s has ended, but its cleanup is %s", l->id,
			lease_cleanup_name(l->cleanup));
	}
}

/* I2: the broker created every resource that a ledger calls its own. */
static void check_ours(struct world *w, const struct lease *l)
{
	struct ledger ledger = { 0 };

	if (store_ledger(core_store(w->d.core), l->n, &ledger, NULL))
		return;
	for (size_t i = 0; i < ledger.resource_count; i++) {
		const struct resource *r = &ledger.resources[i];

		if (!r->ours || !r->id[0] || r->state == LESSOR_STATE_DISOWNED)
			continue;
		for (size_t k = 0; k < w->made_count; k++) {
			if (w->made[k].id == strtoll(r->id, NULL, 10) && !w->made[k].by_us)
				violate(w, "I2: %s %s is in the ledger, but is somebody else's",
					cloud_kind_name(w->made[k].kind), r->id);
		}
	}
	ledger_fini(&ledger);
}

/* The history does not say whose an address is: a server that reappears uses its own again. */
static int any_server_lives(struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].kind == CLOUD_SERVER && w->made[i].alive)
			return 1;
	}
	return 0;
}

/* Reading a server reveals its address. */
static int any_was_read(const struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].kind == CLOUD_SERVER && w->made[i].was_read)
			return 1;
	}
	return 0;
}

/* The addresses of all servers of ours. */
static void check_all_addresses(struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		const struct made *m = &w->made[i];

		if (m->kind == CLOUD_IP && m->by_us && m->alive && !m->elsewhere &&
		    !is_reported(w, NULL, m))
			violate(w, "I25: address %lld still exists and is not reported",
				(long long)m->id);
	}
}

/*
 * I25: an address that its server left behind costs money and must be reported. Checks the
 * addresses in the ledger; and all of them, if only one server was created and it was read.
 */
static void check_addresses(struct world *w, const struct known *k, const struct lease *l)
{
	struct ledger ledger = { 0 };

	if (w->restored || l->cleanup != CLEANUP_DONE || any_server_lives(w) ||
	    store_ledger(core_store(w->d.core), l->n, &ledger, NULL))
		return;
	if (w->creates == 1 && (k->was_active || any_was_read(w)))
		check_all_addresses(w);
	for (size_t i = 0; i < ledger.resource_count; i++) {
		const struct resource *r = &ledger.resources[i];
		const struct made *m = r->kind == LESSOR_KIND_ADDRESS ?
				       made_find(w, CLOUD_IP, strtoll(r->id, NULL, 10)) : NULL;

		if (m && m->alive && !m->elsewhere && !is_reported(w, NULL, m))
			violate(w, "I25: address %s still exists and is not reported", r->id);
	}
	ledger_fini(&ledger);
}

static void check_lease(struct world *w, size_t index)
{
	const struct known *k = &w->leases[index];
	struct lease l;

	if (world_lease(w, index, &l)) {
		if (k->acked && !k->is_pruned && !w->restored)
			violate(w, "I6: %s was acknowledged but is not stored", k->id);
		check_known(w, k->id, NULL);
		return;
	}
	if (lease_is_live(&l)) {
		violate(w, "%s: %s is still live", k->ended ? "I6" : "I10", k->id);
		return;
	}
	check_cleanup(w, &l);
	check_ours(w, &l);
	check_known(w, l.id, &l);
	check_addresses(w, k, &l);
}

static void check_servers(struct world *w)
{
	int sentinels = 0;

	for (size_t i = 0; i < w->made_count; i++) {
		const struct made *m = &w->made[i];

		if (!m->by_us || !m->alive || m->elsewhere)
			continue;
		sentinels += m->kind == CLOUD_KEY && !m->lease[0];
		for (size_t k = 0; k < i; k++) {
			if (m->kind == CLOUD_SERVER && w->made[k].kind == CLOUD_SERVER &&
			    w->made[k].alive && w->made[k].by_us && !w->made[k].elsewhere &&
			    !w->restored && !w->comes_back && m->lease[0] &&
			    strcmp(w->made[k].lease, m->lease) == 0)
				violate(w, "I8: %s has two servers", m->lease);
		}
	}
	if (sentinels > 1)
		violate(w, "I1b: %d sentinels", sentinels);
}

static int is_converged(struct world *w)
{
	for (size_t i = 0; i < w->lease_count; i++) {
		const struct known *k = &w->leases[i];

		if (k->seen && (lease_is_live(&k->row) || k->row.cleanup == CLEANUP_OWED ||
				(k->row.cleanup == CLEANUP_RETAINED && k->row.due_ms)))
			return 0;
	}
	return 1;
}

const char *world_conclude(struct world *w)
{
	struct err err = { 0 };
	int64_t until;

	while ((w->undo || w->loop_left) && !w->violation[0])
		world_pass(w, MINUTE);
	world_heal(w);
	w->crash_chance = 0;
	w->crash_at = 0;
	/* A restored store runs for a while before an operator takes the account over. */
	if (w->restored && !w->violation[0]) {
		world_pass(w, 10 * MINUTE);
		world_take_over(w);
	}
	w->healed_ms = w->d.now_ms;
	until = w->d.now_ms + HEALTHY_MS + (w->d.wall_off_ms < 0 ? -w->d.wall_off_ms : 0);
	while (!w->violation[0] && w->d.now_ms < until && !is_converged(w))
		world_pass(w, w->d.now_ms - w->healed_ms < MINUTE ? SECOND : 10 * SECOND);
	w->converged_ms = w->d.now_ms;
	if (!w->violation[0] && w->d.now_ms < until)
		world_pass(w, until - w->d.now_ms);
	for (size_t i = 0; i < w->lease_count; i++)
		check_lease(w, i);
	check_servers(w);
	pruning_check(w);
	/* I18 */
	if (!w->violation[0] && store_check(core_store(w->d.core), &err))
		violate(w, "I18: %s", err.text);
	return w->violation[0] ? w->violation : NULL;
}
