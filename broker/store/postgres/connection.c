/* SPDX-License-Identifier: MIT */
/*
 * Sessions. A writer waits for one; a reader, which the loop thread uses, waits a moment only, and
 * tries at most once per second. libpq's own errors about a URL repeat parts of it, the password
 * perhaps, and are not shown.
 */
#include "store/postgres/internal.h"

#include <poll.h>
#include <string.h>

#include "util/alloc.h"

#define PATIENCE_MS 5000
#define TOOL_PATIENCE_MS 60000
#define POLL_PATIENCE_MS 2000
#define CONNECT_MS 5000 /* a writer's attempt, in all; libpq's own limit is per host */
#define ATTEMPT_MS 3000 /* a reader's */
#define RETRY_MS 1000
#define MOMENT_MS 250 /* for which a reader waits */
#define MOMENT_EVERY_MS 10000
/*
 * So many late answers end a reader's session, and the next one begins with proof that there will be
 * no others. Until then reads fail at once, which is better for all than that each waits.
 */
#define SLOW_MOST 3
#define VERSION_LEAST 140000

struct pg_connection *pg_new(const char *name, const struct pg_connection *leases,
			     enum store_use use, struct err *err)
{
	PQconninfoOption *options = name ? PQconninfoParse(name, NULL) : pg_options_copy(leases);
	struct pg_connection *c;

