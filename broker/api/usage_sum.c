/* SPDX-License-Identifier: MIT */
#include "api/usage_sum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/cost.h"
#include "util/alloc.h"
#include "util/text.h"

#define GROUPS_MAX 200 /* of one kind; the rest is summed as "(other)" */
#define USD 1000000    /* a dollar's rate */

struct money {
	char currency[4];
	int64_t micros;		 /* billed so far */
	int64_t reserved_micros; /* with what live leases may still cost */
};

struct sum {
	char key[200];
	int64_t leases, active, runtime_ms;
	int64_t servers, unpriced, billed_ms;
	struct money *money; /* by currency; owned */
	size_t money_count;
};

enum grouping { BY_OWNER, BY_ORG, BY_PROVIDER, BY_TYPE, GROUPING_COUNT };

static const char *const grouping_names[] = {
	[BY_OWNER] = "byOwner",
	[BY_ORG] = "byOrg",
	[BY_PROVIDER] = "byProvider",
	[BY_TYPE] = "byServerType",
};

struct usage_sums {
	int64_t month_ms, end_ms, now_ms;
	struct sum total;
	struct {
		struct sum sums[GROUPS_MAX + 1]; /* the last one: all others */
		int count;
	} groups[GROUPING_COUNT];
};

/* Whom a lease or a bill is about. */
struct usage_subject {
	const char *owner, *org, *account, *type;
};

struct usage_sums *usage_sums_new(int64_t month_ms, int64_t now_ms)
{
	struct usage_sums *sums = xcalloc(1, sizeof(*sums));

	sums->month_ms = cost_month_ms(month_ms);
	sums->end_ms = cost_next_month_ms(month_ms);
	sums->now_ms = now_ms;
	return sums;
}

void usage_sums_free(struct usage_sums *sums)
{
	if (!sums)
		return;
	free(sums->total.money);
	for (int by = 0; by < GROUPING_COUNT; by++) {
		for (int i = 0; i <= GROUPS_MAX; i++)
			free(sums->groups[by].sums[i].money);
	}
	free(sums);
}

/* ---- adding ------------------------------------------------------------------------- */

static struct sum *group_sum(struct usage_sums *all, enum grouping by, const char *key)
{
	struct sum *sums = all->groups[by].sums;
	int count = all->groups[by].count;

	if (!key[0])
		key = "unknown";
	for (int i = 0; i < count; i++) {
		if (!strcmp(sums[i].key, key))
			return &sums[i];
	}
	if (count == GROUPS_MAX) {
		TEXT_SET(sums[count].key, "(other)");
		return &sums[count];
	}
	TEXT_SET(sums[count].key, key);
	all->groups[by].count++;
	return &sums[count];
}

/* The total and the sum of each group that the subject belongs to. */
static void sums_find(struct usage_sums *all, const struct usage_subject *subject,
		      struct sum *ret[GROUPING_COUNT + 1])
{
	char type[80];

	snprintf(type, sizeof(type), "%s:%s", subject->account,
		 subject->type[0] ? subject->type : "unknown");
	ret[BY_OWNER] = group_sum(all, BY_OWNER, subject->owner);
	ret[BY_ORG] = group_sum(all, BY_ORG, subject->org);
	ret[BY_PROVIDER] = group_sum(all, BY_PROVIDER, subject->account);
	ret[BY_TYPE] = group_sum(all, BY_TYPE, type);
	ret[GROUPING_COUNT] = &all->total;
}

