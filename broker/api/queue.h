/* SPDX-License-Identifier: MIT */
/* Requests on their way to the engine and back (completion.h). Loop thread. */
#pragma once

#include <stddef.h>

#include "api/completion.h"
#include "engine/engine.h"

struct call;
struct pending;
struct queue;

/* Answers the call; loop thread. The request is gone when it returns. */
typedef void (*queue_finish_fn)(struct call *call, struct engine_request *request);

struct queue *queue_new(struct completions *completions, struct engine *engine);
/*
 * A cleared request for the call, its caller filled in; NULL when `max` are on their way.
 * `create` is only cleared for a REQUEST_CREATE.
 */
struct engine_request *queue_request(struct queue *queue, const struct call *call,
				     enum request_kind kind, size_t max);
/* Not submitted after all. */
void queue_drop(struct queue *queue, struct engine_request *request);
void queue_submit(struct queue *queue, struct engine_request *request, queue_finish_fn finish);
size_t queue_count(const struct queue *queue);
/* After completions_drain. NULL is fine. */
void queue_free(struct queue *queue);
