/* SPDX-License-Identifier: MIT */
/*
 * The money of a month: what each lease takes of it is written with the lease, in the same
 * transaction, so that the totals tell what the leases tell, and a lease is admitted by those totals.
 * The rules are those of lease/charge.h.
 */
#include "engine/internal.h"

#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

/* When the clock, the store or a read did not allow it. */
#define RETRY_MS 60000
/* Months (UTC) begin with an hour. */
#define HOUR_MS INT64_C(3600000)
/* The most months that a TTL and its credit reach. */
#define MONTHS 4

/* ---- terms ------------------------------------------------------------------------------ */

static void terms_take(const struct store_price *price, struct cost_terms *ret)
{
	*ret = (struct cost_terms){ .hour_micros = price->hour_micros,
				    .month_micros = price->month_micros,
				    .unit_ms = price->unit_ms,
				    .minimum_ms = price->minimum_ms };
	TEXT_SET(ret->currency, price->currency);
}

/* Of the machine that the lease is to get: of its first candidate, as its price is. */
static void expected_find(struct core *core, const struct lease *l, struct cost_terms *ret)
{
	struct store_price price;

	*ret = (struct cost_terms){ .hour_micros = l->price_hour_micros };
	TEXT_SET(ret->currency, l->currency);
	if (l->type_count &&
	    core_price_get(core, l->account, l->types[0], l->location, &price, NULL) == 0)
		terms_take(&price, ret);
}

static void lease_charges(struct core *core, const struct lease_aggregate *a, struct charges *ret)
{
	struct cost_terms expected;

	expected_find(core, &a->lease, &expected);
	charges_of(a, &expected, core_now(core), ret);
}

/* ---- writing ---------------------------------------------------------------------------- */

struct charge_mark core_charge_mark(const struct lease_aggregate *a)
{
	const struct lease *l = &a->lease;
	struct charge_mark mark = {
		.counts = lease_counts(l),
		.cleanup = l->cleanup,
		.end_ms = lease_ttl_end_ms(l),
		.price = l->price_hour_micros,
	};

	for (size_t i = 0; i < a->ledger.resource_count; i++) {
		const struct resource *r = &a->ledger.resources[i];

		mark.bills = mark.bills * 31 + (uint64_t)r->billed_from_ms;
		mark.bills = mark.bills * 31 + (uint64_t)r->billed_to_ms;
	}
	return mark;
}

int core_charges_write(struct core *core, struct lease_aggregate *a, int is_first, struct err *err)
{
	struct charges charges;
	uint64_t digest;

	lease_charges(core, a, &charges);
	digest = charges_digest(&charges);
	if (digest == a->charged)
		return 0;
	/* A reservation that becomes less may let others in. */
	capacity_changed(core);
	if (store_charges_put(core->store, &a->lease, &charges, is_first, err))
		return -1;
	a->charged = digest;
	return 0;
}

int core_charges_follow(struct core *core, struct lease_aggregate *a,
			const struct charge_mark *before, int is_first, struct err *err)
{
	struct charge_mark now = core_charge_mark(a);

	if (!a->lease.n || (!is_first && now.counts == before->counts &&
			    now.cleanup == before->cleanup && now.end_ms == before->end_ms &&
			    now.price == before->price && now.bills == before->bills))
		return 0;
	return core_charges_write(core, a, is_first, err);
}

/* ---- deciding --------------------------------------------------------------------------- */

/* What `after` takes of a month beyond `before`, against the limits of the month. 1: too much. */
static int months_check(struct core *core, const struct lease *l, const struct limits_for *limits,
			const struct charges *before, const struct charges *after,
			struct limit_hit *ret, struct err *err)
{
	struct store_spend have[MONTHS];
	int count = after->count < MONTHS ? after->count : MONTHS;
	const struct charge *months = &after->months[after->count - count];

	for (int i = 0; i < count; i++)
		have[i].month_ms = months[i].month_ms;
	if (count && store_spend_get(core->store, l->owner, l->org, l->account, have, count, err))
		return -1;
	for (int i = 0; i < count; i++) {
		int64_t month = months[i].month_ms;
		int64_t more = charges_in(after, month) - charges_in(before, month);

		if (more > 0 && limits_month_exceeded(limits, &have[i], more, ret))
			return 1;
	}
	return 0;
}

int core_limits_check(struct core *core, const struct lease *l, const struct store_counts *have,
		      struct limit_hit *ret, struct err *err)
{
	static const struct charges none;
	struct limits_for limits = limits_of(&core->config.limits, l->owner, l->org, l->account);
	struct lease_aggregate a = { .lease = *l };
	struct charges charges;

	if (limits_exceeded(&limits, have, l->price_hour_micros, ret))
		return 1;
	if (!limits_month_is_set(&limits))
		return 0;
	/* As it will be, once it is admitted now. */
	a.lease.state = LEASE_PROVISIONING;
	a.lease.cleanup = CLEANUP_NONE;
	a.lease.created_ms = core_now(core);
	a.lease.admitted_ms = a.lease.queue_ms ? core_now(core) : 0;
	lease_charges(core, &a, &charges);
	return months_check(core, l, &limits, &none, &charges, ret, err);
}