static int64_t add_limited(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void money_add(struct sum *sum, const char *currency, int64_t micros, int64_t reserved_micros)
{
	struct money *money = NULL;

	for (size_t i = 0; i < sum->money_count && !money; i++) {
		if (!strcmp(sum->money[i].currency, currency))
			money = &sum->money[i];
	}
	if (!money) {
		sum->money = xgrow(sum->money, sum->money_count, sizeof(*sum->money));
		money = &sum->money[sum->money_count++];
		*money = (struct money){ 0 };
		TEXT_SET(money->currency, currency);
	}
	money->micros = add_limited(money->micros, micros);
	money->reserved_micros = add_limited(money->reserved_micros, reserved_micros);
}

/* What a live lease without a machine will cost, at most, in the rest of the month. */
static int64_t reserved_for(const struct usage_sums *sums, const struct store_usage_row *row)
{
	int64_t end_ms = add_limited(row->created_ms, row->ttl_ms);

	if (!row->is_expected || !row->expected.currency[0])
		return 0;
	if (end_ms > sums->end_ms)
		end_ms = sums->end_ms;
	return cost_expected(&row->expected, end_ms - sums->now_ms);
}

void usage_sums_add_lease(struct usage_sums *sums, const struct store_usage_row *row)
{
	struct usage_subject subject = { row->owner, row->org, row->account, row->server_type };
	int live = row->state == LEASE_PROVISIONING || row->state == LEASE_ACTIVE;
	int64_t end = live || !row->ended_ms ? sums->now_ms : row->ended_ms;
	int64_t reserved = reserved_for(sums, row);
	struct sum *into[GROUPING_COUNT + 1];

	sums_find(sums, &subject, into);
	for (int i = 0; i <= GROUPING_COUNT; i++) {
		into[i]->leases++;
		into[i]->active += live;
		if (end > row->created_ms)
			into[i]->runtime_ms = add_limited(into[i]->runtime_ms,
							  end - row->created_ms);
		if (reserved)
			money_add(into[i], row->expected.currency, 0, reserved);
	}
}

void usage_sums_add_past(struct usage_sums *sums, const struct store_past_usage *row)
{
	struct usage_subject subject = { row->owner, row->org, row->account, row->type };
	struct sum *into[GROUPING_COUNT + 1];

	sums_find(sums, &subject, into);
	for (int i = 0; i <= GROUPING_COUNT; i++) {
		into[i]->leases += row->leases;
		into[i]->runtime_ms = add_limited(into[i]->runtime_ms, row->runtime_ms);
	}
}

void usage_sums_add_cost(struct usage_sums *sums, const struct store_cost_row *row)
{
	const struct cost *cost = &row->cost;
	struct usage_subject subject = { cost->owner, cost->org, cost->account, cost->type };
	struct cost_sum now = cost_in_month(cost, sums->month_ms, sums->now_ms);
	struct cost_sum later = now;
	struct sum *into[GROUPING_COUNT + 1];

	if (!cost->to_ms && row->live_until_ms > sums->now_ms)
		later = cost_in_month(cost, sums->month_ms, row->live_until_ms);
	if (!now.billed_ms && !later.billed_ms)
		return;
	sums_find(sums, &subject, into);
	for (int i = 0; i <= GROUPING_COUNT; i++) {
		into[i]->servers++;
		into[i]->unpriced += !cost->terms.currency[0];
		into[i]->billed_ms = add_limited(into[i]->billed_ms, now.billed_ms);
		if (cost->terms.currency[0])
			money_add(into[i], cost->terms.currency, now.micros, later.micros);
	}
}

/* ---- rendering ---------------------------------------------------------------------- */

/* 0: there is none. */
static int64_t rate_find(const struct api_config *config, const char *currency)
{
	for (int i = 0; i < config->usd_rate_count; i++) {
		if (!strcmp(config->usd_rates[i].currency, currency))
			return config->usd_rates[i].micros;
	}
	return strcmp(currency, "USD") == 0 ? USD : 0;
}

static void usd_render(struct jsonw *w, const struct sum *sum, const struct api_config *config)
{
	int64_t micros = 0, reserved = 0;

	for (size_t i = 0; i < sum->money_count; i++) {
		int64_t rate = rate_find(config, sum->money[i].currency);

		micros = add_limited(micros, cost_convert(sum->money[i].micros, rate));
		reserved = add_limited(reserved, cost_convert(sum->money[i].reserved_micros, rate));
	}
	jsonw_micros(w, "estimatedUSD", micros);
	jsonw_micros(w, "reservedUSD", reserved);
}

/* What the USD members leave out, for lack of a rate. */
static void unconverted_render(struct jsonw *w, const struct sum *sum,
			       const struct api_config *config)
{
	jsonw_array(w, "unconverted");
	for (size_t i = 0; i < sum->money_count; i++) {
		if (!rate_find(config, sum->money[i].currency))
			jsonw_text(w, NULL, sum->money[i].currency);
	}
	jsonw_end_array(w);
}

static void sum_render(struct jsonw *w, const struct sum *sum, const struct api_config *config)
{
	jsonw_int(w, "leases", sum->leases);
	jsonw_int(w, "activeLeases", sum->active);
	jsonw_int(w, "runtimeSeconds", sum->runtime_ms / 1000);
	usd_render(w, sum, config);
	unconverted_render(w, sum, config);
	jsonw_int(w, "servers", sum->servers);
	jsonw_int(w, "billedSeconds", sum->billed_ms / 1000);
	jsonw_int(w, "unpriced", sum->unpriced);
	jsonw_array(w, "costs");
	for (size_t i = 0; i < sum->money_count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "currency", sum->money[i].currency);
		jsonw_micros(w, "amount", sum->money[i].micros);
		jsonw_micros(w, "reserved", sum->money[i].reserved_micros);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static int money_compare(const void *a, const void *b)
{
	return strcmp(((const struct money *)a)->currency, ((const struct money *)b)->currency);
}

static int64_t sum_weight(const struct sum *sum)
{
	int64_t weight = 0;

	for (size_t i = 0; i < sum->money_count; i++)
		weight = add_limited(weight, sum->money[i].reserved_micros);
	return weight;
}

static int sum_compare(const void *a, const void *b)
{
	const struct sum *x = a;
	const struct sum *y = b;
	int64_t x_weight = sum_weight(x), y_weight = sum_weight(y);

	if (x_weight != y_weight)
		return x_weight < y_weight ? 1 : -1;
	return strcmp(x->key, y->key);
}

static void sum_sort(struct sum *sum)
{
	if (sum->money_count)
		qsort(sum->money, sum->money_count, sizeof(*sum->money), money_compare);
}

static void groups_render(struct usage_sums *all, enum grouping by, struct jsonw *w,
			  const struct api_config *config)
{
	struct sum *sums = all->groups[by].sums;
	int count = all->groups[by].count;
	int has_others = sums[count].key[0] != '\0';

	qsort(sums, (size_t)count, sizeof(*sums), sum_compare);
	jsonw_array(w, grouping_names[by]);
	for (int i = 0; i < count + has_others; i++) {
		sum_sort(&sums[i]);
		jsonw_object(w, NULL);
		jsonw_text(w, "key", sums[i].key);
		sum_render(w, &sums[i], config);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

void usage_sums_render(struct usage_sums *sums, struct jsonw *w, const struct api_config *config)
{
	sum_sort(&sums->total);
	sum_render(w, &sums->total, config);
	for (int by = 0; by < GROUPING_COUNT; by++)
		groups_render(sums, (enum grouping)by, w, config);
}
