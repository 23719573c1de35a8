/* SPDX-License-Identifier: MIT */
/*
 * What must hold in a state, beside what live.c asks of each event and moves_*.c of each
 * request; and when a state is settled.
 */
#pragma once

#include "world.h"

/* NULL, or what does not hold. */
const char *check_state(const struct config *config, const struct world *w);
/* Is there nothing left to do for it? */
int check_is_settled(const struct config *config, const struct world *w);
