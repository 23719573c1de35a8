/* SPDX-License-Identifier: MIT */
/* Online backup with SQLite's backup API. */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/internal.h"
#include "util/alloc.h"
#include "util/text.h"

/* Copied between two calls of the caller's function. */
#define PART_PAGES 256
/* Of a directory of backups: what has more is something else. */
#define ENTRIES_MAX 1000
#define INSTANCE_SIZE 32
#define HEADER_LEN 100
#define APPLICATION_AT 68

/* One file of the pair, and its copy while that has another name. */
struct copy {
	struct store *from; /* NULL: there is no such file */
	const char *path;   /* of the target; borrowed */
	char *fresh;	    /* the name of the copy until it is complete; NULL: not made */
	int fresh_fd;	    /* locked, so that two backups do not write the same file */
	int64_t bytes;
};

struct store_backup {
	char path[256];
	char instance[INSTANCE_SIZE];
	char pair[INSTANCE_SIZE + 1];
	struct store *leases, *runs;
	int runs_failed;
	struct err runs_err;
};

/* ---- the source ---------------------------------------------------------------------- */

/* 0; 1: no file, or an empty one; -1. Its snapshot begins with the first read. */
static int source_open(const char *path, const struct schema *schema, struct store **ret,
		       struct err *err)
{
	struct err own = { 0 };
	struct store *store;
	int64_t tables;
	int pending;

	if (store_open_unchecked(path, schema, &store, &own)) {
		if (own.kind == ERR_NOT_FOUND)
			return 1;
		if (err)
			*err = own;
		return -1;
	}
	if (schema_pending(store, &pending, err) ||
	    schema_number(store, "SELECT count(*) FROM sqlite_schema", &tables, err)) {
		store_close(store);
		return -1;
	}
	if (!tables) {
		store_close(store);
		return 1;
	}
	*ret = store;
	return 0;
}

/* The runs' file, if it belongs to the leases; the leases are opened after it. */
static void runs_open(struct store_backup *b)
{
	char path[STORE_RUNS_PATH_SIZE];

	store_runs_path(b->path, path);
	if (source_open(path, &schema_runs, &b->runs, &b->runs_err) < 0)
		b->runs_failed = 1;
}

static void runs_check(struct store_backup *b)
{
	char instance[INSTANCE_SIZE], pair[sizeof(b->pair)];

	if (!b->runs)
		return;
	if (meta_text(b->runs, "instance", instance, sizeof(instance), &b->runs_err) ||
	    meta_text(b->runs, "pair", pair, sizeof(pair), &b->runs_err)) {
		b->runs_failed = 1;
	} else if (strcmp(instance, b->instance) != 0 || strcmp(pair, b->pair) != 0) {
		err_set(&b->runs_err, ERR_REFUSED, "the run history %s belongs to another store",
			b->runs->name);
		b->runs_failed = 1;
	}
	if (b->runs_failed) {
		store_close(b->runs);
		b->runs = NULL;
	}
}

int store_backup_open(const char *path, struct store_backup **ret, struct err *err)
{
	struct store_backup *b;
	int rc;

	if (strlen(path) >= sizeof(b->path))
		return err_set(err, ERR_INVALID, "the store's path is longer than %zu bytes",
			       sizeof(b->path) - 1);
	b = xcalloc(1, sizeof(*b));
	TEXT_SET(b->path, path);
	runs_open(b);
	rc = source_open(path, &schema_leases, &b->leases, err);
	if (rc == 0 && (meta_text(b->leases, "instance", b->instance, sizeof(b->instance), err) ||
			meta_text(b->leases, "pair", b->pair, sizeof(b->pair), err)))
		rc = -1;
	if (rc) {
		store_backup_close(b);
		return rc;
	}
	runs_check(b);
	*ret = b;
	return 0;
}

void store_backup_close(struct store_backup *b)
{
	if (!b)
		return;
	store_close(b->leases);
	store_close(b->runs);
	free(b);
}

/* ---- the target ---------------------------------------------------------------------- */

