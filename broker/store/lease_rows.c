/* SPDX-License-Identifier: MIT */
/* Leases, their heartbeats, and their usage. What counts against limits is in queue_rows.c. Lists: lease_list.c. */
#include "store/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/times.h"
#include "util/text.h"

/*
 * The columns in one place and order: the request (FIXED), then what changes (MOVING). T
 * text, I integer, E enum.
 */
/* clang-format off */
#define FIXED(T, I, E) \
	T(id, id) T(attempt_token, attempt_token) T(owner, owner) T(org, org) \
	T(account, account) T(slug, slug) T(class, class_name) T(profile, profile) \
	T(requested_type, requested_type) I(type_explicit, type_explicit) T(location, location) \
	I(location_preferred, location_preferred) \
	T(image, image) T(architecture, architecture) T(os, os) T(ssh_user, ssh_user) \
	I(ssh_port, ssh_port) T(work_root, work_root) T(public_key, public_key) T(pond, pond) \
	I(keep, keep) I(created_ms, created_ms) \
	I(provision_deadline_ms, provision_deadline_ms) I(queue_ms, queue_ms)
#define MOVING(T, I, E) \
	I(ttl_ms, ttl_ms) I(idle_ms, idle_ms) E(state, state) E(cleanup, cleanup) I(epoch, epoch) \
	I(retained, retained) I(ready_ms, ready_ms) I(ended_ms, ended_ms) \
	I(released_ms, released_ms) I(updated_ms, updated_ms) \
	T(failure, failure) T(cursor, cursor) I(due_ms, due_ms) I(tries, tries) \
	I(cleanup_started_ms, cleanup_started_ms) T(last_error, last_error) \
	T(attention, attention) I(attention_class, attention_class) \
	I(retain_until_ms, retain_until_ms) T(retain_reason, retain_reason) T(host, host) \
	T(host_key, host_key) T(server_id, server_id) \
	T(server_name, server_name) T(server_type, server_type) \
	T(server_location, server_location) I(price_hour_micros, price_hour_micros) \
	T(currency, currency) E(retention, retention) I(is_billed, is_billed) \
	I(breaches, breaches) I(admitted_ms, admitted_ms) \
	I(credit_ms, credit_ms) I(idle_credit_ms, idle_credit_ms) T(last_request, last_request)
/* clang-format on */

#define NAME(column, field) #column ", "
#define SET(column, field) #column " = ?, "
#define MARK(column, field) "?, "

/* end_reason and the two lists are converted; touched_ms comes from the heartbeats. */
#define COLUMNS FIXED(NAME, NAME, NAME) MOVING(NAME, NAME, NAME) "end_reason, types, fallback_ports"
#define SELECT_BY(index)                                                      \
	"SELECT " COLUMNS ", lease.n, coalesce(beat.touched_ms, created_ms) " \
	"FROM lease " index "LEFT JOIN beat ON beat.lease = lease.n "
#define SELECT_LEASE SELECT_BY("")
#define SELECT_LIVE_SLUG SELECT_BY("INDEXED BY lease_slug ")
#define SELECT_SLUG SELECT_BY("INDEXED BY lease_slug_owner ")

static void types_join(const struct lease *l, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < l->type_count; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? "," : "", l->types[i]);
}

static void types_split(struct lease *l, const char *text)
{
	l->type_count = 0;
	while (*text && l->type_count < LEASE_TYPES_MAX) {
		size_t len = strcspn(text, ",");
		char *to = l->types[l->type_count++];

		if (len >= sizeof(l->types[0]))
			len = sizeof(l->types[0]) - 1;
		memcpy(to, text, len);
		to[len] = '\0';
		text += strcspn(text, ",");
		text += *text == ',';
	}
}

static void ports_join(const struct lease *l, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < l->fallback_count; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%d", i ? "," : "",
					l->fallback_ports[i]);
}

static void ports_split(struct lease *l, const char *text)
{
	char *end;

	l->fallback_count = 0;
	while (*text && l->fallback_count < LEASE_PORTS_MAX) {
		l->fallback_ports[l->fallback_count++] = (int)strtol(text, &end, 10);
		text = *end == ',' ? end + 1 : end;
	}
}

