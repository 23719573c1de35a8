/* SPDX-License-Identifier: MIT */
/*
 * What an error of SQLite means: for the caller (a kind, and whether the store is broken) and
 * for the operator (a sentence that says what to do). Every error text of the room that comes
 * from SQLite is made here.
 */
#include "store/sqlite/internal.h"

#include <errno.h>

#define DISK                                                                                      \
	"the disk or its file system fails; check the system's log, and restore a backup if the " \
	"file is damaged"
#define OPEN                                                                                      \
	"it, its log (-wal) or the log's index (-shm) cannot be opened; check owner and mode of " \
	"the files and their directory"

/* The first match counts: a code with its extension, or a primary code for all others. */
static const struct {
	int code;
	const char *sentence;
} failures[] = {
	{ SQLITE_BUSY, "another process holds its write lock, such as a database shell or a backup; "
		       "end that process, or wait for it" },
	{ SQLITE_IOERR_SHMMAP,
	  "the log's index (-shm) cannot be mapped; move the store to a local disk" },
	{ SQLITE_IOERR_SHMLOCK, "its files cannot be locked; move the store to a local disk" },
	{ SQLITE_IOERR_LOCK, "its files cannot be locked; move the store to a local disk" },
	{ SQLITE_IOERR_SHMOPEN, OPEN },
	{ SQLITE_IOERR_FSYNC,
	  "the disk did not confirm a write; check the disk and the system's log" },
	{ SQLITE_IOERR_DIR_FSYNC,
	  "the disk did not confirm a write; check the disk and the system's log" },
	{ SQLITE_IOERR_NOMEM, "there is not enough memory" },
	{ SQLITE_IOERR, DISK },
	{ SQLITE_NOMEM, "there is not enough memory" },
	{ SQLITE_READONLY,
	  "it is read-only; check the mode of the file and how its file system is mounted" },
	{ SQLITE_CANTOPEN, OPEN },
	{ SQLITE_PERM, OPEN },
	{ SQLITE_AUTH, OPEN },
	{ SQLITE_CORRUPT, "it is damaged; restore it from a backup" },
	{ SQLITE_NOTADB, "it is not a database; restore it from a backup" },
	{ SQLITE_PROTOCOL, "its files cannot be locked; move the store to a local disk" },
};

/*
 * After one of these errors the state on disk is unknown: SQLite would continue after a
 * failed fsync as if nothing had happened.
 */
static int code_breaks_store(const struct store *store, int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return !store->file->tolerates_full;
	case SQLITE_IOERR:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return 1;
	default:
		return 0;
	}
}

static int code_is_full(const struct store *store, int code)
{
	int why = sqlite3_system_errno(store->file->db);

	/* SQLite knows ENOSPC only, and a quota is as full as a disk. */
	return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
	       ((code & 0xff) == SQLITE_IOERR && (why == ENOSPC || why == EDQUOT));
}

static const char *failure_sentence(const struct store *store, int code)
{
	if (code_is_full(store, code))
		return "there is no room left on its file system; free some";
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i].code == code || failures[i].code == (code & 0xff))
			return failures[i].sentence;
	}
	return sqlite3_errmsg(store->file->db);
}

int store_err_is_full(const struct err *err)
{
	return err->kind == ERR_IO && (err->native == ENOSPC || err->native == EDQUOT);
}

int failure_is_full(const struct store *store)
{
	return (sqlite3_extended_errcode(store->file->db) & 0xff) == SQLITE_FULL;
}

int store_fail(struct store *store, const char *doing, struct err *err)
{
	int code = sqlite3_extended_errcode(store->file->db);
	enum err_kind kind = ERR_IO;

	if (!store->reader && code_breaks_store(store, code))
		store->broken = 1;
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		kind = ERR_CONFLICT;
	else if ((code & 0xff) == SQLITE_BUSY)
		kind = ERR_BUSY;
	err_set(err, kind, "%s: %s (%s; SQLite %d)", store->name, failure_sentence(store, code),
		doing, code);
	/* The same for all codes of a full disk, and for what the system itself says. */
	if (err)
		err->native = code_is_full(store, code) ? ENOSPC : code;
	return -1;
}
