/* SPDX-License-Identifier: MIT */
#include "engine/fleet.h"

#include <stdlib.h>

#include "util/alloc.h"

struct fleet {
	struct engine *engine;
};

int fleet_new(const struct engine_config *config, struct fleet **ret, struct err *err)
{
	struct fleet *fleet = xcalloc(1, sizeof(*fleet));

	if (engine_new(config, &fleet->engine, err)) {
		free(fleet);
		return -1;
	}
	*ret = fleet;
	return 0;
}

void fleet_submit(struct fleet *fleet, struct engine_request *request)
{
	engine_submit(fleet->engine, request);
}

void fleet_hurry(struct fleet *fleet, unsigned count)
{
	engine_hurry(fleet->engine, count);
}

void fleet_set_limits(struct fleet *fleet, const struct engine_limits *limits)
{
	engine_set_limits(fleet->engine, limits);
}

uint64_t fleet_queue_version(const struct fleet *fleet)
{
	return engine_queue_version(fleet->engine);
}

enum store_state fleet_store_state(const struct fleet *fleet)
{
	return engine_store_state(fleet->engine);
}

void fleet_reload(struct fleet *fleet)
{
	engine_reload(fleet->engine);
}

int fleet_is_moving(const struct fleet *fleet, int64_t within_ms)
{
	return engine_is_moving(fleet->engine, within_ms);
}

void fleet_stop(struct fleet *fleet, int64_t grace_ms)
{
	engine_stop(fleet->engine, grace_ms);
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	engine_free(fleet->engine);
	free(fleet);
}
