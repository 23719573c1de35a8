/* SPDX-License-Identifier: MIT */
/*
 * While the wall clock is doubted (schedule/clock.h) nothing ends by itself, since what ends
 * is deleted, and no absence settles, since it is measured in time. Clients can still release,
 * heartbeats are taken, and what is owed goes on, at its own pace.
 */
#include "engine/internal.h"

#include "util/log.h"

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

/* Deadlines stay what they are, in wall clock time; waits are waits, whatever the clock says. */
static void jumped(struct core *core, int64_t by)
{
	core_schedule_all(core, NULL);
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
	int64_t by = clock_observe(&core->clock, core_now(core), env_mono_ms(core->env));

	if (!by)
		return;
	log_warning(NULL, "the wall clock jumped by %lld s; nothing ends by itself until it has gone with "
		    "the monotonic one for %d minutes", (long long)(by / 1000), CLOCK_AGREE_MS / 60000);
	jumped(core, by);
}
