/* SPDX-License-Identifier: MIT */
/* Runs and their events as JSON: contract 2.10. Loop thread. */
#pragma once

#include "api/request.h"

/* The complete run as "run"; reads results and samples from the store. */
void run_render(struct api_request *request, struct jsonw *w, const struct run_row *run);
/* The members of a run that its row holds, into the open object. */
void run_render_row(struct jsonw *w, const struct run_row *r, const char *command);
/* An event as an object; `fields` is the stored object. */
void run_render_event(struct jsonw *w, const char *run_id, int64_t seq, int64_t at_ms,
		      const char *fields);
