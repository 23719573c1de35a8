/* SPDX-License-Identifier: MIT */
/* What a database file offers: it can be read by this version, and nothing in it is damaged. */
#include "store/sqlite/internal.h"

int sqlite_survey(const char *path, const struct store_needs *needs, store_finding_fn fn, void *arg,
		  struct err *err)
{
	struct err why = { 0 };
	struct store *store;
	int rc = sqlite_open(path, STORE_VIEW, NULL, &store, err);

	(void)needs;
	if (rc)
		return rc;
	store_find(fn, arg, "file", STORE_GOOD, "the schema is that of this version");
	if (store_check(store, &why) == 0)
		store_find(fn, arg, "content", STORE_GOOD,
			   "pages, indexes, totals and references are as they must be");
	else if (store_view_holds(store))
		store_find(fn, arg, "content", STORE_WRONG, "%s", why.text);
	else
		rc = err_set(err, ERR_BUSY, "%s is being written; try again", path);
	store_close(store);
	return rc;
}