static int is_same_folder(const char *a, const char *b)
{
	auto_free char *copy_a = xstrdup(a), *copy_b = xstrdup(b);
	struct stat st_a, st_b;

	return stat(dirname(copy_a), &st_a) == 0 && stat(dirname(copy_b), &st_b) == 0 &&
	       st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Is it a file of the database at `live`, or the name of one that does not exist now? */
static int is_live(const char *target, const char *live)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", ".lock", ".new" };
	struct stat st_target, st;
	int is_there = stat(target, &st_target) == 0;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		auto_free char *name = xasprintf("%s%s", live, suffixes[i]);

		if (is_there && stat(name, &st) == 0 && st.st_dev == st_target.st_dev &&
		    st.st_ino == st_target.st_ino)
			return 1;
		if (strcmp(name_of(name), name_of(target)) == 0 && is_same_folder(name, target))
			return 1;
	}
	return 0;
}

static int refuse_live(const struct store_backup *b, const char *target, struct err *err)
{
	char runs[STORE_RUNS_PATH_SIZE];

	store_runs_path(b->path, runs);
	if (!is_live(target, b->path) && !is_live(target, runs))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s is a file of the database itself; choose another name for the backup",
		       target);
}

/* The file's kind, by its header. 0: one of `schema`, or an empty one. */
static int header_check(const char *target, const struct schema *schema, struct err *err)
{
	auto_close int fd = open(target, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned char h[HEADER_LEN];
	const unsigned char *application = h + APPLICATION_AT;
	ssize_t len;

	if (fd < 0)
		return err_set_errno(err, errno, "cannot read %s, which the backup would replace",
				     target);
	len = pread(fd, h, sizeof(h), 0);
	if (len == 0)
		return 1;
	if (len == (ssize_t)sizeof(h) && memcmp(h, "SQLite format 3", 16) == 0 &&
	    (application[0] << 24 | application[1] << 16 | application[2] << 8 | application[3]) ==
		    schema->application)
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s exists and is not a backup of lessord's %s; choose another name, or move "
		       "it away",
		       target, schema == &schema_leases ? "database" : "run history");
}

/* A backup of another instance may be the only trace of what that one owns. */
static int instance_check(const struct store_backup *b, const char *target,
			  const struct schema *schema, struct err *err)
{
	struct store *old = store_new(target, schema, err);
	char instance[INSTANCE_SIZE];
	struct err why = { 0 };
	int rc;

	if (!old)
		return -1;
	old->reader = 1;
	rc = store_open_unlocked(old, &why) ||
	     meta_text(old, "instance", instance, sizeof(instance), &why);
	store_close(old);
	if (rc)
		return err_set(err, ERR_INVALID,
			       "%s exists and cannot be read as a backup; move it away (%.80s)",
			       target, why.text);
	if (instance[0] && strcmp(instance, b->instance) != 0)
		return err_set(err, ERR_INVALID,
			       "%s is the database of another lessord (instance %s, this one is "
			       "%s); choose another name, or move it away",
			       target, instance, b->instance);
	return 0;
}

static int in_use_check(const char *target, struct err *err)
{
	auto_free char *log = xasprintf("%s-wal", target);
	struct stat st;

	if (lstat(log, &st) && errno == ENOENT)
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s exists, so %s is a database in use or was not closed; choose another "
		       "name",
		       log, target);
}

/* May the copy of a file of this kind get this name? */
static int target_check(const struct store_backup *b, const char *target,
			const struct schema *schema, struct err *err)
{
	struct stat st;
	int rc;

	if (strlen(target) > sizeof(b->path) - sizeof("-runs.new"))
		return err_set(err, ERR_INVALID, "the backup's path is longer than %zu bytes",
			       sizeof(b->path) - sizeof("-runs.new"));
	if (!name_of(target)[0] || !strcmp(name_of(target), ".") || !strcmp(name_of(target), ".."))
		return err_set(err, ERR_INVALID, "%s is a directory; name a file in it", target);
	if (refuse_live(b, target, err) || in_use_check(target, err))
		return -1;
	if (lstat(target, &st))
		return errno == ENOENT ?
			       0 :
			       err_set_errno(err, errno, "cannot write a backup to %s", target);
	if (S_ISLNK(st.st_mode))
		return err_set(err, ERR_INVALID,
			       "%s is a symbolic link, which is not followed; name the file itself",
			       target);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is a directory; name a file in it", target);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file; choose another name",
			       target);
	rc = header_check(target, schema, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	return instance_check(b, target, schema, err);
}

