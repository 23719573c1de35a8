/* SPDX-License-Identifier: MIT */
#include "api/queue.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "util/alloc.h"
#include "util/log.h"

#define KEPT_MAX 256	/* pendings kept for the next request, 17 KB each */

struct pending {
	struct engine_request request;	/* first: the engine knows only this */
	struct completion completion;
	struct call call;
	queue_finish_fn finish;
	struct queue *queue;
	struct pending *next;
};

/* Loop thread, but for `completions`. */
struct queue {
	struct engine *engine;
	struct completions *completions;
	size_t count;		/* on their way */
	struct pending *kept;
	size_t kept_count;
};

static void queue_keep(struct queue *queue, struct pending *pending)
{
	queue->count--;
	if (queue->kept_count >= KEPT_MAX) {
		free(pending);
		return;
	}
	pending->next = queue->kept;
	queue->kept = pending;
	queue->kept_count++;
}

static void pending_finish(struct completion *completion)
{
	struct pending *pending = (struct pending *)(void *)
		((char *)completion - offsetof(struct pending, completion));

	pending->finish(&pending->call, &pending->request);
	queue_keep(pending->queue, pending);
}

struct queue *queue_new(struct completions *completions, struct engine *engine)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));

	queue->completions = completions;
	queue->engine = engine;
	return queue;
}

void queue_free(struct queue *queue)
{
	struct pending *pending;

	if (!queue)
		return;
	if (queue->count)
		log_error(NULL, "%zu requests were still with the engine at the end",
			  queue->count);
	while ((pending = queue->kept)) {
		queue->kept = pending->next;
		free(pending);
	}
	free(queue);
}

struct engine_request *queue_request(struct queue *queue, const struct call *call,
				     enum request_kind kind, size_t max)
{
	struct pending *pending = queue->kept;
	struct engine_request *request;

	if (queue->count >= max)
		return NULL;
	if (pending) {
		queue->kept = pending->next;
		queue->kept_count--;
	} else {
		pending = xcalloc(1, sizeof(*pending));
	}
	queue->count++;
	/* All but the large answers, which the engine fills. */
	request = &pending->request;
	memset(request, 0, offsetof(struct engine_request, lease));
	request->lease.id[0] = '\0';
	request->attempt_count = 0;
	request->wait_until_ms = 0;
	request->kind = kind;
	request->caller = call->caller;
	pending->completion.finish = pending_finish;
	pending->queue = queue;
	pending->call = *call;
	memset(&pending->call.input, 0, sizeof(pending->call.input));
	return request;
}

void queue_drop(struct queue *queue, struct engine_request *request)
{
	queue_keep(queue, (struct pending *)(void *)request);
}

/* Engine thread. */
static void queue_done(struct engine_request *request)
{
	struct pending *pending = (struct pending *)(void *)request;

	completions_put(pending->queue->completions, &pending->completion);
}

void queue_submit(struct queue *queue, struct engine_request *request, queue_finish_fn finish)
{
	struct pending *pending = (struct pending *)(void *)request;

	pending->finish = finish;
	request->done = queue_done;
	engine_submit(queue->engine, request);
}

size_t queue_count(const struct queue *queue)
{
	return queue->count;
}
