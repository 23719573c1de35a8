/* SPDX-License-Identifier: MIT */
/*
 * Requests on their way to run history and back, as engine_queue.h for the engine. Their number is
 * bounded by itself: a slow disk under the runs takes no place from a lease. Loop thread.
 */
#pragma once

#include <stddef.h>

#include "api/completion.h"
#include "runs/runs.h"

struct api_request;
struct run_queue;

/* Answers the request. The request is gone when it returns; what it borrowed is the callee's again. */
typedef void (*run_queue_finish_fn)(struct api_request *request, struct run_request *run_request);

struct run_queue *run_queue_new(struct completions *completions, struct runs *runs);
/* A cleared request for the request, its caller filled in; NULL when `max` are on their way. */
struct run_request *run_queue_request(struct run_queue *queue, const struct api_request *request,
				      enum run_op op, size_t max);
/* Not submitted after all. */
void run_queue_drop(struct run_queue *queue, struct run_request *run_request);
void run_queue_submit(struct run_queue *queue, struct run_request *run_request,
		      run_queue_finish_fn finish);
size_t run_queue_count(const struct run_queue *queue);
/* After completions_drain. NULL is fine. */
void run_queue_free(struct run_queue *queue);
