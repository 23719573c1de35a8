/* SPDX-License-Identifier: MIT */
/*
 * Lets one of the rows that are written to a database fail, as when memory runs out; and
 * runs each request of a list with each of its writes failing in turn: the answer is never a
 * success, and the request leaves no trace.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fuse_case {
	const char *name;
	void (*before)(void); /* the state before the request */
	void (*ask)(void);    /* the request */
	int least;	      /* writes it makes at least; more is fine */
};

enum fuse_answer {
	FUSE_SUCCESS,
	FUSE_REFUSED, /* as it should be when a write fails: the room looks */
};

struct fuse_room {
	const struct fuse_case *cases;
	size_t count;
	/* A new world, of which that is the database's path; and its end. */
	const char *(*start)(void);
	void (*end)(void);
	enum fuse_answer (*answer)(const struct fuse_case *one);
	/* What it takes for a request, the first one or one after another that was refused. */
	void (*prepare)(void);
};

/* Each of its cases is a test of cmocka's. The return of main. */
int fuse_run(const struct fuse_room *room);

/* Beside whoever has it open. */
void fuse_arm(const char *path);
void fuse_end(void);
/* The write after that many others fails, and those that follow do not. */
void fuse_set(int writes);
/* Below 0: one has failed. */
int fuse_left(void);
/* Of every row of every table. */
uint32_t fuse_sum_of_everything(void);
