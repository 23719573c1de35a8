/* SPDX-License-Identifier: MIT */
#include "store/sqlite/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/sqlite/internal.h"
#include "util/alloc.h"

/* The reserve is given back in pieces, so that others get as little of it as possible. */
#define PIECE_BYTES (512 * 1024)
/* While the disk is full, the database is extended by this much before a checkpoint has to. */
#define CHUNK_BYTES (256 * 1024)
/* Free beside what is about to be used without allocating it first. */
#define SLACK_BYTES (64 * 1024)
/* The index of the log: 32 KiB for each 4,096 frames. */
#define INDEX_BYTES 32768
#define INDEX_FRAMES 4096
/* A file that is written in small pieces has blocks of its own for where they are. */
#define INDEX_SPARE_BYTES (16 * 1024)
#define FRAME_HEAD 24
#define PAGE_BYTES 4096
#define LOG_HEAD 32
/* What the first writes to a log take. */
#define OPEN_BYTES (64 * 1024)
/* Frames in the log at which it is checkpointed. */
#define CHECKPOINT_FRAMES 4000
#define CHECKPOINT_FRAMES_LOW 100

/* ---- the disk -------------------------------------------------------------------------- */

static int system_allocate(int fd, int keep_size, int64_t at, int64_t len)
{
	int rc;

	do {
		rc = keep_size ? (fallocate(fd, FALLOC_FL_KEEP_SIZE, at, len) ? errno : 0) :
				 posix_fallocate(fd, at, len);
	} while (rc == EINTR);
	return rc;
}

static int64_t system_free_bytes(const char *path)
{
	struct statvfs fs;

	if (statvfs(path, &fs))
		return -1;
	/* Also for root: of the blocks kept for it, file systems keep some from everybody. */
	return (int64_t)(fs.f_bavail * fs.f_frsize);
}

static int64_t system_size_bytes(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) ? INT64_MAX : (int64_t)(fs.f_blocks * fs.f_frsize);
}

static const struct reserve_disk system_disk = { system_allocate, system_free_bytes,
						 system_size_bytes };
static const struct reserve_disk *the_disk = &system_disk;

void reserve_disk_set(const struct reserve_disk *disk)
{
	the_disk = disk ? disk : &system_disk;
}

static int is_full(int why)
{
	return why == ENOSPC || why == EDQUOT;
}

static int64_t free_bytes(const struct store *store)
{
	return the_disk->free_bytes(store->name);
}

int64_t reserve_room(const struct store *store)
{
	return free_bytes(store);
}

/* ---- the file -------------------------------------------------------------------------- */

static char *reserve_name(const struct store *store)
{
	return xasprintf("%s.reserve", store->name);
}

/* Opens the file and finds its size. -1: there is none, or it cannot be used. */
static int reserve_file_open(struct store *store, int flags)
{
	auto_free char *name = reserve_name(store);
	int fd = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	store->file->reserve.fd = fd;
	store->file->reserve.held = st.st_size;
	return 0;
}

/* 1: a piece was given back to the file system; 0: there is none left. */
static int reserve_give(struct store *store, int64_t bytes)
{
	struct reserve *r = &store->file->reserve;
	int64_t left = r->held > bytes ? r->held - bytes : 0;

	if (r->fd < 0 || r->held <= 0 || ftruncate(r->fd, left))
		return 0;
	r->held = left;
	return 1;
}

/* Makes the file whole. 0, or an errno. */
static int reserve_fill(struct store *store)
{
	struct reserve *r = &store->file->reserve;
	int rc;

	if (r->fd < 0)
		return 0;
	rc = the_disk->allocate(r->fd, 0, 0, r->size);
	if (!rc)
		r->held = r->size;
	else if (ftruncate(r->fd, r->held)) /* a part may have been allocated */
		r->held = 0;
	return rc;
}

static void low_set(struct store *store, int is_low)
{
	int chunk = is_low ? CHUNK_BYTES : 0;

	if (store->file->reserve.is_low == is_low)
		return;
	store->file->reserve.is_low = is_low;
	sqlite3_wal_autocheckpoint(store->file->db,
				   is_low ? CHECKPOINT_FRAMES_LOW : CHECKPOINT_FRAMES);
	sqlite3_file_control(store->file->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk);
}

