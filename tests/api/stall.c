/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD library that makes disk syncs hang or fail. Each sync waits for a lock on the file
 * STALL_GATE, which the test acquires and releases, and fails while the file STALL_FAIL exists.
 * STALL_ONLY limits this to files whose names have this suffix.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int fsync(int fd) __attribute__((visibility("default")));
int fdatasync(int fd) __attribute__((visibility("default")));

static int is_meant(int fd)
{
	const char *only = getenv("STALL_ONLY");
	size_t end = only ? strlen(only) : 0;
	char link[64], name[4096];
	ssize_t len;

	if (!only)
		return 1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name));
	return len >= (ssize_t)end && !memcmp(name + len - (ssize_t)end, only, end);
}

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
	const char *fail = getenv("STALL_FAIL");

	if (!is_meant(fd))
		return real(fd);
	gate();
	if (fail && access(fail, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
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
