/* SPDX-License-Identifier: MIT */
/*
 * Runs the parser over bytes as a connection would, and records what it read: one JSON line
 * per request, then one for the end. Two runs over the same bytes must give the same text,
 * however the bytes were split. Shared by the unit tests, the fuzz target and the differential
 * test.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"
#include "util/buf.h"

/* The length of the piece that begins at `at` (0 counts as 1; longer than the rest is cut). */
typedef size_t (*trace_cut_fn)(size_t at, void *arg);

struct trace {
	struct buf text;		/* the lines; freed by trace_fini() */
	unsigned requests;		/* complete requests */
	enum http_refusal refusal;	/* HTTP_REFUSED_NONE: unfinished, or closed */
	int is_started;			/* an unfinished request is left */
	size_t used;			/* bytes used */
};

/* `cut` may be NULL: one piece. Each piece is in memory of exactly its size. */
void trace_run(struct trace *t, const char *data, size_t len, trace_cut_fn cut, void *arg);
void trace_fini(struct trace *t);

/* Cuts at one position: arg points to a size_t. */
size_t trace_cut_once(size_t at, void *arg);
/* Pieces of *arg bytes: arg points to a size_t. */
size_t trace_cut_each(size_t at, void *arg);
/* Pieces of 1 to 16 bytes, from a seed: arg points to a uint64_t that is changed. */
size_t trace_cut_random(size_t at, void *arg);
