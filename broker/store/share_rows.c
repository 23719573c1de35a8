/* SPDX-License-Identifier: MIT */
/* Sharing and telemetry of leases. */
#include "store/rows.h"

/* ---- sharing --------------------------------------------------------------------------- */

int store_share_each(struct store *store, int64_t lease_n, store_share_fn fn, void *arg,
		     int64_t *ret_ms, char ret_by[128], struct err *err)
{
	struct statement *head = store_prepare(store,
					       "SELECT updated_ms, updated_by FROM sharing "
					       "WHERE lease = ?1",
					       err);
	struct statement *stmt = store_prepare(store,
					       "SELECT name, manage FROM share WHERE lease = ?1 "
					       "ORDER BY name",
					       err);
	int rc;

	*ret_ms = 0;
	ret_by[0] = '\0';
	if (!head || !stmt)
		return -1;
	bind_number(head, 1, lease_n);
	rc = store_row(store, head, "reading the users of a lease", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	*ret_ms = column_number(head, 0);
	column_text(head, 1, ret_by, 128);
	statement_end(head);
	bind_number(stmt, 1, lease_n);
	while ((rc = store_row(store, stmt, "reading the users of a lease", err)) == 0) {
		struct store_share share = { .manage = column_int(stmt, 1) };

		COLUMN_TEXT(stmt, 0, share.name);
		fn(arg, &share);
	}
	return rc < 0 ? -1 : 0;
}

static int share_insert(struct store *store, const struct lease *l,
			const struct store_share *share, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO share(lease, org, name, manage) "
					       "VALUES(?1, ?2, ?3, ?4)",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, l->n);
	bind_text(stmt, 2, l->org);
	bind_text(stmt, 3, share->name);
	bind_number(stmt, 4, share->manage != 0);
	return store_run(store, stmt, "sharing a lease", err);
}

int store_share_replace(struct store *store, const struct lease *l,
			const struct store_share *shares, size_t count, int64_t now_ms,
			const char *by, struct err *err)
{
	struct statement *drop = store_prepare(store, "DELETE FROM share WHERE lease = ?1", err);
	struct statement *head = store_prepare(store,
					       "INSERT INTO sharing(lease, updated_ms, updated_by) "
					       "VALUES(?1, ?2, ?3) ON CONFLICT(lease) "
					       "DO UPDATE SET updated_ms = ?2, updated_by = ?3",
					       err);

	if (!drop || !head)
		return -1;
	bind_number(drop, 1, l->n);
	bind_number(head, 1, l->n);
	bind_number(head, 2, now_ms);
	bind_text(head, 3, by);
	if (store_run(store, drop, "sharing a lease", err) ||
	    store_run(store, head, "sharing a lease", err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (share_insert(store, l, &shares[i], err))
			return -1;
	}
	return 0;
}

/* ---- telemetry --------------------------------------------------------------------------- */

int store_telemetry_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *data,
			struct err *err)
{
	struct statement *add =
		store_prepare(store,
			      "INSERT INTO telemetry(lease, at_ms, data) "
			      "VALUES(?1, ?2, ?3) ON CONFLICT(lease, at_ms) DO NOTHING",
			      err);
	struct statement *cut = store_prepare(store,
					      "DELETE FROM telemetry WHERE lease = ?1 AND at_ms <="
					      " (SELECT at_ms FROM telemetry WHERE lease = ?1"
					      " ORDER BY at_ms DESC LIMIT 1 OFFSET ?2)",
					      err);

	if (!add || !cut)
		return -1;
	bind_number(add, 1, lease_n);
	bind_number(add, 2, at_ms);
	bind_text(add, 3, data);
	bind_number(cut, 1, lease_n);
	bind_number(cut, 2, STORE_SAMPLES_MAX);
	return store_run(store, add, "storing a sample", err) ||
			       store_run(store, cut, "storing a sample", err) ?
		       -1 :
		       0;
}

int store_telemetry_each(struct store *store, int64_t lease_n, store_telemetry_fn fn, void *arg,
			 struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT data FROM telemetry WHERE lease = ?1 "
					       "ORDER BY at_ms",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	while ((rc = store_row(store, stmt, "reading samples", err)) == 0) {
		size_t len;
		const char *data = column_data(stmt, 0, &len);

		if (data)
			fn(arg, data);
	}
	return rc < 0 ? -1 : 0;
}

int store_telemetry_drop(struct store *store, int64_t lease_n, struct err *err)
{
	struct statement *stmt = store_prepare(store, "DELETE FROM telemetry WHERE lease = ?1", err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	return store_run(store, stmt, "dropping samples", err);
}
