/* SPDX-License-Identifier: MIT */
/*
 * A jump of the wall clock. While the clock is suspect (schedule/clock.h), no lease ends because
 * of time, since that would delete its machine; and no absence is concluded, since that depends
 * on elapsed time. Releases and heartbeats are accepted, and owed cleanup continues.
 */
#include "engine/internal.h"

#include "util/log.h"

#define PROBE_MS 2000

static int lease_shift(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	const int64_t *by = arg;
	struct lease_event event = { .kind = LEASE_EVENT_CLOCK_SET, .u.clock_by_ms = *by };

	return core_apply(core, a, &event, NULL, err);
}

static void leases_shift(struct core *core, int state, int cleanup, int64_t by)
{
	/* A failed write marks the store broken; the commit then fails. */
	core_lease_each(core, (struct store_list){ .state = state, .cleanup = cleanup },
			lease_shift, &by, NULL);
}

/* Deadlines are wall clock times and stay. Waits are durations: their due times are shifted. */
static void clock_jumped(struct core *core, int64_t by)
{
	core_schedule_all(core, NULL);
	leases_shift(core, LEASE_PROVISIONING, -1, by);
	leases_shift(core, -1, CLEANUP_OWED, by);
	leases_shift(core, -1, CLEANUP_ATTENTION, by);
	leases_shift(core, -1, CLEANUP_RETAINED, by);
	account_tasks_init(core);
	for (size_t i = 0; i < core->account_count; i++)
		account_task_at(core, &core->accounts[i], TASK_PROBE, core_now(core) + PROBE_MS);
}

void core_clock_watch(struct core *core)
{
	int64_t by = clock_observe(&core->clock, core_now(core), env_mono_ms(core->env));

	if (!by)
		return;
	log_warning(NULL,
		    "the wall clock jumped by %lld s; no lease expires until it has agreed with "
		    "the monotonic clock for %d minutes",
		    (long long)(by / 1000), CLOCK_AGREE_MS / 60000);
	clock_jumped(core, by);
}