/* ---- opening --------------------------------------------------------------------------- */

/* The blocks that a file of the store has; *ret_size: its length. Both 0 if there is none. */
static int64_t blocks_of(const char *path, const char *end, int64_t *ret_size)
{
	auto_free char *name = xasprintf("%s%s", path, end);
	struct stat st;

	*ret_size = 0;
	if (stat(name, &st))
		return 0;
	*ret_size = st.st_size;
	return (int64_t)st.st_blocks * 512;
}

static int64_t above_zero(int64_t value)
{
	return value > 0 ? value : 0;
}

/*
 * What opening the database writes: the index that recovery of the log builds, and the
 * beginning of a log. What a process that was killed has left of them is used again.
 */
static int64_t opening_bytes(const char *path)
{
	int64_t log_size, size;
	int64_t log = blocks_of(path, "-wal", &log_size);
	int64_t index = (log_size / (PAGE_BYTES + FRAME_HEAD) / INDEX_FRAMES + 1) * INDEX_BYTES;

	return above_zero(index + INDEX_SPARE_BYTES - blocks_of(path, "-shm", &size)) +
	       above_zero(OPEN_BYTES - above_zero(log - log_size));
}

int reserve_check_opening(struct store *store, int may_give, struct err *err)
{
	int64_t need = opening_bytes(store->name);
	int64_t room = free_bytes(store);
	int rc = -1;

	if (room < 0 || room >= need)
		return 0;
	if (may_give && reserve_file_open(store, 0) == 0) {
		if (store->file->reserve.held >= need - room) {
			reserve_give(store, need - room);
			rc = 0;
		}
		close(store->file->reserve.fd);
		store->file->reserve.fd = -1;
	}
	if (rc) {
		err_set(err, ERR_IO,
			"the file system of the store %s is full: opening it takes %lld KiB; free some",
			store->name, (long long)(need + 1023) / 1024);
		if (err)
			err->native = ENOSPC;
	}
	return rc;
}

void reserve_lend(struct store *store, const char *path)
{
	int64_t need = opening_bytes(path);
	int64_t room = free_bytes(store);

	if (room >= 0 && room < need && reserve_give(store, need - room))
		low_set(store, 1);
}

void reserve_close(struct store *store)
{
	if (store->file->reserve.fd >= 0)
		close(store->file->reserve.fd);
	store->file->reserve.fd = -1;
}

/* ---- the log --------------------------------------------------------------------------- */

/* Allocates the log's blocks up to `end`. 0, or an errno. SQLite holds no lock on that file. */
static int log_allocate(struct store *store, int64_t end)
{
	auto_free char *name = xasprintf("%s-wal", store->name);
	auto_close int fd = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int64_t room;
	int rc;

	if (fd < 0)
		return errno;
	rc = the_disk->allocate(fd, 1, 0, end);
	if (!rc)
		store->file->reserve.log_end = end;
	/* The file system cannot allocate in advance. */
	else if (!is_full(rc) && (room = free_bytes(store)) >= 0 && room < RESERVE_AHEAD)
		rc = ENOSPC;
	return rc;
}

/*
 * Has SQLite map the index for the frames up to `end`, and touches each page: SQLite allocates
 * one block of each, and with smaller blocks the first access to another one on a full disk
 * kills the process.
 */
static int index_allocate(struct store *store, int64_t frames)
{
	int64_t count = frames / INDEX_FRAMES + 1;

	while (store->file->reserve.index_count < count) {
		int64_t room = free_bytes(store), size;
		uint32_t *part;

		if (room >= 0 && room < INDEX_BYTES + SLACK_BYTES &&
		    blocks_of(store->name, "-shm", &size) <
			    (store->file->reserve.index_count + 1) * INDEX_BYTES)
			return ENOSPC;
		part = index_map(store, store->file->reserve.index_count);
		if (!part)
			return 0;
		for (size_t i = 0; i < INDEX_BYTES / sizeof(*part);
		     i += PAGE_BYTES / 4 / sizeof(*part))
			__atomic_fetch_or(&part[i], 0, __ATOMIC_RELAXED);
		store->file->reserve.index_count++;
	}
	return 0;
}

