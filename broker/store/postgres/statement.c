/* SPDX-License-Identifier: MIT */
/*
 * Prepared statements. One is prepared when it is first run, since the types of its parameters are
 * known only then: a number is always a bigint, whatever the server would guess. Numbers, texts and
 * blobs travel in their binary form.
 */
#include "store/postgres/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/translate.h"
#include "util/alloc.h"
#include "util/bug.h"

#define BINARY 1

/* ---- finding ---------------------------------------------------------------------------------- */

static size_t slot_of(const char *sql)
{
	/* Literals: the low bits of their addresses differ little. */
	return ((uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - 9);
}

static struct pg_statement *statement_make(struct pg_connection *c, const char *sql, struct err *err)
{
	struct pg_statement *stmt = xcalloc(1, sizeof(*stmt));

	stmt->text = translate(sql, PG_PARAMS_MAX, &stmt->param_count);
	if (!stmt->text) {
		free(stmt);
		err_set(err, ERR_INTERNAL, "more parameters than PG_PARAMS_MAX");
		return NULL;
	}
	stmt->base.backend = c->store.backend;
	stmt->connection = c;
	stmt->sql = sql;
	stmt->row = -1;
	return stmt;
}

struct statement *pg_prepare(struct store *store, const char *sql, struct err *err)
{
	struct pg_connection *c = pg_of(store);
	size_t at = slot_of(sql);

	for (; c->statements[at]; at = (at + 1) % PG_STATEMENTS) {
		if (c->statements[at]->sql == sql)
			return &c->statements[at]->base;
	}
	if (c->statement_count >= PG_STATEMENTS / 4 * 3) {
		err_set(err, ERR_INTERNAL, "more statements than PG_STATEMENTS allows");
		return NULL;
	}
	c->statements[at] = statement_make(c, sql, err);
	if (!c->statements[at])
		return NULL;
	c->statement_count++;
	return &c->statements[at]->base;
}

void pg_statement_free(struct pg_statement *stmt)
{
	if (!stmt)
		return;
	PQclear(stmt->result);
	for (int i = 0; i < PG_PARAMS_MAX; i++)
		free(stmt->params[i].own);
	free(stmt->text);
	free(stmt);
}

/* ---- preparing -------------------------------------------------------------------------------- */

/* A parameter that the text leaves out has no type that the server could find. */
static int is_used(const struct pg_statement *stmt, int index)
{
	char mark[16];
	size_t len = (size_t)snprintf(mark, sizeof(mark), "$%d", index);

	for (const char *s = stmt->text; (s = strstr(s, mark)) != NULL; s += len) {
		if (s[len] < '0' || s[len] > '9')
			return 1;
	}
	return 0;
}

/* Is it prepared, for values of these types? */
static int is_prepared(const struct pg_statement *stmt, int is_one)
{
	if (stmt->session != stmt->connection->session || stmt->is_one != is_one)
		return 0;
	for (int i = 0; i < stmt->param_count; i++) {
		if (stmt->params[i].type != PG_NULL && stmt->params[i].type != stmt->types[i])
			return 0;
	}
	return 1;
}

static int statement_drop(struct pg_connection *c, const struct pg_statement *stmt, struct err *err)
{
	char text[48];

	snprintf(text, sizeof(text), "DEALLOCATE %s", stmt->name);
	return pg_noted(c, PQsendQueryParams(c->conn, text, 0, NULL, NULL, NULL, NULL, 0),
			"preparing a statement", err) ?
		       0 :
		       -1;
}

static int statement_prepare(struct pg_connection *c, struct pg_statement *stmt, int is_one,
			     const char *doing, struct err *err)
{
	auto_free char *one = is_one ? translate_one(stmt->text) : NULL;
	struct pg_queued *queued;
	Oid types[PG_PARAMS_MAX];

	if (stmt->session == c->session && statement_drop(c, stmt, err))
		return -1;
	for (int i = 0; i < stmt->param_count; i++) {
		/* NULL fits any type: the one that it had, or may get. */
		if (stmt->params[i].type != PG_NULL)
			stmt->types[i] = stmt->params[i].type;
		types[i] = stmt->types[i];
		if (types[i] == PG_NULL && !is_used(stmt, i + 1))
			types[i] = PG_TEXT;
	}
	snprintf(stmt->name, sizeof(stmt->name), "s%llu", (unsigned long long)++c->names);
	queued = pg_noted(c,
			  PQsendPrepare(c->conn, stmt->name, one ? one : stmt->text,
					stmt->param_count, types),
			  doing, err);
	if (!queued)
		return -1;
	queued->stmt = stmt;
	queued->is_prepare = 1;
	stmt->session = c->session;
	stmt->is_one = is_one;
	return 0;
}

/* ---- running ---------------------------------------------------------------------------------- */

static struct pg_queued *statement_send(struct pg_connection *c, struct pg_statement *stmt,
					int is_one, const char *doing, struct err *err)
{
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
	struct pg_queued *queued;

	if (!is_prepared(stmt, is_one) && statement_prepare(c, stmt, is_one, doing, err))
		return NULL;
	for (int i = 0; i < stmt->param_count; i++) {
		const struct pg_param *param = &stmt->params[i];

		values[i] = param->type == PG_NULL ? NULL : param->data;
		lengths[i] = (int)param->len;
		formats[i] = BINARY;
	}
	queued = pg_noted(c,
			  PQsendQueryPrepared(c->conn, stmt->name, stmt->param_count, values,
					      lengths, formats, BINARY),
			  doing, err);
	if (!queued)
		return NULL;
	queued->stmt = stmt;
	queued->is_one = is_one;
	stmt->queued = queued->number;
	stmt->changed = -1;
	return queued;
}

static int statement_run(struct store *store, struct statement *base, int is_one, const char *doing,
			 void (*fn)(void *arg, const PGresult *result), void *arg, struct err *err)
{
	struct pg_statement *stmt = (struct pg_statement *)base;
	struct pg_connection *c = pg_of(store);
	struct pg_queued *queued;

	if (store->reader)
		return err_set(err, ERR_REFUSED, "%s: a reader does not write (%s)", store->name,
			       doing);
	if (pg_transaction_open(c, err))
		return -1;
	queued = statement_send(c, stmt, is_one, doing, err);
	if (!queued)
		return -1;
	queued->fn = fn;
	queued->arg = arg;
	if (c->phase == PG_IDLE)
		return pg_wait(c, 1, err);
	c->is_written = c->is_written_since = 1;
	return 0;
}

int pg_run_with(struct store *store, struct statement *stmt, const char *doing,
		void (*fn)(void *arg, const PGresult *result), void *arg, struct err *err)
{
	return statement_run(store, stmt, 0, doing, fn, arg, err);
}

int pg_run(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	return statement_run(store, stmt, 0, doing, NULL, NULL, err);
}

int pg_run_one(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	return statement_run(store, stmt, 1, doing, NULL, NULL, err);
}

int64_t pg_changed(struct store *store, struct statement *base, struct err *err)
{
	struct pg_statement *stmt = (struct pg_statement *)base;
	struct pg_connection *c = pg_of(store);

	if (stmt->changed < 0 && pg_wait(c, 0, err))
		return -1;
	return stmt->changed;
}

/* ---- numbers of new rows ------------------------------------------------------------------------ */

int pg_run_new(struct store *store, struct statement *stmt, int index, const char *table,
	       int64_t *ret_n, const char *doing, struct err *err)
{
	struct pg_connection *c = pg_of(store);
	struct pg_numbers *numbers = pg_numbers_of(c, table);
	int64_t n;

	if (numbers->next == numbers->end || pg_mono_ms() - numbers->fetched_ms >= PG_NUMBER_MS) {
		auto_free char *sql = xasprintf("SELECT nextval('%s_n')", table);

		if (pg_number(c, sql, &n, doing, err))
			return -1;
		pg_numbers_set(numbers, n);
	}
	numbers->used_ms = pg_mono_ms();
	n = numbers->next++;
	pg_bind_number(stmt, index, n);
	if (pg_run(store, stmt, doing, err))
		return -1;
	*ret_n = n;
	return 0;
}

/* ---- rows ----------------------------------------------------------------------------------------- */

static int rows_get(struct pg_connection *c, struct pg_statement *stmt, const char *doing,
		    struct err *err)
{
	struct pg_queued *queued;

	if (pg_transaction_open(c, err))
		return -1;
	queued = statement_send(c, stmt, 0, doing, err);
	if (!queued)
		return -1;
	queued->keep = &stmt->result;
	return pg_wait(c, c->phase == PG_IDLE, err);
}

/* All rows come at once: other statements may be run between them. */
static int rows_begin(struct pg_connection *c, struct pg_statement *stmt, const char *doing,
		      struct err *err)
{
	/* A reader's session that a restart of the server has ended shows it here, at the latest. */
	int may_repeat = c->use == STORE_READER && c->phase != PG_OPEN && c->conn;

	if (rows_get(c, stmt, doing, err) == 0)
		return 0;
	if (!may_repeat || c->conn)
		return -1;
	pg_end(&stmt->base);
	if (c->is_snapshot)
		c->phase = PG_WANTED;
	return rows_get(c, stmt, doing, err);
}

int pg_row(struct store *store, struct statement *base, const char *doing, struct err *err)
{
	struct pg_statement *stmt = (struct pg_statement *)base;

	if (!stmt->result && rows_begin(pg_of(store), stmt, doing, err)) {
		pg_end(base);
		return -1;
	}
	if (++stmt->row < PQntuples(stmt->result))
		return 0;
	pg_end(base);
	return 1;
}
