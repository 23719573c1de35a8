/* SPDX-License-Identifier: MIT */
/* The parts of a daemon that concern the others on its database. Main thread. */
#pragma once

#include <stddef.h>

#include "engine/engine.h"
#include "util/err.h"

struct daemon;

/* First: this daemon's identity. */
int shared_begin(struct daemon *d, struct err *err);
/* The engines: one, or on a shared store one for each account. */
int shared_fleet_start(struct daemon *d, const struct engine_config *config, struct err *err);
/* The api, with its connections to the other daemons. */
int shared_api_start(struct daemon *d, struct err *err);
/* The host of `advertise`, by which the others name this daemon in requests; "": none. */
void shared_host(const struct daemon *d, char *ret, size_t size);
/* Once it listens: announces the address. */
int shared_announce(struct daemon *d, struct err *err);
