/* SPDX-License-Identifier: MIT */
/* Requests to the engine, from submission to their return (completion.h). Loop thread. */
#pragma once

#include <stddef.h>

#include "api/completion.h"
#include "engine/fleet.h"

struct api_request;
struct notice_request;
struct engine_pending;
struct engine_queue;

/* Answers the request; loop thread. `engine_request` is invalid after it returns. */
typedef void (*engine_queue_finish_fn)(struct api_request *request,
				       struct engine_request *engine_request);

struct engine_queue *engine_queue_new(struct completions *completions, struct fleet *fleet);
/*
 * A cleared request to the engine, with its kind and caller; NULL if `max` are open. Belongs to
 * the caller until it is submitted or dropped.
 */
struct engine_request *engine_queue_request(struct engine_queue *queue,
					    const struct api_request *request,
					    enum request_kind kind, size_t max);
/* What the client asked for, kept beside the request for its answer; cleared with it. */
struct notice_request *engine_queue_asked(struct engine_request *engine_request);
/* Returns a request that was not submitted. */
void engine_queue_drop(struct engine_queue *queue, struct engine_request *engine_request);
void engine_queue_submit(struct engine_queue *queue, struct engine_request *engine_request,
			 engine_queue_finish_fn finish);
size_t engine_queue_count(const struct engine_queue *queue);
/* How many requests were answered before their wait was over, for this reason. */
uint64_t engine_queue_early(const struct engine_queue *queue, enum request_early why);
/* Call it after completions_drain. NULL is allowed. */
void engine_queue_free(struct engine_queue *queue);
