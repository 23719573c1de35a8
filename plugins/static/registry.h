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
struct book {
	int dir;
	int lock;
	struct record *records;
	size_t count;
	int unreadable;		/* so many records could not be read: absence proves nothing */
	char complaint[160];	/* the last of these, for the log */
};

enum book_opened {
	BOOK_OPEN,
	BOOK_BUSY,	/* another process or account has the lock */
	BOOK_FAILED,	/* errno says why */
};
/* Takes the lock and reads everything. book_close must follow BOOK_OPEN. */
enum book_opened book_open(const char *path, struct book *ret);
void book_close(struct book *book);

struct record *book_by_id(const struct book *book, const char *id);
/* The record of a host, readable or not; NULL: it is free. */
const struct record *book_of_host(const struct book *book, const char *host);

enum book_made {
	BOOK_MADE,	/* and on the disk */
	BOOK_TAKEN,	/* there is such a file already */
	BOOK_NOT_MADE,	/* certainly not; errno says why */
	BOOK_UNKNOWN,	/* made, and maybe not on the disk */
};
/* Makes the record that `root` says, of which the caller keeps its reference. */
enum book_made book_add(const struct book *book, const json_t *root);
/* Writes what was changed in `record->root`. -1: the old one may still be there. */
int book_change(const struct book *book, const struct record *record);
/* -1: it may still be there. */
int book_remove(const struct book *book, const struct record *record);
