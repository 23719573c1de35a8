/* SPDX-License-Identifier: MIT */
/* SQL functions: lower case, and on a connection to the runs' file: whose lease is it? */
#include "store/sqlite/internal.h"

/*
 * The lower case of A to Z. lower() means other letters, too, in other databases; sharing
 * compares names that were stored in this case.
 */
static void lower_ascii(sqlite3_context *context, int count, sqlite3_value **values)
{
	const char *text = (const char *)sqlite3_value_text(values[0]);
	size_t len = (size_t)sqlite3_value_bytes(values[0]);
	char *to = text ? sqlite3_malloc64(len + 1) : NULL;

	(void)count;
	if (!text)
		return;
	if (!to) {
		sqlite3_result_error_nomem(context);
		return;
	}
	for (size_t i = 0; i < len; i++)
		to[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
	sqlite3_result_text64(context, to, len, sqlite3_free, SQLITE_UTF8);
}

int store_functions(struct store *store, struct err *err)
{
	if (sqlite3_create_function_v2(store->file->db, "lower_ascii", 1,
				       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
				       lower_ascii, NULL, NULL, NULL))
		return store_fail(store, "setting up", err);
	return 0;
}

/*
 * Leases are in another file. Each is looked up there separately, as committed at that time:
 * the owner and organisation of a lease never change.
 */
static void lease_is_of(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct store *leases = ((const struct store *)sqlite3_user_data(context))->leases;
	const char *text[3];
	struct err err = { 0 };
	int rc;

	for (int i = 0; i < count; i++)
		text[i] = (const char *)sqlite3_value_text(values[i]);
	if (!leases) {
		sqlite3_result_error(context, "no connection to the leases' file", -1);
		return;
	}
	rc = store_lease_is_of(leases, text[0], text[1], text[2], &err);
	if (rc < 0)
		sqlite3_result_error(context, err.text, -1);
	else
		sqlite3_result_int(context, rc);
}

int runs_functions(struct store *runs, struct err *err)
{
	if (sqlite3_create_function_v2(runs->file->db, "lease_is_of", 3,
				       SQLITE_UTF8 | SQLITE_DIRECTONLY, runs, lease_is_of, NULL,
				       NULL, NULL))
		return store_fail(runs, "setting up", err);
	return 0;
}
