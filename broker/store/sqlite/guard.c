/* SPDX-License-Identifier: MIT */
/* Checks of the file before SQLite opens it: owner, permissions, lock, completeness. */
#include "store/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"

#define HEADER_LEN 100

/* Root may open any user's file, so that an operator need not switch users. */
static int is_foreign(const struct stat *st)
{
	return st->st_uid != geteuid() && st->st_uid != 0 && geteuid() != 0;
}

/*
 * A sticky directory such as /tmp is refused, too: anybody could put a -wal file beside a
 * database that has none yet, and SQLite would apply it.
 */
int guard_folder(const char *path, struct err *err)
{
	auto_free char *copy = xstrdup(path);
	const char *folder = dirname(copy);
	struct stat st;

	if (stat(folder, &st))
		return err_set_errno(err, errno, "the store's directory %s%s", folder,
				     errno == ENOENT ?
					     " (create it for the user of lessord, with mode 0700)" :
					     "");
	if (st.st_mode & (S_IWOTH | S_IWGRP))
		return err_set(err, ERR_REFUSED,
			       "the store's directory %s is writable by others (mode %04o); run chmod go-w on "
			       "it, or use a directory of its own",
			       folder, (unsigned int)st.st_mode & 07777);
	if (is_foreign(&st))
		return err_set(err, ERR_REFUSED,
			       "the store's directory %s belongs to user %u, not to user %u; run lessord as "
			       "that user, or chown the directory",
			       folder, (unsigned int)st.st_uid, (unsigned int)geteuid());
	return 0;
}

static uint32_t big_endian(const unsigned char *p, int len)
{
	uint32_t value = 0;

	while (len--)
		value = value << 8 | *p++;
	return value;
}

static int log_has_content(const char *path)
{
	auto_free char *log = xasprintf("%s-wal", path);
	struct stat st;

	return stat(log, &st) == 0 && st.st_size > 0;
}

/*
 * A file shorter than its header says was truncated, by a full disk or an incomplete copy.
 * It may be shorter while a log holds the missing pages.
 */
static int check_whole(int fd, const char *path, int64_t size, struct err *err)
{
	unsigned char h[HEADER_LEN];
	int64_t page, pages;

	if (size == 0)
		return 0;
	if (pread(fd, h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    memcmp(h, "SQLite format 3", 16) != 0)
		return err_set(err, ERR_REFUSED,
			       "the store %s is damaged or not a database; restore it from a backup",
			       path);
	if (log_has_content(path))
		return 0;
	page = big_endian(h + 16, 2);
	page = page == 1 ? 65536 : page;
	pages = big_endian(h + 28, 4);
	/*
	 * The count is valid only if the last writer updated it (offset 24 equals offset
	 * 92).
	 */
	if (memcmp(h + 24, h + 92, 4) == 0 && size < page * pages)
		return err_set(err, ERR_REFUSED,
			       "the store %s is damaged: it ends after %lld of %lld bytes; restore it "
			       "from a backup",
			       path, (long long)size, (long long)page * pages);
	return 0;
}

static int check_file(const char *path, int flags, struct err *err)
{
	auto_close int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "the store %s does not exist", path);
	if (fd < 0 || fstat(fd, &st))
		return err_set_errno(err, errno, "the store %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED,
			       "the store %s is not a regular file; name the file itself", path);
	/* It holds the signing key: whoever can read it can impersonate this broker. */
	if (st.st_mode & (S_IRWXO | S_IRWXG))
		return err_set(err, ERR_REFUSED,
			       "the store %s is accessible to others (mode %04o); run chmod 600 on it",
			       path, (unsigned int)st.st_mode & 07777);
	if (is_foreign(&st))
		return err_set(err, ERR_REFUSED,
			       "the store %s belongs to user %u, not to user %u; run lessord as that user, or "
			       "chown the file",
			       path, (unsigned int)st.st_uid, (unsigned int)geteuid());
	return check_whole(fd, path, st.st_size, err);
}

/*
 * SQLite deletes the log of a database that is missing or empty, though it may hold the only
 * copy of the last transactions.
 */
static int check_log(const char *path, struct err *err)
{
	struct stat st;

	if ((stat(path, &st) == 0 && st.st_size > 0) || !log_has_content(path))
		return 0;
	return err_set(err, ERR_REFUSED,
		       "the store %s is missing or empty, but its log %s-wal is not; put the "
		       "database back, or remove the log to begin with an empty store",
		       path, path);
}

