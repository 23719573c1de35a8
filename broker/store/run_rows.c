/* SPDX-License-Identifier: MIT */
/* Runs: access, lists, parts and retention. */
#include "store/runs.h"

#include <stdlib.h>
#include <string.h>

#include "store/rows.h"
#include "store/pack.h"
#include "util/alloc.h"

static const char *const state_names[] = {
	[RUN_RUNNING] = "running",
	[RUN_SUCCEEDED] = "succeeded",
	[RUN_FAILED] = "failed",
};

_Static_assert(RUN_RUNNING == 0, "the indexes say state > 0 for ended");

const char *run_state_name(enum run_state state)
{
	return (size_t)state < ARRAY_LEN(state_names) ? state_names[state] : "unknown";
}

int run_state_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
		if (!strcmp(state_names[i], text))
			return (int)i;
	}
	return -1;
}

/* ---- the row ------------------------------------------------------------------------- */

/* The columns in one place: fixed ones, then those that change. T text, I integer. */
#define FIXED(T, I) T(id, id) T(owner, owner) T(org, org) T(label, label) I(started_ms, started_ms)
#define MOVING(T, I) \
	T(lease, lease_id) T(slug, slug) T(account, account) T(target, target) \
	T(windows_mode, windows_mode) T(class, class_name) T(server_type, server_type) \
	T(phase, phase) T(blocked_stage, blocked_stage) T(retry_likely, retry_likely) \
	I(state, state) I(finished, finished) I(event_ms, event_ms) I(ended_ms, ended_ms) \
	I(sync_ms, sync_ms) I(command_ms, command_ms) I(has_exit_code, has_exit_code) \
	I(exit_code, exit_code) I(log_bytes, log_bytes) I(log_truncated, log_truncated) \
	I(event_count, event_count) I(event_bytes, event_bytes) I(bytes, bytes)

#define NAME(column, field) #column ", "
#define SET(column, field) #column " = ?, "
#define MARK(column, field) "?, "
#define COLUMNS FIXED(NAME, NAME) MOVING(NAME, NAME)
#define SELECT_RUN "SELECT " COLUMNS "run.n FROM run "

static int run_read(struct statement *stmt, struct run_row *r)
{
	int i = 0;

	memset(r, 0, sizeof(*r));
#define READ_T(column, field) COLUMN_TEXT(stmt, i++, r->field);
#define READ_I(column, field) r->field = (__typeof__(r->field))column_number(stmt, i++);
	FIXED(READ_T, READ_I)
	MOVING(READ_T, READ_I)
#undef READ_T
#undef READ_I
	r->n = column_number(stmt, i++);
	return i;
}

#define BIND_T(column, field) bind_text(stmt, i++, r->field);
#define BIND_I(column, field) bind_number(stmt, i++, (int64_t)r->field);

int store_run_insert(struct store *store, struct run_row *r, const char *command, struct err *err)
{
	int i = 1;
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO run(" COLUMNS
					       "command, n) VALUES(" FIXED(MARK, MARK)
						       MOVING(MARK, MARK) "?, ?)",
					       err);

	if (!stmt)
		return -1;
	FIXED(BIND_T, BIND_I)
	MOVING(BIND_T, BIND_I)
	bind_text(stmt, i++, command);
	return store_run_new(store, stmt, i, "run", &r->n, "inserting a run", err);
}

int store_run_update(struct store *store, const struct run_row *r, struct err *err)
{
	int i = 1;
	struct statement *stmt =
		store_prepare(store, "UPDATE run SET " MOVING(SET, SET) "n = n WHERE n = ?", err);

	if (!stmt)
		return -1;
	MOVING(BIND_T, BIND_I)
	bind_number(stmt, i, r->n);
	return store_run(store, stmt, "updating a run", err);
}

/* Reads the first row, if any, and resets the statement. */
static int run_one(struct store *store, struct statement *stmt, struct run_row *ret, struct err *err)
{
	int rc = store_row(store, stmt, "reading a run", err);

	if (rc)
		return rc;
	run_read(stmt, ret);
	statement_end(stmt);
	return 0;
}

/* ---- access ------------------------------------------------------------------------ */

