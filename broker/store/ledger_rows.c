/* SPDX-License-Identifier: MIT */
/* Resources and attempts. */
#include "store/rows.h"

#include <string.h>

#include "util/alloc.h"

#define RESOURCE_COLUMNS                                                                       \
	"lease, account, attempt, kind, state, ours, name, id, action, evidence, created_ms, " \
	"changed_ms, first_absent_ms, absent_count, seen_ms, authorized_ms, deletes_unknown, " \
	"signed_lease, retain_epoch, label_known, protect_by, marked_ms, until_ms"

/* With its bill, if it has one. */
#define SELECT_RESOURCE                                                                      \
	"SELECT " RESOURCE_COLUMNS ", n, coalesce(from_ms, 0), coalesce(to_ms, 0),"          \
	" coalesce(hour_micros, 0), coalesce(month_micros, 0), coalesce(unit_ms, 0),"        \
	" coalesce(minimum_ms, 0), coalesce(currency, '') FROM resource LEFT JOIN (SELECT"   \
	" resource AS of_n, from_ms, to_ms, hour_micros, month_micros, unit_ms, minimum_ms," \
	" currency FROM cost) AS bill ON bill.of_n = resource.n "

static void resource_bind(struct statement *stmt, const struct resource *r)
{
	bind_number(stmt, 1, r->lease);
	bind_text(stmt, 2, r->account);
	bind_number(stmt, 3, r->attempt);
	bind_number(stmt, 4, r->kind);
	bind_number(stmt, 5, r->state);
	bind_number(stmt, 6, r->ours);
	bind_text(stmt, 7, r->name);
	bind_text(stmt, 8, r->id);
	bind_text(stmt, 9, r->action);
	bind_text(stmt, 10, r->evidence);
	bind_number(stmt, 11, r->created_ms);
	bind_number(stmt, 12, r->changed_ms);
	bind_number(stmt, 13, r->first_absent_ms);
	bind_number(stmt, 14, r->absent_count);
	bind_number(stmt, 15, r->seen_ms);
	bind_number(stmt, 16, r->authorized_ms);
	bind_number(stmt, 17, r->deletes_unknown);
	bind_text(stmt, 18, r->signed_lease);
	bind_number(stmt, 19, r->retain_epoch);
	bind_number(stmt, 20, r->label_known);
	bind_number(stmt, 21, r->protect_by);
	bind_number(stmt, 22, r->marked_ms);
	bind_number(stmt, 23, r->until_ms);
}

static void resource_read(struct statement *stmt, struct resource *r)
{
	*r = (struct resource){
		.lease = column_number(stmt, 0),
		.attempt = (uint32_t)column_number(stmt, 2),
		.kind = (uint32_t)column_number(stmt, 3),
		.state = (uint32_t)column_number(stmt, 4),
		.ours = column_int(stmt, 5),
		.created_ms = column_number(stmt, 10),
		.changed_ms = column_number(stmt, 11),
		.first_absent_ms = column_number(stmt, 12),
		.absent_count = column_int(stmt, 13),
		.seen_ms = column_number(stmt, 14),
		.authorized_ms = column_number(stmt, 15),
		.deletes_unknown = column_int(stmt, 16),
		.retain_epoch = column_number(stmt, 18),
		.label_known = column_number(stmt, 19),
		.protect_by = column_int(stmt, 20),
		.marked_ms = column_number(stmt, 21),
		.until_ms = column_number(stmt, 22),
		.n = column_number(stmt, 23),
		.billed_from_ms = column_number(stmt, 24),
		.billed_to_ms = column_number(stmt, 25),
		.terms = { .hour_micros = column_number(stmt, 26),
			   .month_micros = column_number(stmt, 27),
			   .unit_ms = column_number(stmt, 28),
			   .minimum_ms = column_number(stmt, 29) },
	};
	COLUMN_TEXT(stmt, 1, r->account);
	COLUMN_TEXT(stmt, 6, r->name);
	COLUMN_TEXT(stmt, 7, r->id);
	COLUMN_TEXT(stmt, 8, r->action);
	COLUMN_TEXT(stmt, 9, r->evidence);
	COLUMN_TEXT(stmt, 17, r->signed_lease);
	COLUMN_TEXT(stmt, 30, r->terms.currency);
}

/* clang-format off */
#define TEXTS(X) X(account) X(name) X(id) X(action) X(evidence) X(signed_lease)
#define NUMBERS(X) \
	X(n) X(lease) X(attempt) X(kind) X(state) X(ours) X(created_ms) X(changed_ms) \
	X(first_absent_ms) X(absent_count) X(seen_ms) X(authorized_ms) X(deletes_unknown) \
	X(retain_epoch) X(label_known) X(protect_by) X(marked_ms) X(until_ms)
