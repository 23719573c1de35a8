/* SPDX-License-Identifier: MIT */
/* An open connection: its checks, and its end. */
#include "store/sqlite/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/alloc.h"

int file_check(struct store *store, const char *pragma, struct err *err)
{
	struct statement *stmt = store_prepare(store, pragma, err);

	if (!stmt || store_row(store, stmt, "checking the integrity", err))
		return -1;
	if (strcmp(column_string(stmt, 0), "ok") != 0)
		err_set(err, ERR_REFUSED,
			"the store %s is damaged: %.100s; restore it from a backup", store->name,
			column_string(stmt, 0));
	else
		err = NULL;
	statement_end(stmt);
	return err ? -1 : 0;
}

int sqlite_check(struct store *store, struct err *err)
{
	struct err own = { 0 };

	if (file_check(store, "PRAGMA integrity_check(1)", &own) || schema_check(store, &own)) {
		if (err)
			*err = own;
		return -1;
	}
	return 0;
}

int file_has_log(const struct store *store)
{
	auto_free char *log = xasprintf("%s-wal", store->name);
	struct stat st;

	return lstat(log, &st) == 0;
}

int sqlite_view_holds(const struct store *store)
{
	struct stat now;

	return !store->file->is_unlocked ||
	       (!file_has_log(store) && stat(store->name, &now) == 0 &&
		now.st_ino == store->file->seen.st_ino &&
		now.st_size == store->file->seen.st_size &&
		now.st_mtim.tv_sec == store->file->seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == store->file->seen.st_mtim.tv_nsec);
}

void sqlite_close(struct store *store)
{
	struct sqlite_file *file = store->file;

	for (size_t i = 0; i < file->statement_count; i++)
		sqlite3_finalize(file->statements[i].stmt);
	sqlite3_close(file->db);
	reserve_close(store);
	if (file->lock_fd >= 0)
		close(file->lock_fd);
	free(file);
	free(store);
}
