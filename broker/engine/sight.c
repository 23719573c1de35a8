/* SPDX-License-Identifier: MIT */
/*
 * What the core can see. When blind, nothing ends: time in which nobody watched over the leases
 * does not count, and no lease ends by time after the moment up to which its owner may decide.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <string.h>

#include "util/log.h"
#include "util/text.h"

/* Until leases are read again that could not be. */
#define GAP_RETRY_MS 5000
/* Clocks that differ by more are told of. */
#define APART_MS 5000

static void gap_begin(struct core *core)
{
	static const int states[] = { LEASE_PROVISIONING, LEASE_ACTIVE };
	struct core_gap *gap = &core->gap;

	*gap = (struct core_gap){ .ms = gap->next_ms };
	for (size_t i = 0; i < 2; i++) {
		/* From the newest: what is created from now on has missed nothing. */
		gap->lists[i] = (struct store_list){ .scope = { .all = 1 },
						     .state = states[i],
						     .cleanup = -1,
						     .account = core_only_account(core),
						     .limit = GAP_LEASES };
		gap->left[i] = 1;
	}
	log_notice(NULL, "the leases were unattended for %" PRId64 " ms; this time does not count",
		   gap->ms);
}

/* More that is told while leases are credited follows when all have got the first. */
void core_gap(struct core *core, int64_t gap_ms)
{
	struct core_gap *gap = &core->gap;

	if (gap_ms > 0)
		gap->next_ms += gap_ms;
	if (!gap->ms && gap->next_ms)
		gap_begin(core);
}

/* Adds the next leases of a list to the page. -1: not all of them can be read now. */
static int gap_list_read(struct core *core, int which, struct err *err)
{
	struct core_gap *gap = &core->gap;
	struct store_list *list = &gap->lists[which];
	int64_t *page = gap->page + gap->page_count;
	int count = store_lease_numbers(core->store, list, page, err), kept = 0;
	int64_t last = count > 0 ? page[count - 1] : 0;

	for (int i = 0; i < count; i++) {
		if (core_lease(core, page[i], err))
			page[kept++] = page[i];
		else if (core_lease_unread(core, page[i], err))
			return -1;
	}
	if (count < 0)
		return -1;
	gap->left[which] = count == list->limit;
	if (last)
		list->before_n = last;
	gap->page_count += kept;
	return 0;
}

/*
 * Not in the transaction: where a failed read undoes it, one lease that cannot be read would keep all
 * others from being credited.
 */
void core_gap_read(struct core *core)
{
	struct core_gap *gap = &core->gap;

	if (!gap->ms || gap->page_count)
		return;
	gap->again_mono_ms = 0;
	for (int i = 0; i < 2; i++) {
		struct err err = { 0 };

		if (!gap->left[i] || gap_list_read(core, i, &err) == 0)
			continue;
		log_error(LOG_FIELDS({ "error", err.text }),
			  "cannot read the leases that nobody watched over; trying again");
		gap->again_mono_ms = env_mono_ms(core->env) + GAP_RETRY_MS;
		break;
	}
}

int core_gap_is_stuck(const struct core *core)
{
	return core->gap.again_mono_ms != 0;
}

int64_t core_gap_pause_ms(const struct core *core)
{
	int64_t left = core->gap.again_mono_ms - env_mono_ms(core->env);

	return core->gap.again_mono_ms && left > 0 ? left : 0;
}

void core_gap_credit(struct core *core)
{
	struct core_gap *gap = &core->gap;
	struct lease_event event = { .kind = LEASE_EVENT_GAP, .u.gap_ms = gap->ms };

	if (!gap->ms)
		return;
	/* A failed write marks the store broken; the commit then fails. */
	for (int i = 0; i < gap->page_count; i++) {
		struct lease_aggregate *a = core_lease(core, gap->page[i], NULL);

		if (a)
			core_apply(core, a, &event, NULL, NULL);
	}
	gap->page_count = 0;
	if (!gap->left[0] && !gap->left[1]) {
		gap->ms = 0;
		core_gap(core, 0);
	}
}

void core_see_until(struct core *core, int64_t mono_ms)
{
	core->sees_until_mono_ms = mono_ms;
}

/* Both are differences: each may be of any clock. */
static int is_far(int64_t ms, int64_t other_ms)
{
	return ms - other_ms > APART_MS || other_ms - ms > APART_MS;
}

/*
 * Times in the store are by its own clock, since daemons whose clocks differ read what others wrote:
 * one that is behind would store heartbeats that the next owner takes for old. A measurement is
 * late by as long as its answer took, so the least is the best; a much greater one is a clock that
 * was set. Between two measurements it goes with the monotonic clock, so that the wall clock of
 * this machine, if it is set, moves nothing.
 */
void core_store_clock(struct core *core, int64_t ahead_ms)
{
	int64_t by_mono_ms = env_wall_ms(core->env) + ahead_ms - env_mono_ms(core->env);
	int is_set = core->is_by_store && is_far(by_mono_ms, core->now_by_mono_ms);
	int is_apart = is_far(ahead_ms, 0);

	core->store_by_mono_ms = by_mono_ms;
	if (!core->is_by_store || is_set || by_mono_ms < core->now_by_mono_ms)
		core->now_by_mono_ms = by_mono_ms;
	core->is_by_store = 1;
	/* Before anything is decided by it. */
	if (is_set && core->in_transaction)
		core_clock_watch(core);
	if (is_apart && !core->is_clock_apart)
		log_warning(NULL,
			    "the database's clock is %" PRId64
			    " s %s this machine's and is used for the times of leases; check both",
			    (ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000,
			    ahead_ms < 0 ? "behind" : "ahead of");
	core->is_clock_apart = is_apart;
}

const char *core_frozen(struct core *core, const char *account)
{
	const struct core_account *a = core_account_find(core, account);

	if (!a)
		return "";
	return a->gen.is_fenced ? a->gen.why : a->frozen;
}

void core_presume(struct core *core, const char *account, int64_t until_ms)
{
	struct core_account *a = core_account_find(core, account);

	if (a)
		a->presumed_until_ms = until_ms;
}
