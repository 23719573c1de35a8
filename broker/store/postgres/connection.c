/* SPDX-License-Identifier: MIT */
/*
 * Sessions. A writer waits for one; a reader, which the loop thread uses, waits a moment only, and
 * tries at most once per second. The password is in the options, which come from libpq's parser,
 * and in no message: libpq's own errors about a URL repeat parts of it, and are not shown.
 */
#include "store/postgres/internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/alloc.h"
#include "util/buf.h"
#include "util/bug.h"
#include "util/hash.h"
#include "util/text.h"

#define OPTIONS_MAX 80
#define PATIENCE_MS 5000
#define TOOL_PATIENCE_MS 60000
#define POLL_PATIENCE_MS 2000
#define CONNECT_MS 5000 /* a writer's attempt, in all; libpq's own limit is per host */
#define ATTEMPT_MS 3000 /* a reader's */
#define RETRY_MS 1000
#define MOMENT_MS 250 /* for which a reader waits */
#define VERSION_LEAST 140000

/* What is not in the URL. */
static const char *const defaults[][2] = {
	{ "connect_timeout", "3" },
	{ "tcp_user_timeout", "4000" },
	{ "keepalives_idle", "2" },
	{ "keepalives_interval", "1" },
	{ "keepalives_count", "3" },
	{ "application_name", "lessord" },
	{ "target_session_attrs", "read-write" },
	{ "client_encoding", "UTF8" },
};

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- options ------------------------------------------------------------------------------ */

static const char *option(const struct pg_connection *c, const char *keyword)
{
	for (const PQconninfoOption *o = c->options; o->keyword; o++) {
		if (strcmp(o->keyword, keyword) == 0)
			return o->val && o->val[0] ? o->val : NULL;
	}
	return NULL;
}

void pg_options_free(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++) {
		if (o->val)
			hash_wipe(o->val, strlen(o->val));
	}
	PQconninfoFree(options);
}

/* Part `n` of a list with commas, the only one if there is just one. */
static void list_part(const char *list, int n, char *ret, size_t size)
{
	for (; n > 0 && strchr(list, ','); n--)
		list = strchr(list, ',') + 1;
	snprintf(ret, size, "%.*s", (int)strcspn(list, ","), list);
}

static int list_count(const char *list)
{
	int count = 1;

	while (list && (list = strchr(list, ',')) != NULL) {
		list++;
		count++;
	}
	return count;
}

/* The URL for messages: where, and as whom, but no password. */
static void name_set(struct pg_connection *c)
{
	const char *user = option(c, "user"), *host = option(c, "host");
	const char *port = option(c, "port"), *database = option(c, "dbname");
	const char *service = option(c, "service");

	if (!host)
		host = option(c, "hostaddr");
	snprintf(c->store.name, sizeof(c->store.name),
		 "postgresql://%.60s%s%.80s%s%.20s/%.60s%s%.20s", user ? user : "", user ? "@" : "",
		 host ? host : "", port ? ":" : "", port ? port : "", database ? database : "",
		 service ? "?service=" : "", service ? service : "");
}

static PQconninfoOption *options_copy(const struct pg_connection *from)
{
	PQconninfoOption *options = PQconndefaults();

	for (PQconninfoOption *o = options; o && o->keyword; o++) {
		const char *value = option(from, o->keyword);

		free(o->val);
		o->val = value ? xstrdup(value) : NULL;
	}
	BUG_ON(!options);
	return options;
}

/*
 * The database or the role may have another default, with which a fence that has waited for its row
 * would fail without saying who has it. Of the URL's own options and this one, the last counts.
 */
static void isolation_set(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++) {
		char *own = o->val;

		if (strcmp(o->keyword, "options") != 0)
			continue;
		o->val = xasprintf("%s -c default_transaction_isolation=read\\ committed",
				   own ? own : "");
		free(own);
	}
}

