/* SPDX-License-Identifier: MIT */
/* sd_notify and related functions, without libsystemd and its dependencies. */
#include "daemon/notify.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/alloc.h"

static void state_send(const char *state, int flags)
{
	static const struct timeval most = { .tv_sec = 1 };
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	auto_close int fd = -1;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	sendto(fd, state, strlen(state), flags | MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

void notify_send(const char *state)
{
	state_send(state, 0);
}

void notify_alive(void)
{
	state_send("WATCHDOG=1", MSG_DONTWAIT);
}

/* The number in a variable; 0 if it is unset, not a number, or greater than `most`. */
static int64_t env_number(const char *name, int64_t most)
{
	const char *text = getenv(name);
	char *end;
	long long n;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	n = strtoll(text, &end, 10);
	return *end || n > most ? 0 : n;
}

int64_t notify_watchdog_ms(void)
{
	/* Child processes inherit the variables; they apply only to the process with this pid. */
	if (getenv("WATCHDOG_PID") && env_number("WATCHDOG_PID", INT_MAX) != getpid())
		return 0;
	return env_number("WATCHDOG_USEC", INT64_MAX / 2) / 1000;
}

int notify_sockets(void)
{
	if (env_number("LISTEN_PID", INT_MAX) != getpid())
		return 0;
	return (int)env_number("LISTEN_FDS", INT_MAX - NOTIFY_FIRST_FD);
}
