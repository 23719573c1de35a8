/* SPDX-License-Identifier: MIT */
/*
 * What a file would lose with the power: the bytes as they were before each
 * write since its last sync. kill -9 does not test fsync (the page cache lives
 * on); undoing a part of this does.
 */
#pragma once

#include <stdint.h>

struct unsynced;

/* For a file by its path; freed with unsynced_free. */
struct unsynced *unsynced_new(const char *path);
void unsynced_free(struct unsynced *u);
/*
 * Before `len` bytes at `at` are written or cut off: returns room for what they
 * are now, zeroes to begin with. The caller reads it with the descriptor it has:
 * closing another one would drop SQLite's locks.
 */
unsigned char *unsynced_before(struct unsynced *u, int64_t at, int64_t len);
void unsynced_synced(struct unsynced *u);
/*
 * Now the power is gone: of every file, any part of what was not synced is
 * undone, sector by sector, as `seed` says.
 */
void unsynced_cut_all(uint32_t seed);
