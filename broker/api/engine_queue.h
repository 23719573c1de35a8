/* SPDX-License-Identifier: MIT */
/* Requests on their way to the engine and back (completion.h). Loop thread. */
#pragma once

#include <stddef.h>

#include "api/completion.h"
#include "engine/engine.h"

struct api_request;
struct engine_pending;
struct engine_queue;

/* Answers the request; loop thread. The request is gone when it returns. */
typedef void (*engine_queue_finish_fn)(struct api_request *request,
				       struct engine_request *engine_request);

struct engine_queue *engine_queue_new(struct completions *completions, struct engine *engine);
/*
 * A cleared request for the request, its caller filled in; NULL when `max` are on their way.
 * `create` is only cleared for a REQUEST_CREATE.
 */
struct engine_request *engine_queue_request(struct engine_queue *queue,
					    const struct api_request *request,
					    enum request_kind kind, size_t max);
/* Not submitted after all. */
void engine_queue_drop(struct engine_queue *queue, struct engine_request *engine_request);
void engine_queue_submit(struct engine_queue *queue, struct engine_request *engine_request,
			 engine_queue_finish_fn finish);
size_t engine_queue_count(const struct engine_queue *queue);
/* After completions_drain. NULL is fine. */
void engine_queue_free(struct engine_queue *queue);
