/* SPDX-License-Identifier: MIT */
/*
 * Making a session, in a thread of its own. libpq looks names up when it connects, which may take
 * minutes that no time limit of its own ends, so whoever wants a session waits for this thread only
 * as long as it likes. A thread that nobody waits for any longer ends with the lookup.
 *
 * A session of a reader comes with proof that the server answers soon: it is the loop thread's.
 */
#include "store/postgres/internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/env.h"

/* Of the process: a resolver that hangs is not asked by more and more threads. */
#define LOOKUPS_MOST 128
static atomic_int lookups;

struct pg_attempt {
	/* The thread's. */
	struct pg_arguments arguments;
	int is_reader;
	int64_t answer_ms;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t is_over;
	int users; /* the thread, and the connection */
	enum { ATTEMPT_LOOKUP, ATTEMPT_CONNECTING, ATTEMPT_OVER } stage;
	int64_t until_ms;
	PGconn *conn; /* what came of it; NULL: nothing */
	char why[256];
};

/* ---- the thread ----------------------------------------------------------------------------- */

/* Waits until the socket is ready; -1: too late. */
static int socket_await(PGconn *conn, short events, int64_t until_ms)
{
	struct pollfd fd = { .fd = PQsocket(conn), .events = events };
	int64_t left = until_ms - pg_mono_ms();

	return left > 0 && poll(&fd, 1, (int)left) > 0 ? 0 : -1;
}

/* What is said if libpq says nothing. */
static const char *connection_finish(PGconn *conn, int64_t until_ms)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (PQstatus(conn) != CONNECTION_BAD && status != PGRES_POLLING_FAILED) {
		if (status == PGRES_POLLING_OK)
			return NULL;
		if (socket_await(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms))
			return "there is no answer";
		status = PQconnectPoll(conn);
	}
	return "it is refused";
}

/*
 * A reader reads, whatever it is told: a write through it would escape the fence. This is no option
 * of the connection, since target_session_attrs would then take the server for a standby.
 */
static const char *reader_begin(PGconn *conn, int64_t until_ms)
{
	PGresult *result;
	int is_done = 0;

	if (!PQsendQuery(conn, "SET default_transaction_read_only = on"))
		return "it was lost";
	do {
		while (PQisBusy(conn)) {
			if (socket_await(conn, POLLIN, until_ms))
				return "it answers too slowly";
			if (!PQconsumeInput(conn))
				return "it was lost";
		}
		result = PQgetResult(conn);
		is_done |= PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
	} while (result);
	return is_done ? NULL : "it cannot be made read-only";
}

static void attempt_unref(struct pg_attempt *a)
{
	int users;

	pthread_mutex_lock(&a->lock);
	users = --a->users;
	pthread_mutex_unlock(&a->lock);
	if (users)
		return;
	PQfinish(a->conn);
	pg_arguments_wipe(&a->arguments);
	pthread_cond_destroy(&a->is_over);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* The names are looked up. Until when there is time; 0: nobody waits. */
static int64_t lookup_over(struct pg_attempt *a)
{
	int64_t until_ms;

	atomic_fetch_sub(&lookups, 1);
	pthread_mutex_lock(&a->lock);
	a->stage = ATTEMPT_CONNECTING;
	until_ms = a->users > 1 ? a->until_ms : 0;
	pthread_mutex_unlock(&a->lock);
	return until_ms;
}

/* `why`: it has failed. */
static void attempt_over(struct pg_attempt *a, PGconn *conn, const char *why)
{
	char message[sizeof(a->why)] = "";

	if (why && conn && PQstatus(conn) == CONNECTION_BAD)
		pg_message(PQerrorMessage(conn), message, sizeof(message));
	if (why)
		PQfinish(conn);
	pthread_mutex_lock(&a->lock);
	if (why)
		pg_message(message[0] ? message : why, a->why, sizeof(a->why));
	a->conn = why ? NULL : conn;
	a->stage = ATTEMPT_OVER;
	pthread_cond_signal(&a->is_over);
	pthread_mutex_unlock(&a->lock);
}

static void *attempt_main(void *arg)
{
	struct pg_attempt *a = arg;
	PGconn *conn = PQconnectStartParams(a->arguments.keywords,
					    (const char *const *)a->arguments.values, 0);
	int64_t until_ms = lookup_over(a);
	const char *why = conn ? connection_finish(conn, until_ms) : "out of memory";

	if (!why && a->is_reader) {
		int64_t soon_ms = pg_mono_ms() + a->answer_ms;

		why = reader_begin(conn, a->answer_ms && soon_ms < until_ms ? soon_ms : until_ms);
	}
	attempt_over(a, conn, why);
	attempt_unref(a);
	return NULL;
}

/* Signals are the other threads'. */
static int thread_start(struct pg_attempt *a)
{
	int rc = atomic_fetch_add(&lookups, 1) < LOOKUPS_MOST ? 0 : EAGAIN;
	sigset_t all, before;
	pthread_attr_t alone;
	pthread_t thread;

	sigfillset(&all);
	pthread_attr_init(&alone);
	pthread_attr_setdetachstate(&alone, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!rc)
		rc = pthread_create(&thread, &alone, attempt_main, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&alone);
	if (!rc)
		return 0;
	atomic_fetch_sub(&lookups, 1);
	return -1;
}

/* ---- who wants it --------------------------------------------------------------------------- */

struct pg_attempt *pg_attempt_start(const struct pg_connection *c, int host, int64_t until_ms)
{
	struct pg_attempt *a = xcalloc(1, sizeof(*a));
	pthread_condattr_t monotonic;

	pg_arguments_make(c, &a->arguments, host);
	a->is_reader = c->store.reader;
	a->answer_ms = c->silence_ms / 2;
	a->until_ms = until_ms;
	a->users = 2;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&a->is_over, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (thread_start(a) == 0)
		return a;
	/* As if it had run. */
	attempt_over(a, NULL, "too many lookups of names are under way, or threads");
	attempt_unref(a);
	return a;
}

int pg_attempt_goes_on(struct pg_attempt *a, int64_t until_ms)
{
	int goes_on;

	pthread_mutex_lock(&a->lock);
	goes_on = a->stage == ATTEMPT_LOOKUP;
	if (goes_on)
		a->until_ms = until_ms;
	pthread_mutex_unlock(&a->lock);
	return goes_on;
}

int pg_attempt_wait(struct pg_attempt *a, int64_t wait_ms)
{
	struct timespec until = env_after_ms(CLOCK_MONOTONIC, wait_ms);
	int is_over;

	pthread_mutex_lock(&a->lock);
	while (a->stage != ATTEMPT_OVER && wait_ms > 0 &&
	       pthread_cond_timedwait(&a->is_over, &a->lock, &until) == 0)
		;
	is_over = a->stage == ATTEMPT_OVER;
	pthread_mutex_unlock(&a->lock);
	return is_over ? 0 : 1;
}

PGconn *pg_attempt_take(struct pg_attempt *a, char *why, size_t size)
{
	PGconn *conn;

	pthread_mutex_lock(&a->lock);
	conn = a->conn;
	a->conn = NULL;
	if (a->stage == ATTEMPT_LOOKUP)
		pg_message("the address of its host is still being looked up", why, size);
	else
		pg_message(a->stage == ATTEMPT_OVER ? a->why : "there is no answer", why, size);
	pthread_mutex_unlock(&a->lock);
	return conn;
}

void pg_attempt_drop(struct pg_attempt *a)
{
	if (a)
		attempt_unref(a);
}
