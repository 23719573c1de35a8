/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD library: a resolver that hangs. Names that end in ".test" are this machine's; each
 * lookup of one waits for a lock on the file RESOLVER_GATE, which the test acquires and releases,
 * and is noted in that file with a letter.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **found) __attribute__((visibility("default")));

static void gate(void)
{
	const char *path = getenv("RESOLVER_GATE");
	int fd = path ? open(path, O_RDWR | O_APPEND | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	if (write(fd, "l", 1) == 1)
		flock(fd, LOCK_SH);
	close(fd);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(int (*)(const char *, const char *, const struct addrinfo *,
			 struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
	size_t len = name ? strlen(name) : 0;

	if (len < 5 || strcmp(name + len - 5, ".test") != 0)
		return real(name, service, hints, found);
	gate();
	return real("127.0.0.1", service, hints, found);
}
