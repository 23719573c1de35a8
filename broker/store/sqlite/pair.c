/* SPDX-License-Identifier: MIT */
/* The runs' file: its path, its pair id, and opening it. */
#include "store/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/internal.h"
#include "util/alloc.h"
#include "util/hash.h"

#define PAIR_BYTES 16
#define PAIR_SIZE HASH_HEX_ROOM(PAIR_BYTES)
#define INSTANCE_SIZE 32

/* Both texts; "": none yet. */
struct pair {
	char instance[INSTANCE_SIZE];
	char id[PAIR_SIZE];
};

void store_runs_path(const char *path, char ret[STORE_RUNS_PATH_SIZE])
{
	size_t len = strlen(path);
	int has_end = len > 3 && !strcmp(path + len - 3, ".db") && path[len - 4] != '/';

	snprintf(ret, STORE_RUNS_PATH_SIZE, "%.*s-runs%s", (int)(has_end ? len - 3 : len), path,
		 has_end ? ".db" : "");
}

static int pair_read(struct store *store, struct pair *ret, struct err *err)
{
	return meta_text(store, "instance", ret->instance, sizeof(ret->instance), err) ||
			       meta_text(store, "pair", ret->id, sizeof(ret->id), err) ?
		       -1 :
		       0;
}

/* Zeroed if there is no file or an empty one. */
static int pair_inspect(const char *path, struct pair *ret, struct err *err)
{
	struct store *file;
	struct err own = { 0 };
	int64_t tables = 0;
	int pending, rc;

	memset(ret, 0, sizeof(*ret));
	if (store_open_unchecked(path, &schema_runs, &file, &own)) {
		if (own.kind == ERR_NOT_FOUND)
			return 0;
		if (err)
			*err = own;
		return -1;
	}
	rc = schema_pending(file, &pending, err) ||
			     schema_number(file, "SELECT count(*) FROM sqlite_schema", &tables,
					   err) ||
			     (tables && pair_read(file, ret, err)) ?
		     -1 :
		     0;
	if (!rc && tables && !ret->id[0])
		rc = err_set(err, ERR_REFUSED,
			     "the store %s is damaged: its pair id is missing; "
			     "restore it from a backup",
			     path);
	store_close(file);
	return rc;
}

/*
 * A store without a pair id adopts a file of its own instance: a start was interrupted, or
 * the leases' file is a backup from before the split.
 */
static int pair_check(const struct store *leases, const char *path, const struct pair *ours,
		      const struct pair *theirs, struct err *err)
{
	if (!theirs->id[0])
		return 0;
	if (!strcmp(ours->instance, theirs->instance) &&
	    (!ours->id[0] || !strcmp(ours->id, theirs->id)))
		return 0;
	return err_set(err, ERR_REFUSED,
		       "the run history %s belongs to another store than %s; move it "
		       "away, or restore both from the same backup",
		       path, leases->name);
}

static void pair_make(const struct env *env, struct pair *pair)
{
	unsigned char bytes[PAIR_BYTES];

	env_random(env, bytes, sizeof(bytes));
	hash_hex(bytes, sizeof(bytes), pair->id);
}

/* ---- a new file ------------------------------------------------------------------------- */

/* The leases' file already has its instance. */
static int pair_write(struct store *store, const struct pair *pair, int with_instance,
		      struct err *err)
{
	if (store_begin(store, err))
		return -1;
	if ((with_instance &&
	     meta_put(store, "instance", pair->instance, strlen(pair->instance), err)) ||
	    meta_put(store, "pair", pair->id, strlen(pair->id), err)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

static int file_remove(const char *path, const char *end, struct err *err)
{
	auto_free char *name = xasprintf("%s%s", path, end);

	return unlink(name) && errno != ENOENT ? err_set_errno(err, errno, "removing %s", name) : 0;
}

/* SQLite would apply leftovers of an earlier file of that name to this one. */
static int leftovers_remove(const char *path, struct err *err)
{
	return file_remove(path, "-journal", err) || file_remove(path, "-wal", err) ||
	       file_remove(path, "-shm", err) ? -1 : 0;
}

static int sync_path(const char *path, struct err *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? err_set_errno(err, errno, "syncing %s to disk", path) : 0;
}

static int sync_folder_of(const char *path, struct err *err)
{
	auto_free char *copy = xstrdup(path);

	return sync_path(dirname(copy), err);
}

/* Writes the whole file and syncs it; nothing remains in a log. */
static int file_write(const char *path, const struct pair *pair, struct err *err)
{
	auto_free char *log = xasprintf("%s-wal", path);
	struct store *runs;
	int rc;

	if (store_open_writer(path, &schema_runs, WRITER_UNSYNCED, &runs, err))
		return -1;
	rc = pair_write(runs, pair, 1, err);
	store_close(runs);
	if (!rc && access(log, F_OK) == 0)
		rc = err_set(err, ERR_IO, "%s could not be written completely", path);
	return rc ? rc : sync_path(path, err);
}

/*
 * Written under another name until complete: a power failure during the creation of a
 * database may leave a damaged one, which would have to be removed by hand.
 */
static int file_make(const char *path, const struct pair *pair, struct err *err)
{
	auto_free char *fresh = xasprintf("%s.new", path);

	if (file_remove(fresh, "", err) || leftovers_remove(fresh, err) ||
	    file_write(fresh, pair, err) || leftovers_remove(path, err))
		return -1;
	if (rename(fresh, path))
		return err_set_errno(err, errno, "making %s", path);
	return sync_folder_of(path, err) || file_remove(fresh, ".lock", err) ? -1 : 0;
}

/* The new file first: until the leases' file records the pair, losing it loses nothing. */
static int pair_join(struct store *leases, const char *path, const struct env *env,
		     const struct pair *ours, const struct pair *theirs, struct err *err)
{
	struct pair pair = *ours;

	if (!pair.id[0])
		memcpy(pair.id, theirs->id, sizeof(pair.id));
	if (!pair.id[0])
		pair_make(env, &pair);
	if (!theirs->id[0] && file_make(path, &pair, err))
		return -1;
	env_point(env, "runs-file-made");
	return ours->id[0] ? 0 : pair_write(leases, &pair, 0, err);
}

int sqlite_open_runs(struct store *leases, const struct env *env, struct store **ret,
		     int *ret_is_lost, struct err *err)
{
	char path[STORE_RUNS_PATH_SIZE];
	struct pair ours, theirs;
	struct store *runs;

	*ret_is_lost = 0;
	store_runs_path(leases->name, path);
	reserve_lend(leases, path);
	if (pair_read(leases, &ours, err) || pair_inspect(path, &theirs, err) ||
	    pair_check(leases, path, &ours, &theirs, err) ||
	    pair_join(leases, path, env, &ours, &theirs, err) ||
	    store_open_writer(path, &schema_runs, WRITER_DAEMON, &runs, err))
		return -1;
	if (runs_functions(runs, err) || runs_move(leases, runs, env, err)) {
		store_close(runs);
		return -1;
	}
	reserve_watch(runs);
	*ret_is_lost = ours.id[0] && !theirs.id[0];
	*ret = runs;
	return 0;
}

int sqlite_open_runs_reader(const char *path, struct store **ret, struct err *err)
{
	char name[STORE_RUNS_PATH_SIZE];
	struct store *runs;

	store_runs_path(path, name);
	if (store_open_reading(name, &schema_runs, &runs, err))
		return -1;
	if (runs_functions(runs, err)) {
		store_close(runs);
		return -1;
	}
	*ret = runs;
	return 0;
}
