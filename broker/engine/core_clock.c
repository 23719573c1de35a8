/* SPDX-License-Identifier: MIT */
/*
 * The wall clock is believed as long as it goes with the monotonic one. When it
 * jumps by more than a quarter of an hour against it, somebody set it, or set it
 * wrong: until both have gone together for ten minutes nothing ends by itself,
 * since what ends is deleted, and no absence settles, since it is measured in
 * time. Clients can still release, heartbeats are taken, and what is owed goes on,
 * at its own pace. A jump while no lessord runs cannot be seen.
 */
#include "engine/core_internal.h"

#include "util/log.h"

#define JUMP_MS (15 * 60 * 1000)
#define AGREE_MS (10 * 60 * 1000)
/* No backoff is longer. */
#define WAIT_MOST_MS (60 * 60 * 1000)
#define PROBE_MS 2000
#define PAGE 256

struct page {
	int64_t n[PAGE];
	int count;
};

static int page_add(void *arg, const struct lease *l)
{
	struct page *page = arg;

	page->n[page->count++] = l->n;
	return page->count == PAGE;
}

/* What the old clock calls the future would be too young for as long as the clock went back. */
static void clamp_rows(struct core *core, int64_t n, int64_t now)
{
	struct ledger ledger;

	if (store_ledger(core->store, n, &ledger, NULL))
		return;
	for (size_t i = 0; i < ledger.resource_count; i++) {
		struct resource *r = &ledger.resources[i];

		if (!resource_is_residue(r) || (r->changed_ms <= now && r->created_ms <= now))
			continue;
		r->changed_ms = r->changed_ms > now ? now : r->changed_ms;
		r->created_ms = r->created_ms > now ? now : r->created_ms;
		store_resource_update(core->store, r, NULL);
	}
	ledger_fini(&ledger);
}

/* It waits as long as it would have waited by the old clock: not at once, and not for years. */
static void shift(struct core *core, int64_t n, int64_t by, int64_t now)
{
	struct lease l;

	if (store_lease_by_n(core->store, n, &l, NULL))
		return;
	if (by < 0)
		clamp_rows(core, n, now);
	/* The end of a retention was named by a person, in words of the wall clock. */
	if (!l.due_ms || (l.retained && l.due_ms == l.retain_until_ms))
		return;
	l.due_ms += by;
	if (l.due_ms < now)
		l.due_ms = now;
	if (l.due_ms > now + WAIT_MOST_MS)
		l.due_ms = now + WAIT_MOST_MS;
	if (store_lease_update(core->store, &l, NULL) == 0)
		core_schedule(core, &l);
}

static void shift_each(struct core *core, int state, int cleanup, int64_t by)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = state, .cleanup = cleanup, .limit = PAGE,
	};
	int64_t now = core_now(core);
	struct page page;

	do {
		page.count = 0;
		if (store_lease_each(core->store, &list, page_add, &page, NULL))
			return;
		for (int i = 0; i < page.count; i++)
			shift(core, page.n[i], by, now);
		list.before_n = page.count ? page.n[page.count - 1] : 0;
	} while (page.count == PAGE);
}

static void reload(void *arg, int64_t n, int64_t due_ms)
{
	heap_set(arg, n, due_ms);
}

/* Deadlines stay what they are, in wall clock time; waits are waits, whatever the clock says. */
static void jumped(struct core *core, int64_t by)
{
	store_due_each(core->store, core_now(core), reload, core->due, NULL);
	shift_each(core, LEASE_PROVISIONING, -1, by);
	shift_each(core, -1, CLEANUP_OWED, by);
	shift_each(core, -1, CLEANUP_ATTENTION, by);
	shift_each(core, -1, CLEANUP_RETAINED, by);
	core_accounts_init(core);
	for (size_t i = 0; i < core->account_count; i++)
		core_probe_at(core, &core->accounts[i], core_now(core) + PROBE_MS);
}

void core_clock_watch(struct core *core)
{
	int64_t mono = env_mono_ms(core->env);
	int64_t offset = core_now(core) - mono;
	int64_t by = offset - core->clock_offset_ms;

	if (!core->clock_is_known) {
		core->clock_is_known = 1;
		core->clock_offset_ms = offset;
		return;
	}
	if (by <= JUMP_MS && by >= -JUMP_MS) {
		/* A clock that is steered slowly is followed. */
		core->clock_offset_ms = offset;
		return;
	}
	core->clock_offset_ms = offset;
	core->clock_doubted_until_mono_ms = mono + AGREE_MS;
	log_warning(NULL, "the wall clock jumped by %lld s; nothing ends by itself until it has gone with "
		    "the monotonic one for %d minutes", (long long)(by / 1000), AGREE_MS / 60000);
	jumped(core, by);
}

int core_clock_doubted(const struct core *core)
{
	return core->clock_doubted_until_mono_ms > env_mono_ms(core->env);
}