/* clang-format on */
#define DIFFER_TEXT(field) if (strcmp(a->field, b->field)) return #field;
#define DIFFER_NUMBER(field) if (a->field != b->field) return #field;

const char *store_resource_differs(const struct resource *a, const struct resource *b)
{
	TEXTS(DIFFER_TEXT)
	NUMBERS(DIFFER_NUMBER)
	return NULL;
}

int store_resource_insert(struct store *store, struct resource *r, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO resource(" RESOURCE_COLUMNS ", n) VALUES("
			      "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
			      "?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
			      err);

	if (!stmt)
		return -1;
	resource_bind(stmt, r);
	return store_run_new(store, stmt, 24, "resource", &r->n, "writing an intent", err);
}

int store_resource_update(struct store *store, const struct resource *r, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "UPDATE resource SET lease = ?1, account = ?2, attempt = ?3, kind = ?4, state = ?5,"
			      " ours = ?6, name = ?7, id = ?8, action = ?9, evidence = ?10, created_ms = ?11,"
			      " changed_ms = ?12, first_absent_ms = ?13, absent_count = ?14, seen_ms = ?15,"
			      " authorized_ms = ?16, deletes_unknown = ?17, signed_lease = ?18, retain_epoch = ?19,"
			      " label_known = ?20, protect_by = ?21, marked_ms = ?22, until_ms = ?23 WHERE n = ?24",
			      err);

	if (!stmt)
		return -1;
	resource_bind(stmt, r);
	bind_number(stmt, 24, r->n);
	return store_run_one(store, stmt, "writing the ledger", err);
}

/* Resources of a lease, or with lease 0 the account's own. */
static int read_resources(struct store *store, int64_t lease_n, const char *account,
			  struct ledger *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       SELECT_RESOURCE "WHERE lease = ?1 AND (" IS_NULL(
						       "?2") " OR account = ?2) ORDER BY n",
					       err);
	size_t cap = 0;
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	bind_text_or_null(stmt, 2, account);
	while ((rc = store_row(store, stmt, "reading the ledger", err)) == 0) {
		if (ret->resource_count == cap) {
			cap = cap ? cap * 2 : 1;
			ret->resources = xrealloc(ret->resources, cap * sizeof(*ret->resources));
		}
		resource_read(stmt, &ret->resources[ret->resource_count++]);
	}
	return rc < 0 ? -1 : 0;
}

static int read_attempts(struct store *store, int64_t lease_n, struct ledger *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT number, type, location, refused, reason, "
			      "started_ms FROM attempt WHERE lease = ?1 ORDER BY number",
			      err);
	size_t cap = 0;
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	while ((rc = store_row(store, stmt, "reading the attempts", err)) == 0) {
		struct attempt *a;

		if (ret->attempt_count == cap) {
			cap = cap ? cap * 2 : 1;
			ret->attempts = xrealloc(ret->attempts, cap * sizeof(*ret->attempts));
		}
		a = &ret->attempts[ret->attempt_count++];
		*a = (struct attempt){
			.lease = lease_n,
			.number = (uint32_t)column_number(stmt, 0),
			.refused = (uint32_t)column_number(stmt, 3),
			.started_ms = column_number(stmt, 5),
		};
		COLUMN_TEXT(stmt, 1, a->type);
		COLUMN_TEXT(stmt, 2, a->location);
		COLUMN_TEXT(stmt, 4, a->reason);
	}
	return rc < 0 ? -1 : 0;
}

int store_ledger(struct store *store, int64_t lease_n, struct ledger *ret, struct err *err)
{
	*ret = (struct ledger){ 0 };
	if (read_resources(store, lease_n, NULL, ret, err) ||
	    read_attempts(store, lease_n, ret, err)) {
		ledger_fini(ret);
		return -1;
	}
	return 0;
}

int store_account_ledger(struct store *store, const char *account, struct ledger *ret,
			 struct err *err)
{
	*ret = (struct ledger){ 0 };
	if (read_resources(store, 0, account, ret, err)) {
		ledger_fini(ret);
		return -1;
	}
	return 0;
}

int store_resource_by_n(struct store *store, int64_t n, struct resource *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, SELECT_RESOURCE "WHERE n = ?1", err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	rc = store_row(store, stmt, "reading the ledger", err);
	if (rc == 0) {
		resource_read(stmt, ret);
		statement_end(stmt);
	}
	return rc;
}

/* lessor_state_is_over() in SQL. */
#define OVER "(5, 7, 10, 11)"
/* resource_may_be_deleting() in SQL. */
#define DELETING "(4, 8, 9, 12, 13)"

