/* SPDX-License-Identifier: MIT */
/* The bills of resources: one row each, written with the resource's own row. */
#include "store/rows.h"

#define COLUMNS                                                                                \
	"resource, cost.lease, lease_id, cost.slug, cost.owner, cost.org, cost.account, type," \
	" cost.location, cost.currency, hour_micros, month_micros, unit_ms, minimum_ms, from_ms, to_ms"
#define SELECT_COST                                                                  \
	"SELECT " COLUMNS ", CASE WHEN lease.state <= 1 THEN " TTL_END " ELSE 0 END" \
	" FROM cost LEFT JOIN lease ON lease.n = cost.lease "
/* As in lease_rows.c: ownership is part of the query. */
#define COST_OWNED "(?2 <> 0 OR (cost.org = ?4 AND (?3 = '' OR cost.owner = ?3)))"

static void cost_read(struct statement *stmt, struct store_cost_row *row)
{
	struct cost *c = &row->cost;

	*row = (struct store_cost_row){ .live_until_ms = column_number(stmt, 16) };
	c->resource = column_number(stmt, 0);
	c->lease = column_number(stmt, 1);
	COLUMN_TEXT(stmt, 2, c->lease_id);
	COLUMN_TEXT(stmt, 3, c->slug);
	COLUMN_TEXT(stmt, 4, c->owner);
	COLUMN_TEXT(stmt, 5, c->org);
	COLUMN_TEXT(stmt, 6, c->account);
	COLUMN_TEXT(stmt, 7, c->type);
	COLUMN_TEXT(stmt, 8, c->location);
	COLUMN_TEXT(stmt, 9, c->terms.currency);
	c->terms.hour_micros = column_number(stmt, 10);
	c->terms.month_micros = column_number(stmt, 11);
	c->terms.unit_ms = column_number(stmt, 12);
	c->terms.minimum_ms = column_number(stmt, 13);
	c->from_ms = column_number(stmt, 14);
	c->to_ms = column_number(stmt, 15);
}

int store_cost_put(struct store *store, const struct cost *cost, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO cost(resource, lease, lease_id, slug, owner, org, account,"
			      " type, location, currency, hour_micros, month_micros, unit_ms,"
			      " minimum_ms, from_ms, to_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
			      " ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT(resource) DO UPDATE SET"
			      " from_ms = excluded.from_ms, to_ms = excluded.to_ms",
			      err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, cost->resource);
	bind_number(stmt, 2, cost->lease);
	bind_text(stmt, 3, cost->lease_id);
	bind_text(stmt, 4, cost->slug);
	bind_text(stmt, 5, cost->owner);
	bind_text(stmt, 6, cost->org);
	bind_text(stmt, 7, cost->account);
	bind_text(stmt, 8, cost->type);
	bind_text(stmt, 9, cost->location);
	bind_text(stmt, 10, cost->terms.currency);
	bind_number(stmt, 11, cost->terms.hour_micros);
	bind_number(stmt, 12, cost->terms.month_micros);
	bind_number(stmt, 13, cost->terms.unit_ms);
	bind_number(stmt, 14, cost->terms.minimum_ms);
	bind_number(stmt, 15, cost->from_ms);
	bind_number(stmt, 16, cost->to_ms);
	return store_run(store, stmt, "writing a cost", err);
}

int store_cost_times_put(struct store *store, const struct cost *cost, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "UPDATE cost SET from_ms = ?2, to_ms = ?3"
					       " WHERE resource = ?1",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, cost->resource);
	bind_number(stmt, 2, cost->from_ms);
	bind_number(stmt, 3, cost->to_ms);
	return store_run(store, stmt, "writing a cost", err);
}

int store_costs_complete(struct store *store, const char *account, struct err *err)
{
	/* A price that is known stays; only how it is billed is added. */
	struct statement *stmt =
		store_prepare(store,
			      "UPDATE cost INDEXED BY cost_incomplete SET"
			      " hour_micros = CASE WHEN cost.currency = '' THEN price.hour_micros"
			      " ELSE cost.hour_micros END,"
			      " currency = CASE WHEN cost.currency = '' THEN price.currency ELSE cost.currency END,"
			      " month_micros = price.month_micros, unit_ms = price.unit_ms,"
			      " minimum_ms = price.minimum_ms FROM price"
			      " WHERE cost.account = ?1 AND (cost.currency = '' OR cost.unit_ms = 0)"
			      " AND price.account = ?1 AND price.type = cost.type AND price.location = cost.location",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	return store_run(store, stmt, "completing costs", err);
}

static int rows_read(struct store *store, struct statement *stmt, store_cost_fn fn, void *arg,
		     struct err *err)
{
	int rc;

	while ((rc = store_row(store, stmt, "reading costs", err)) == 0) {
		struct store_cost_row row;

		cost_read(stmt, &row);
		fn(arg, &row);
	}
	return rc < 0 ? -1 : 0;
}

int store_cost_of_lease(struct store *store, int64_t lease_n, store_cost_fn fn, void *arg,
			struct err *err)
{
	struct statement *stmt =
		store_prepare(store, SELECT_COST "WHERE cost.lease = ?1 ORDER BY resource", err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	return rows_read(store, stmt, fn, arg, err);
}

int store_cost_oldest(struct store *store, int is_open, int64_t *ret_ms, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      is_open ?
				      "SELECT coalesce(min(from_ms), ?1) FROM cost WHERE to_ms = 0" :
				      "SELECT coalesce(min(from_ms), ?1) FROM cost",
			      err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, INT64_MAX);
	if (store_row(store, stmt, "reading costs", err))
		return -1;
	*ret_ms = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int store_cost_each(struct store *store, const struct store_scope *scope,
		    const struct store_cost_range *range, store_cost_fn fn, void *arg,
		    struct err *err)
{
	const char *sql = NULL;
	struct statement *stmt;

	switch (range->part) {
	case COSTS_OPEN:
		sql = SELECT_COST
			"WHERE to_ms = 0 AND from_ms >= ?1 AND from_ms < ?5 AND " COST_OWNED
			" ORDER BY from_ms";
		break;
	case COSTS_ENDED:
		sql = SELECT_COST
			"WHERE to_ms >= ?1 AND to_ms < ?5 AND from_ms < ?6 AND " COST_OWNED
			" ORDER BY to_ms";
		break;
	case COSTS_BEGUN:
		sql = SELECT_COST "WHERE from_ms >= ?1 AND from_ms < ?5 AND " COST_OWNED
				  " ORDER BY from_ms";
		break;
	}
	stmt = store_prepare(store, sql, err);
	if (!stmt)
		return -1;
	bind_number(stmt, 1, range->from_ms);
	bind_number(stmt, 5, range->to_ms);
	if (range->part == COSTS_ENDED)
		bind_number(stmt, 6, range->before_ms);
	bind_number(stmt, 2, scope->all);
	bind_text(stmt, 3, scope->owner);
	bind_text(stmt, 4, scope->org);
	return rows_read(store, stmt, fn, arg, err);
}
