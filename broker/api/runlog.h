/* SPDX-License-Identifier: MIT */
/*
 * Reads the body of a finish as it arrives: up to 64 MiB of JSON, nearly all of it the log of
 * the run, with many escapes. The log ("log" and the elements of "logChunks" of the outer
 * object) is decoded into blocks, of which the last are kept. The rest of the body, with ""
 * in place of those texts, is kept for the ordinary reader (json_body.h). So a body takes at
 * most the decoded size of its log in memory, and no part of it blocks the loop. Pure; for one
 * thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct runlog;

#define RUNLOG_BLOCK 65536

/* `log_max`: how many bytes at the end of the log are kept, to within a block. */
struct runlog *runlog_new(size_t log_max, size_t rest_max);
void runlog_free(struct runlog *r); /* NULL is allowed */
void runlog_feed(struct runlog *r, const char *data, size_t len);
/*
 * Call it after the last byte. NULL, or an error for the client (static): the body is refused.
 * Errors outside the log are left to the reader of the rest.
 */
const char *runlog_end(struct runlog *r);
/* Was the rest longer than rest_max? Then runlog_end has returned an error. */
int runlog_is_too_large(const struct runlog *r);
const char *runlog_rest(const struct runlog *r, size_t *ret_len);

/*
 * The next piece of the log, oldest first: of the chunks, or of "log" if there was none.
 * Borrowed until the next call. 1; 0: there are no more.
 */
int runlog_next(struct runlog *r, const char **ret, size_t *ret_len);
/* How many bytes runlog_next will return; before its first call. */
size_t runlog_size(const struct runlog *r);
/* Was the beginning of the log dropped? */
int runlog_is_cut(const struct runlog *r);
