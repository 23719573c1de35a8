/* SPDX-License-Identifier: MIT */
#include "places.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_S 60
#define BLOCKED_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* `lock` guards it. */
static struct {
	int shut;
	int inside, most, arrived;
	int waiters;
	const pthread_mutex_t *blocked[BLOCKED_MAX]; /* the lock that each of them waits for */
	int blocked_count;
} at;
/* A waiter wakes up regularly and waits again. */
static __thread int is_waiter;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until);
int __real_pthread_join(pthread_t thread, void **ret);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until);
int __wrap_pthread_join(pthread_t thread, void **ret);

static void enter(void)
{
	__real_pthread_mutex_lock(&lock);
}

static void leave(void)
{
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* ---- wrappers of the C library ---- */

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int rc;

	if (pthread_mutex_trylock(mutex) == 0)
		return 0;
	enter();
	if (at.blocked_count == BLOCKED_MAX)
		abort();
	at.blocked[at.blocked_count++] = mutex;
	leave();
	rc = __real_pthread_mutex_lock(mutex);
	enter();
	for (int i = 0; i < at.blocked_count; i++) {
		if (at.blocked[i] == mutex) {
			at.blocked[i] = at.blocked[--at.blocked_count];
			break;
		}
	}
	leave();
	return rc;
}

/* Counted under the lock of the wait, so whoever gets that lock next finds it waiting. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until)
{
	if (!is_waiter) {
		is_waiter = 1;
		enter();
		at.waiters++;
		leave();
	}
	return __real_pthread_cond_timedwait(cond, mutex, until);
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
	places_poke();
	return __real_pthread_join(thread, ret);
}

/* ---- the network ---- */

void places_reset(void)
{
	enter();
	at.shut = at.inside = at.most = at.arrived = at.waiters = 0;
	leave();
}

void places_shut(void)
{
	enter();
	at.shut = 1;
	leave();
}

void places_open(void)
{
	enter();
	at.shut = 0;
	leave();
}

void places_poke(void)
{
	enter();
	leave();
}

void places_stay(int (*may_leave)(void *arg), void *arg)
{
	enter();
	at.arrived++;
	at.inside++;
	if (at.inside > at.most)
		at.most = at.inside;
	pthread_cond_broadcast(&changed);
	while (at.shut && !may_leave(arg))
		pthread_cond_wait(&changed, &lock);
	at.inside--;
	leave();
}

int places_most(void)
{
	int most;

	enter();
	most = at.most;
	leave();
	return most;
}

/* ---- waiting ---- */

static int have_arrived(int count)
{
	return at.arrived >= count;
}

static int are_waiting(int count)
{
	return at.waiters >= count;
}

static int are_blocked(int count)
{
	for (int i = 0; i < at.blocked_count; i++) {
		int same = 0;

		for (int j = 0; j < at.blocked_count; j++)
			same += at.blocked[j] == at.blocked[i];
		if (same >= count)
			return 1;
	}
	return 0;
}

static void await(int (*is_so)(int count), int count, const char *what)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	enter();
	while (!is_so(count)) {
		if (__real_pthread_cond_timedwait(&changed, &lock, &until) == 0)
			continue;
		/* no teardown can stop threads in this state */
		fprintf(stderr, "%d never %s: %d arrived, %d wait for an answer, %d for a lock\n",
			count, what, at.arrived, at.waiters, at.blocked_count);
		abort();
	}
	leave();
}

void places_await_arrived(int count)
{
	await(have_arrived, count, "came to the network");
}

void places_await_waiters(int count)
{
	await(are_waiting, count, "waited for an answer");
}

void places_await_blocked(int count)
{
	await(are_blocked, count, "waited for one lock");
}
