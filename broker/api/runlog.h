/* SPDX-License-Identifier: MIT */
/*
 * The body that ends a run, as it arrives: up to 64 MiB of JSON of which nearly all is the
 * run's log, much of it escapes. The log's texts ("log" and the elements of "logChunks" of
 * the outer object) are decoded on the way into blocks, of which the last ones are kept;
 * the rest of the body, with null in the place of those texts, is kept for the ordinary
 * reader (json_body.h). So a body costs its log's decoded size at most, once, and no part of it
 * holds up the loop. Pure; belongs to one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct runlog;

#define RUNLOG_BLOCK 65536

/* `log_max`: bytes of log that are kept, the last ones, to within a block. */
struct runlog *runlog_new(size_t log_max, size_t rest_max);
void runlog_free(struct runlog *r);	/* NULL is fine */
void runlog_feed(struct runlog *r, const char *data, size_t len);
/*
 * After the last byte. NULL, or what is wrong in words for the client: then the body is
 * refused. What this does not see is left to the reader of the rest.
 */
const char *runlog_end(struct runlog *r);
/* Was it more than rest_max beside the log? Then runlog_end says so, too. */
int runlog_is_too_large(const struct runlog *r);
const char *runlog_rest(const struct runlog *r, size_t *ret_len);

/*
 * The log, piece by piece, oldest first: the chunks, or "log" if there was none. A piece
 * is the caller's until the next call. 1; 0: there is no more.
 */
int runlog_next(struct runlog *r, const char **ret, size_t *ret_len);
/* Bytes that runlog_next gives, before its first call. */
size_t runlog_size(const struct runlog *r);
/* Was more sent than is kept? */
int runlog_is_cut(const struct runlog *r);
