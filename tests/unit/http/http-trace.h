/* SPDX-License-Identifier: MIT */
/*
 * Runs the parser over bytes as a connection would, and writes down what it read:
 * one JSON line for each request, then one that says how it ended. Two runs
 * over the same bytes must give the same text however the bytes were cut. Shared by
 * the unit tests, the fuzz target and the differential test.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"
#include "util/buf.h"

/* How long the piece that begins at `at` is (0 reads as 1; what is too long is cut). */
typedef size_t (*trace_cut_fn)(size_t at, void *arg);

struct trace {
	struct buf text;		/* the lines; trace_fini() frees them */
	unsigned requests;		/* complete ones */
	enum http_refusal refusal;	/* HTTP_REFUSED_NONE: more bytes were wanted, or closed */
	int is_started;			/* an unfinished request is left */
	size_t used;			/* bytes taken */
};

/* `cut` may be NULL: one piece. Every piece is fed from memory of exactly its size. */
void trace_run(struct trace *t, const char *data, size_t len, trace_cut_fn cut, void *arg);
void trace_fini(struct trace *t);

/* Cuts at one position: arg points to a size_t. */
size_t trace_cut_once(size_t at, void *arg);
/* Pieces of *arg bytes: arg points to a size_t. */
size_t trace_cut_each(size_t at, void *arg);
/* Pieces of 1 to 16 bytes, from a seed: arg points to a uint64_t that is changed. */
size_t trace_cut_random(size_t at, void *arg);