static int room_secure(struct store *store, int64_t frames)
{
	const struct reserve *r = &store->file->reserve;
	int64_t end = LOG_HEAD + frames * (PAGE_BYTES + FRAME_HEAD);
	int rc;

	end += r->is_low ? RESERVE_AHEAD_LOW : RESERVE_AHEAD;
	/* More than asked for, so that this is rare; but no more than needed from the reserve. */
	if (r->log_end < end && (r->is_low || log_allocate(store, end + RESERVE_AHEAD))) {
		rc = log_allocate(store, end);
		if (is_full(rc))
			return rc;
	}
	/* A transaction of the runs' file may be long, and fail, but not for lack of this. */
	return index_allocate(store,
			      frames + (r->has_file ? RESERVE_AHEAD / PAGE_BYTES : INDEX_FRAMES));
}

/* Has the database room to grow by a checkpoint? Through SQLite, which holds locks on the file. */
static int database_allocate(struct store *store)
{
	int64_t end = log_pages(store) * PAGE_BYTES + CHUNK_BYTES / 2;
	struct stat st;
	int rc;

	if (stat(store->name, &st) || st.st_size >= end)
		return 0;
	rc = sqlite3_file_control(store->file->db, "main", SQLITE_FCNTL_SIZE_HINT, &end);
	guard_written(store);
	return rc ? ENOSPC : 0;
}

/* Is there room for the whole reserve, and some beyond it? */
static void reserve_regain(struct store *store)
{
	int64_t room = free_bytes(store);

	if (room >= 0 &&
	    room < store->file->reserve.size - store->file->reserve.held + 2 * SLACK_BYTES)
		return;
	if (store->file->reserve.fd < 0)
		reserve_file_open(store, O_CREAT);
	if (store->file->reserve.fd >= 0 && reserve_fill(store) == 0)
		low_set(store, 0);
}

int reserve_secure(struct store *store, struct err *err)
{
	struct reserve *r = &store->file->reserve;
	int64_t frames;

	if (!r->is_kept)
		return 0;
	frames = log_frames(store);
	if (frames < 0)
		return 0;
	/* It begins anew: somebody may have truncated it. */
	if (frames < r->frames)
		r->log_end = 0;
	r->frames = frames;
	if (r->is_low)
		reserve_regain(store);
	r->is_used_up = 0;
	while (is_full(room_secure(store, frames))) {
		low_set(store, r->has_file);
		if (!reserve_give(store, PIECE_BYTES)) {
			r->is_used_up = 1;
			return err_set(err, ERR_BUSY,
				       "%s: there is no room left on its file system%s; "
				       "free some",
				       store->name,
				       r->has_file ? ", and the reserve is used up" : "");
		}
	}
	while (r->is_low && database_allocate(store) && reserve_give(store, PIECE_BYTES))
		;
	return 0;
}

int sqlite_reserve_keep(struct store *store, struct err *err)
{
	struct reserve *r = &store->file->reserve;

	if (reserve_file_open(store, O_CREAT) && !is_full(errno)) {
		auto_free char *name = reserve_name(store);

		return err_set_errno(err, errno, "making %s", name);
	}
	r->size = the_disk->size_bytes ? the_disk->size_bytes(store->name) / 4 : RESERVE_BYTES;
	if (r->size > RESERVE_BYTES)
		r->size = RESERVE_BYTES;
	if (r->size < RESERVE_LEAST)
		r->size = RESERVE_LEAST;
	r->is_kept = r->has_file = 1;
	if (r->fd < 0 || (r->held < r->size && is_full(reserve_fill(store))))
		low_set(store, 1);
	return 0;
}

void reserve_watch(struct store *store)
{
	store->file->reserve.is_kept = 1;
}

enum store_state sqlite_state(const struct store *store)
{
	if (store->file->is_locked_out)
		return STORE_LOCKED;
	if (store->file->reserve.is_used_up)
		return STORE_FULL;
	return store->file->reserve.is_low ? STORE_RESERVE : STORE_WRITABLE;
}
