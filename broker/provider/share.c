/* SPDX-License-Identifier: MIT */
#include "provider/share.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "util/alloc.h"

#define SHARE_ENTRIES_MAX 64
#define SHARE_BYTES_MAX (4u << 20)
#define SHARE_POLL_MS 50

/* One request on its way. Lives until the last waiter has looked at it. */
struct flight {
	char *path;
	int64_t asked_mono_ms;
	int refs;		/* leader and waiters */
	int landed;
	struct answer *answer;	/* NULL: came to nothing */
	struct flight *next;
};

struct entry {
	char *path;
	struct answer *answer;
};

/* `lock` guards everything. */
struct share {
	pthread_mutex_t lock;
	pthread_cond_t landed;
	struct flight *flights;
	struct entry entries[SHARE_ENTRIES_MAX];
	size_t count;
	size_t bytes;
};

struct share *share_new(void)
{
	struct share *share = xcalloc(1, sizeof(*share));
	pthread_condattr_t attr;

	pthread_mutex_init(&share->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&share->landed, &attr);
	pthread_condattr_destroy(&attr);
	return share;
}

static void entry_drop(struct share *share, size_t i)
{
	share->bytes -= share->entries[i].answer->http.body_len;
	free(share->entries[i].path);
	answer_unref(share->entries[i].answer);
	share->entries[i] = share->entries[--share->count];
}

void share_free(struct share *share)
{
	if (!share)
		return;
	while (share->count > 0)
		entry_drop(share, share->count - 1);
	while (share->flights) {
		struct flight *flight = share->flights;
		share->flights = flight->next;
		answer_unref(flight->answer);
		free(flight->path);
		free(flight);
	}
	pthread_cond_destroy(&share->landed);
	pthread_mutex_destroy(&share->lock);
	free(share);
}

static struct flight *flight_find_locked(struct share *share, const char *path)
{
	for (struct flight *flight = share->flights; flight; flight = flight->next) {
		if (!flight->landed && strcmp(flight->path, path) == 0)
			return flight;
	}
	return NULL;
}

static void flight_unref_locked(struct share *share, struct flight *flight)
{
	if (--flight->refs > 0)
		return;
	for (struct flight **at = &share->flights; *at; at = &(*at)->next) {
		if (*at == flight) {
			*at = flight->next;
			break;
		}
	}
	answer_unref(flight->answer);
	free(flight->path);
	free(flight);
}

/* 1: landed. 0: the asker gave up. */
static int flight_wait_locked(struct share *share, struct flight *flight,
			      int (*give_up)(void *arg), void *arg)
{
	while (!flight->landed) {
		struct timespec until;
		if (give_up(arg))
			return 0;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += SHARE_POLL_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&share->landed, &share->lock, &until);
	}
	return 1;
}

static enum share_result share_ask_locked(struct share *share, const char *path,
					  int64_t oldest_mono_ms, int64_t now_mono_ms,
					  int (*give_up)(void *arg), void *arg, struct answer **ret)
{
	struct flight *flight;

	for (;;) {
		for (size_t i = 0; i < share->count; i++) {
			if (strcmp(share->entries[i].path, path) == 0 &&
			    share->entries[i].answer->asked_mono_ms >= oldest_mono_ms) {
				*ret = answer_ref(share->entries[i].answer);
				return SHARE_HIT;
			}
		}
		flight = flight_find_locked(share, path);
		if (!flight)
			break;
		if (flight->asked_mono_ms < oldest_mono_ms)
			return SHARE_ALONE;
		flight->refs++;
		int landed = flight_wait_locked(share, flight, give_up, arg);
		struct answer *answer = flight->answer ? answer_ref(flight->answer) : NULL;
		flight_unref_locked(share, flight);
		if (!landed)
			return SHARE_GAVE_UP;
		if (answer) {
			*ret = answer;
			return SHARE_HIT;
		}
	}
	flight = xcalloc(1, sizeof(*flight));
	flight->path = xstrdup(path);
	flight->asked_mono_ms = now_mono_ms;
	flight->refs = 1;
	flight->next = share->flights;
	share->flights = flight;
	return SHARE_LEAD;
}

enum share_result share_ask(struct share *share, const char *path, int64_t oldest_mono_ms,
			    int64_t now_mono_ms, int (*give_up)(void *arg), void *arg,
			    struct answer **ret)
{
	enum share_result result;

	pthread_mutex_lock(&share->lock);
	result = share_ask_locked(share, path, oldest_mono_ms, now_mono_ms, give_up, arg, ret);
	pthread_mutex_unlock(&share->lock);
	return result;
}

static void share_keep_locked(struct share *share, const char *path, struct answer *answer)
{
	size_t i = 0;

	if (answer->http.body_len > SHARE_BYTES_MAX / 2)
		return;
	while (i < share->count && strcmp(share->entries[i].path, path) != 0)
		i++;
	if (i < share->count)
		entry_drop(share, i);
	/* the oldest goes first; it is the least likely to be new enough for anybody */
	while (share->count == SHARE_ENTRIES_MAX ||
	       share->bytes + answer->http.body_len > SHARE_BYTES_MAX) {
		size_t oldest = 0;
		for (i = 1; i < share->count; i++) {
			if (share->entries[i].answer->asked_mono_ms <
			    share->entries[oldest].answer->asked_mono_ms)
				oldest = i;
		}
		entry_drop(share, oldest);
	}
	share->entries[share->count].path = xstrdup(path);
	share->entries[share->count].answer = answer_ref(answer);
	share->bytes += answer->http.body_len;
	share->count++;
}

void share_land(struct share *share, const char *path, struct answer *answer)
{
	pthread_mutex_lock(&share->lock);
	struct flight *flight = flight_find_locked(share, path);
	if (flight) {
		flight->landed = 1;
		flight->answer = answer ? answer_ref(answer) : NULL;
		if (answer && answer->http.outcome == ENV_HTTP_ANSWERED &&
		    answer->http.status == 200)
			share_keep_locked(share, path, answer);
		pthread_cond_broadcast(&share->landed);
		flight_unref_locked(share, flight);
	}
	pthread_mutex_unlock(&share->lock);
}
