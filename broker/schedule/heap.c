/* SPDX-License-Identifier: MIT */
#include "schedule/heap.h"

#include "util/alloc.h"

struct heap_entry {
	int64_t due_ms;
	int64_t key;
};

/* Open addressing; place 0 marks a free slot, so places are stored plus one. */
struct heap_slot {
	int64_t key;
	size_t place;
};

struct heap {
	struct heap_entry *entries;
	size_t count, cap;
	struct heap_slot *slots;
	size_t slot_count; /* a power of two, at least twice `cap` */
};

struct heap *heap_new(void)
{
	struct heap *heap = xcalloc(1, sizeof(*heap));

	heap->cap = 64;
	heap->entries = xcalloc(heap->cap, sizeof(*heap->entries));
	heap->slot_count = heap->cap * 2;
	heap->slots = xcalloc(heap->slot_count, sizeof(*heap->slots));
	return heap;
}

void heap_free(struct heap *heap)
{
	if (!heap)
		return;
	free(heap->entries);
	free(heap->slots);
	free(heap);
}

static size_t slot_home(const struct heap *heap, int64_t key)
{
	return (size_t)(((uint64_t)key * 0x9e3779b97f4a7c15u) >> 32) & (heap->slot_count - 1);
}

/* The key's slot, or the free one where it would go. */
static struct heap_slot *slot_find(const struct heap *heap, int64_t key)
{
	size_t i = slot_home(heap, key);

	while (heap->slots[i].place && heap->slots[i].key != key)
		i = (i + 1) & (heap->slot_count - 1);
	return &heap->slots[i];
}

/* Frees the slot and closes the gap, so that no tombstones accumulate. */
static void slot_drop(struct heap *heap, struct heap_slot *slot)
{
	size_t mask = heap->slot_count - 1;
	size_t hole = (size_t)(slot - heap->slots);
	size_t i = hole;

	for (;;) {
		size_t home;

		i = (i + 1) & mask;
		if (!heap->slots[i].place)
			break;
		home = slot_home(heap, heap->slots[i].key);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			heap->slots[hole] = heap->slots[i];
			hole = i;
		}
	}
	heap->slots[hole] = (struct heap_slot){ 0, 0 };
}

static void entry_place(struct heap *heap, size_t i, struct heap_entry entry)
{
	struct heap_slot *slot = slot_find(heap, entry.key);

	heap->entries[i] = entry;
	slot->key = entry.key;
	slot->place = i + 1;
}

/* Of two that are due at the same time, the one with the smaller key: first come, first served. */
static int entry_is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->key < b->key);
}

static void sift_up(struct heap *heap, size_t i, struct heap_entry entry)
{
	while (i > 0 && entry_is_before(&entry, &heap->entries[(i - 1) / 2])) {
		entry_place(heap, i, heap->entries[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	entry_place(heap, i, entry);
}

static void sift_down(struct heap *heap, size_t i, struct heap_entry entry)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    entry_is_before(&heap->entries[child + 1], &heap->entries[child]))
			child++;
		if (!entry_is_before(&heap->entries[child], &entry))
			break;
		entry_place(heap, i, heap->entries[child]);
		i = child;
	}
	entry_place(heap, i, entry);
}

static void remove_at(struct heap *heap, size_t i)
{
	struct heap_entry last = heap->entries[heap->count - 1];

	slot_drop(heap, slot_find(heap, heap->entries[i].key));
	heap->count--;
	if (i == heap->count)
		return;
	if (i > 0 && entry_is_before(&last, &heap->entries[(i - 1) / 2]))
		sift_up(heap, i, last);
	else
		sift_down(heap, i, last);
}

static void heap_grow(struct heap *heap)
{
	heap->cap *= 2;
	heap->entries = xrealloc(heap->entries, heap->cap * sizeof(*heap->entries));
	free(heap->slots);
	heap->slot_count = heap->cap * 2;
	heap->slots = xcalloc(heap->slot_count, sizeof(*heap->slots));
	for (size_t i = 0; i < heap->count; i++)
		entry_place(heap, i, heap->entries[i]);
}

void heap_set(struct heap *heap, int64_t key, int64_t due_ms)
{
	struct heap_slot *slot = slot_find(heap, key);

	if (slot->place)
		remove_at(heap, slot->place - 1);
	if (!due_ms)
		return;
	if (heap->count == heap->cap)
		heap_grow(heap);
	heap->count++;
	sift_up(heap, heap->count - 1, (struct heap_entry){ due_ms, key });
}

int64_t heap_next(const struct heap *heap)
{
	return heap->count ? heap->entries[0].due_ms : 0;
}

int64_t heap_pop(struct heap *heap, int64_t now_ms)
{
	int64_t key;

	if (!heap->count || heap->entries[0].due_ms > now_ms)
		return 0;
	key = heap->entries[0].key;
	remove_at(heap, 0);
	return key;
}

size_t heap_count(const struct heap *heap)
{
	return heap->count;
}
