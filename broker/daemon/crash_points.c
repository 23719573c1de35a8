/* SPDX-License-Identifier: MIT */
#include "daemon/crash_points.h"

#ifdef LESSOR_CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long passed;
static long kill_at;
static int count_fd = -1;

static void point_pass(void *data, const char *name)
{
	long n = atomic_fetch_add(&passed, 1) + 1;

	(void)data;
	if (count_fd >= 0)
		dprintf(count_fd, "%s\n", name);
	if (n == kill_at)
		kill(getpid(), SIGKILL);
}

void crash_points_setup(struct env *env)
{
	const char *at = getenv("LESSOR_CRASH_AT");
	const char *count = getenv("LESSOR_CRASH_COUNT");

	kill_at = at ? strtol(at, NULL, 10) : 0;
	if (count)
		count_fd = open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	env->point = point_pass;
}

#else

void crash_points_setup(struct env *env)
{
	(void)env;
}

#endif
