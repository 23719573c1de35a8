/* SPDX-License-Identifier: MIT */
/*
 * The budgets of each configuration, and the size of its state space. The counts reveal a
 * change that silently explores less; update them only together with the change that
 * explains them.
 */
#pragma once

#include "world.h"

extern const struct config configs[];
extern const int config_count;
