/* SPDX-License-Identifier: MIT */
/*
 * Online backup of the pair of files, while a daemon may be using them. The source is only
 * read, in one snapshot. The copy is complete, checked and on disk before it gets its name, so
 * an earlier backup of that name is replaced as a whole or not at all.
 *
 * Opening and writing are separate calls, so that the caller may open the source as one user
 * and write the copy as another.
 */
#pragma once

#include <stdint.h>

#include "store/runs.h"

struct store_backup;

/*
 * Opens the leases' file at `path` and the runs' file beside it, and begins a snapshot of
 * each, that of the leases last: it knows all leases that the runs refer to. 0; 1 if there is
 * no database or an empty one; -1.
 */
int store_backup_open(const char *path, struct store_backup **ret, struct err *err);
void store_backup_close(struct store_backup *backup); /* NULL is allowed */

/* Called between two parts of the copy; non-zero: stop. */
typedef int (*store_backup_stop_fn)(void);

/*
 * When the newest copy of leases in a directory was written, in seconds since 1970; 0: there is none;
 * -1 with errno. Files are known by the names that lessord-backup.timer gives them.
 */
int64_t store_backup_newest(const char *dir);

struct store_backup_result {
	char instance[32];
	int64_t bytes;	    /* size of the leases' copy */
	int64_t runs_bytes; /* size of the runs' copy; 0: not copied */
	char runs_path[STORE_RUNS_PATH_SIZE];
	int runs_failed;     /* the runs' file cannot be read: only the leases are backed up */
	struct err runs_err; /* why */
};

/*
 * Writes the copies: the leases to `target`, the runs to store_runs_path(target). Mode 0600.
 * ERR_INVALID: `target` must not be written, for a reason that the text gives. ERR_BUSY: the
 * source was changed while nobody had locked it; open it again. ERR_REFUSED: the source is
 * damaged. On -1 the previous files of these names are unchanged and nothing else is left.
 */
int store_backup_write(struct store_backup *backup, const char *target, store_backup_stop_fn stop,
		       struct store_backup_result *ret, struct err *err);