static void lease_read(struct statement *stmt, struct lease *l)
{
	int i = 0;

	memset(l, 0, sizeof(*l));
#define READ_T(column, field) COLUMN_TEXT(stmt, i++, l->field);
#define READ_I(column, field) l->field = (__typeof__(l->field))column_number(stmt, i++);
	FIXED(READ_T, READ_I, READ_I)
	MOVING(READ_T, READ_I, READ_I)
#undef READ_T
#undef READ_I
	lease_end_parse(l, column_string(stmt, i++));
	types_split(l, column_string(stmt, i++));
	ports_split(l, column_string(stmt, i++));
	l->n = column_number(stmt, i++);
	l->touched_ms = column_number(stmt, i++);
}

#define BIND_T(column, field) bind_text(stmt, i++, l->field);
#define BIND_I(column, field) bind_number(stmt, i++, (int64_t)l->field);

int store_lease_insert(struct store *store, struct lease *l, struct err *err)
{
	char types[LEASE_TYPES_MAX * sizeof(l->types[0])];
	char ports[LEASE_PORTS_MAX * 8];
	int i = 1;
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO lease(" COLUMNS
					       ", n) VALUES(" FIXED(MARK, MARK, MARK)
						       MOVING(MARK, MARK, MARK) "?, ?, ?, ?)",
					       err);

	if (!stmt)
		return -1;
	FIXED(BIND_T, BIND_I, BIND_I)
	MOVING(BIND_T, BIND_I, BIND_I)
	types_join(l, types, sizeof(types));
	ports_join(l, ports, sizeof(ports));
	bind_text(stmt, i++, lease_end_text(l));
	bind_text(stmt, i++, types);
	bind_text(stmt, i++, ports);
	return store_run_new(store, stmt, i, "lease", &l->n, "inserting a lease", err);
}

int store_lease_update(struct store *store, const struct lease *l, struct err *err)
{
	int i = 1;
	struct statement *stmt =
		store_prepare(store,
			      "UPDATE lease SET " MOVING(SET, SET, SET) "end_reason = ? WHERE n = ?",
			      err);

	if (!stmt)
		return -1;
	MOVING(BIND_T, BIND_I, BIND_I)
	bind_text(stmt, i++, lease_end_text(l));
	bind_number(stmt, i, l->n);
	return store_run_one(store, stmt, "updating a lease", err);
}

#define DIFFER_T(column, field) if (strcmp(a->field, b->field)) return #column;
#define DIFFER_I(column, field) if (a->field != b->field) return #column;

const char *store_lease_differs(const struct lease *a, const struct lease *b)
{
	FIXED(DIFFER_T, DIFFER_I, DIFFER_I)
	MOVING(DIFFER_T, DIFFER_I, DIFFER_I)
	if (strcmp(lease_end_text(a), lease_end_text(b)))
		return "end_reason";
	DIFFER_I(n, n)
	DIFFER_I(touched_ms, touched_ms)
	DIFFER_I(types, type_count)
	DIFFER_I(fallback_ports, fallback_count)
	return NULL;
}

static int lease_one(struct store *store, struct statement *stmt, struct lease *ret, struct err *err)
{
	int rc = store_row(store, stmt, "reading a lease", err);

	if (rc)
		return rc;
	lease_read(stmt, ret);
	statement_end(stmt);
	return 0;
}

int store_lease_by_n(struct store *store, int64_t n, struct lease *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, SELECT_LEASE "WHERE lease.n = ?1", err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	return lease_one(store, stmt, ret, err);
}

int store_lease_by_id(struct store *store, const char *id, struct lease *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, SELECT_LEASE "WHERE id = ?1", err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	return lease_one(store, stmt, ret, err);
}

int store_lease_is_of(struct store *store, const char *id, const char *owner, const char *org,
		      struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT 1 FROM lease WHERE id = ?1 AND owner = ?2"
					       " AND org = ?3",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	bind_text(stmt, 2, owner);
	bind_text(stmt, 3, org);
	rc = store_row(store, stmt, "looking for a lease's owner", err);
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : rc == 0;
}

static void bind_owner(struct statement *stmt, const struct store_scope *scope)
{
	bind_number(stmt, 2, scope->all);
	bind_text(stmt, 3, scope->owner);
	bind_text(stmt, 4, scope->org);
}

void bind_lease_scope(struct statement *stmt, const struct store_scope *scope)
{
	bind_owner(stmt, scope);
	bind_number(stmt, 9, (int)scope->sharing);
}

int store_lease_visible(struct store *store, const char *id, const struct store_scope *scope,
			struct lease *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, SELECT_LEASE "WHERE id = ?1 AND " VISIBLE,
					       err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	bind_lease_scope(stmt, scope);
	return lease_one(store, stmt, ret, err);
}

