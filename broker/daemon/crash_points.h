/* SPDX-License-Identifier: MIT */
/*
 * Where a test may kill the daemon. Only with the build option LESSOR_CRASH_POINTS:
 * LESSOR_CRASH_AT=k ends the process with SIGKILL at the k-th point it passes, and
 * LESSOR_CRASH_COUNT=FILE gets a line with the name of each point passed.
 */
#pragma once

#include "util/env.h"

/* Sets env->point; does nothing in a build without the option. */
void crash_points_setup(struct env *env);
