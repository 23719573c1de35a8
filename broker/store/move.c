/* SPDX-License-Identifier: MIT */
/*
 * One transaction of the target holds everything, and the file is locked meanwhile. The mark in the
 * file is committed before the target: if the process ends between the two, neither is used until
 * the move is repeated. The other order could leave two stores that both look usable.
 */
#include "store/move.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/rows.h"
#include "store/table_copy.h"
#include "util/alloc.h"
#include "util/text.h"

/* What a new store has by itself; it is replaced. */
#define OWN_KEYS "('instance', 'signing_key', 'account_key', 'token_epoch')"

struct store_move {
	struct store *from, *runs, *to;
	struct table_copy copies[TABLES];
	struct store_move_result result;
};

/* The single number that a statement without parameters returns. */
static int number_read(struct store *store, const char *sql, int64_t *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt || store_row(store, stmt, "looking at the target", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

static int refuse_used(const struct store *to, const char *what, struct err *err)
{
	return err_set(err, ERR_REFUSED,
		       "%s is not empty (%s): a store is moved only to a database that no lessord "
		       "has used; create a new one",
		       to->name, what);
}

/* Nobody may have begun to use it: the tables that are not copied are empty. */
static int unused_check(struct store_move *m, struct err *err)
{
	int64_t count;

	if (number_read(m->to, "SELECT (SELECT count(*) FROM shard) + (SELECT count(*) FROM daemon)",
			&count, err))
		return -1;
	return count ? refuse_used(m->to, "a lessord has used it", err) : 0;
}

static int empty_check(struct store_move *m, struct err *err)
{
	int64_t count;

	for (size_t i = 0; i < TABLES; i++) {
		if (strcmp(tables[i].name, "meta") == 0)
			continue;
		if (number_read(m->to, m->copies[i].count_sql, &count, err))
			return -1;
		if (count)
			return refuse_used(m->to, tables[i].name, err);
	}
	if (number_read(m->to, "SELECT count(*) FROM meta WHERE key NOT IN " OWN_KEYS, &count, err))
		return -1;
	return count ? refuse_used(m->to, "meta", err) : unused_check(m, err);
}

/* ---- what was done before ------------------------------------------------------------------ */

/* 1: an earlier move was completed; 0: there is something to do; -1. */
static int earlier_check(struct store_move *m, struct err *err)
{
	char target[sizeof(m->to->name)], ours[32], theirs[32];

	if (meta_text(m->from, "moved", target, sizeof(target), err) ||
	    meta_text(m->from, "instance", ours, sizeof(ours), err) ||
	    meta_text(m->to, "instance", theirs, sizeof(theirs), err))
		return -1;
	if (target[0] && strcmp(target, m->to->name) != 0)
		return err_set(err, ERR_REFUSED, "%s was moved to %s before", m->from->name, target);
	if (strcmp(ours, theirs) != 0)
		return 0;
	if (target[0])
		return 1;
	return err_set(err, ERR_REFUSED,
		       "%s already holds the data of this store, of which %s is an older copy",
		       m->to->name, m->from->name);
}

/* ---- copying ------------------------------------------------------------------------------- */

static struct store *source_of(const struct store_move *m, const struct store_table *table)
{
	return table->place == TABLE_OF_RUNS ? m->runs : m->from;
}

/* As `to` shows them, still in the same transaction. */
static int tables_copy(struct store_move *m, struct err *err)
{
	for (size_t i = 0; i < TABLES; i++) {
		struct table_copy *copy = &m->copies[i];

		if (tables[i].place == TABLE_OF_TOTALS || tables[i].place == TABLE_OF_DAEMONS)
			continue;
		if (table_copy_run(copy, source_of(m, &tables[i]), m->to, err))
			return -1;
		m->result.rows += copy->rows;
		m->result.mended += copy->mended;
		if (strcmp(tables[i].name, "lease") == 0)
			m->result.leases = copy->rows;
		if (strcmp(tables[i].name, "run") == 0)
			m->result.runs = copy->rows;
	}
	return 0;
}

static int statement_run(struct store *store, const char *sql, const char *doing, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	return stmt ? store_run(store, stmt, doing, err) : -1;
}

/* The totals follow from the leases; an account whose leases have all ended has a row, too. */
static int totals_complete(struct store_move *m, struct err *err)
{
	return statement_run(m->to,
			     "INSERT INTO tally(account, scope, name, org, leases, micros)"
			     " SELECT DISTINCT account, 3, account, '', 0, 0 FROM lease"
			     " ON CONFLICT(scope, name, org, account) DO NOTHING",
			     "completing the totals", err);
}

/* New rows are numbered after those that were copied. */
static int numbers_continue(struct store_move *m, struct err *err)
{
	for (size_t i = 0; i < TABLES; i++) {
		int64_t n;

		if (tables[i].is_numbered && m->copies[i].rows &&
		    number_read(m->to, m->copies[i].continue_sql, &n, err))
			return -1;
	}
	return 0;
}

static int copy_all(struct store_move *m, struct err *err)
{
	if (empty_check(m, err) ||
	    statement_run(m->to, "DELETE FROM meta", "replacing the identity", err) ||
	    tables_copy(m, err) || totals_complete(m, err) || numbers_continue(m, err))
		return -1;
	for (size_t i = 0; i < TABLES; i++) {
		if (tables[i].place == TABLE_OF_DAEMONS)
			continue;
		if (table_copy_verify(&m->copies[i], source_of(m, &tables[i]), m->to, err) ||
		    statement_run(m->to, m->copies[i].analyze_sql, "counting rows", err))
			return -1;
	}
	return unused_check(m, err);
}

static int mark(struct store_move *m, struct err *err)
{
	struct statement *stmt = store_prepare(m->from, META_PUT, err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, "moved");
	bind_blob(stmt, 2, m->to->name, strlen(m->to->name));
	return store_run(m->from, stmt, "marking the store as moved", err);
}

/* Both are written from here on. */
static int finish(struct store_move *m, struct err *err)
{
	struct err why = { 0 };

	if (mark(m, err) || store_commit(m->from, err))
		return -1;
	if (store_commit(m->to, &why) == 0)
		return 0;
	return err_set(err, ERR_BUSY,
		       "it is unknown whether %s has the data (%.120s); run the same command again",
		       m->to->name, why.text);
}

static int move_locked(struct store_move *m, struct err *err)
{
	int rc = earlier_check(m, err);

	m->result.is_repeated = rc == 1;
	if (rc)
		return rc < 0 ? -1 : 0;
	return copy_all(m, err) || finish(m, err) ? -1 : 0;
}

struct store_move *store_move_new(struct store *from, struct store *runs, struct store *to)
{
	struct store_move *m = xcalloc(1, sizeof(*m));

	m->from = from;
	m->runs = runs;
	m->to = to;
	for (size_t i = 0; i < TABLES; i++)
		table_copy_init(&m->copies[i], &tables[i]);
	return m;
}

void store_move_free(struct store_move *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < TABLES; i++)
		table_copy_fini(&m->copies[i]);
	free(m);
}

int store_move_run(struct store_move *m, struct store_move_result *ret, struct err *err)
{
	int rc = store_begin(m->from, err) || store_begin(m->runs, err) ||
				 store_begin(m->to, err) || move_locked(m, err) ?
			 -1 :
			 0;

	/* Without effect on those that are committed. */
	store_rollback(m->to);
	store_rollback(m->runs);
	store_rollback(m->from);
	*ret = m->result;
	return rc;
}
