/* SPDX-License-Identifier: MIT */
/*
 * A data version for readers, without I/O. SQLite keeps the index of the write-ahead log in
 * memory shared by all connections of all processes. Every commit changes the header of
 * that index (a change counter, the checksum of the frames) before it returns, so comparing
 * the header detects commits without a lock and without a system call. The format:
 * https://sqlite.org/walformat.html, section 2.1. A database without a write-ahead log, or
 * with an index of an unknown format, has no data version.
 */
#include <string.h>

#include "store/sqlite/internal.h"

#define INDEX_BYTES 32768
#define INDEX_FORMAT 3007000
#define WORD_FORMAT 0
#define WORD_FRAMES 4 /* the number of valid frames */
#define WORD_PAGES 5  /* the size of the database */
#define WORD_SALT 8
/* Of the frames, so many has a checkpoint written to the database, or begun to write. */
#define WORD_DONE 24
#define WORD_BEGUN 32
#define BYTE_INIT 12 /* not 0: the header is valid */

/* The mapping belongs to SQLite and lasts as long as the connection, which stays in WAL mode. */
uint32_t *index_map(struct store *store, int64_t n)
{
	sqlite3_file *file = NULL;
	void volatile *index = NULL;

	if (sqlite3_file_control(store->file->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) ||
	    !file || !file->pMethods || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap)
		return NULL;
	/* The writer extends it. */
	if (file->pMethods->xShmMap(file, (int)n, INDEX_BYTES, n > 0, &index))
		return NULL;
	return (uint32_t *)(uintptr_t)index;
}

/* Outside of WAL mode, mapping the index would create one. */
static int has_log(struct store *store)
{
	struct statement *stmt = store_prepare(store, "PRAGMA journal_mode", NULL);
	int is_wal;

	if (!stmt || store_row(store, stmt, "reading the journal mode", NULL))
		return 0;
	is_wal = !strcmp(column_string(stmt, 0), "wal");
	statement_end(stmt);
	return is_wal;
}

static const uint32_t *index_head(struct store *store)
{
	if (!store->file->index && !store->file->is_unlocked && has_log(store))
		store->file->index = index_map(store, 0);
	return store->file->index;
}

/* Has it a format that is known? */
static int index_is_valid(const uint32_t *index)
{
	return index[WORD_FORMAT] == INDEX_FORMAT && ((const unsigned char *)index)[BYTE_INIT];
}

int64_t log_frames(struct store *store)
{
	const uint32_t *index = index_head(store);

	return index && index_is_valid(index) ?
		       (int64_t)__atomic_load_n(&index[WORD_FRAMES], __ATOMIC_ACQUIRE) :
		       -1;
}

int64_t log_pages(struct store *store)
{
	const uint32_t *index = index_head(store);

	return index && index_is_valid(index) ?
		       (int64_t)__atomic_load_n(&index[WORD_PAGES], __ATOMIC_ACQUIRE) :
		       -1;
}

int log_checkpoint(struct store *store, struct log_checkpoint *ret)
{
	const uint32_t *index = index_head(store);

	if (!index || !index_is_valid(index))
		return -1;
	ret->begun = __atomic_load_n(&index[WORD_BEGUN], __ATOMIC_ACQUIRE);
	ret->done = __atomic_load_n(&index[WORD_DONE], __ATOMIC_ACQUIRE);
	ret->salt = __atomic_load_n(&index[WORD_SALT], __ATOMIC_ACQUIRE);
	return 0;
}

uint64_t sqlite_data_version(struct store *store)
{
	uint32_t now[STORE_INDEX_WORDS];

	if (!index_head(store))
		return 0;
	/*
	 * A commit in progress may tear this copy. A torn copy equals no complete header, so the
	 * next call sees another change. Reads that follow are at least as new as the copy.
	 */
	for (size_t i = 0; i < STORE_INDEX_WORDS; i++)
		now[i] = __atomic_load_n(&store->file->index[i], __ATOMIC_ACQUIRE);
	if (!index_is_valid(now))
		return 0;
	if (memcmp(now, store->file->seen_index, sizeof(now))) {
		memcpy(store->file->seen_index, now, sizeof(now));
		store->file->data_version++;
	}
	return store->file->data_version;
}
