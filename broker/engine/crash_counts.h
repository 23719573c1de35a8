/* SPDX-License-Identifier: MIT */
/* Crashes of an earlier process, where the engines that hold back what crashes begin later. */
#pragma once

#include "engine/engine.h"

/*
 * Adds config->crashes to the counts in config->store, which need not own the accounts: whoever
 * claims them reads the counts (crashes.c).
 */
int crash_counts_add(const struct engine_config *config, struct err *err);
