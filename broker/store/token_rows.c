/* SPDX-License-Identifier: MIT */
/* The tokens of clients. */
#include <string.h>

#include "store/rows.h"
#include "util/alloc.h"

/* In a transaction that has raised it. */
#define EPOCH "(SELECT number FROM meta WHERE key = 'token_epoch')"
#define COLUMNS                                                                            \
	"id, hash, owner, org, role, created_ms, expires_ms, revoked_ms, used_ms, label, " \
	"rotated_from"

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

/* ---- changes ----------------------------------------------------------------------------- */

/*
 * Whoever raises it next waits for this transaction, so epochs are committed in their order: who has
 * read the changes up to one misses none of them.
 */
static int raise_epoch(struct store *store, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "UPDATE meta SET number = number + 1 "
					       "WHERE key = 'token_epoch'",
					       err);

	return stmt ? store_run(store, stmt, "raising the token epoch", err) : -1;
}

int store_token_lock(struct store *store, struct err *err)
{
	return raise_epoch(store, err);
}

int store_token_add(struct store *store, const struct token *token, struct err *err)
{
	struct statement *stmt;

	if (raise_epoch(store, err))
		return -1;
	stmt = store_prepare(store,
			     "INSERT INTO token(" COLUMNS ", changed) "
			     "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, " EPOCH ")",
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
	bind_number(stmt, 9, token->used_ms);
	bind_text(stmt, 10, token->label);
	bind_text(stmt, 11, token->rotated_from);
	return store_run(store, stmt, "adding a token", err);
}

/* Sets ?2 of token ?1, if it is not revoked. 0, 1 none, -1. */
static int valid_set(struct store *store, const char *sql, const char *id, int64_t ms,
		     const char *doing, struct err *err)
{
	struct statement *stmt;
	int64_t changed;

	if (raise_epoch(store, err))
		return -1;
	stmt = store_prepare(store, sql, err);
	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	bind_number(stmt, 2, ms);
	if (store_run(store, stmt, doing, err))
		return -1;
	changed = store_changed(store, stmt, err);
	return changed > 0 ? 0 : (changed < 0 ? -1 : 1);
}

int store_token_revoke(struct store *store, const char *id, int64_t now_ms, struct err *err)
{
	return valid_set(store,
			 "UPDATE token SET revoked_ms = ?2, changed = " EPOCH " "
			 "WHERE id = ?1 AND revoked_ms = 0",
			 id, now_ms, "revoking a token", err);
}

int store_token_expire(struct store *store, const char *id, int64_t expires_ms, struct err *err)
{
	return valid_set(store,
			 "UPDATE token SET expires_ms = ?2, changed = " EPOCH " "
			 "WHERE id = ?1 AND revoked_ms = 0",
			 id, expires_ms, "limiting a token", err);
}

int store_token_forget(struct store *store, int64_t before_ms, int limit, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "DELETE FROM token WHERE id IN (SELECT id FROM token"
					       " WHERE (revoked_ms > 0 AND revoked_ms < ?1)"
					       " OR (expires_ms > 0 AND expires_ms < ?1) LIMIT ?2)",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, before_ms);
	bind_number(stmt, 2, limit);
	return store_run(store, stmt, "removing tokens", err);
}

int store_token_used(struct store *store, const char *id, int64_t used_ms, struct err *err)
{
	/* A time of a clock that was ahead is replaced, too. */
	struct statement *stmt = store_prepare(store,
					       "UPDATE token SET used_ms = ?2 WHERE id = ?1 "
					       "AND (used_ms <= ?2 - 60000 "
					       "OR used_ms > ?2 + 3600000)",
					       err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	bind_number(stmt, 2, used_ms);
	return store_run(store, stmt, "noting the use of a token", err);
}

/* ---- reads ------------------------------------------------------------------------------- */

/* 0; 1: the row is damaged, and grants nothing. */
static int token_read(const struct statement *stmt, struct token *ret)
{
	const char *hash;
	size_t len = 0;

	*ret = (struct token){
		.role = (enum token_role)column_int(stmt, 4),
		.created_ms = column_number(stmt, 5),
		.expires_ms = column_number(stmt, 6),
		.revoked_ms = column_number(stmt, 7),
		.used_ms = column_number(stmt, 8),
	};
	hash = column_data(stmt, 1, &len);
	if (!hash || len != sizeof(ret->hash))
		return 1;
	COLUMN_TEXT(stmt, 0, ret->id);
	memcpy(ret->hash, hash, sizeof(ret->hash));
	COLUMN_TEXT(stmt, 2, ret->owner);
	COLUMN_TEXT(stmt, 3, ret->org);
	COLUMN_TEXT(stmt, 9, ret->label);
	COLUMN_TEXT(stmt, 10, ret->rotated_from);
	return 0;
}

static int rows_read(struct store *store, struct statement *stmt, store_token_fn fn, void *arg,
		     struct err *err)
{
	struct token token;
	int rc;

	while ((rc = store_row(store, stmt, "reading the tokens", err)) == 0) {
		if (token_read(stmt, &token) == 0)
			fn(arg, &token);
	}
	return rc < 0 ? -1 : 0;
}

int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT " COLUMNS " FROM token "
					       "ORDER BY created_ms, id",
					       err);

	return stmt ? rows_read(store, stmt, fn, arg, err) : -1;
}

int store_token_changed_each(struct store *store, int64_t after_epoch, store_token_fn fn, void *arg,
			     struct err *err)
{
	struct statement *stmt =
		store_prepare(store, "SELECT " COLUMNS " FROM token WHERE changed > ?1", err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, after_epoch);
	return rows_read(store, stmt, fn, arg, err);
}

int store_token_count(struct store *store, int64_t *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, "SELECT count(*) FROM token", err);

	if (!stmt || store_row(store, stmt, "counting the tokens", err))
		return -1;
	*ret = column_number(stmt, 0);
	statement_end(stmt);
	return 0;
}

int store_token_page(struct store *store, const char *after, int limit, store_token_fn fn,
		     void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT " COLUMNS " FROM token "
					       "WHERE id > ?1 ORDER BY id LIMIT ?2",
					       err);

	if (!stmt)
		return -1;
	bind_text(stmt, 1, after);
	bind_number(stmt, 2, limit);
	return rows_read(store, stmt, fn, arg, err);
}

int store_token_get(struct store *store, const char *id, struct token *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, "SELECT " COLUMNS " FROM token WHERE id = ?1",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, id);
	rc = store_row(store, stmt, "reading a token", err);
	if (rc)
		return rc;
	rc = token_read(stmt, ret);
	statement_end(stmt);
	return rc;
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