int sqlite_is_missing(const char *path)
{
	struct stat st;

	return stat(path, &st) && errno == ENOENT && !log_has_content(path);
}

int guard_file(const char *path, struct err *err)
{
	return check_log(path, err) || check_file(path, O_RDWR | O_CREAT, err) ? -1 : 0;
}

int guard_check(const char *path, struct err *err)
{
	/* O_NONBLOCK: opening a pipe would block. */
	return check_log(path, err) || check_file(path, O_RDONLY | O_NONBLOCK, err) ? -1 : 0;
}

static void content_note(struct store *store, const struct stat *st)
{
	store->file->content.size = st->st_size;
	store->file->content.at = st->st_mtim;
	if (log_checkpoint(store, &store->file->content.checkpoint))
		store->file->content.size = -1;
}

/*
 * Has anything else than a checkpoint written to the database, such as `cp` of another file
 * over it? Only checkpoints write there, of any process, and each shows in the log's index. One
 * that runs at the same time hides it.
 */
static int content_is_foreign(struct store *store, const struct stat *st)
{
	const struct log_checkpoint *noted = &store->file->content.checkpoint;
	struct log_checkpoint now;

	if (store->file->content.size >= 0 && st->st_size == store->file->content.size &&
	    st->st_mtim.tv_sec == store->file->content.at.tv_sec &&
	    st->st_mtim.tv_nsec == store->file->content.at.tv_nsec)
		return 0;
	if (store->file->content.size >= 0 && log_checkpoint(store, &now) == 0 &&
	    now.begun == now.done && now.begun == noted->begun && now.done == noted->done &&
	    now.salt == noted->salt)
		return 1;
	content_note(store, st);
	return 0;
}

void guard_written(struct store *store)
{
	struct stat st;

	if (store->file->is_watched && stat(store->name, &st) == 0)
		content_note(store, &st);
}

int guard_unchanged(struct store *store, struct err *err)
{
	static const char *const suffixes[STORE_FILES] = { "", "-wal", "-shm", ".lock" };

	for (int i = 0; i < STORE_FILES && store->file->is_watched; i++) {
		struct store_file *file = &store->file->files[i];
		char name[sizeof(store->name) + 8];
		struct stat st;
		int is_there;

		snprintf(name, sizeof(name), "%s%s", store->name, suffixes[i]);
		is_there = stat(name, &st) == 0;
		if (is_there && !file->is_seen)
			*file = (struct store_file){ 1, st.st_dev, st.st_ino };
		else if (file->is_seen &&
			 (!is_there || st.st_dev != file->device || st.st_ino != file->inode))
			return err_set(err, ERR_IO,
				       "%s was removed or replaced while it was in use; put the "
				       "original file back before the next start",
				       name);
		if (is_there && i == 0 && content_is_foreign(store, &st))
			return err_set(err, ERR_IO,
				       "%s was overwritten while it was in use; restore it from a "
				       "backup before the next start",
				       name);
	}
	return 0;
}

int guard_lock(const char *path, int *ret_fd, struct err *err)
{
	auto_free char *name = xasprintf("%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char pid[16] = "";
	ssize_t len;

	if (fd < 0)
		return err_set_errno(err, errno, "the store's lock %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int why = errno;

		len = pread(fd, pid, sizeof(pid) - 1, 0);
		close(fd);
		pid[len > 0 ? len : 0] = '\0';
		pid[strspn(pid, "0123456789")] = '\0';
		if (why != EWOULDBLOCK)
			return err_set_errno(err, why, "locking %s", name);
		err_set(err, ERR_BUSY,
			"another lessord (pid %s) is using the store %s; stop it first, or "
			"configure another store",
			*pid ? pid : "unknown", path);
		if (err)
			err->native = EWOULDBLOCK;
		return -1;
	}
	/*
	 * The pid is for the message above only, and a full disk is no reason to fail. The file
	 * is never unlinked, so that nobody locks an unlinked one.
	 */
	len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) ||
	    (pwrite(fd, pid, (size_t)len, 0) != len && errno != ENOSPC && errno != EDQUOT)) {
		int why = errno;

		close(fd);
		return err_set_errno(err, why, "writing %s", name);
	}
	*ret_fd = fd;
	return 0;
}
