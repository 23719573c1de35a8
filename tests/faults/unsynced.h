/* SPDX-License-Identifier: MIT */
/*
 * Simulates what a file loses in a power failure. Keeps the bytes from before each
 * write since the last sync and undoes a part of these writes. kill -9 does not
 * test fsync, because the page cache survives.
 */
#pragma once

#include <stdint.h>

struct unsynced;

/* Tracks the file at `path`. Free with unsynced_free. */
struct unsynced *unsynced_new(const char *path);
void unsynced_free(struct unsynced *u);
/*
 * Call before `len` bytes at `at` are written or truncated. Returns a zeroed buffer
 * for their current content, which the caller reads through its own descriptor:
 * closing another one would drop SQLite's locks.
 */
unsigned char *unsynced_before(struct unsynced *u, int64_t at, int64_t len);
void unsynced_synced(struct unsynced *u);
/*
 * The power fails: undoes a part of the unsynced writes of every file, sector by
 * sector, chosen by `seed`.
 */
void unsynced_cut_all(uint32_t seed);
