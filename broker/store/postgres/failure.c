/* SPDX-License-Identifier: MIT */
/*
 * What an error of PostgreSQL means: for the caller a kind, for the operator a sentence. Only the
 * server's main message is used: its details may hold values of rows.
 */
#include "store/postgres/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "util/text.h"

void pg_message(const char *message, char *ret, size_t size)
{
	size_t len;

	snprintf(ret, size, "%s", message ? message : "");
	for (char *c = ret; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	}
	len = strlen(ret);
	while (len && ret[len - 1] == ' ')
		ret[--len] = '\0';
}

/* The first match counts: an SQLSTATE or its class. */
static const struct {
	const char *state;
	enum err_kind kind;
} kinds[] = {
	{ "23", ERR_CONFLICT },	  /* a constraint */
	{ "40", ERR_BUSY },	  /* serialization, deadlock */
	{ "53300", ERR_BUSY },	  /* too many connections */
	{ "55P03", ERR_BUSY },	  /* a lock was not to be had in time */
	{ "57P", ERR_BUSY },	  /* the server ends or starts */
	{ "25006", ERR_REFUSED }, /* read-only: a standby, or a user's setting */
	{ "28", ERR_REFUSED },	  /* no login */
	{ "3D", ERR_REFUSED },	  /* no such database */
	{ "42501", ERR_REFUSED }, /* no privilege */
};

static enum err_kind kind_of(const char *state)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(kinds[i].state, state, strlen(kinds[i].state)) == 0)
			return kinds[i].kind;
	}
	return ERR_IO;
}

int pg_ends_session(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return !state || strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0;
}

static void first_failure(struct pg_connection *c, const struct err *err, const char *state,
			  const struct pg_queued *queued)
{
	if (c->failure.kind)
		return;
	c->failure = *err;
	snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state);
	c->failed_at = queued && c->first && queued->number >= c->first ?
			       (int64_t)(queued->number - c->first) :
			       -1;
}

int pg_fail(struct pg_connection *c, const PGresult *result, const struct pg_queued *queued,
	    struct err *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *doing = queued ? queued->doing : "committing";
	struct err own = { 0 };
	char message[256];

	pg_message(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), message, sizeof(message));
	if (!state)
		state = "";
	if (queued && queued->is_one && strcmp(state, "22012") == 0)
		err_set(&own, ERR_NOT_FOUND, "%s: the row does not exist (%s)", c->store.name,
			doing);
	else if (queued && queued->is_schema && strcmp(state, "22012") == 0)
		err_set(&own, ERR_REFUSED,
			"%s was upgraded by a newer lessord, and this one must not write to it any "
			"longer (it supports schema %d); install the newer version here, too",
			c->store.name, PG_SCHEMA_NEWEST);
	else
		err_set(&own, kind_of(state), "%s: %s (%s; PostgreSQL %s)", c->store.name, message,
			doing, state);
	first_failure(c, &own, state, queued);
	if (err)
		*err = own;
	return -1;
}

int pg_lose(struct pg_connection *c, const char *doing, struct err *err)
{
	char message[160] = "";
	struct err own = { 0 };

	if (c->conn)
		pg_message(PQerrorMessage(c->conn), message, sizeof(message));
	err_set(&own, ERR_IO, "%s: the connection to the database was lost (%s)%s%s", c->store.name,
		doing, message[0] ? ": " : "", message);
	first_failure(c, &own, "", NULL);
	pg_session_end(c);
	if (err)
		*err = own;
	return -1;
}