/* ---- the copy ------------------------------------------------------------------------ */

/* A copy that a backup left when it was killed; -1 if another one is writing it. */
static int leftover_remove(const char *name, struct err *err)
{
	auto_close int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return err_set_errno(err, errno, "cannot replace %s", name);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return err_set(err, ERR_INVALID, "%s is not an unfinished backup; move it away",
			       name);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return err_set(err, ERR_INVALID, "another backup is writing %s", name);
	return unlink(name) ? err_set_errno(err, errno, "cannot remove %s", name) : 0;
}

static int fresh_create(struct copy *copy, struct err *err)
{
	auto_free char *folder = xstrdup(copy->path), *name = xasprintf("%s.new", copy->path);

	if (leftover_remove(name, err))
		return -1;
	copy->fresh_fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (copy->fresh_fd < 0)
		return err_set_errno(err, errno, "cannot create a file in %s", dirname(folder));
	copy->fresh = take(name);
	if (fchmod(copy->fresh_fd, 0600) || flock(copy->fresh_fd, LOCK_EX | LOCK_NB))
		return err_set_errno(err, errno, "cannot set up %s", copy->fresh);
	return 0;
}

static int write_failed(struct copy *copy, int rc, int system, struct err *err)
{
	/* The source is at fault, or the disk of the copy. */
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
		return err_set(err, ERR_REFUSED, "the store %s is damaged: %s", copy->from->name,
			       sqlite3_errstr(rc));
	return err_set(err, ERR_IO, "cannot write %s: %s%s%s", copy->fresh,
		       sqlite3_errstr(rc & 0xff), system ? ": " : "",
		       system ? strerror(system) : "");
}

/* Part by part, in the source's snapshot. */
static int pages_copy(struct copy *copy, store_backup_stop_fn stop, struct err *err)
{
	sqlite3_backup *backup = NULL;
	sqlite3 *to = NULL;
	int rc = sqlite3_open_v2(copy->fresh, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				 NULL);
	int is_stopped = 0;

	/* A copy that is incomplete is discarded: it needs no journal, and one sync at the end. */
	if (!rc)
		rc = sqlite3_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
				  NULL, NULL);
	if (!rc) {
		backup = sqlite3_backup_init(to, "main", copy->from->file->db, "main");
		rc = backup ? SQLITE_OK : sqlite3_errcode(to);
	}
	while (rc == SQLITE_OK && backup) {
		is_stopped = stop && stop();
		if (is_stopped)
			break;
		errno = 0;
		rc = sqlite3_backup_step(backup, PART_PAGES);
	}
	if (is_stopped)
		err_set(err, ERR_IO, "stopped by a signal");
	else if (rc != SQLITE_DONE)
		write_failed(copy, rc, errno, err);
	sqlite3_backup_finish(backup);
	sqlite3_close(to);
	return !is_stopped && rc == SQLITE_DONE ? 0 : -1;
}

/* Opens the copy as a restore would, and reads all of it. */
static int copy_verify(const struct copy *copy, struct err *err)
{
	struct store *store = store_new(copy->fresh, copy->from->file->schema, err);
	struct err why = { 0 };
	struct statement *stmt;
	int pending, rc;

	if (!store)
		return -1;
	store->reader = 1;
	rc = store_open_unlocked(store, &why) || schema_pending(store, &pending, &why) ? -1 : 0;
	/* The copy of an older schema, as before an upgrade, has other tables. */
	if (!rc && !pending) {
		rc = store_check(store, &why);
	} else if (!rc) {
		stmt = store_prepare(store, "PRAGMA integrity_check(1)", &why);
		rc = !stmt || store_row(store, stmt, "checking the integrity", &why) ? -1 : 0;
		if (!rc && strcmp(column_string(stmt, 0), "ok") != 0)
			rc = err_set(&why, ERR_REFUSED, "%.100s", column_string(stmt, 0));
	}
	store_close(store);
	return rc ? err_set(err, ERR_REFUSED,
			    "the store %s is damaged: its copy fails the check: "
			    "%.120s",
			    copy->from->name, why.text) :
		    0;
}

