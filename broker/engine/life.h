/* SPDX-License-Identifier: MIT */
/*
 * A life of an engine: a core, and the steps that it has started. What a step claims and how it
 * ends goes to the inbox of the engine, with the life that the step belongs to.
 */
#pragma once

#include "engine/core.h"
#include "engine/inbox.h"

struct engine_life {
	struct inbox *inbox;
	struct account **accounts; /* as in engine_config, with the workers of each */
	struct workers **workers;
	size_t account_count;
	struct core *core;
};

/* Loads the core. The life borrows all but that. -1: error; life_fini is still to be called. */
int life_begin(struct engine_life *life, const struct engine_config *config, struct err *err);
void life_fini(struct engine_life *life);
