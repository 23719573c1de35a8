/* SPDX-License-Identifier: MIT */
/* Every request that this provider sends. */
#pragma once

#include <lessor/provider.h>

#define HETZNER_ACTIONS 20
extern const struct lessor_action hetzner_actions[HETZNER_ACTIONS];
