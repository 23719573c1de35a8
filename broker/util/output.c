/* SPDX-License-Identifier: MIT */
#include "util/output.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int output_is_abandoned(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	struct stat st;

	return fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) &&
	       poll(&fd, 1, 0) == 1 && (fd.revents & (POLLERR | POLLHUP));
}

int output_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return output_is_abandoned() ? 0 : -1;
}
