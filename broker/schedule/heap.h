/* SPDX-License-Identifier: MIT */
/*
 * Keys (row numbers) ordered by due time, then by key, one entry per key. A binary heap with a
 * hash from key to place, so that changing a due time is O(log n). Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct heap;

struct heap *heap_new(void);
void heap_free(struct heap *heap);
/* Sets the key's due time; 0 removes the key. */
void heap_set(struct heap *heap, int64_t key, int64_t due_ms);
/* The earliest due time, 0 if empty. */
int64_t heap_next(const struct heap *heap);
/* Removes the earliest entry due at `now_ms` and returns its key; 0 if none is due. */
int64_t heap_pop(struct heap *heap, int64_t now_ms);
size_t heap_count(const struct heap *heap);
