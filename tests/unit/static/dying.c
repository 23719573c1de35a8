/* SPDX-License-Identifier: MIT */
#include "dying.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#undef linkat
#undef unlinkat
#undef renameat
#undef fsync
#undef fork

/* The steps of one process run one after the other. */
static long place;

static void may_die(void)
{
	const char *at = getenv("STATIC_DIES_AT");

	if (at && ++place == strtol(at, NULL, 10))
		_exit(66);
}

int dying_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	int rc;

	may_die();
	rc = linkat(from_dir, from, to_dir, to, flags);
	may_die();
	return rc;
}

int dying_unlinkat(int dir, const char *name, int flags)
{
	const char *broken = strncmp(name, "host-", 5) == 0 ? getenv("STATIC_DISK_BREAKS") : NULL;
	int rc;

	may_die();
	if (broken && strcmp(broken, "before") == 0)
		return errno = EIO, -1;
	rc = unlinkat(dir, name, flags);
	may_die();
	return broken ? errno = EIO, -1 : rc;
}

int dying_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int rc;

	may_die();
	rc = renameat(from_dir, from, to_dir, to);
	may_die();
	return rc;
}

int dying_fsync(int fd)
{
	may_die();
	return fsync(fd);
}

pid_t dying_fork(void)
{
	/* Not after it: until the child has closed our files nobody could use them. */
	may_die();
	return fork();
}
