/* SPDX-License-Identifier: MIT */
#include "daemon/descriptors.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>

#include "api/relay.h"
#include "config/config.h"
#include "util/log.h"

/*
 * Of one worker, while its provider is called: the connection and the name resolution of an HTTP
 * client, and the pipes of a child process.
 */
#define PER_WORKER 6
/* Stores that are reopened, backed up or checkpointed, files that a provider reads, listeners. */
#define OTHERS 48
/* To other daemons: what they forward, and the connections to the database. */
#define PEERS (RELAY_CONNECTIONS + 8)
#define CONNECTIONS_LEAST 16

void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* Without effect, fewer connections are possible: descriptors_connections says so. */
	(void)!setrlimit(RLIMIT_NOFILE, &limit);
}

/* What is open before the first connection. */
static uint64_t descriptors_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

uint32_t descriptors_connections(const struct config *config)
{
	uint64_t workers = (uint64_t)config->worker_threads * (uint64_t)config->account_count;
	uint64_t kept = descriptors_open() + workers * PER_WORKER + OTHERS +
			(config_is_postgres(config) ? PEERS : 0);
	uint64_t wanted = (uint64_t)config->max_connections;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= kept + wanted)
		return (uint32_t)wanted;
	wanted = limit.rlim_cur > kept + CONNECTIONS_LEAST ? limit.rlim_cur - kept :
							     CONNECTIONS_LEAST;
	log_notice(NULL,
		   "at most %" PRIu64 " connections instead of max_connections = %" PRId64
		   ": of %" PRIu64 " file descriptors %" PRIu64 " are kept for other uses;"
		   " raise LimitNOFILE in the unit, or ulimit -n, for more",
		   wanted, config->max_connections, (uint64_t)limit.rlim_cur, kept);
	return (uint32_t)wanted;
}
