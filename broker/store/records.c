/* SPDX-License-Identifier: MIT */
/* The timeline, idempotency keys, tokens, prices, pauses and generations. */
#include "store/internal.h"

#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

/* ---- the timeline -------------------------------------------------------------------- */

int store_event_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *kind,
		    const char *text, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "INSERT INTO event(lease, at_ms, kind, text) "
					   "VALUES(?1, ?2, ?3, ?4)", err);

	if (!stmt)
		return -1;
	sqlite3_bind_int64(stmt, 1, lease_n);
	sqlite3_bind_int64(stmt, 2, at_ms);
	bind_text(stmt, 3, kind);
	bind_text(stmt, 4, text);
	return store_run(store, stmt, "writing the timeline", err);
}

int store_event_each(struct store *store, int64_t lease_n, int64_t after, int limit,
		     store_event_fn fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT n, at_ms, kind, text FROM event "
					   "WHERE lease = ?1 AND n > ?2 ORDER BY n LIMIT ?3", err);
	int rc;

	if (!stmt)
		return -1;
	sqlite3_bind_int64(stmt, 1, lease_n);
	sqlite3_bind_int64(stmt, 2, after);
	sqlite3_bind_int(stmt, 3, limit);
	while ((rc = store_row(store, stmt, "reading the timeline", err)) == 0) {
		struct store_event event = {
			.n = sqlite3_column_int64(stmt, 0),
			.at_ms = sqlite3_column_int64(stmt, 1),
		};

		COLUMN_TEXT(stmt, 2, event.kind);
		COLUMN_TEXT(stmt, 3, event.text);
		if (fn(arg, &event)) {
			sqlite3_reset(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

/* ---- idempotency ----------------------------------------------------------------------- */

int store_idempotency_get(struct store *store, const char *owner, const char *org, const char *key,
			  struct store_idempotency *ret, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT hash, lease FROM idempotency "
					   "WHERE owner = ?1 AND org = ?2 AND key = ?3", err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	bind_text(stmt, 3, key);
	rc = store_row(store, stmt, "reading an idempotency key", err);
	if (rc)
		return rc;
	COLUMN_TEXT(stmt, 0, ret->hash);
	ret->lease_n = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return 0;
}

int store_idempotency_put(struct store *store, const char *owner, const char *org, const char *key,
			  const struct store_idempotency *value, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "INSERT INTO idempotency VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
					   err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	bind_text(stmt, 3, key);
	bind_text(stmt, 4, value->hash);
	sqlite3_bind_int64(stmt, 5, value->lease_n);
	sqlite3_bind_int64(stmt, 6, now_ms);
	return store_run(store, stmt, "writing an idempotency key", err);
}

int store_create_canceled(struct store *store, const char *lease_id, const char *token,
			  struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT 1 FROM canceled WHERE lease_id = ?1 "
					   "AND token = ?2", err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, lease_id);
	bind_text(stmt, 2, token);
	rc = store_row(store, stmt, "looking for a cancelled create", err);
	if (rc == 0)
		sqlite3_reset(stmt);
	return rc < 0 ? -1 : rc == 0;
}

int store_create_cancel(struct store *store, const char *lease_id, const char *token,
			const char *owner, const char *org, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "INSERT OR IGNORE INTO canceled "
					   "VALUES(?1, ?2, ?3, ?4, ?5)", err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, lease_id);
	bind_text(stmt, 2, token);
	bind_text(stmt, 3, owner);
	bind_text(stmt, 4, org);
	sqlite3_bind_int64(stmt, 5, now_ms);
	return store_run(store, stmt, "writing a cancelled create", err);
}

/* ---- tokens ------------------------------------------------------------------------------ */

static const char *const role_names[] = {
	[TOKEN_USER] = "user",
	[TOKEN_READER] = "reader",
	[TOKEN_ADMIN] = "admin",
};

const char *token_role_name(enum token_role role)
{
	return role < ARRAY_LEN(role_names) ? role_names[role] : "unknown";
}

int token_role_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(role_names); i++) {
		if (strcmp(role_names[i], text) == 0)
			return (int)i;
	}
	return -1;
}

