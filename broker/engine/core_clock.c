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
#define PROBE_MS 2000

static int shift(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	const int64_t *by = arg;
	struct lease_event event = { .kind = LEASE_EVENT_CLOCK_SET, .u.clock_by_ms = *by };

	return core_apply(core, a, &event, NULL, err);
}

static void shift_each(struct core *core, int state, int cleanup, int64_t by)
{
	/* What fails has broken the store, and the commit says so. */
	core_lease_each(core, (struct store_list){ .state = state, .cleanup = cleanup }, shift, &by,
			NULL);
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
	account_tasks_init(core);
	for (size_t i = 0; i < core->account_count; i++)
		account_task_at(core, &core->accounts[i], TASK_PROBE, core_now(core) + PROBE_MS);
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
