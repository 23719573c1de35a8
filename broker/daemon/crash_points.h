/* SPDX-License-Identifier: MIT */
/*
 * Points at which a test can kill the daemon; only with the build option LESSOR_CRASH_POINTS.
 * LESSOR_CRASH_AT=k in the environment kills the process with SIGKILL at the k-th point that
 * it passes; LESSOR_CRASH_COUNT=FILE appends the name of each point passed to FILE.
 */
#pragma once

#include "util/env.h"

/* Sets env->point; does nothing without the build option. */
void crash_points_setup(struct env *env);
