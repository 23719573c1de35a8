/* SPDX-License-Identifier: MIT */
/* Single statements in PostgreSQL's own words: for the schema, and what is done once. */
#include "store/postgres/internal.h"

#include <stdlib.h>
#include <string.h>

#include "util/bug.h"

int pg_query(struct pg_connection *c, const char *sql, const char *const *params, int count,
	     PGresult **ret, const char *doing, struct err *err)
{
	struct pg_queued *queued;
	PGresult *result = NULL;
	int is_alone = c->phase == PG_IDLE;

	if (pg_transaction_open(c, err))
		return -1;
	queued = pg_noted(c, PQsendQueryParams(c->conn, sql, count, NULL, params, NULL, NULL, 0),
			  doing, err);
	if (!queued)
		return -1;
	queued->keep = &result;
	if (pg_wait(c, is_alone, err)) {
		PQclear(result);
		return -1;
	}
	if (!is_alone && PQresultStatus(result) == PGRES_COMMAND_OK)
		c->is_written = c->is_written_since = 1;
	*ret = result;
	return 0;
}

int pg_exec(struct pg_connection *c, const char *sql, const char *doing, struct err *err)
{
	PGresult *result;

	if (pg_query(c, sql, NULL, 0, &result, doing, err))
		return -1;
	PQclear(result);
	return 0;
}

int pg_number(struct pg_connection *c, const char *sql, int64_t *ret, const char *doing,
	      struct err *err)
{
	PGresult *result;
	int rc = 0;

	if (pg_query(c, sql, NULL, 0, &result, doing, err))
		return -1;
	if (PQntuples(result) == 1 && PQnfields(result) == 1)
		*ret = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	else
		rc = err_set(err, ERR_INTERNAL, "%s: not a single number (%s)", c->store.name,
			     doing);
	PQclear(result);
	return rc;
}

int pg_script(struct pg_connection *c, const char *sql, const char *doing, struct err *err)
{
	BUG_ON(c->phase != PG_IDLE || c->queue_len);
	if (pg_transaction_open(c, err))
		return -1;
	/* Several statements are possible only without the pipeline; they are one transaction. */
	if (!PQexitPipelineMode(c->conn) || !PQsendQuery(c->conn, sql))
		return pg_lose(c, doing, err);
	if (pg_drain(c, doing, err)) {
		if (c->conn && !PQenterPipelineMode(c->conn))
			pg_session_end(c);
		return -1;
	}
	return PQenterPipelineMode(c->conn) ? 0 : pg_lose(c, doing, err);
}
