/* SPDX-License-Identifier: MIT */
/*
 * What must hold in a state, in addition to the checks of each event in live.c and of each
 * request in moves_*.c; and when a state is settled.
 */
#pragma once

#include "world.h"

/* Returns NULL or the violation. */
const char *check_state(const struct config *config, const struct world *w);
/* Is nothing left to do in this state? */
int check_is_settled(const struct config *config, const struct world *w);