static int raise_epoch(struct store *store, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "UPDATE meta SET value = value + 1 "
					   "WHERE key = 'token_epoch'", err);

	return stmt ? store_run(store, stmt, "raising the token epoch", err) : -1;
}

int store_token_add(struct store *store, const struct token *token, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "INSERT INTO token VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
					   err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, token->id);
	sqlite3_bind_blob(stmt, 2, token->hash, sizeof(token->hash), SQLITE_STATIC);
	bind_text(stmt, 3, token->owner);
	bind_text(stmt, 4, token->org);
	sqlite3_bind_int(stmt, 5, (int)token->role);
	sqlite3_bind_int64(stmt, 6, token->created_ms);
	sqlite3_bind_int64(stmt, 7, token->expires_ms);
	sqlite3_bind_int64(stmt, 8, token->revoked_ms);
	return store_run(store, stmt, "adding a token", err) || raise_epoch(store, err) ? -1 : 0;
}

int store_token_revoke(struct store *store, const char *id, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "UPDATE token SET revoked_ms = ?2 "
					   "WHERE id = ?1 AND revoked_ms = 0", err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, now_ms);
	if (store_run(store, stmt, "revoking a token", err))
		return -1;
	if (sqlite3_changes(store->db) == 0)
		return 1;
	return raise_epoch(store, err);
}

int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT id, hash, owner, org, role, created_ms, "
					   "expires_ms, revoked_ms FROM token ORDER BY created_ms, id", err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading the tokens", err)) == 0) {
		struct token token = {
			.role = (enum token_role)sqlite3_column_int(stmt, 4),
			.created_ms = sqlite3_column_int64(stmt, 5),
			.expires_ms = sqlite3_column_int64(stmt, 6),
			.revoked_ms = sqlite3_column_int64(stmt, 7),
		};

		/* A damaged row grants nothing. */
		if (sqlite3_column_bytes(stmt, 1) != (int)sizeof(token.hash))
			continue;
		COLUMN_TEXT(stmt, 0, token.id);
		memcpy(token.hash, sqlite3_column_blob(stmt, 1), sizeof(token.hash));
		COLUMN_TEXT(stmt, 2, token.owner);
		COLUMN_TEXT(stmt, 3, token.org);
		fn(arg, &token);
	}
	return rc < 0 ? -1 : 0;
}

