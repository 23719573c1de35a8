/* SPDX-License-Identifier: MIT */
#pragma once

#include "daemon/options.h"

/* lessord --owed; returns the exit code. */
int owed_list(const struct options *options);
