/* SPDX-License-Identifier: MIT */
/* Counts the crashes of an earlier process. */
#pragma once

#include "engine/engine.h"

/* In a transaction: adds config->crashes to the counts in config->store. */
int crash_counts_write(const struct engine_config *config, struct err *err);
/*
 * The same in one of its own, where the engines that hold back what crashes begin later. The store
 * need not own the accounts: whoever claims them reads the counts (crashes.c).
 */
int crash_counts_add(const struct engine_config *config, struct err *err);