#define WRITABLE "(?2 <> 0 OR (run.org = ?4 AND run.owner = ?3)) "
#define READABLE                                                                \
	"(?2 <> 0 OR (run.org = ?4 AND (?3 = '' OR run.owner = ?3)) OR EXISTS(" \
	"SELECT 1 FROM run_lease AS u WHERE u.run = run.n AND lease_is_of(u.lease, ?3, ?4) <> 0)) "

static void bind_scope(struct statement *stmt, const struct store_scope *scope)
{
	bind_number(stmt, 2, scope->all);
	bind_text(stmt, 3, scope->owner);
	bind_text(stmt, 4, scope->org);
}

int store_run_find(struct store *store, const char *id, const struct store_scope *scope,
		   enum run_access access, struct run_row *ret, struct err *err)
{
	struct statement *stmt =
		access == RUN_WRITE ?
			store_prepare(store, SELECT_RUN "WHERE id = ?1 AND " WRITABLE, err) :
			store_prepare(store, SELECT_RUN "WHERE id = ?1 AND " READABLE, err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	bind_scope(stmt, scope);
	return run_one(store, stmt, ret, err);
}

/* One statement per kind of list, so that each uses an index, newest first. */
#define LIST(index, where) \
	"SELECT " COLUMNS "run.n, command FROM run " index "WHERE " where " AND run.n < ?5 AND " \
	"(?1 < 0 OR run.state = ?1) AND " READABLE "ORDER BY run.n DESC LIMIT ?6"

static const char *list_sql(const struct store_run_list *list)
{
	int own = !list->scope.all && list->scope.owner && list->scope.owner[0];

	if (list->lease_id)
		return LIST("", "run.n IN (SELECT run FROM run_lease WHERE lease = ?7)");
	if (own && list->state >= 0)
		return LIST("INDEXED BY run_owner_state ", "owner = ?3 AND org = ?4 AND state = ?1");
	if (own)
		return LIST("INDEXED BY run_owner ", "owner = ?3 AND org = ?4");
	if (!list->scope.all)
		return LIST("INDEXED BY run_org ", "org = ?4");
	return LIST("", "1 = 1");
}

int store_run_each(struct store *store, const struct store_run_list *list, store_run_fn fn,
		   void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store, list_sql(list), err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, list->state);
	bind_scope(stmt, &list->scope);
	bind_number(stmt, 5, INT64_MAX);
	bind_number(stmt, 6, list->limit);
	if (list->lease_id)
		bind_text(stmt, 7, list->lease_id);
	while ((rc = store_row(store, stmt, "listing runs", err)) == 0) {
		struct run_row r;
		int at = run_read(stmt, &r);
		size_t len;
		const char *command = column_data(stmt, at, &len);

		if (fn(arg, &r, command ? command : "null")) {
			statement_end(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

/* ---- parts ------------------------------------------------------------------------------- */

/* Passes each row's single column to `fn`. The number of rows, or -1. */
static int texts_each(struct store *store, struct statement *stmt, store_text_fn fn, void *arg,
		      struct err *err)
{
	int count = 0;
	int rc;

	while ((rc = store_row(store, stmt, "reading a run", err)) == 0) {
		size_t len = 0;
		const char *text = column_data(stmt, 0, &len);

		count++;
		if (fn(arg, text ? text : "", text ? len : 0)) {
			statement_end(stmt);
			return count;
		}
	}
	return rc < 0 ? -1 : count;
}

static int texts_of(struct store *store, const char *sql, int64_t n, store_text_fn fn, void *arg,
		    struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	return texts_each(store, stmt, fn, arg, err) < 0 ? -1 : 0;
}

int store_run_command(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err)
{
	return texts_of(store, "SELECT command FROM run WHERE n = ?1", n, fn, arg, err);
}

int store_run_lease_add(struct store *store, int64_t n, const char *lease_id, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO run_lease(run, lease) VALUES(?1, ?2)"
					       " ON CONFLICT(run, lease) DO NOTHING",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_text(stmt, 2, lease_id);
	return store_run(store, stmt, "recording a run's lease", err);
}

int store_run_lease_each(struct store *store, int64_t n, store_text_fn fn, void *arg,
			 struct err *err)
{
	return texts_of(store, "SELECT lease FROM run_lease WHERE run = ?1 ORDER BY lease", n, fn,
			arg, err);
}

int store_run_event_add(struct store *store, int64_t n, int64_t seq, int64_t at_ms,
			const char *fields, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO run_event(run, seq, at_ms, fields) "
					       "VALUES(?1, ?2, ?3, ?4)",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, seq);
	bind_number(stmt, 3, at_ms);
	bind_text(stmt, 4, fields);
	return store_run(store, stmt, "adding an event of a run", err);
}

int store_run_event_each(struct store *store, int64_t n, int64_t after, int limit,
			 store_run_event_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT seq, at_ms, fields FROM run_event "
					       "WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, after);
	bind_number(stmt, 3, limit);
	while ((rc = store_row(store, stmt, "reading events of a run", err)) == 0) {
		size_t len;
		const char *fields = column_data(stmt, 2, &len);

		if (fn(arg, column_number(stmt, 0), column_number(stmt, 1),
		       fields && fields[0] == '{' ? fields : "{}")) {
			statement_end(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

int store_run_sample_add(struct store *store, int64_t n, int64_t at_ms, const char *data,
			 struct err *err)
{
	struct statement *add =
		store_prepare(store,
			      "INSERT INTO run_sample(run, at_ms, data) "
			      "VALUES(?1, ?2, ?3) ON CONFLICT(run, at_ms) DO NOTHING",
			      err);
	struct statement *cut = store_prepare(store,
					      "DELETE FROM run_sample WHERE run = ?1 AND at_ms <="
					      " (SELECT at_ms FROM run_sample WHERE run = ?1"
					      " ORDER BY at_ms DESC LIMIT 1 OFFSET ?2)",
					      err);

	if (!add || !cut)
		return -1;
	bind_number(add, 1, n);
	bind_number(add, 2, at_ms);
	bind_text(add, 3, data);
	bind_number(cut, 1, n);
	bind_number(cut, 2, STORE_SAMPLES_MAX);
	return store_run(store, add, "storing a sample of a run", err) ||
			       store_run(store, cut, "storing a sample of a run", err) ?
		       -1 :
		       0;
}

int store_run_sample_each(struct store *store, int64_t n, store_text_fn fn, void *arg,
			  struct err *err)
{
	return texts_of(store, "SELECT data FROM run_sample WHERE run = ?1 ORDER BY at_ms", n, fn,
			arg, err);
}

static int put_text(struct store *store, const char *sql, int64_t n, const char *text,
		    struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_text(stmt, 2, text);
	return store_run(store, stmt, "storing how a run ended", err);
}

int store_run_results_put(struct store *store, int64_t n, const char *results, struct err *err)
{
	return put_text(store,
			"INSERT INTO run_results(run, data) VALUES(?1, ?2)"
			" ON CONFLICT(run) DO UPDATE SET data = ?2",
			n, results, err);
}

int store_run_results(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err)
{
	return texts_of(store, "SELECT data FROM run_results WHERE run = ?1", n, fn, arg, err);
}

int store_run_receipt_put(struct store *store, int64_t n, const char *receipt, struct err *err)
{
	return put_text(store,
			"INSERT INTO run_receipt(run, data) VALUES(?1, ?2)"
			" ON CONFLICT(run) DO UPDATE SET data = ?2",
			n, receipt, err);
}

int store_run_receipt(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err)
{
	return texts_of(store, "SELECT data FROM run_receipt WHERE run = ?1", n, fn, arg, err);
}

int store_run_log_put(struct store *store, int64_t n, int64_t part, const void *data, size_t len,
		      size_t *ret_stored, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO run_log(run, part, data) VALUES(?1, ?2, ?3) "
			      "ON CONFLICT(run, part) DO UPDATE SET data = ?3",
			      err);
	unsigned char *packed;
	size_t size;
	int rc;

	if (!stmt)
		return -1;
	if (len > PACK_LEN_MAX)
		return err_set(err, ERR_INVALID, "a log part of %zu bytes is too large", len);
	packed = xcalloc(1, pack_bound(len));
	size = pack_encode(data, len, packed);
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, part);
	bind_blob(stmt, 3, packed, size);
	rc = store_run(store, stmt, "storing the log of a run", err);
	free(packed);
	*ret_stored = size;
	return rc;
}

int store_run_log_cut(struct store *store, int64_t n, int64_t parts, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "DELETE FROM run_log WHERE run = ?1 AND part >= ?2", err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, parts);
	return store_run(store, stmt, "storing the log of a run", err);
}

struct unpacked {
	store_text_fn fn;
	void *arg;
	int is_damaged;
};

static int unpack_part(void *arg, const char *text, size_t len)
{
	struct unpacked *u = arg;
	const unsigned char *packed = (const unsigned char *)text;
	long size = pack_len(packed, len);
	char *out = size < 0 ? NULL : xcalloc(1, (size_t)size + 1);

	u->is_damaged = !out || pack_decode(packed, len, out);
	if (!u->is_damaged)
		u->fn(u->arg, out, (size_t)size);
	free(out);
	return 1;
}

int store_run_log_get(struct store *store, int64_t n, int64_t part, store_text_fn fn, void *arg,
		      struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT data FROM run_log WHERE run = ?1 "
					       "AND part = ?2",
					       err);
	struct unpacked unpacked = { .fn = fn, .arg = arg };
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, part);
	rc = texts_each(store, stmt, unpack_part, &unpacked, err);
	if (unpacked.is_damaged)
		return err_set(err, ERR_REFUSED, "%s: the log of a run is damaged", store->name);
	return rc < 0 ? -1 : !rc;
}

int store_run_log_size(struct store *store, int64_t n, int64_t *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT CAST(coalesce(sum(length(data)), 0) AS BIGINT) FROM run_log "
			      "WHERE run = ?1",
			      err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	if (store_row(store, stmt, "measuring the log of a run", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

/* ---- retention ------------------------------------------------------------------------- */

int store_run_any(struct store *store, struct err *err)
{
	struct statement *stmt = store_prepare(store, "SELECT 1 FROM run WHERE n > 0 LIMIT 1", err);
	int rc;

	if (!stmt)
		return -1;
	rc = store_row(store, stmt, "looking for runs", err);
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : rc == 0;
}

int store_run_stale(struct store *store, int64_t before_ms, struct run_row *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       SELECT_RUN
					       "INDEXED BY run_open WHERE state = 0 "
					       "AND event_ms < ?1 ORDER BY event_ms LIMIT 1",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, before_ms);
	return run_one(store, stmt, ret, err);
}

int store_run_oldest(struct store *store, int64_t before_ms, struct run_row *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       SELECT_RUN
					       "INDEXED BY run_ended WHERE state > 0 "
					       "AND ended_ms < ?1 ORDER BY ended_ms LIMIT 1",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, before_ms);
	return run_one(store, stmt, ret, err);
}

int store_run_bytes(struct store *store, int64_t *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM run", err);

	if (!stmt || store_row(store, stmt, "summing the sizes of runs", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

/* Deletes at most `limit` rows of a run from one table. The number deleted, or -1. */
static int drop_rows(struct store *store, const char *sql, int64_t n, int limit, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, n);
	bind_number(stmt, 2, limit);
	return store_run(store, stmt, "dropping a run", err) ? -1 :
							       (int)store_changed(store, stmt, err);
}

#define SOME(table, key) \
	"DELETE FROM " table " WHERE run = ?1 AND " key " IN (SELECT " key " FROM " table \
	" WHERE run = ?1 LIMIT ?2)"

int store_run_drop(struct store *store, int64_t n, int parts, struct err *err)
{
	int count = drop_rows(store, SOME("run_log", "part"), n, parts, err);
	int events;

	if (count < 0 || count >= parts)
		return count < 0 ? -1 : 1;
	events = drop_rows(store, SOME("run_event", "seq"), n, parts - count, err);
	if (events < 0 || count + events >= parts)
		return events < 0 ? -1 : 1;
	/* The rest is small: at most STORE_SAMPLES_MAX samples, and the leases it used. */
	if (drop_rows(store, SOME("run_sample", "at_ms"), n, 1000, err) < 0 ||
	    drop_rows(store, SOME("run_lease", "lease"), n, 1000, err) < 0 ||
	    drop_rows(store, SOME("run_results", "run"), n, 1, err) < 0 ||
	    drop_rows(store, SOME("run_receipt", "run"), n, 1, err) < 0 ||
	    drop_rows(store, "DELETE FROM run WHERE n = ?1 AND ?2 > 0", n, 1, err) < 0)
		return -1;
	return 0;
}
