/* SPDX-License-Identifier: MIT */
/*
 * Stops the example around its two effects, where a test kills the process: compiled into it
 * with -Dsymlinkat=held_symlinkat -Dunlinkat=held_unlinkat. LESSOR_TEST_HOLD names a FIFO that
 * tells the test that the place was reached, and from which no reply ever comes.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef symlinkat
#undef unlinkat
extern int symlinkat(const char *target, int fd, const char *name);
extern int unlinkat(int fd, const char *name, int flags);
int held_symlinkat(const char *target, int fd, const char *name);
int held_unlinkat(int fd, const char *name, int flags);

static void hold(const char *place)
{
	const char *fifo = getenv("LESSOR_TEST_HOLD"), *at = getenv("LESSOR_TEST_HOLD_AT");
	int fd;

	if (!fifo || !at || strcmp(at, place) != 0)
		return;
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	for (;;)
		pause();
}

int held_symlinkat(const char *target, int fd, const char *name)
{
	int rc;

	hold("before create");
	rc = symlinkat(target, fd, name);
	hold("after create");
	return rc;
}

int held_unlinkat(int fd, const char *name, int flags)
{
	int rc;

	hold("before delete");
	rc = unlinkat(fd, name, flags);
	hold("after delete");
	return rc;
}
