/* SPDX-License-Identifier: MIT */
/*
 * The allocation registry: which lease has which host. It is kept in the state directory
 * and survives every crash.
 *
 *   host-NAME.json   the host NAME is allocated; one file per host, so one holder
 *   mark-NAME.json   an account's sentinel: proves that this is the same directory
 *   run-ID           the current or last job for the allocation ID (job.h)
 *   tmp-*            incomplete files, to be removed
 *   lock             locked while the registry is read or written
 *
 * Records are created atomically with link(2) from a fully written, synced file; creation
 * fails if the name exists. They are changed with rename(2) and removed with unlink(2).
 * Each of these is synced to disk before it is reported.
 */
#pragma once

#include <stddef.h>

#include "allocation.h"

/* Open for one step, used by its thread. */
struct registry {
	int dir;
	int lock;
	struct allocation *allocations;
	size_t count;
	int unreadable; /* the number of unreadable records; if not 0, absence proves nothing */
	char complaint[160]; /* about the last of these, for the log */
};

enum registry_opened {
	REGISTRY_OPEN,
	REGISTRY_BUSY,	 /* locked by another process or account */
	REGISTRY_FAILED, /* see errno */
};
/* Takes the lock and reads all records. Call registry_close after REGISTRY_OPEN. */
enum registry_opened registry_open(const char *path, struct registry *ret);
void registry_close(struct registry *registry);

struct allocation *registry_by_id(const struct registry *registry, const char *id);
/* The record of a host, readable or not; NULL: the host is free. */
const struct allocation *registry_of_host(const struct registry *registry, const char *host);

enum registry_added {
	REGISTRY_ADDED,	    /* created and on disk */
	REGISTRY_TAKEN,	    /* such a file already exists */
	REGISTRY_NOT_ADDED, /* definitely not created; see errno */
	REGISTRY_UNKNOWN,   /* created, but perhaps not on disk */
};
/* Creates the record described by `root`; the caller keeps its reference. */
enum registry_added registry_add(const struct registry *registry, const json_t *root);
/* Writes the changed `allocation->root`. -1: the old record may still be there. */
int registry_change(const struct registry *registry, const struct allocation *allocation);
/* -1: the record may still be there. */
int registry_remove(const struct registry *registry, const struct allocation *allocation);
