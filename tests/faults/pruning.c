/* SPDX-License-Identifier: MIT */
/*
 * Which leases may be pruned, and what stays of them: I37, I38. Each world prunes; few last for
 * long enough that something is old enough.
 */
#include "world.h"

#include <string.h>

#include "lease/cost.h"
#include "store/history.h"

/* What a create brought late is in a list by then. */
#define LATE_MS (48 * HOUR)
/* After a jump the clock is not trusted for at least this time. */
#define SUSPECT_MS MINUTE

static const struct store_scope everybody = { .all = 1, .owner = "", .org = "" };

/* Nothing can be due to it, or be kept by it. */
static void check_over(struct world *w, const struct known *k)
{
	const struct lease *l = &k->row;

	if (lease_is_live(l) || l->cleanup != CLEANUP_DONE || l->due_ms || l->attention[0])
		violate(w, "I37: %s was pruned, but its cleanup is %s", k->id,
			lease_cleanup_name(l->cleanup));
	if (k->kept || l->retained)
		violate(w, "I37: %s was pruned, but it is retained", k->id);
}

static void check_when(struct world *w, const struct known *k)
{
	int64_t age_ms = driver_wall(&w->d) - k->row.updated_ms;

	if (age_ms < KEEP_MS || (age_ms < LATE_MS && !w->jumped))
		violate(w, "I37: %s was pruned %lld minutes after its end", k->id,
			(long long)(age_ms / MINUTE));
	/* A clock that was put right agrees with the provider's at once. */
	if (w->clock_wrong || (w->jumped && !w->restarts && w->d.now_ms - w->jumped_ms < SUSPECT_MS))
		violate(w, "I37: %s was pruned by a clock that is in doubt", k->id);
	if (account_is_fenced(w->d.account) || w->project_moved || w->account_gone)
		violate(w, "I37: %s was pruned, but its account is not verified", k->id);
}

static int is_shown(struct world *w, const struct made *m)
{
	struct cloud_object o;

	return cloud_object_find(w->cloud, m->kind, m->id, &o) == 0 && !o.is_hidden &&
	       !o.is_unlisted;
}

/* Nothing of it exists, as far as anybody could see. */
static void check_gone(struct world *w, const struct known *k)
{
	for (size_t i = 0; i < w->made_count; i++) {
		struct made *m = &w->made[i];

		if (!m->by_us || m->elsewhere || strcmp(m->lease, k->id) != 0)
			continue;
		m->is_pruned = 1;
		if (m->alive && !w->lies && !(w->comes_back && m->deletes) && is_shown(w, m))
			violate(w, "I37: %s was pruned, but %s %lld (%s) exists", k->id,
				cloud_kind_name(m->kind), (long long)m->id, m->name);
	}
}

int pruning_noticed(struct world *w, struct known *k)
{
	/* What a store that was put back never had is not pruned. */
	if (k->is_pruned || !k->seen)
		return k->is_pruned;
	k->is_pruned = 1;
	check_over(w, k);
	check_when(w, k);
	check_gone(w, k);
	return 1;
}

int pruning_hides(struct world *w, const struct known *k)
{
	for (size_t i = 0; i < w->made_count && w->used_again; i++) {
		const struct made *m = &w->made[i];

		if (m->alive && strcmp(m->lease, k->id) == 0 && !is_shown(w, m))
			return 1;
	}
	return 0;
}

void pruning_again(struct world *w, struct known *k)
{
	struct known fresh = { .queue_ms = k->queue_ms, .cancel_asked = k->cancel_asked };

	memcpy(fresh.id, k->id, sizeof(fresh.id));
	*k = fresh;
	/* What shows late has the new lease's name. */
	for (size_t i = 0; i < w->made_count; i++)
		w->made[i].is_pruned &= strcmp(w->made[i].lease, k->id) != 0;
	w->used_again++;
}

struct past {
	int64_t leases, runtime_ms;
};

static void add_past(void *arg, const struct store_past_usage *row)
{
	struct past *past = arg;

	past->leases += row->leases;
	past->runtime_ms += row->runtime_ms;
}

struct bills {
	const char *lease;
	int count, open;
};

static void add_bill(void *arg, const struct store_cost_row *row)
{
	struct bills *bills = arg;

	if (strcmp(row->cost.lease_id, bills->lease) != 0)
		return;
	bills->count++;
	bills->open += !row->cost.to_ms;
}

/* A machine that was ready was billed, until it was gone. */
static void check_bills(struct world *w, const struct known *k)
{
	const struct store_cost_range range = { .part = COSTS_BEGUN, .to_ms = INT64_MAX };
	struct bills bills = { .lease = k->id };

	if (store_cost_each(core_store(w->d.core), &everybody, &range, add_bill, &bills, NULL))
		violate(w, "I38: cannot read the bills");
	else if (k->was_active && !bills.count)
		violate(w, "I38: %s was pruned, and with it what it cost", k->id);
	else if (bills.open)
		violate(w, "I38: %s was pruned, and a bill of it is open", k->id);
}

void pruning_check(struct world *w)
{
	struct past want = { 0 }, have = { 0 };
	int64_t first_ms = 0, last_ms = 0;

	for (size_t i = 0; i < w->lease_count; i++) {
		const struct known *k = &w->leases[i];

		if (!k->is_pruned)
			continue;
		check_bills(w, k);
		if (!lease_is_queued(&k->row)) {
			want.leases++;
			want.runtime_ms += k->row.ended_ms - lease_begun_ms(&k->row);
		}
		if (!first_ms || k->row.created_ms < first_ms)
			first_ms = k->row.created_ms;
		if (k->row.created_ms > last_ms)
			last_ms = k->row.created_ms;
	}
	/* An id that was used again is known as the later lease alone. */
	if (!first_ms || w->restored || w->used_again || w->violation[0])
		return;
	for (int64_t ms = cost_month_ms(first_ms); ms <= last_ms; ms = cost_next_month_ms(ms)) {
		if (store_past_usage_each(core_store(w->d.core), &everybody, ms, add_past, &have,
					  NULL))
			violate(w, "I38: cannot read the usage of pruned leases");
	}
	if (have.leases != want.leases || have.runtime_ms != want.runtime_ms)
		violate(w, "I38: %lld leases of %lld s were pruned, %lld of %lld s are counted",
			(long long)want.leases, (long long)want.runtime_ms / 1000,
			(long long)have.leases, (long long)have.runtime_ms / 1000);
}
