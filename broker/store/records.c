/* SPDX-License-Identifier: MIT */
/* Idempotency keys, tokens, prices, pauses and generations. */
#include "store/rows.h"

#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

/* ---- idempotency ----------------------------------------------------------------------- */

int store_idempotency_get(struct store *store, const char *owner, const char *org, const char *key,
			  struct store_idempotency *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT hash, lease FROM idempotency "
					       "WHERE owner = ?1 AND org = ?2 AND key = ?3",
					       err);
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
	ret->lease_n = column_number(stmt, 1);
	statement_end(stmt);
	return 0;
}

int store_idempotency_put(struct store *store, const char *owner, const char *org, const char *key,
			  const struct store_idempotency *value, int64_t now_ms, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO idempotency(owner, org, key, hash, lease, created_ms) "
			      "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	bind_text(stmt, 3, key);
	bind_text(stmt, 4, value->hash);
	bind_number(stmt, 5, value->lease_n);
	bind_number(stmt, 6, now_ms);
	return store_run(store, stmt, "writing an idempotency key", err);
}

int store_create_canceled(struct store *store, const char *lease_id, const char *token,
			  struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT 1 FROM canceled WHERE lease_id = ?1 "
					       "AND token = ?2",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, lease_id);
	bind_text(stmt, 2, token);
	rc = store_row(store, stmt, "looking for a cancelled create", err);
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : rc == 0;
}

int store_create_cancel(struct store *store, const char *lease_id, const char *token,
			const char *owner, const char *org, int64_t now_ms, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO canceled(lease_id, token, owner, org, at_ms) "
			      "VALUES(?1, ?2, ?3, ?4, ?5) "
			      "ON CONFLICT(lease_id, token) DO NOTHING",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, lease_id);
	bind_text(stmt, 2, token);
	bind_text(stmt, 3, owner);
	bind_text(stmt, 4, org);
	bind_number(stmt, 5, now_ms);
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
	struct statement *stmt = store_prepare(store,
					       "UPDATE meta SET number = number + 1 "
					       "WHERE key = 'token_epoch'",
					       err);

	return stmt ? store_run(store, stmt, "raising the token epoch", err) : -1;
}

int store_token_add(struct store *store, const struct token *token, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO token(id, hash, owner, org, role, created_ms, expires_ms, "
			      "revoked_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, token->id);
	bind_blob(stmt, 2, token->hash, sizeof(token->hash));
	bind_text(stmt, 3, token->owner);
	bind_text(stmt, 4, token->org);
	bind_number(stmt, 5, (int)token->role);
	bind_number(stmt, 6, token->created_ms);
	bind_number(stmt, 7, token->expires_ms);
	bind_number(stmt, 8, token->revoked_ms);
	return store_run(store, stmt, "adding a token", err) || raise_epoch(store, err) ? -1 : 0;
}

int store_token_revoke(struct store *store, const char *id, int64_t now_ms, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "UPDATE token SET revoked_ms = ?2 "
					       "WHERE id = ?1 AND revoked_ms = 0",
					       err);
	int64_t changed;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	bind_number(stmt, 2, now_ms);
	if (store_run(store, stmt, "revoking a token", err))
		return -1;
	changed = store_changed(store, stmt, err);
	if (changed <= 0)
		return changed < 0 ? -1 : 1;
	return raise_epoch(store, err);
}

int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT id, hash, owner, org, role, created_ms, "
			      "expires_ms, revoked_ms FROM token ORDER BY created_ms, id",
			      err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading the tokens", err)) == 0) {
		struct token token = {
			.role = (enum token_role)column_int(stmt, 4),
			.created_ms = column_number(stmt, 5),
			.expires_ms = column_number(stmt, 6),
			.revoked_ms = column_number(stmt, 7),
		};
		const char *hash;
		size_t len = 0;

		/* A damaged row grants nothing. */
		hash = column_data(stmt, 1, &len);
		if (!hash || len != sizeof(token.hash))
			continue;
		COLUMN_TEXT(stmt, 0, token.id);
		memcpy(token.hash, hash, sizeof(token.hash));
		COLUMN_TEXT(stmt, 2, token.owner);
		COLUMN_TEXT(stmt, 3, token.org);
		fn(arg, &token);
	}
	return rc < 0 ? -1 : 0;
}

