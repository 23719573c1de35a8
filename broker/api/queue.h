/* SPDX-License-Identifier: MIT */
/*
 * Requests on their way to the engine and back. What the engine has done it puts, on
 * its own thread, on one list under one mutex and rings an eventfd; the loop takes
 * the whole list and finishes each outside the lock. The only file here with
 * a lock or an event.
 */
#pragma once

#include <stddef.h>

#include "engine/engine.h"
#include "util/err.h"

struct call;
struct event_base;
struct pending;
struct queue;

/* Answers the call; loop thread. The request is gone when it returns. */
typedef void (*queue_finish_fn)(struct call *call, struct engine_request *request);

int queue_new(struct event_base *base, struct engine *engine, struct queue **ret, struct err *err);
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
/* After engine_stop: finishes what has come back. NULL is fine. */
void queue_free(struct queue *queue);
