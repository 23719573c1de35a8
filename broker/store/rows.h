/* SPDX-License-Identifier: MIT */
/*
 * What the rows of the store are made with: statements, their values, and who may see which lease.
 * Inside the room only.
 *
 * A statement is prepared (or found again), its parameters are bound, and it is run, or its rows
 * are read one by one. What is bound is borrowed until then. What a column gives is valid until
 * the next row or the statement's end.
 */
#pragma once

#include "store/backend.h"

/* The statement of this text, ready to be bound; NULL with `err` set. */
struct statement *store_prepare(struct store *store, const char *sql, struct err *err);
/*
 * Runs a statement that returns no rows. In a transaction a backend may put it off until the
 * commit or the next read, which then report its error.
 */
int store_run(struct store *store, struct statement *stmt, const char *doing, struct err *err);
/* The same; that it changes exactly one row is checked now, or at the commit. ERR_NOT_FOUND. */
int store_run_one(struct store *store, struct statement *stmt, const char *doing, struct err *err);
/*
 * Runs an INSERT that numbers its row: parameter `index` is column n of `table`, and is bound here.
 * *ret_n is the number at once.
 */
int store_run_new(struct store *store, struct statement *stmt, int index, const char *table,
		  int64_t *ret_n, const char *doing, struct err *err);
/* How many rows the statement that was just run has changed; waits for it. -1: error. */
int64_t store_changed(struct store *store, struct statement *stmt, struct err *err);
/* 0: a row; 1: no more rows, and -1: error; both end the statement. */
int store_row(struct store *store, struct statement *stmt, const char *doing, struct err *err);
/* Leaves the rest of its rows. */
void statement_end(struct statement *stmt);

void bind_number(struct statement *stmt, int index, int64_t value);
void bind_text(struct statement *stmt, int index, const char *text); /* NULL: "" */
void bind_text_or_null(struct statement *stmt, int index, const char *text);
void bind_blob(struct statement *stmt, int index, const void *data, size_t len);
void bind_null(struct statement *stmt, int index);

/* 0 for NULL. */
int64_t column_number(const struct statement *stmt, int index);
int column_int(const struct statement *stmt, int index);
/* A text with a NUL behind it, or a blob; NULL for NULL and for an empty blob. */
const char *column_data(const struct statement *stmt, int index, size_t *ret_len);
/* The text; "" for NULL: a database edited by hand may hold that even there. */
const char *column_string(const struct statement *stmt, int index);
void column_text(const struct statement *stmt, int index, char *to, size_t size);
#define COLUMN_TEXT(stmt, index, field) column_text((stmt), (index), (field), sizeof(field))

/* ---- lease_rows.c: whose leases ---- */

/*
 * Ownership is part of the query: a token sees its owner's leases and those shared with it;
 * an empty owner with an org (a reader's scope) sees the whole organisation's.
 */
#define SHARED                                                                      \
	"EXISTS(SELECT 1 FROM share WHERE share.lease = lease.n AND share.org = ?4" \
	" AND share.name IN ('', lower_ascii(?3)) AND share.manage >= ?9)"
#define OWNED "(?2 <> 0 OR (org = ?4 AND (?3 = '' OR owner = ?3))) "
#define VISIBLE "(?2 <> 0 OR (org = ?4 AND (?3 = '' OR owner = ?3 OR " SHARED "))) "
/* Of a parameter that is a text or NULL, whose type PostgreSQL must know. */
#define IS_NULL(param) "CAST(" param " AS TEXT) IS NULL"
/* The lower of two values, neither of which is NULL. */
#define LOWER_OF(a, b) "CASE WHEN " a " < " b " THEN " a " ELSE " b " END"
/* lease_begun_ms() in SQL. */
#define BEGUN "CASE WHEN admitted_ms > 0 THEN admitted_ms ELSE created_ms END"
/* lease_ttl_end_ms() in SQL. */
#define TTL_END BEGUN " + ttl_ms + " LOWER_OF("credit_ms", "3600000")
void bind_lease_scope(struct statement *stmt, const struct store_scope *scope);

/* ---- identity.c ---- */

/* Creates the instance id, the signing key and the account key on first open. */
int identity_make(struct store *store, const struct env *env, struct err *err);
/* A value of the meta table. 0, 1 none, -1. */
int meta_get(struct store *store, const char *key, void *ret, size_t size, int *len,
	     struct err *err);
/* The same as a text, "" if there is none. 0, -1. */
int meta_text(struct store *store, const char *key, char *ret, size_t size, struct err *err);
int meta_put(struct store *store, const char *key, const void *value, size_t len, struct err *err);
/* Writes or replaces it. */
#define META_PUT                                      \
	"INSERT INTO meta(key, value) VALUES(?1, ?2)" \
	" ON CONFLICT(key) DO UPDATE SET value = ?2"
