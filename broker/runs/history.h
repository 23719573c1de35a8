/* SPDX-License-Identifier: MIT */
/*
 * Run history without a thread of its own: the rules of what may be told of a run, and what is
 * closed and taken away in time. Whoever calls it gives it requests between history_begin and
 * history_flush: the daemon on the room's thread (runs.c), a test under a virtual clock.
 */
#pragma once

#include "runs/runs.h"

struct history;

/* The store and the reader stay the caller's. on_broken is called by history_flush. */
struct history *history_new(const struct runs_config *config);
void history_free(struct history *history);	/* NULL is fine */

/* Opens the turn's transaction. -1: the store is broken. */
int history_begin(struct history *history, struct err *err);
/* Its `done` comes with history_flush. */
void history_request(struct history *history, struct run_request *request);
/* What is due at env's time: runs whose client fell silent, and what is too old or too much. */
void history_due(struct history *history);
/*
 * Commits, then answers. -1 with `err`, which is not NULL: the store is broken; on_broken was
 * called, and then everything of this turn was refused.
 */
int history_flush(struct history *history, struct err *err);
/* When history_due should be called next, wall clock; 0: nothing is due. */
int64_t history_next_ms(const struct history *history);
/* Answers a request that no store will take: shutting down, or broken. */
void history_refuse(struct run_request *request, int is_broken);
