/* SPDX-License-Identifier: MIT */
/* What leases take of the money of each month, and its totals, which triggers maintain. */
#include "store/rows.h"

#include <string.h>

static int months_trim(struct store *store, int64_t lease_n, const struct charges *charges,
		       struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "DELETE FROM charge WHERE lease = ?1 AND (month_ms < ?2 OR month_ms > ?3)",
			      err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	bind_number(stmt, 2, charges->count ? charges->months[0].month_ms : INT64_MAX);
	bind_number(stmt, 3, charges->count ? charges->months[charges->count - 1].month_ms : 0);
	return store_run(store, stmt, "removing a charge", err);
}

static int month_put(struct store *store, const struct lease *l, const struct charges *charges,
		     int i, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO charge(lease, month_ms, owner, org, account, currency,"
			      " reserved_micros, settled_micros) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
			      " ON CONFLICT(lease, month_ms) DO UPDATE SET currency = excluded.currency,"
			      " reserved_micros = excluded.reserved_micros,"
			      " settled_micros = excluded.settled_micros"
			      " WHERE charge.reserved_micros <> excluded.reserved_micros"
			      " OR charge.settled_micros <> excluded.settled_micros"
			      " OR charge.currency <> excluded.currency",
			      err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, l->n);
	bind_number(stmt, 2, charges->months[i].month_ms);
	bind_text(stmt, 3, l->owner);
	bind_text(stmt, 4, l->org);
	bind_text(stmt, 5, l->account);
	bind_text(stmt, 6, charges->currency);
	bind_number(stmt, 7, charges->months[i].reserved_micros);
	bind_number(stmt, 8, charges->months[i].settled_micros);
	return store_run(store, stmt, "writing a charge", err);
}

int store_charges_put(struct store *store, const struct lease *l, const struct charges *charges,
		      int is_first, struct err *err)
{
	for (int i = 0; i < charges->count; i++) {
		if (month_put(store, l, charges, i, err))
			return -1;
	}
	return is_first ? 0 : months_trim(store, l->n, charges, err);
}

int store_charges_get(struct store *store, int64_t lease_n, struct charges *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT month_ms, currency, reserved_micros,"
					       " settled_micros FROM charge WHERE lease = ?1"
					       " ORDER BY month_ms",
					       err);
	int rc;

	ret->count = 0;
	ret->currency[0] = '\0';
	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	while ((rc = store_row(store, stmt, "reading charges", err)) == 0) {
		if (ret->count == CHARGE_MONTHS_MAX)
			continue;
		ret->months[ret->count++] = (struct charge){
			.month_ms = column_number(stmt, 0),
			.reserved_micros = column_number(stmt, 2),
			.settled_micros = column_number(stmt, 3),
		};
		COLUMN_TEXT(stmt, 1, ret->currency);
	}
	return rc < 0 ? -1 : 0;
}

/* What charge_is_late asks for. */
static int is_late(const struct statement *stmt, int64_t now_ms)
{
	const struct lease l = { .state = (enum lease_state)column_int(stmt, 2),
				 .cleanup = (enum lease_cleanup)column_int(stmt, 3),
				 .is_billed = column_int(stmt, 4),
				 .created_ms = column_number(stmt, 5),
				 .admitted_ms = column_number(stmt, 6),
				 .queue_ms = column_number(stmt, 7),
				 .ttl_ms = column_number(stmt, 8),
				 .credit_ms = column_number(stmt, 9) };

	return charge_is_late(&l, now_ms);
}

int store_charges_due(struct store *store, const char *account, int64_t now_ms, int limit,
		      int64_t *after_n, int64_t n[], int *ret_is_last, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT n, CASE WHEN EXISTS(SELECT 1 FROM charge WHERE charge.lease = lease.n"
			      " AND charge.month_ms = ?3) THEN 1 ELSE 0 END, state, cleanup, is_billed,"
			      " created_ms, admitted_ms, queue_ms, ttl_ms, credit_ms FROM lease"
			      " INDEXED BY lease_current WHERE cleanup <> 4 AND account = ?1 AND n > ?2"
			      " ORDER BY n LIMIT ?4",
			      err);
	int rows = 0, count = 0, rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, *after_n);
	bind_number(stmt, 3, cost_month_ms(now_ms));
	bind_number(stmt, 4, limit);
	for (; (rc = store_row(store, stmt, "reading what is to be charged", err)) == 0; rows++) {
		*after_n = column_number(stmt, 0);
		if (!column_int(stmt, 1) || is_late(stmt, now_ms))
			n[count++] = *after_n;
	}
	*ret_is_last = rows < limit;
	return rc < 0 ? -1 : count;
}

int store_costs_incomplete_each(struct store *store, const char *account, store_lease_row_fn fn,
				void *arg, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT lease FROM cost INDEXED BY cost_incomplete"
			      " WHERE account = ?1 AND (currency = '' OR unit_ms = 0) GROUP BY lease",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	while ((rc = store_row(store, stmt, "reading costs", err)) == 0)
		fn(arg, column_number(stmt, 0));
	return rc < 0 ? -1 : 0;
}

/* ---- totals ----------------------------------------------------------------------------- */

/* As in tally. */
enum spend_scope { SPEND_ALL, SPEND_OWNER, SPEND_ORG, SPEND_ACCOUNT };

static void money_read(const struct statement *stmt, struct store_spend *month)
{
	const struct store_money money = { column_number(stmt, 2), column_number(stmt, 3) };

	switch ((enum spend_scope)column_int(stmt, 1)) {
	case SPEND_ALL:
		month->all = money;
		break;
	case SPEND_OWNER:
		month->owner = money;
		break;
	case SPEND_ORG:
		month->org = money;
		break;
	case SPEND_ACCOUNT:
		month->account = money;
		break;
	}
}

int store_spend_get(struct store *store, const char *owner, const char *org, const char *account,
		    struct store_spend *ret, int count, struct err *err)
{
	/* clang-format off */
#define OF(scope, name, org) \
	"SELECT month_ms, scope, CAST(sum(reserved_micros) AS BIGINT)," \
	" CAST(sum(settled_micros) AS BIGINT) FROM spend WHERE scope = " scope " AND name = " name \
	" AND org = " org " AND month_ms >= ?4 AND month_ms <= ?5 GROUP BY month_ms, scope"
	/* clang-format on */
	struct statement *stmt =
		store_prepare(store,
			      OF("0", "''",
				 "''") " UNION ALL " OF("1", "?1",
							"?2") " UNION ALL " OF("2", "''",
									       "?2") " UNION ALL " OF("3",
												      "?3",
												      "''"),
			      err);
	int rc;

	if (!stmt)
		return -1;
	for (int i = 0; i < count; i++)
		ret[i] = (struct store_spend){ .month_ms = ret[i].month_ms };
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	bind_text(stmt, 3, account);
	bind_number(stmt, 4, count ? ret[0].month_ms : 0);
	bind_number(stmt, 5, count ? ret[count - 1].month_ms : 0);
	while ((rc = store_row(store, stmt, "reading what a month costs", err)) == 0) {
		for (int i = 0; i < count; i++) {
			if (ret[i].month_ms == column_number(stmt, 0))
				money_read(stmt, &ret[i]);
		}
	}
	return rc < 0 ? -1 : 0;
#undef OF
}
