/* SPDX-License-Identifier: MIT */
#include "provider/coalesce.h"

#include <pthread.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "util/alloc.h"
#include "util/env.h"

#define COALESCE_ENTRIES_MAX 64
#define COALESCE_BYTES_MAX (4u << 20)
#define COALESCE_POLL_MS 50

/* A request in flight. Freed when the last waiter has read its result. */
struct flight {
	char *path;
	int64_t requested_mono_ms;
	int refs;		/* leader and waiters */
	int finished;
	struct http_response *response;	/* NULL: no result */
	LIST_ENTRY(flight) link;
};

struct coalesce_entry {
	char *path;
	struct http_response *response;
};

/* `lock` guards all members. */
struct coalesce {
	pthread_mutex_t lock;
	pthread_cond_t finished;
	LIST_HEAD(, flight) flights;
	struct coalesce_entry entries[COALESCE_ENTRIES_MAX];
	size_t count;
	size_t bytes;
};

struct coalesce *coalesce_new(void)
{
	struct coalesce *coalesce = xcalloc(1, sizeof(*coalesce));
	pthread_condattr_t attr;

	pthread_mutex_init(&coalesce->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&coalesce->finished, &attr);
	pthread_condattr_destroy(&attr);
	return coalesce;
}

static void entry_drop(struct coalesce *coalesce, size_t i)
{
	coalesce->bytes -= coalesce->entries[i].response->http.body_len;
	free(coalesce->entries[i].path);
	http_response_unref(coalesce->entries[i].response);
	coalesce->entries[i] = coalesce->entries[--coalesce->count];
}

static void flight_free(struct flight *flight)
{
	LIST_REMOVE(flight, link);
	http_response_unref(flight->response);
	free(flight->path);
	free(flight);
}

void coalesce_free(struct coalesce *coalesce)
{
	if (!coalesce)
		return;
	while (coalesce->count > 0)
		entry_drop(coalesce, coalesce->count - 1);
	while (!LIST_EMPTY(&coalesce->flights))
		flight_free(LIST_FIRST(&coalesce->flights));
	pthread_cond_destroy(&coalesce->finished);
	pthread_mutex_destroy(&coalesce->lock);
	free(coalesce);
}

static struct flight *flight_find_locked(struct coalesce *coalesce, const char *path)
{
	struct flight *flight;

	LIST_FOREACH(flight, &coalesce->flights, link) {
		if (!flight->finished && strcmp(flight->path, path) == 0)
			return flight;
	}
	return NULL;
}

static void flight_unref_locked(struct flight *flight)
{
	if (--flight->refs == 0)
		flight_free(flight);
}

/* Returns 1 when the request has finished, 0 when the caller gave up. */
static int flight_wait_locked(struct coalesce *coalesce, struct flight *flight,
			      int (*give_up)(void *arg), void *arg)
{
	while (!flight->finished) {
		struct timespec until;

		if (give_up(arg))
			return 0;
		until = env_after_ms(CLOCK_MONOTONIC, COALESCE_POLL_MS);
		pthread_cond_timedwait(&coalesce->finished, &coalesce->lock, &until);
	}
	return 1;
}

static enum coalesce_result coalesce_get_locked(struct coalesce *coalesce, const char *path,
						int64_t oldest_mono_ms, int64_t now_mono_ms,
						int (*give_up)(void *arg), void *arg,
						struct http_response **ret)
{
	struct flight *flight;

	for (;;) {
		for (size_t i = 0; i < coalesce->count; i++) {
			if (strcmp(coalesce->entries[i].path, path) == 0 &&
			    coalesce->entries[i].response->requested_mono_ms >= oldest_mono_ms) {
				*ret = http_response_ref(coalesce->entries[i].response);
				return COALESCE_HIT;
			}
		}
		flight = flight_find_locked(coalesce, path);
		if (!flight)
			break;
		if (flight->requested_mono_ms < oldest_mono_ms)
			return COALESCE_ALONE;
		flight->refs++;
		int finished = flight_wait_locked(coalesce, flight, give_up, arg);
		struct http_response *response = flight->response ?
						 http_response_ref(flight->response) : NULL;
		flight_unref_locked(flight);
		if (!finished)
			return COALESCE_GAVE_UP;
		if (response) {
			*ret = response;
			return COALESCE_HIT;
		}
	}
	flight = xcalloc(1, sizeof(*flight));
	flight->path = xstrdup(path);
	flight->requested_mono_ms = now_mono_ms;
	flight->refs = 1;
	LIST_INSERT_HEAD(&coalesce->flights, flight, link);
	return COALESCE_LEAD;
}

enum coalesce_result coalesce_get(struct coalesce *coalesce, const char *path,
				  int64_t oldest_mono_ms, int64_t now_mono_ms,
				  int (*give_up)(void *arg), void *arg,
				  struct http_response **ret)
{
	enum coalesce_result result;

	pthread_mutex_lock(&coalesce->lock);
	result = coalesce_get_locked(coalesce, path, oldest_mono_ms, now_mono_ms, give_up, arg,
				     ret);
	pthread_mutex_unlock(&coalesce->lock);
	return result;
}

static void coalesce_keep_locked(struct coalesce *coalesce, const char *path,
				 struct http_response *response)
{
	size_t i = 0;

	if (response->http.body_len > COALESCE_BYTES_MAX / 2)
		return;
	while (i < coalesce->count && strcmp(coalesce->entries[i].path, path) != 0)
		i++;
	if (i < coalesce->count)
		entry_drop(coalesce, i);
	/* evict the oldest: it is the least likely to be fresh enough */
	while (coalesce->count == COALESCE_ENTRIES_MAX ||
	       coalesce->bytes + response->http.body_len > COALESCE_BYTES_MAX) {
		size_t oldest = 0;
		for (i = 1; i < coalesce->count; i++) {
			if (coalesce->entries[i].response->requested_mono_ms <
			    coalesce->entries[oldest].response->requested_mono_ms)
				oldest = i;
		}
		entry_drop(coalesce, oldest);
	}
	coalesce->entries[coalesce->count].path = xstrdup(path);
	coalesce->entries[coalesce->count].response = http_response_ref(response);
	coalesce->bytes += response->http.body_len;
	coalesce->count++;
}

void coalesce_finish(struct coalesce *coalesce, const char *path, struct http_response *response)
{
	pthread_mutex_lock(&coalesce->lock);
	struct flight *flight = flight_find_locked(coalesce, path);
	if (flight) {
		flight->finished = 1;
		flight->response = response ? http_response_ref(response) : NULL;
		if (response && response->http.outcome == ENV_HTTP_ANSWERED &&
		    response->http.status == 200)
			coalesce_keep_locked(coalesce, path, response);
		pthread_cond_broadcast(&coalesce->finished);
		flight_unref_locked(flight);
	}
	pthread_mutex_unlock(&coalesce->lock);
}
