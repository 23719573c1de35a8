/* SPDX-License-Identifier: MIT */
/*
 * How much may go wrong in each configuration, and how large its state space is. The counts
 * catch a change that explores less without anybody noticing, so they are updated only
 * together with the change that explains them.
 */
#pragma once

#include "world.h"

extern const struct config configs[];
extern const int config_count;