	if (!options) {
		err_set(err, ERR_INVALID,
			"the URL of the database is not valid; write "
			"postgresql://USER@HOST:PORT/DATABASE, special characters as %%XX, and after "
			"a '?' only parameters that libpq knows");
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->store.reader = use == STORE_READER || use == STORE_VIEW;
	c->use = use;
	c->options = options;
	if (name)
		pg_isolation_set(options);
	c->patience_ms = use == STORE_DAEMON || use == STORE_READER ? PATIENCE_MS :
								      TOOL_PATIENCE_MS;
	c->failed_at = -1;
	pg_name_set(c);
	c->host_count = pg_host_count(c);
	c->attempts = xcalloc((size_t)c->host_count, sizeof(*c->attempts));
	if (use == STORE_POLL)
		c->patience_ms = POLL_PATIENCE_MS;
	return c;
}

void pg_bind(struct pg_connection *c, struct shard_binding *binding)
{
	c->binding = binding;
	/* A block that was fetched before another daemon's would number later rows lower. */
	memset(c->numbers, 0, sizeof(c->numbers));
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* Committed here, but perhaps not on the standby: it must not be acknowledged. */
static void notice(void *arg, const PGresult *result)
{
	struct pg_connection *c = arg;
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (state && strcmp(state, "01000") == 0)
		c->is_unconfirmed = 1;
}

static int connect_fail(const struct pg_connection *c, const char *why, struct err *err)
{
	return err_set(err, ERR_BUSY, "%s: no connection to the database: %s", c->store.name, why);
}

static int session_refuse(const struct pg_connection *c, PGconn *conn, struct err *err)
{
	char message[256];

	pg_message(PQerrorMessage(conn), message, sizeof(message));
	PQfinish(conn);
	return connect_fail(c, message, err);
}

/* The session is complete. */
static int session_begin(struct pg_connection *c, PGconn *conn, struct err *err)
{
	struct shard_binding *binding = c->binding;
	enum pg_phase phase = c->phase;
	int version = PQserverVersion(conn), rc = 0;

	if (version < VERSION_LEAST) {
		PQfinish(conn);
		return err_set(err, ERR_REFUSED, "%s: PostgreSQL %d is too old; use 14 or later",
			       c->store.name, version / 10000);
	}
	PQsetNoticeReceiver(conn, notice, c);
	if (PQsetnonblocking(conn, 1) || !PQenterPipelineMode(conn))
		return session_refuse(c, conn, err);
	c->conn = conn;
	c->session++;
	c->slow = 0;
	if (!binding || !binding->connected)
		return 0;
	c->binding = NULL;
	c->phase = PG_IDLE;
	rc = binding->connected(binding, c, err);
	c->phase = phase;
	c->binding = binding;
	if (rc)
		pg_session_end(c);
	return rc;
}

/*
 * An attempt at this host. While one is still looking its name up, that one goes on: a resolver that
 * hangs must not be asked by more and more threads.
 */
static struct pg_attempt *attempt_at(struct pg_connection *c, int host, int64_t wait_ms)
{
	struct pg_attempt **a = &c->attempts[host];
	int64_t until_ms = pg_mono_ms() + wait_ms;

	if (*a && pg_attempt_goes_on(*a, until_ms))
		return *a;
	pg_attempt_drop(*a);
	*a = pg_attempt_start(c, host, until_ms);
	return *a;
}

/* Nobody waits for it now. What it may make yet must not stay open. */
static void attempt_leave(struct pg_connection *c, int host)
{
	if (pg_attempt_goes_on(c->attempts[host], 0))
		return;
	pg_attempt_drop(c->attempts[host]);
	c->attempts[host] = NULL;
}

/* What has come of an attempt until now; NULL: no session. */
static PGconn *attempt_take(struct pg_connection *c, int host, struct err *err)
{
	char why[256];
	PGconn *conn = pg_attempt_take(c->attempts[host], why, sizeof(why));

	if (!conn)
		connect_fail(c, why, err);
	attempt_leave(c, host);
	return conn;
}

int pg_connect(struct pg_connection *c, struct err *err)
{
	pg_session_end(c);
	/* One by one, since a host that does not answer must not use up the time of the next. */
	for (int i = 0; i < c->host_count; i++) {
		int64_t part_ms = CONNECT_MS / c->host_count;
		PGconn *conn;

		pg_attempt_wait(attempt_at(c, i, part_ms), part_ms);
		conn = attempt_take(c, i, err);
		if (conn)
			return session_begin(c, conn, err);
	}
	return -1;
}

/* ---- a reader -------------------------------------------------------------------------------- */

/* How long the loop thread, and with it all clients, waits for an attempt: a moment, and rarely. */
static int64_t reader_moment(struct pg_connection *c, int64_t now)
{
	if (c->waited_ms && now - c->waited_ms < MOMENT_EVERY_MS)
		return 0;
	c->waited_ms = now;
	return MOMENT_MS;
}

static void reader_start(struct pg_connection *c, int64_t now)
{
	/* The next host each time, since the last one did not answer, or was a standby. */
	c->trying = (int)(c->tries++ % (unsigned int)c->host_count);
	c->is_trying = 1;
	c->tried_ms = now;
	attempt_at(c, c->trying, ATTEMPT_MS);
}

static int reader_connect(struct pg_connection *c, struct err *err)
{
	int64_t now = pg_mono_ms(), wait_ms = 0;
	PGconn *conn;

	/* What was made long ago, and never used, may be of no use by now. */
	if (c->is_trying && now - c->tried_ms >= ATTEMPT_MS) {
		attempt_leave(c, c->trying);
		c->is_trying = 0;
	}
	if (!c->is_trying) {
		if (c->tried_ms && now - c->tried_ms < RETRY_MS)
			return connect_fail(c, "the next attempt is made soon", err);
		reader_start(c, now);
		wait_ms = reader_moment(c, now);
	}
	if (pg_attempt_wait(c->attempts[c->trying], wait_ms))
		return err_set(err, ERR_BUSY, "%s: waiting for the database", c->store.name);
	c->is_trying = 0;
	conn = attempt_take(c, c->trying, err);
	return conn ? session_begin(c, conn, err) : -1;
}

/*
 * Has the server closed an idle session? It says so, or just ends; without a system call nobody
 * notices.
 */
static int is_alive(struct pg_connection *c)
{
	struct pollfd fd = { .fd = PQsocket(c->conn), .events = POLLIN };

	while (fd.fd >= 0 && PQstatus(c->conn) == CONNECTION_OK) {
		if (poll(&fd, 1, 0) == 0)
			return 1;
		if (!PQconsumeInput(c->conn))
			return 0;
	}
	return 0;
}

/* A server that does not answer must not hold up one transaction after the other. */
static int writer_connect(struct pg_connection *c, struct err *err)
{
	int64_t begun_ms = pg_mono_ms();

	if (c->tried_ms && begun_ms - c->tried_ms < RETRY_MS)
		return connect_fail(c, "there was no answer a moment ago", err);
	c->tried_ms = 0;
	if (pg_connect(c, err) == 0)
		return 0;
	if (pg_mono_ms() - begun_ms >= RETRY_MS)
		c->tried_ms = pg_mono_ms();
	return -1;
}

int pg_connected(struct pg_connection *c, struct err *err)
{
	if (c->conn && c->slow < SLOW_MOST && (c->queue_len || is_alive(c)))
		return 0;
	pg_session_end(c);
	return c->use == STORE_READER ? reader_connect(c, err) : writer_connect(c, err);
}
