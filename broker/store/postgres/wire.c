/* SPDX-License-Identifier: MIT */
/*
 * Sending, and waiting for answers. The socket never blocks: while a long batch is written, answers
 * are read, or both sides would wait for each other; and every wait has an end of our own, since a
 * connection into nothing would otherwise be waited for for minutes.
 */
#include "store/postgres/internal.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "util/alloc.h"

int64_t pg_mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct pg_queued *pg_noted(struct pg_connection *c, int is_sent, const char *doing, struct err *err)
{
	struct pg_queued *queued;

	if (!is_sent) {
		pg_lose(c, doing, err);
		return NULL;
	}
	if (c->queue_len == c->queue_room) {
		c->queue_room = c->queue_room ? 2 * c->queue_room : 64;
		c->queue = xrealloc(c->queue, c->queue_room * sizeof(*c->queue));
	}
	queued = &c->queue[c->queue_len++];
	*queued = (struct pg_queued){ .number = ++c->count, .doing = doing };
	return queued;
}

/* Waits until there is something to read, writing meanwhile. -1: lost, too late, or silent. */
static int socket_wait(struct pg_connection *c, int64_t until_ms)
{
	struct pollfd fd = { .fd = PQsocket(c->conn), .events = POLLIN };
	int unsent = PQflush(c->conn);
	int64_t now = pg_mono_ms(), left = until_ms - now;
	int rc;

	if (c->silence_ms && left > c->silence_ms)
		left = c->silence_ms;
	if (unsent < 0 || fd.fd < 0 || left <= 0)
		return -1;
	if (unsent)
		fd.events |= POLLOUT;
	rc = poll(&fd, 1, (int)left);
	if (c->silence_ms)
		c->slow = pg_mono_ms() - now >= c->silence_ms / 2 ? c->slow + 1 : 0;
	if (rc < 0 && errno == EINTR)
		return 0;
	if (rc <= 0)
		return -1;
	return fd.revents & ~POLLOUT && !PQconsumeInput(c->conn) ? -1 : 0;
}

/* The next result, NULL at the end of a command's. -1: lost. */
static int result_next(struct pg_connection *c, int64_t until_ms, PGresult **ret)
{
	if (PQflush(c->conn) < 0)
		return -1;
	while (PQisBusy(c->conn)) {
		if (socket_wait(c, until_ms))
			return -1;
	}
	*ret = PQgetResult(c->conn);
	return 0;
}

static void command_done(const struct pg_queued *queued, const PGresult *result)
{
	struct pg_statement *stmt = queued->stmt;

	if (stmt && stmt->queued == queued->number && !queued->is_prepare)
		stmt->changed = strtoll(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
	if (queued->fn)
		queued->fn(queued->arg, result);
}

/* -1: the connection is lost. An error of the command is kept in c->failure. */
static int command_result(struct pg_connection *c, const struct pg_queued *queued, PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		command_done(queued, result);
		if (!queued->keep)
			break;
		*queued->keep = result;
		return 0;
	case PGRES_PIPELINE_ABORTED:
		if (queued->is_prepare)
			queued->stmt->session = 0;
		break;
	default:
		if (queued->is_prepare)
			queued->stmt->session = 0;
		if (pg_ends_session(result)) {
			PQclear(result);
			return -1;
		}
		pg_fail(c, result, queued, NULL);
	}
	PQclear(result);
	return 0;
}

static int command_wait(struct pg_connection *c, const struct pg_queued *queued, int64_t until_ms)
{
	PGresult *result;

	if (result_next(c, until_ms, &result) || !result || command_result(c, queued, result) ||
	    result_next(c, until_ms, &result))
		return -1;
	if (!result)
		return 0;
	PQclear(result);
	return -1;
}

/* The end of the transaction, and the error of its commit, if there is one. */
static int sync_wait(struct pg_connection *c, int64_t until_ms)
{
	PGresult *result;
	ExecStatusType status;

	/* NULL ends the results of what failed; after the Sync there is none. */
	for (int i = 0; i < 4; i++) {
		if (result_next(c, until_ms, &result))
			return -1;
		if (!result)
			continue;
		status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR && !pg_ends_session(result))
			pg_fail(c, result, NULL, NULL);
		else if (status != PGRES_PIPELINE_SYNC)
			i = 4;
		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			return 0;
	}
	return -1;
}

int pg_wait(struct pg_connection *c, int is_sync, struct err *err)
{
	int64_t until_ms = pg_mono_ms() + c->patience_ms;
	const char *doing = c->queue_len ? c->queue[c->queue_len - 1].doing : "committing";
	int rc = 0;

	if (!c->conn)
		return pg_lose(c, doing, err);
	if (!(is_sync ? PQpipelineSync(c->conn) : PQsendFlushRequest(c->conn)))
		return pg_lose(c, doing, err);
	for (size_t i = 0; !rc && i < c->queue_len; i++) {
		doing = c->queue[i].doing;
		rc = command_wait(c, &c->queue[i], until_ms);
	}
	if (!rc && is_sync)
		rc = sync_wait(c, until_ms);
	if (rc)
		return pg_lose(c, doing, err);
	c->queue_len = 0;
	if (!c->failure.kind)
		return 0;
	if (err)
		*err = c->failure;
	return -1;
}

int pg_drain(struct pg_connection *c, const char *doing, struct err *err)
{
	int64_t until_ms = pg_mono_ms() + c->patience_ms;
	struct pg_queued queued = { .doing = doing };
	PGresult *result;

	for (;;) {
		if (result_next(c, until_ms, &result))
			return pg_lose(c, doing, err);
		if (!result)
			break;
		if (command_result(c, &queued, result))
			return pg_lose(c, doing, err);
	}
	if (PQstatus(c->conn) != CONNECTION_OK)
		return pg_lose(c, doing, err);
	if (!c->failure.kind)
		return 0;
	if (err)
		*err = c->failure;
	return -1;
}
