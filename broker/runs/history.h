/* SPDX-License-Identifier: MIT */
/*
 * Run history without a thread of its own: the rules for what clients may report about runs,
 * and which runs are ended or deleted when. The caller passes requests between history_begin
 * and history_flush: the runs thread in the daemon (runs.c), a test under a virtual clock.
 */
#pragma once

#include "runs/runs.h"

struct history;

/* The caller keeps the store and the reader. history_flush calls on_broken. */
struct history *history_new(const struct runs_config *config);
void history_free(struct history *history); /* accepts NULL */

/*
 * Begins the transaction of a turn. -1: the store is broken, or, with ERR_BUSY, another process
 * holds its lock now.
 */
int history_begin(struct history *history, struct err *err);
/* Applies a request; history_flush calls its `done`. */
void history_request(struct history *history, struct run_request *request);
/*
 * Does what is due at env's time: ends runs whose client is silent, deletes runs that are too
 * old or exceed the size limit.
 */
void history_due(struct history *history);
/*
 * Commits, then answers. -1 with `err`, which must not be NULL: every request of this turn was
 * refused. Then the store is broken, and on_broken was called; or, with ERR_BUSY or
 * store_broken 0, the disk is full, and the next turn may succeed.
 */
int history_flush(struct history *history, struct err *err);
/* Wall-clock time at which to call history_due next, in ms; 0: nothing is due. */
int64_t history_next_ms(const struct history *history);
/* Logs once that reports cannot be stored for now (`why`), and once that they can again (NULL). */
void history_watch(struct history *history, const struct err *why);
/* Refuses a request because of shutdown or a broken store. */
void history_refuse(struct run_request *request, int is_broken);