int store_token_epoch(struct store *store, int64_t *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "SELECT number FROM meta WHERE key = 'token_epoch'", err);

	if (!stmt || store_row(store, stmt, "reading the token epoch", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

/* ---- prices -------------------------------------------------------------------------------- */

int store_prices_replace(struct store *store, const char *account, const struct store_price *prices,
			 size_t count, int64_t now_ms, struct err *err)
{
	struct statement *drop = store_prepare(store, "DELETE FROM price WHERE account = ?1", err);
	struct statement *add =
		store_prepare(store,
			      "INSERT INTO price(account, type, location, hour_micros, "
			      "currency, available, at_ms, month_micros, unit_ms, "
			      "minimum_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
			      "?9, ?10) ON CONFLICT(account, type, location) "
			      "DO UPDATE SET hour_micros = ?4, currency = ?5, "
			      "available = ?6, at_ms = ?7, month_micros = ?8, "
			      "unit_ms = ?9, minimum_ms = ?10",
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
		bind_number(add, 4, prices[i].hour_micros);
		bind_text(add, 5, prices[i].currency);
		bind_number(add, 6, prices[i].available);
		bind_number(add, 7, now_ms);
		bind_number(add, 8, prices[i].month_micros);
		bind_number(add, 9, prices[i].unit_ms);
		bind_number(add, 10, prices[i].minimum_ms);
		if (store_run(store, add, "replacing the prices", err))
			return -1;
	}
	return 0;
}

int store_price_get(struct store *store, const char *account, const char *type,
		    const char *location, struct store_price *ret, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "SELECT type, location, hour_micros, currency, available,"
			      " month_micros, unit_ms, minimum_ms FROM price"
			      " WHERE account = ?1 AND type = ?2 "
			      "AND (?3 = '' OR location = ?3) ORDER BY hour_micros, location LIMIT 1",
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
	ret->hour_micros = column_number(stmt, 2);
	COLUMN_TEXT(stmt, 3, ret->currency);
	ret->available = column_int(stmt, 4);
	ret->month_micros = column_number(stmt, 5);
	ret->unit_ms = column_number(stmt, 6);
	ret->minimum_ms = column_number(stmt, 7);
	statement_end(stmt);
	return 0;
}

int store_prices_age(struct store *store, const char *account, int64_t *ret_ms, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "SELECT at_ms FROM price WHERE account = ?1 LIMIT 1", err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading the age of the prices", err);
	*ret_ms = rc == 0 ? column_number(stmt, 0) : 0;
	if (rc == 0)
		statement_end(stmt);
	return rc < 0 ? -1 : 0;
}

/* ---- pauses -------------------------------------------------------------------------------- */

int store_pause_get(struct store *store, const char *account, int64_t *ret_ms, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "SELECT until_ms FROM pause WHERE account = ?1", err);
	int rc;

	*ret_ms = 0;
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading an account's pause", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	*ret_ms = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int store_pause_put(struct store *store, const char *account, int64_t until_ms, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO pause(account, until_ms) VALUES(?1, ?2) "
					       "ON CONFLICT(account) DO UPDATE SET until_ms = ?2",
					       err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	bind_number(stmt, 2, until_ms);
	return store_run(store, stmt, "recording an account's pause", err);
}

/* ---- generations ---------------------------------------------------------------------------- */

int store_generation_get(struct store *store, const char *account, struct generation *ret,
			 struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT current, pending, holder, before, is_fenced, "
					       "why FROM generation WHERE account = ?1",
					       err);
	int rc;

	*ret = (struct generation){ 0 };
	TEXT_SET(ret->account, account);
	if (!stmt)
		return -1;
	bind_text(stmt, 1, account);
	rc = store_row(store, stmt, "reading an account's generation", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	ret->current = column_number(stmt, 0);
	ret->pending = column_number(stmt, 1);
	COLUMN_TEXT(stmt, 2, ret->holder);
	COLUMN_TEXT(stmt, 3, ret->before);
	ret->is_fenced = column_int(stmt, 4);
	COLUMN_TEXT(stmt, 5, ret->why);
	statement_end(stmt);
	return 0;
}

int store_generation_put(struct store *store, const struct generation *g, struct err *err)
{
	struct statement *stmt =
		store_prepare(store,
			      "INSERT INTO generation(account, current, pending, holder, "
			      "before, is_fenced, why) "
			      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
			      "ON CONFLICT(account) DO UPDATE SET current = ?2, "
			      "pending = ?3, holder = ?4, before = ?5, "
			      "is_fenced = ?6, why = ?7",
			      err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, g->account);
	bind_number(stmt, 2, g->current);
	bind_number(stmt, 3, g->pending);
	bind_text(stmt, 4, g->holder);
	bind_text(stmt, 5, g->before);
	bind_number(stmt, 6, g->is_fenced);
	bind_text(stmt, 7, g->why);
	return store_run(store, stmt, "writing an account's generation", err);
}
