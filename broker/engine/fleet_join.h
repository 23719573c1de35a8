/* SPDX-License-Identifier: MIT */
/* A request for all accounts, as one request for each of several engines. */
#pragma once

#include "engine/engine.h"

/* Submits parts of the request (SWEEP or POOL), and answers it when all of them are answered. */
void fleet_join(struct engine *const *engines, const char *const *accounts, size_t count,
		struct engine_request *request);
