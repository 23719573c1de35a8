/* SPDX-License-Identifier: MIT */
/*
 * Operations that crashed the daemon, as rows of meta: there are hardly ever any, and an older
 * lessord must be able to open the file. The key is "crash/ACCOUNT/OPERATION/LEASE", the value
 * "COUNT VERSION".
 */
#include "store/rows.h"

#include <stdio.h>
#include <string.h>

#include "util/text.h"

#define PREFIX "crash/"

int store_crash_each(struct store *store, store_crash_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT key, value FROM meta"
					       " WHERE key >= 'crash/' AND key < 'crash0'",
					       err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading crashes", err)) == 0) {
		struct store_crash row = { .count = 0 };
		char key[96], value[64];

		COLUMN_TEXT(stmt, 0, key);
		COLUMN_TEXT(stmt, 1, value);
		/* One that was edited by hand does not matter. */
		if (sscanf(key + strlen(PREFIX), "%31[^/]/%15[^/]/%23s", row.account, row.op,
			   row.lease) >= 2 &&
		    sscanf(value, "%d %31[^\n]", &row.count, row.version) >= 1 && row.count > 0)
			fn(arg, &row);
	}
	return rc < 0 ? -1 : 0;
}

int store_crash_put(struct store *store, const struct store_crash *row, struct err *err)
{
	struct statement *stmt =
		store_prepare(store, row->count ? META_PUT : "DELETE FROM meta WHERE key = ?1", err);
	char key[96], value[64];

	if (!stmt)
		return -1;
	snprintf(key, sizeof(key), PREFIX "%s/%s/%s", row->account, row->op, row->lease);
	snprintf(value, sizeof(value), "%d %s", row->count, row->version);
	bind_text(stmt, 1, key);
	if (row->count)
		bind_blob(stmt, 2, value, strlen(value));
	return store_run(store, stmt, "counting a crash", err);
}
