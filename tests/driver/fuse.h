/* SPDX-License-Identifier: MIT */
/*
 * Makes the write of one database row fail, as when memory runs out. Runs each request of a
 * list with each of its writes failing in turn: the response must never be a success, and the
 * request must leave no change.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fuse_case {
	const char *name;
	void (*before)(void); /* the state before the request */
	void (*ask)(void);    /* the request */
	int least;	      /* the minimum number of writes it makes */
};

enum fuse_answer {
	FUSE_SUCCESS,
	FUSE_REFUSED, /* the expected error after a failed write; the room checks it */
};

struct fuse_room {
	const struct fuse_case *cases;
	size_t count;
	/* Creates a new world and returns the path of its database; and ends it. */
	const char *(*start)(void);
	void (*end)(void);
	enum fuse_answer (*answer)(const struct fuse_case *one);
	/* Prepares for a request: the first one, or one after a refused one. */
	void (*prepare)(void);
};

/* Runs each case as a cmocka test. Returns what main returns. */
int fuse_run(const struct fuse_room *room);

/* Opens a connection of its own, beside any that others have open. */
void fuse_arm(const char *path);
void fuse_end(void);
/* Write number `writes` + 1 fails; later ones succeed. */
void fuse_set(int writes);
/* Below 0: a write has failed. */
int fuse_left(void);
/* A checksum of every row of every table. */
uint32_t fuse_sum_of_everything(void);
