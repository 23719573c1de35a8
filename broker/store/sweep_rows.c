/* SPDX-License-Identifier: MIT */
/* The last sweep of each account, and the orphans it saw. */
#include "store/rows.h"

#include <string.h>

#include "util/text.h"

int store_sweep_get(struct store *store, const char *account, struct sweep *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT begun_ms, done_ms, objects, unproven, error, "
			      "looked_ms, looked_by, deleted_ms, soon_ms FROM sweep "
			      "WHERE account = ?1",
			      err);
	int rc;

	*ret = (struct sweep){ .begun_ms = 0 };
	TEXT_SET(ret->account, account);
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading the last sweep", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	ret->begun_ms = column_number(stmt, 0);
	ret->done_ms = column_number(stmt, 1);
	ret->objects = column_number(stmt, 2);
	ret->unverified = column_number(stmt, 3);
	COLUMN_TEXT(stmt, 4, ret->error);
	ret->looked_ms = column_number(stmt, 5);
	COLUMN_TEXT(stmt, 6, ret->looked_by);
	ret->deleted_ms = column_number(stmt, 7);
	ret->soon_ms = column_number(stmt, 8);
	statement_end(stmt);
	return 0;
}

int store_sweep_put(struct store *store, const struct sweep *sweep, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO sweep(account, begun_ms, "
			      "done_ms, objects, unproven, error, looked_ms, looked_by, "
			      "deleted_ms, soon_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
			      "ON CONFLICT(account) DO UPDATE SET begun_ms = ?2, done_ms = ?3, "
			      "objects = ?4, unproven = ?5, error = ?6, looked_ms = ?7, "
			      "looked_by = ?8, deleted_ms = ?9, soon_ms = ?10",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, sweep->account);
	bind_number(stmt, 2, sweep->begun_ms);
	bind_number(stmt, 3, sweep->done_ms);
	bind_number(stmt, 4, sweep->objects);
	bind_number(stmt, 5, sweep->unverified);
	bind_text(stmt, 6, sweep->error);
	bind_number(stmt, 7, sweep->looked_ms);
	bind_text(stmt, 8, sweep->looked_by);
	bind_number(stmt, 9, sweep->deleted_ms);
	bind_number(stmt, 10, sweep->soon_ms);
	return store_run(store, stmt, "recording a sweep", err);
}

int store_orphan_each(struct store *store, const char *account, store_orphan_fn fn, void *arg,
		      struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT kind, id, name, lease, attempt, why, made_ms, "
			      "first_ms, last_ms, looks FROM stray WHERE account = ?1 "
			      "ORDER BY account, kind, id",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	while ((rc = store_row(store, stmt, "reading the orphans", err)) == 0) {
		struct orphan s = {
			.kind = (uint32_t)column_number(stmt, 0),
			.attempt = (uint32_t)column_number(stmt, 4),
			.why = (enum orphan_why)column_int(stmt, 5),
			.made_ms = column_number(stmt, 6),
			.first_ms = column_number(stmt, 7),
			.last_ms = column_number(stmt, 8),
			.sightings = column_number(stmt, 9),
		};

		TEXT_SET(s.account, account);
		COLUMN_TEXT(stmt, 1, s.id);
		COLUMN_TEXT(stmt, 2, s.name);
		COLUMN_TEXT(stmt, 3, s.lease);
		if (fn(arg, &s)) {
			statement_end(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

int store_orphan_put(struct store *store, const struct orphan *s, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO stray(account, kind, id, name, lease, attempt, "
			      "why, made_ms, first_ms, last_ms, looks) "
			      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
			      "ON CONFLICT(account, kind, id) DO UPDATE SET "
			      "name = ?4, lease = ?5, attempt = ?6, why = ?7, "
			      "made_ms = ?8, first_ms = ?9, last_ms = ?10, looks = ?11",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, s->account);
	bind_number(stmt, 2, s->kind);
	bind_text(stmt, 3, s->id);
	bind_text(stmt, 4, s->name);
	bind_text(stmt, 5, s->lease);
	bind_number(stmt, 6, s->attempt);
	bind_number(stmt, 7, (int)s->why);
	bind_number(stmt, 8, s->made_ms);
	bind_number(stmt, 9, s->first_ms);
	bind_number(stmt, 10, s->last_ms);
	bind_number(stmt, 11, s->sightings);
	return store_run(store, stmt, "recording an orphan", err);
}

int store_orphan_drop(struct store *store, const char *account, uint32_t kind, const char *id,
		      struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "DELETE FROM stray WHERE account = ?1 AND kind = ?2 "
					       "AND id = ?3",
					       err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, kind);
	bind_text(stmt, 3, id);
	return store_run(store, stmt, "removing an orphan", err);
}