struct pg_connection *pg_new(const char *name, const struct pg_connection *leases,
			     enum store_use use, struct err *err)
{
	PQconninfoOption *options = name ? PQconninfoParse(name, NULL) : options_copy(leases);
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
		isolation_set(options);
	c->patience_ms = use == STORE_DAEMON || use == STORE_READER ? PATIENCE_MS :
								      TOOL_PATIENCE_MS;
	c->failed_at = -1;
	name_set(c);
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

struct arguments {
	const char *keywords[OPTIONS_MAX + 1];
	const char *values[OPTIONS_MAX + 1];
	int count;
	char part[3][256];
};

static void argument_add(struct arguments *a, const char *keyword, const char *value)
{
	BUG_ON(a->count == OPTIONS_MAX);
	a->keywords[a->count] = keyword;
	a->values[a->count++] = value;
}

/* `host`: only that one of several; -1: all. */
static void arguments_make(const struct pg_connection *c, struct arguments *a, int host)
{
	static const char *const lists[] = { "host", "hostaddr", "port" };

	*a = (struct arguments){ .count = 0 };
	for (const PQconninfoOption *o = c->options; o->keyword; o++) {
		const char *value = option(c, o->keyword);

		for (size_t i = 0; value && host >= 0 && i < ARRAY_LEN(lists); i++) {
			if (strcmp(o->keyword, lists[i]) == 0) {
				list_part(value, host, a->part[i], sizeof(a->part[i]));
				value = a->part[i];
			}
		}
		if (value)
			argument_add(a, o->keyword, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		if (!option(c, defaults[i][0]))
			argument_add(a, defaults[i][0], defaults[i][1]);
	}
}

/* Committed here, but perhaps not on the standby: it must not be acknowledged. */
static void notice(void *arg, const PGresult *result)
{
	struct pg_connection *c = arg;
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (state && strcmp(state, "01000") == 0)
		c->is_unconfirmed = 1;
}

static int connect_fail(const struct pg_connection *c, PGconn *conn, struct err *err)
{
	char message[256] = "there is no answer";

	if (conn && PQstatus(conn) == CONNECTION_BAD)
		pg_message(PQerrorMessage(conn), message, sizeof(message));
	PQfinish(conn);
	return err_set(err, ERR_BUSY, "%s: no connection to the database: %s", c->store.name,
		       message);
}

/* A reader reads, whatever it is told: a write through it would escape the fence. */
static int session_restrict(struct pg_connection *c, struct err *err)
{
	static const char sql[] = "SET default_transaction_read_only = on";
	static const char doing[] = "making a session read-only";

	if (!c->store.reader)
		return 0;
	c->failure = (struct err){ .kind = ERR_NONE };
	if (pg_noted(c, PQsendQueryParams(c->conn, sql, 0, NULL, NULL, NULL, NULL, 0), doing, err) &&
	    pg_wait(c, 1, err) == 0)
		return 0;
	pg_disconnect(c);
	return -1;
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
		return connect_fail(c, conn, err);
	c->conn = conn;
	c->session++;
	/* Not an option of the connection: target_session_attrs would then take it for a standby. */
	if (session_restrict(c, err))
		return -1;
	if (!binding || !binding->connected)
		return 0;
	c->binding = NULL;
	c->phase = PG_IDLE;
	rc = binding->connected(binding, c, err);
	c->phase = phase;
	c->binding = binding;
	if (rc)
		pg_disconnect(c);
	return rc;
}

/* Takes part in making a connection until `until_ms`. 0: made; 1: not yet; -1: failed. */
static int connect_step(PGconn *conn, int64_t until_ms, PostgresPollingStatusType *status)
{
	for (;;) {
		struct pollfd fd = { .fd = PQsocket(conn) };
		int64_t left = until_ms - mono_ms();

		if (*status == PGRES_POLLING_OK)
			return 0;
		if (*status == PGRES_POLLING_FAILED)
			return -1;
		fd.events = *status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (poll(&fd, 1, left > 0 ? (int)left : 0) <= 0)
			return 1;
		*status = PQconnectPoll(conn);
	}
}

int pg_connect(struct pg_connection *c, struct err *err)
{
	int count = list_count(option(c, "host") ? option(c, "host") : option(c, "hostaddr"));
	struct err own = { 0 };

	pg_disconnect(c);
	/* One by one, since a host that does not answer must not use up the time of the next. */
	for (int i = 0; i < count; i++) {
		PostgresPollingStatusType status = PGRES_POLLING_WRITING;
		int64_t part_ms = mono_ms() + CONNECT_MS / count;
		struct arguments a;
		PGconn *conn;
		int rc;

		arguments_make(c, &a, i);
		conn = PQconnectStartParams(a.keywords, a.values, 0);
		if (!conn)
			return err_set(err, ERR_NO_MEMORY, "%s: out of memory", c->store.name);
		rc = PQstatus(conn) == CONNECTION_BAD ? -1 : connect_step(conn, part_ms, &status);
		if (rc == 0)
			return session_begin(c, conn, err);
		connect_fail(c, conn, &own);
	}
	if (err)
		*err = own;
	return -1;
}

/* ---- a reader -------------------------------------------------------------------------------- */

static int reader_start(struct pg_connection *c, struct err *err)
{
	const char *hosts = option(c, "host") ? option(c, "host") : option(c, "hostaddr");
	int64_t now = mono_ms();
	struct arguments a;

	if (c->tried_ms && now - c->tried_ms < RETRY_MS)
		return err_set(err, ERR_BUSY, "%s: no connection to the database", c->store.name);
	c->tried_ms = now;
	/* The next host each time, since the last one did not answer, or was a standby. */
	arguments_make(c, &a, (int)(c->tries++ % (unsigned int)list_count(hosts)));
	c->fresh = PQconnectStartParams(a.keywords, a.values, 0);
	c->fresh_status = PGRES_POLLING_WRITING;
	return 0;
}

static int reader_connect(struct pg_connection *c, struct err *err)
{
	/* Only the first call of an attempt waits: the loop thread makes many. */
	int64_t until_ms = c->fresh ? 0 : mono_ms() + MOMENT_MS;
	PGconn *conn;
	int rc;

	if (!c->fresh && reader_start(c, err))
		return -1;
	conn = c->fresh;
	rc = PQstatus(conn) == CONNECTION_BAD ? -1 : connect_step(conn, until_ms, &c->fresh_status);
	if (rc == 1 && mono_ms() - c->tried_ms < ATTEMPT_MS)
		return err_set(err, ERR_BUSY, "%s: waiting for the database", c->store.name);
	c->fresh = NULL;
	return rc ? connect_fail(c, conn, err) : session_begin(c, conn, err);
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

int pg_connected(struct pg_connection *c, struct err *err)
{
	if (c->conn && (c->queue_len || is_alive(c)))
		return 0;
	pg_session_end(c);
	return c->use == STORE_READER ? reader_connect(c, err) : pg_connect(c, err);
}
