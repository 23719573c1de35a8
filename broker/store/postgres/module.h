/* SPDX-License-Identifier: MIT */
/* What the module exports: see struct store_module. */
#pragma once

#include "store/backend.h"

extern const struct store_module lessord_store_module __attribute__((visibility("default")));
