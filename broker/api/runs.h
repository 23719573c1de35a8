/* SPDX-License-Identifier: MIT */
/* Run history: contract 2.10. Loop thread. */
#pragma once

#include "api/call.h"

#define RUN_TEXT_MAX 16384	/* bytes of a message, a piece of output, a receipt */

#define RUNS_UNAVAILABLE "Run history is not available."

/* Is there a run history, and does it hold? Where not, its routes answer 503. */
int runs_are_readable(const struct api *api);
/* run_ and 12 or 32 hex digits; what is not that is no run. */
int runs_is_id(const char *text);
/* The whole run as "run"; results and samples are read from the store. */
void runs_render(struct call *call, struct jsonw *w, const struct run_row *run);
/* An event as it is given out; `fields` is what was stored. */
void runs_render_event(struct jsonw *w, const char *run_id, int64_t seq, int64_t at_ms,
		       const char *fields);
/* A text cut to `max` bytes, at the end of a character. */
size_t runs_cut(const char *text, size_t len, size_t max);

/* 0: a success, which the caller renders; -1: anything else, which was answered. */
int run_result_check(struct call *call, const struct run_request *request);

/* A test summary as it may be kept, as complete JSON that the caller frees; NULL: it is none. */
char *results_read(const json_t *results);