int core_extension_check(struct core *core, const struct lease_aggregate *a, int64_t ttl_ms,
			 struct limit_hit *ret, struct err *err)
{
	const struct lease *l = &a->lease;
	struct limits_for limits = limits_of(&core->config.limits, l->owner, l->org, l->account);
	struct charges before, after;
	struct lease_aggregate later = *a;

	/* Until it is admitted, nothing is reserved. */
	if (ttl_ms <= l->ttl_ms || lease_is_queued(l) || !lease_is_live(l) ||
	    !limits_month_is_set(&limits))
		return 0;
	later.lease.ttl_ms = ttl_ms;
	lease_charges(core, a, &before);
	lease_charges(core, &later, &after);
	return months_check(core, l, &limits, &before, &after, ret, err);
}

int core_has_month_limit(const struct core *core, const struct lease *l)
{
	struct limits_for limits = limits_of(&core->config.limits, l->owner, l->org, l->account);

	return limits_month_is_set(&limits);
}

/* ---- what has to be charged again ---------------------------------------------------------- */

/*
 * What goes on from a month before, and has reserved nothing in this one: what is retained, or needs
 * an operator; what an older version created, which reserved nothing; and in every hour what is late.
 */
static int due_read(struct core *core, struct core_account *a, struct err *err)
{
	struct core_charging *c = &a->charging;
	int count = store_charges_due(core->store, a->account->config.name, c->hour_ms,
				      CHARGE_BATCH, &c->after_n, c->n, &c->is_complete, err);

	if (count < 0)
		return -1;
	c->count = count;
	return 0;
}

static void again_take(struct core_charging *c)
{
	while (c->again_count && c->count < CHARGE_BATCH)
		c->n[c->count++] = c->again[--c->again_count];
}

/* Leaves out leases that cannot be read: they must not hold up the others. */
static void leases_read(struct core *core, struct core_charging *c)
{
	int count = 0;

	for (int i = 0; i < c->count; i++) {
		if (core_lease(core, c->n[i], NULL))
			c->n[count++] = c->n[i];
	}
	c->count = count;
}

void core_charges_read(struct core *core)
{
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];
		struct core_charging *c = &a->charging;
		struct err err = { 0 };

		if (!c->is_due)
			continue;
		c->is_due = 0;
		c->is_read = 1;
		c->count = 0;
		again_take(c);
		if (!c->count && !c->is_complete && due_read(core, a, &err)) {
			c->is_failed = 1;
			log_error(LOG_FIELDS({ "account", a->account->config.name },
					     { "error", err.text }),
				  "cannot read for which leases of account %s money of this month is to be "
				  "reserved; retrying in a minute",
				  a->account->config.name);
		}
		leases_read(core, c);
	}
}

void core_charge_again(struct core *core, struct core_account *a, int64_t n)
{
	struct core_charging *c = &a->charging;

	c->again = xgrow(c->again, c->again_count, sizeof(*c->again));
	c->again[c->again_count++] = n;
	account_task_soon(core, a, TASK_MONTH);
}

static int leases_charge(struct core *core, struct core_charging *c, struct err *err)
{
	for (int i = 0; i < c->count; i++) {
		struct lease_aggregate *a = core_lease(core, c->n[i], err);

		if (!a || core_terms_complete(core, a, err) || core_charges_write(core, a, 0, err))
			return -1;
	}
	c->count = 0;
	return 0;
}

static void hour_begin(struct core *core, struct core_charging *c, int64_t hour_ms)
{
	if (c->hour_ms == hour_ms)
		return;
	/* The money of the month before no longer stops anybody. */
	if (cost_month_ms(c->hour_ms) != cost_month_ms(hour_ms))
		capacity_changed(core);
	c->hour_ms = hour_ms;
	c->after_n = 0;
	c->is_complete = 0;
}

void core_month_due(struct core *core, struct core_account *a)
{
	struct core_charging *c = &a->charging;
	int64_t now = core_now(core);
	struct err err = { 0 };

	if (core_clock_is_suspect(core) || store_state(core->store) == STORE_RESERVE ||
	    c->is_failed) {
		c->is_failed = 0;
		account_task_at(core, a, TASK_MONTH, now + RETRY_MS);
		return;
	}
	hour_begin(core, c, now - now % HOUR_MS);
	/* A failed write marks the store broken; the commit then fails. */
	if (c->is_read && leases_charge(core, c, &err))
		log_error(LOG_FIELDS({ "account", a->account->config.name }, { "error", err.text }),
			  "cannot reserve the money of the month for open leases");
	c->is_read = 0;
	/* They are read before the next batch. */
	c->is_due = !c->is_complete || c->again_count;
	account_task_at(core, a, TASK_MONTH, c->is_due ? now : c->hour_ms + HOUR_MS);
}