static int copy_make(struct copy *copy, store_backup_stop_fn stop, struct err *err)
{
	struct stat st;

	if (fresh_create(copy, err) || pages_copy(copy, stop, err) || copy_verify(copy, err))
		return -1;
	if (!store_view_holds(copy->from))
		return err_set(err, ERR_BUSY, "%s keeps changing; try again", copy->from->name);
	if (fsync(copy->fresh_fd) || fstat(copy->fresh_fd, &st))
		return err_set_errno(err, errno, "cannot write %s", copy->fresh);
	copy->bytes = st.st_size;
	return 0;
}

/* The complete copy gets its name. */
static int copy_publish(struct copy *copy, struct err *err)
{
	auto_free char *folder = xstrdup(copy->path);
	auto_close int fd = -1;

	if (rename(copy->fresh, copy->path))
		return err_set_errno(err, errno, "cannot rename %s", copy->fresh);
	free(copy->fresh);
	copy->fresh = NULL;
	fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) ? err_set_errno(err, errno, "syncing %s to disk", folder) : 0;
}

static void copy_discard(struct copy *copy)
{
	if (copy->fresh)
		unlink(copy->fresh);
	free(copy->fresh);
	if (copy->fresh_fd >= 0)
		close(copy->fresh_fd);
}

/* The runs may be damaged without the leases being lost. -1: the disk of the copy failed. */
static int runs_copy(struct store_backup *b, struct copy *runs, store_backup_stop_fn stop,
		     struct err *err)
{
	struct err why = { 0 };

	if (!b->runs || copy_make(runs, stop, &why) == 0)
		return 0;
	if (why.kind != ERR_REFUSED) {
		*err = why;
		return -1;
	}
	b->runs_failed = 1;
	b->runs_err = why;
	copy_discard(runs);
	*runs = (struct copy){ .fresh_fd = -1 };
	return 0;
}

int store_backup_write(struct store_backup *b, const char *target, store_backup_stop_fn stop,
		       struct store_backup_result *ret, struct err *err)
{
	struct copy leases = { .from = b->leases, .path = target, .fresh_fd = -1 };
	struct copy runs = { .from = b->runs, .path = ret->runs_path, .fresh_fd = -1 };
	struct err own = { 0 };
	int rc;

	*ret = (struct store_backup_result){ .bytes = 0 };
	rc = target_check(b, target, &schema_leases, &own);
	if (!rc) {
		store_runs_path(target, ret->runs_path);
		rc = target_check(b, ret->runs_path, &schema_runs, &own);
	}
	/* Both are complete before the first is replaced; the leases, which matter, last. */
	if (!rc)
		rc = runs_copy(b, &runs, stop, &own) || copy_make(&leases, stop, &own) ||
				     (runs.fresh && copy_publish(&runs, &own)) ||
				     copy_publish(&leases, &own) ?
			     -1 :
			     0;
	copy_discard(&runs);
	copy_discard(&leases);
	if (rc && err)
		*err = own;
	TEXT_SET(ret->instance, b->instance);
	ret->bytes = leases.bytes;
	ret->runs_bytes = runs.bytes;
	ret->runs_failed = b->runs_failed;
	ret->runs_err = b->runs_err;
	return rc;
}

int64_t store_backup_newest(const char *dir)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	int64_t newest = 0;

	if (!folder)
		return -1;
	for (int i = 0; i < ENTRIES_MAX && (entry = readdir(folder)); i++) {
		size_t len = strlen(entry->d_name);
		struct stat st;

		if (len < 3 || strcmp(entry->d_name + len - 3, ".db") != 0 ||
		    (len >= 8 && strcmp(entry->d_name + len - 8, "-runs.db") == 0) ||
		    fstatat(dirfd(folder), entry->d_name, &st, 0) < 0)
			continue;
		if (S_ISREG(st.st_mode) && (int64_t)st.st_mtime > newest)
			newest = (int64_t)st.st_mtime;
	}
	closedir(folder);
	return newest;
}