_Static_assert(LESSOR_STATE_GONE == 5 && LESSOR_STATE_DISOWNED == 7 &&
	       LESSOR_STATE_NEVER_EXISTED == 10 && LESSOR_STATE_HANDED_OVER == 11, "OVER says so");
_Static_assert(LESSOR_STATE_DELETING == 4 && LESSOR_STATE_DELETE_AUTHORIZED == 8 &&
	       LESSOR_STATE_DELETE_UNKNOWN == 9 && LESSOR_STATE_UNPROTECT_AUTHORIZED == 12 &&
	       LESSOR_STATE_UNPROTECT_UNKNOWN == 13, "DELETING says so");
_Static_assert(CLEANUP_DONE == 4, "store_resource_users says so");

int store_resource_users(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t but_lease_n, struct resource_users *ret, struct err *err)
{
	/* A lease counts while it is not done and its row is not over. */
	struct statement *stmt =
		store_prepare(store,
			      "SELECT resource.n, ours, CASE WHEN resource.state IN " DELETING
			      " THEN 1 ELSE 0 END FROM resource"
			      " JOIN lease ON lease.n = resource.lease"
			      " WHERE resource.account = ?1 AND resource.kind = ?2 AND resource.id = ?3"
			      " AND resource.id <> '' AND resource.lease <> ?4 AND resource.state NOT IN " OVER
			      " AND lease.cleanup <> 4 ORDER BY resource.n",
			      err);
	int rc;

	*ret = (struct resource_users){ 0 };
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, kind);
	bind_text(stmt, 3, id);
	bind_number(stmt, 4, but_lease_n);
	while ((rc = store_row(store, stmt, "looking for other users of a resource", err)) == 0) {
		ret->count++;
		ret->deleting += column_int(stmt, 2);
		if (column_int(stmt, 1))
			ret->owners++;
		else if (!ret->heir)
			ret->heir = column_number(stmt, 0);
	}
	return rc < 0 ? -1 : 0;
}

int store_resource_claim(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT n FROM resource WHERE account = ?1 "
			      "AND kind = ?2 AND id = ?3 AND id <> '' "
			      "AND state NOT IN (5, 10, 11) ORDER BY ours DESC, n LIMIT 1",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, kind);
	bind_text(stmt, 3, id);
	rc = store_row(store, stmt, "looking for the row of a resource", err);
	*ret = rc == 0 ? column_number(stmt, 0) : 0;
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : 0;
}

int store_resource_lease(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT max(lease) FROM resource WHERE account = ?1 "
					       "AND kind = ?2 AND id = ?3 AND id <> ''",
					       err);

	*ret = 0;
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, kind);
	bind_text(stmt, 3, id);
	if (store_row(store, stmt, "looking for the lease of a resource", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int store_pending(struct store *store, struct store_pending **ret, size_t *ret_count,
		  struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT DISTINCT lease, account FROM resource"
					       " WHERE state IN (1, 8, 12) ORDER BY lease",
					       err);
	int rc;

	*ret = NULL;
	*ret_count = 0;
	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading what was in progress", err)) == 0) {
		struct store_pending *p;

		if (!(*ret_count & (*ret_count - 1)))
			*ret = xrealloc(*ret, (*ret_count ? *ret_count * 2 : 1) * sizeof(**ret));
		p = &(*ret)[(*ret_count)++];
		p->lease = column_number(stmt, 0);
		COLUMN_TEXT(stmt, 1, p->account);
	}
	return rc < 0 ? -1 : 0;
}

static void attempt_bind(struct statement *stmt, const struct attempt *a)
{
	bind_number(stmt, 1, a->lease);
	bind_number(stmt, 2, a->number);
	bind_text(stmt, 3, a->type);
	bind_text(stmt, 4, a->location);
	bind_number(stmt, 5, a->refused);
	bind_text(stmt, 6, a->reason);
	bind_number(stmt, 7, a->started_ms);
}

int store_attempt_insert(struct store *store, const struct attempt *a, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO attempt(lease, number, type, location, refused, reason,"
			      " started_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			      err);

	if (!stmt)
		return -1;
	attempt_bind(stmt, a);
	return store_run(store, stmt, "writing an attempt", err);
}

int store_attempt_update(struct store *store, const struct attempt *a, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "UPDATE attempt SET type = ?3, location = ?4, "
					       "refused = ?5, reason = ?6, started_ms = ?7 "
					       "WHERE lease = ?1 AND number = ?2",
					       err);

	if (!stmt)
		return -1;
	attempt_bind(stmt, a);
	return store_run(store, stmt, "updating an attempt", err);
}