int store_lease_by_slug(struct store *store, const char *slug, const struct store_scope *scope,
			struct lease *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      SELECT_LIVE_SLUG
			      "WHERE slug = ?1 AND state <= 1 "
			      "AND " VISIBLE
			      "ORDER BY CASE WHEN owner = ?3 AND org = ?4 THEN 0 ELSE 1 END LIMIT 2",
			      err);
	int is_own;
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, slug);
	bind_lease_scope(stmt, scope);
	rc = store_row(store, stmt, "reading a lease by its slug", err);
	if (rc)
		return rc;
	lease_read(stmt, ret);
	is_own = scope->owner && !strcmp(ret->owner, scope->owner) && !scope->all;
	rc = store_row(store, stmt, "reading a lease by its slug", err);
	if (rc == 0 && is_own) {
		/* The other one is shared: an owner's live slugs are all different. */
		statement_end(stmt);
		return 0;
	}
	if (rc == 0) {
		statement_end(stmt);
		return err_set(err, ERR_CONFLICT, "several leases have this slug");
	}
	return rc < 0 ? -1 : 0;
}

int store_lease_ended_by_slug(struct store *store, const char *slug, const char *owner,
			      const char *org, struct lease *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      SELECT_SLUG
			      "WHERE slug = ?1 AND owner = ?2 AND org = ?3 AND state > 1"
			      " ORDER BY lease.n DESC LIMIT 1",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, slug);
	bind_text(stmt, 2, owner);
	bind_text(stmt, 3, org);
	return lease_one(store, stmt, ret, err);
}

int store_slug_taken(struct store *store, const char *slug, const char *owner, const char *org,
		     struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT 1 FROM lease INDEXED BY lease_slug "
			      "WHERE slug = ?1 AND owner = ?2 AND org = ?3 AND state <= 1 "
			      "LIMIT 1",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, slug);
	bind_text(stmt, 2, owner);
	bind_text(stmt, 3, org);
	rc = store_row(store, stmt, "looking for a slug", err);
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : rc == 0;
}

/* ---- counting and due times ------------------------------------------------------------ */

int store_attention_count(struct store *store, int64_t *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT count(*) FROM lease "
					       "INDEXED BY lease_attention WHERE attention <> ''",
					       err);

	if (!stmt || store_row(store, stmt, "counting leases in attention", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int store_open_each(struct store *store, int limit, int64_t *after_n, store_open_fn fn, void *arg,
		    int *ret_is_last, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT n, state, cleanup, is_billed, queue_ms, admitted_ms, ended_ms,"
			      " price_hour_micros, attention_class, cleanup_started_ms, account,"
			      " attention FROM lease"
			      " INDEXED BY lease_current WHERE cleanup <> 4 AND n > ?1"
			      " ORDER BY n LIMIT ?2",
			      err);
	struct lease l = { .n = 0 };
	int rows = 0, rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, *after_n);
	bind_number(stmt, 2, limit);
	for (; (rc = store_row(store, stmt, "reading open leases", err)) == 0; rows++) {
		l.n = *after_n = column_number(stmt, 0);
		l.state = (enum lease_state)column_int(stmt, 1);
		l.cleanup = (enum lease_cleanup)column_int(stmt, 2);
		l.is_billed = column_int(stmt, 3);
		l.queue_ms = column_number(stmt, 4);
		l.admitted_ms = column_number(stmt, 5);
		l.ended_ms = column_number(stmt, 6);
		l.price_hour_micros = column_number(stmt, 7);
		l.attention_class = (uint32_t)column_int(stmt, 8);
		l.cleanup_started_ms = column_number(stmt, 9);
		COLUMN_TEXT(stmt, 10, l.account);
		COLUMN_TEXT(stmt, 11, l.attention);
		fn(arg, &l);
	}
	*ret_is_last = rows < limit;
	return rc < 0 ? -1 : 0;
}

_Static_assert(LEASE_CREDIT_MOST_MS == 3600000, "TTL_END says so");

/* lease_deadline_ms() in SQL; for ended leases the longest wait. */
/* clang-format off */
#define IDLE_LIMIT \
	"CASE WHEN idle_ms = 0 THEN 9223372036854775807" \
	" ELSE coalesce(touched_ms, created_ms) + idle_ms + idle_credit_ms END"
#define DUE_LIMIT \
	"CASE WHEN state > 1 THEN ?2" \
	" WHEN state = 0 AND queue_ms > 0 AND admitted_ms = 0" \
	" THEN " LOWER_OF("created_ms + queue_ms + credit_ms", IDLE_LIMIT) \
	" ELSE " LOWER_OF(TTL_END, \
	"CASE WHEN state = 0 THEN provision_deadline_ms ELSE " IDLE_LIMIT " END") " END"
