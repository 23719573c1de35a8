/* SPDX-License-Identifier: MIT */
/*
 * The book: who has which host, in the state directory, where it survives every crash.
 *
 *   host-NAME.json   the host NAME is taken; one file for a host, so one holder
 *   mark-NAME.json   an account's mark: proves that this is the directory we know
 *   run-ID           the command that runs, or ran last, for the record ID (run.h)
 *   tmp-*            half made; nobody's
 *   lock             held while somebody reads or writes the book
 *
 * A record comes to be by link(2) of a file that is whole and on the disk: at once, and
 * only if there is none of that name. It changes by rename(2), and goes by unlink(2). Each
 * of these is on the disk before it is told.
 */
#pragma once

#include <stddef.h>

#include "allocation.h"

/* For one step, on its thread. */
struct registry {
	int dir;
	int lock;
	struct allocation *allocations;
	size_t count;
	int unreadable;		/* so many records could not be read: absence proves nothing */
	char complaint[160];	/* the last of these, for the log */
};

enum registry_opened {
	REGISTRY_OPEN,
	REGISTRY_BUSY,	 /* another process or account has the lock */
	REGISTRY_FAILED, /* errno says why */
};
/* Takes the lock and reads everything. book_close must follow BOOK_OPEN. */
enum registry_opened registry_open(const char *path, struct registry *ret);
void registry_close(struct registry *registry);

struct allocation *registry_by_id(const struct registry *registry, const char *id);
/* The record of a host, readable or not; NULL: it is free. */
const struct allocation *registry_of_host(const struct registry *registry, const char *host);

enum registry_added {
	REGISTRY_ADDED,	    /* and on the disk */
	REGISTRY_TAKEN,	    /* there is such a file already */
	REGISTRY_NOT_ADDED, /* certainly not; errno says why */
	REGISTRY_UNKNOWN,   /* made, and maybe not on the disk */
};
/* Makes the record that `root` says, of which the caller keeps its reference. */
enum registry_added registry_add(const struct registry *registry, const json_t *root);
/* Writes what was changed in `record->root`. -1: the old one may still be there. */
int registry_change(const struct registry *registry, const struct allocation *allocation);
/* -1: it may still be there. */
int registry_remove(const struct registry *registry, const struct allocation *allocation);
