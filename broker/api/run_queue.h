/* SPDX-License-Identifier: MIT */
/*
 * Requests to run history, as engine_queue.h for the engine. They have a limit of their own, so
 * a slow disk under the runs does not block leases. Loop thread.
 */
#pragma once

#include <stddef.h>

#include "api/completion.h"
#include "runs/runs.h"

struct api_request;
struct run_queue;

/* Answers the request. `run_request` is invalid after it returns; what it borrowed is the callee's. */
typedef void (*run_queue_finish_fn)(struct api_request *request, struct run_request *run_request);

struct run_queue *run_queue_new(struct completions *completions, struct runs *runs);
/* A cleared request to run history, with its caller; NULL if `max` are open. */
struct run_request *run_queue_request(struct run_queue *queue, const struct api_request *request,
				      enum run_op op, size_t max);
/* Frees a request that was not submitted. */
void run_queue_drop(struct run_queue *queue, struct run_request *run_request);
void run_queue_submit(struct run_queue *queue, struct run_request *run_request,
		      run_queue_finish_fn finish);
size_t run_queue_count(const struct run_queue *queue);
/* Call it after completions_drain. NULL is allowed. */
void run_queue_free(struct run_queue *queue);
