/* SPDX-License-Identifier: MIT */
/*
 * The engines of a daemon, as the other rooms see them. On a store that belongs to this daemon
 * alone there is one engine for all accounts.
 */
#pragma once

#include "engine/engine.h"

struct fleet;

/* As engine_new. */
int fleet_new(const struct engine_config *config, struct fleet **ret, struct err *err);

/* ---- any thread; as the function of engine.h ---- */

void fleet_submit(struct fleet *fleet, struct engine_request *request);
void fleet_hurry(struct fleet *fleet, unsigned count);
void fleet_set_limits(struct fleet *fleet, const struct engine_limits *limits);
uint64_t fleet_queue_version(const struct fleet *fleet);
enum store_state fleet_store_state(const struct fleet *fleet);
void fleet_reload(struct fleet *fleet);
int fleet_is_moving(const struct fleet *fleet, int64_t within_ms);

void fleet_stop(struct fleet *fleet, int64_t grace_ms);
void fleet_free(struct fleet *fleet);