#define SELECT_DUE \
	"SELECT n, CASE WHEN created_ms > ?4 OR ready_ms > ?4 OR ended_ms > ?4" \
	" OR released_ms > ?4 OR updated_ms > ?4 OR cleanup_started_ms > ?4 OR admitted_ms > ?4" \
	" THEN ?1 WHEN retained <> 0 AND due_ms = retain_until_ms THEN due_ms" \
	" ELSE " LOWER_OF("CASE WHEN due_ms > 0 THEN due_ms ELSE ?3 END", DUE_LIMIT) " END" \
	" FROM lease INDEXED BY lease_current LEFT JOIN beat ON beat.lease = lease.n" \
	" WHERE cleanup <> 4 AND (due_ms > 0 OR retained = 0)"
#define SELECT_DUE_OF SELECT_DUE " AND account = ?5"
/* clang-format on */

int store_due_each(struct store *store, const char *account, int64_t now_ms, store_due_fn fn,
		   void *arg, struct err *err)
{
	/* As in lease_due_ms: a stored due time never counts beyond the lease's limits. */
	struct statement *stmt = store_prepare(store, account ? SELECT_DUE_OF : SELECT_DUE, err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, now_ms);
	bind_number(stmt, 2, now_ms + LEASE_WAIT_MOST_MS);
	bind_number(stmt, 3, INT64_MAX);
	bind_number(stmt, 4, now_ms + TIMES_AHEAD_MS);
	if (account)
		bind_text(stmt, 5, account);
	while ((rc = store_row(store, stmt, "reading what is due", err)) == 0)
		fn(arg, column_number(stmt, 0), column_number(stmt, 1));
	return rc < 0 ? -1 : 0;
}

int store_touch(struct store *store, int64_t n, int64_t touched_ms, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO beat(lease, touched_ms) VALUES(?1, ?2) "
					       "ON CONFLICT(lease) DO UPDATE SET touched_ms = ?2",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, touched_ms);
	return store_run(store, stmt, "recording a heartbeat", err);
}

/* ---- limits and usage ------------------------------------------------------------------- */

int store_account_each(struct store *store, store_account_fn fn, void *arg, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "SELECT name FROM tally WHERE scope = 3 ORDER BY name", err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "listing accounts", err)) == 0) {
		if (fn(arg, column_string(stmt, 0))) {
			statement_end(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

int store_usage_each(struct store *store, const struct store_scope *scope, int64_t from_ms,
		     int64_t to_ms, store_usage_fn fn, void *arg, struct err *err)
{
	/* The unit in which the account is billed: for what a lease without a server will cost. */
	struct statement *stmt =
		store_prepare(store,
			      "SELECT owner, org, account, server_type, state, " BEGUN
			      ", ended_ms, ttl_ms,"
			      " price_hour_micros, currency, CASE WHEN state <= 1 AND NOT EXISTS(SELECT 1 FROM cost"
			      " WHERE cost.lease = lease.n AND cost.to_ms = 0) THEN coalesce((SELECT max(unit_ms)"
			      " FROM price WHERE price.account = lease.account), 1) ELSE 0 END"
			      " FROM lease WHERE created_ms >= ?1 AND created_ms < ?5"
			      " AND NOT (queue_ms > 0 AND admitted_ms = 0) AND " OWNED,
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, from_ms);
	bind_owner(stmt, scope);
	bind_number(stmt, 5, to_ms);
	while ((rc = store_row(store, stmt, "reading usage", err)) == 0) {
		struct store_usage_row row = { 0 };

		COLUMN_TEXT(stmt, 0, row.owner);
		COLUMN_TEXT(stmt, 1, row.org);
		COLUMN_TEXT(stmt, 2, row.account);
		COLUMN_TEXT(stmt, 3, row.server_type);
		row.state = (enum lease_state)column_int(stmt, 4);
		row.created_ms = column_number(stmt, 5);
		row.ended_ms = column_number(stmt, 6);
		row.ttl_ms = column_number(stmt, 7);
		row.expected.hour_micros = column_number(stmt, 8);
		COLUMN_TEXT(stmt, 9, row.expected.currency);
		row.expected.unit_ms = column_number(stmt, 10);
		row.is_expected = row.expected.unit_ms != 0;
		fn(arg, &row);
	}
	return rc < 0 ? -1 : 0;
}
