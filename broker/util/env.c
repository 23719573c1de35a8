/* SPDX-License-Identifier: MIT */
#include "util/env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "util/journal.h"

static int64_t clock_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_ms(void *data)
{
	(void)data;
	return clock_ms(CLOCK_REALTIME);
}

/* CLOCK_BOOTTIME includes suspend, which must not prolong a lease. */
static int64_t system_mono_ms(void *data)
{
	(void)data;
	return clock_ms(CLOCK_BOOTTIME);
}

static void system_random(void *data, void *out, size_t len)
{
	unsigned char *p = out;

	(void)data;
	while (len) {
		ssize_t got = getrandom(p, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			/* Never generate predictable keys and tokens. */
			journal_line("lessor: getrandom failed");
			abort();
		}
		p += got;
		len -= (size_t)got;
	}
}

static int64_t system_synchronised_ms(void *data)
{
	struct timex state = { 0 };
	int64_t fraction;

	(void)data;
	if (adjtimex(&state) < 0 || (state.status & STA_UNSYNC))
		return 0;
	fraction = state.status & STA_NANO ? state.time.tv_usec / 1000000 :
					     state.time.tv_usec / 1000;
	return (int64_t)state.time.tv_sec * 1000 + fraction;
}

void env_system(struct env *env)
{
	*env = (struct env){
		.wall_ms = system_wall_ms,
		.mono_ms = system_mono_ms,
		.random = system_random,
		.synchronised_ms = system_synchronised_ms,
	};
}

void env_http_response_fini(struct env_http_response *response)
{
	free(response->body);
	response->body = NULL;
	response->body_len = 0;
}

struct timespec env_after_ms(clockid_t clock, int64_t ms)
{
	struct timespec after;

	clock_gettime(clock, &after);
	after.tv_sec += ms / 1000;
	after.tv_nsec += ms % 1000 * 1000000;
	if (after.tv_nsec >= 1000000000) {
		after.tv_sec++;
		after.tv_nsec -= 1000000000;
	}
	return after;
}

void env_clock_say(struct env_clock *clock, enum env_clock_word before, enum env_clock_word word,
		   int64_t ahead_ms)
{
	/* Who was told by another clock knows better how far it is than who was not. */
	if (word == ENV_CLOCK_CONTRADICTED ||
	    (word == ENV_CLOCK_DOUBTED && !atomic_load(&clock->engines[ENV_CLOCK_CONTRADICTED])))
		atomic_store(&clock->ahead_ms, ahead_ms);
	if (word == before)
		return;
	/* In this order, so that a doubt that changes is never interrupted. */
	if (word != ENV_CLOCK_SILENT)
		atomic_fetch_add(&clock->engines[word], 1);
	if (before != ENV_CLOCK_SILENT)
		atomic_fetch_sub(&clock->engines[before], 1);
}
