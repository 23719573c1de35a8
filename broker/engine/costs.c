/* SPDX-License-Identifier: MIT */
/*
 * Bills: what each resource costs is written with the resource's own row, in the same
 * transaction, so that usage tells what the ledger tells. The rules are those of lease/cost.h.
 */
#include "engine/internal.h"

#include "util/text.h"

/* Type and location are those of its attempt; an orphan that a sweep adopted may have none. */
static void place_find(const struct lease_aggregate *a, const struct resource *r, struct cost *cost)
{
	TEXT_SET(cost->type, a->lease.server_type);
	TEXT_SET(cost->location, a->lease.server_location);
	for (size_t i = 0; i < a->ledger.attempt_count; i++) {
		const struct attempt *t = &a->ledger.attempts[i];

		if (t->number != r->attempt)
			continue;
		TEXT_SET(cost->type, t->type);
		TEXT_SET(cost->location, t->location);
	}
}

static int terms_find(struct core *core, struct cost *cost, struct err *err)
{
	struct store_price price;
	int rc = core_price_get(core, cost->account, cost->type, cost->location, &price, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	cost->terms = (struct cost_terms){ .hour_micros = price.hour_micros,
					   .month_micros = price.month_micros,
					   .unit_ms = price.unit_ms,
					   .minimum_ms = price.minimum_ms };
	TEXT_SET(cost->terms.currency, price.currency);
	return 0;
}

/* As store_costs_complete completes them. */
int core_terms_complete(struct core *core, struct lease_aggregate *a, struct err *err)
{
	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		struct resource *r = &a->ledger.resources[i];
		struct cost_terms *terms = &r->terms;
		struct cost cost = { .resource = r->n };

		if (!r->billed_from_ms || (terms->currency[0] && terms->unit_ms))
			continue;
		TEXT_SET(cost.account, r->account);
		place_find(a, r, &cost);
		if (terms_find(core, &cost, err))
			return -1;
		if (!cost.terms.currency[0])
			continue;
		if (terms->currency[0]) {
			cost.terms.hour_micros = terms->hour_micros;
			TEXT_SET(cost.terms.currency, terms->currency);
		}
		*terms = cost.terms;
	}
	return 0;
}

static int cost_begin(struct core *core, const struct lease_aggregate *a, const struct resource *r,
		      struct cost *cost, struct err *err)
{
	const struct lease *l = &a->lease;

	cost->lease = l->n;
	TEXT_SET(cost->lease_id, l->id);
	TEXT_SET(cost->slug, l->slug);
	TEXT_SET(cost->owner, l->owner);
	TEXT_SET(cost->org, l->org);
	TEXT_SET(cost->account, r->account);
	place_find(a, r, cost);
	if (terms_find(core, cost, err))
		return -1;
	return store_cost_put(core->store, cost, err);
}

int core_cost_write(struct core *core, const struct lease_aggregate *a, struct resource *r,
		    struct err *err)
{
	struct cost cost = { .resource = r->n };

	if (!cost_of_resource(r, &cost.from_ms, &cost.to_ms) ||
	    (cost.from_ms == r->billed_from_ms && cost.to_ms == r->billed_to_ms))
		return 0;
	if (r->billed_from_ms ? store_cost_times_put(core->store, &cost, err) :
				cost_begin(core, a, r, &cost, err))
		return -1;
	if (!r->billed_from_ms)
		r->terms = cost.terms;
	r->billed_from_ms = cost.from_ms;
	r->billed_to_ms = cost.to_ms;
	return 0;
}