int store_token_epoch(struct store *store, int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT value FROM meta WHERE key = 'token_epoch'", err);

	if (!stmt || store_row(store, stmt, "reading the token epoch", err))
		return -1;
	*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

/* ---- prices -------------------------------------------------------------------------------- */

int store_prices_replace(struct store *store, const char *account, const struct store_price *prices,
			 size_t count, int64_t now_ms, struct err *err)
{
	sqlite3_stmt *drop = store_prepare(store, "DELETE FROM price WHERE account = ?1", err);
	sqlite3_stmt *add = store_prepare(store,
					  "INSERT OR REPLACE INTO price "
					  "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
					  err);

	if (!drop || !add)
		return -1;
	bind_text(drop, 1, account);
	if (store_run(store, drop, "replacing the prices", err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		bind_text(add, 1, account);
		bind_text(add, 2, prices[i].type);
		bind_text(add, 3, prices[i].location);
		sqlite3_bind_int64(add, 4, prices[i].hour_micros);
		bind_text(add, 5, prices[i].currency);
		sqlite3_bind_int(add, 6, prices[i].available);
		sqlite3_bind_int64(add, 7, now_ms);
		sqlite3_bind_int64(add, 8, prices[i].month_micros);
		sqlite3_bind_int64(add, 9, prices[i].unit_ms);
		sqlite3_bind_int64(add, 10, prices[i].minimum_ms);
		if (store_run(store, add, "replacing the prices", err))
			return -1;
	}
	return 0;
}

int store_price_get(struct store *store, const char *account, const char *type,
		    const char *location, struct store_price *ret, struct err *err)
{
	sqlite3_stmt *stmt =
		store_prepare(store,
			      "SELECT type, location, hour_micros, currency, available,"
			      " month_micros, unit_ms, minimum_ms FROM price"
			      " WHERE account = ?1 AND type = ?2 "
			      "AND (?3 = '' OR location = ?3) ORDER BY hour_micros LIMIT 1",
			      err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_text(stmt, 2, type);
	bind_text(stmt, 3, location);
	rc = store_row(store, stmt, "reading a price", err);
	if (rc)
		return rc;
	COLUMN_TEXT(stmt, 0, ret->type);
	COLUMN_TEXT(stmt, 1, ret->location);
	ret->hour_micros = sqlite3_column_int64(stmt, 2);
	COLUMN_TEXT(stmt, 3, ret->currency);
	ret->available = sqlite3_column_int(stmt, 4);
	ret->month_micros = sqlite3_column_int64(stmt, 5);
	ret->unit_ms = sqlite3_column_int64(stmt, 6);
	ret->minimum_ms = sqlite3_column_int64(stmt, 7);
	sqlite3_reset(stmt);
	return 0;
}

int store_prices_age(struct store *store, const char *account, int64_t *ret_ms, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT at_ms FROM price WHERE account = ?1 LIMIT 1",
					   err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading the age of the prices", err);
	*ret_ms = rc == 0 ? sqlite3_column_int64(stmt, 0) : 0;
	if (rc == 0)
		sqlite3_reset(stmt);
	return rc < 0 ? -1 : 0;
}

/* ---- pauses -------------------------------------------------------------------------------- */

int store_pause_get(struct store *store, const char *account, int64_t *ret_ms, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT until_ms FROM pause WHERE account = ?1", err);
	int rc;

	*ret_ms = 0;
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading an account's pause", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	*ret_ms = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

int store_pause_put(struct store *store, const char *account, int64_t until_ms, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "INSERT OR REPLACE INTO pause(account, until_ms) "
					   "VALUES(?1, ?2)", err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	sqlite3_bind_int64(stmt, 2, until_ms);
	return store_run(store, stmt, "recording an account's pause", err);
}

/* ---- generations ---------------------------------------------------------------------------- */

int store_generation_get(struct store *store, const char *account, struct generation *ret,
			 struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "SELECT current, pending, holder, before, is_fenced, "
					   "why FROM generation WHERE account = ?1", err);
	int rc;

	*ret = (struct generation){ 0 };
	TEXT_SET(ret->account, account);
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading an account's generation", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	ret->current = sqlite3_column_int64(stmt, 0);
	ret->pending = sqlite3_column_int64(stmt, 1);
	COLUMN_TEXT(stmt, 2, ret->holder);
	COLUMN_TEXT(stmt, 3, ret->before);
	ret->is_fenced = sqlite3_column_int(stmt, 4);
	COLUMN_TEXT(stmt, 5, ret->why);
	sqlite3_reset(stmt);
	return 0;
}

int store_generation_put(struct store *store, const struct generation *g, struct err *err)
{
	sqlite3_stmt *stmt = store_prepare(store, "INSERT OR REPLACE INTO generation VALUES("
					   "?1, ?2, ?3, ?4, ?5, ?6, ?7)", err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, g->account);
	sqlite3_bind_int64(stmt, 2, g->current);
	sqlite3_bind_int64(stmt, 3, g->pending);
	bind_text(stmt, 4, g->holder);
	bind_text(stmt, 5, g->before);
	sqlite3_bind_int(stmt, 6, g->is_fenced);
	bind_text(stmt, 7, g->why);
	return store_run(store, stmt, "writing an account's generation", err);
}
