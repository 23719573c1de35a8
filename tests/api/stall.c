/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, a disk that can be made to hang: each sync waits for a lock on the file
 * STALL_GATE, which a test takes and gives back.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

int fsync(int fd) __attribute__((visibility("default")));
int fdatasync(int fd) __attribute__((visibility("default")));

static void gate(void)
{
	const char *path = getenv("STALL_GATE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	flock(fd, LOCK_SH);
	close(fd);
}

static int pass(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	gate();
	return real(fd);
}

int fsync(int fd)
{
	return pass("fsync", fd);
}

int fdatasync(int fd)
{
	return pass("fdatasync", fd);
}
